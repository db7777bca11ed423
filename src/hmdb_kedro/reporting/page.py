"""Pages of results: one HTML file that needs nothing else, and a model card in Markdown."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

_NONE = "–"
# A menu of a figure changes its title too; on a page, the caption is the title.
_TITLE = "title.text"


def html_report(facts: Mapping[str, Any], figures: Mapping[str, go.Figure]) -> str:
    """Return the report as one self-contained page: no request leaves it.

    Args:
        facts: What the template `report.html.j2` names.
        figures: By the name the template gives them; drawn by the page's own copy of plotly.js.
    """
    drawn = {name: _embedded(figure) for name, figure in figures.items()}
    # A class may be called anything: what would end the script is written another way.
    data = json.dumps(drawn).replace("<", "\\u003c")
    template = _environment("html").get_template("report.html.j2")
    return template.render(facts, figures=data, plotly_js=get_plotlyjs())


def markdown_card(facts: Mapping[str, Any]) -> str:
    """Return the model card; `facts` is what the template `model_card.md.j2` names."""
    return _environment("md").get_template("model_card.md.j2").render(facts)


def share(value: Any, digits: int = 1) -> str:
    """Return a share in per cent."""
    return _NONE if pd.isna(value) else f"{100 * float(value):.{digits}f}\u202f%"


def points(value: Any) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    if pd.isna(value):
        return _NONE
    return f"{100 * float(value):+.1f}".replace("-", "−")


def number(value: Any, digits: int = 2) -> str:
    """Return a number with so many digits, thousands apart."""
    return _NONE if pd.isna(value) else f"{float(value):,.{digits}f}".replace("-", "−")


def short(value: Any) -> str:
    """Return a number with no more digits than it needs, at most four."""
    return _NONE if pd.isna(value) else f"{float(value):.4g}"


def p_value(value: float) -> str:
    """Return a p value as it is written in text."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def count(value: Any) -> str:
    """Return a whole number, thousands apart; large ones in millions."""
    if pd.isna(value):
        return _NONE
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{int(value):,}"


def cell(value: Any) -> str:
    """Return text that keeps to its cell of a Markdown table."""
    return _NONE if pd.isna(value) else " ".join(str(value).replace("|", "\\|").split())


@cache
def _environment(kind: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("hmdb_kedro.reporting", "templates"),
        autoescape=kind == "html",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (share, points, number, short, p_value, count, cell)
    environment.filters |= {found.__name__: found for found in filters}
    return environment


def _embedded(figure: go.Figure) -> dict[str, Any]:
    """Return a figure without its title, which the caption beside it tells."""
    found: dict[str, Any] = json.loads(figure.to_json())
    layout = found["layout"]
    layout.pop("title", None)
    layout.pop("template", None)
    menus = layout.get("updatemenus", [])
    for menu in menus:
        for button in menu["buttons"]:
            button["args"][1].pop(_TITLE, None)
    layout["margin"] = {"l": 10, "r": 10, "t": 50 if menus else 10, "b": 40}
    return found
