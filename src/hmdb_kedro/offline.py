"""Keep kedro-viz from asking the package index for a newer version.

Where the network answers nothing it would wait for 30 s, and then take that for a newer version.
"""

from types import SimpleNamespace
from typing import Any

from kedro_viz import __version__
from kedro_viz.integrations import pypi


def keep_viz_offline() -> None:
    """Let kedro-viz find its own version where it looks for the newest one."""
    pypi.requests = SimpleNamespace(get=_installed_version, exceptions=pypi.requests.exceptions)


def _installed_version(*_: Any, **__: Any) -> SimpleNamespace:
    return SimpleNamespace(json=lambda: {"info": {"version": __version__}})
