"""Parameters for tests: those of the repository's configuration, changed where a test says so."""

from pathlib import Path
from typing import Any

import yaml

from hmdb_kedro import params

CONF = Path(__file__).parents[1] / "conf"
TYPES = {name: field.annotation for name, field in params.RootParams.model_fields.items()}


def base_values() -> dict[str, Any]:
    """Return every parameter of conf/base."""
    files = sorted((CONF / "base").glob("parameters_*.yml"))
    values = {key: v for file in files for key, v in yaml.safe_load(file.read_text()).items()}
    return {"split": 1, "seed": 1, **values}


def make(branch: str, **changes: Any) -> Any:
    """Return one branch as its typed model, with changes."""
    return TYPES[branch](**(base_values()[branch] | changes))
