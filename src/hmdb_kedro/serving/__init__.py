"""The recogniser as an MLflow model: what is saved, and what MLflow's own server runs of it."""
