"""Figures and tables: data in, a plotly figure or a table out."""
