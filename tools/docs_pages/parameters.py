"""The parameters' page: types, limits and words of the Pydantic models, values of `conf`."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hmdb_kedro.configuration import ARGUMENTS, ProjectConfigLoader
from hmdb_kedro.params import RootParams

ENVIRONMENTS = ("base", "sample", "small")
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
}
_NAMES = {
    "integer": "int",
    "number": "float",
    "string": "text",
    "boolean": "`true`, `false`",
    "null": "`null`",
}
_HEAD = """# Parameters

Types, limits and words are those of the models in `hmdb_kedro.params`; values are those of
`conf/base`. Where `sample` or `small` differ, their value stands below. Change one for a run by
`--params`, or for good in an environment of your own (`conf/mine/parameters.yml`, `--env mine`). A
value outside its limits, or an unknown name, stops a run with one line.
"""


def page(repository: Path) -> str:
    """Return the page, a table a branch."""
    values = {name: load(repository, name) for name in ENVIRONMENTS}
    schema = RootParams.model_json_schema()
    top, branches = {}, {}
    for name, field in schema["properties"].items():
        (branches if "$ref" in field else top)[name] = field
    parts = [_HEAD, "## At the top\n", *_table("", top, values)]
    for name, field in branches.items():
        model = schema["$defs"][field["$ref"].rpartition("/")[2]]
        parts += [f"\n## {name}\n", f"{model['description']}\n"]
        parts += _table(name, model["properties"], values)
    return "\n".join(parts) + "\n"


def load(repository: Path, environment: str) -> dict[str, Any]:
    """Return the parameters of an environment."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Kedro uses a function that omegaconf has deprecated
        loader = ProjectConfigLoader(str(repository / "conf"), environment, **ARGUMENTS)
        return dict(loader["parameters"])


def type_in_words(schema: dict[str, Any]) -> str:
    """Say what a value may be: a name of its type with limits, or the values it is one of."""
    if "anyOf" in schema:
        return " or ".join(map(type_in_words, schema["anyOf"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "prefixItems" in schema:
        return f"[{', '.join(map(type_in_words, schema['prefixItems']))}]"
    limits = [text.format(schema[key]) for key, text in _LIMITS.items() if key in schema]
    name = _NAMES.get(schema["type"]) or f"list of ({type_in_words(schema['items'])})"
    return ", ".join([name, *limits])


def _table(branch: str, fields: dict[str, Any], values: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "| parameter | type and limits | what it is | base |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        full = f"{branch}.{name}" if branch else name
        cells = [f"`{full}`", type_in_words(field), field.get("description", "")]
        yield f"| {' | '.join(cells)} | {_values(branch, name, values)} |"


def _values(branch: str, name: str, values: dict[str, dict[str, Any]]) -> str:
    """Return the value of base and, where they differ, those of the other environments."""
    given = {
        environment: (found.get(branch, {}) if branch else found).get(name)
        for environment, found in values.items()
    }
    base = given.pop("base")
    others = [
        f"{environment}: {_shown(value)}" for environment, value in given.items() if value != base
    ]
    return "<br>".join([_shown(base), *others])


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return f"`{str(value).lower()}`" if value is not None else "`null`"
    return f"`{value}`"
