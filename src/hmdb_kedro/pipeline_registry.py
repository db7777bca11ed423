"""The project's pipelines, in the order in which data flows through them."""

from pathlib import Path

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

ORDER = ("data_prep", "frames", "flow", "spatial_training", "temporal_training", "fusion_eval")


def register_pipelines() -> dict[str, Pipeline]:
    """Return the pipelines that a command asks for; `__default__` is all of them."""
    found = find_pipelines(raise_errors=True, pipelines_to_find=pipeline_names())
    ordered = {name: found[name] for name in pipeline_names() if name in found}
    return {"__default__": sum(ordered.values(), Pipeline([])), **ordered}


def pipeline_names() -> list[str]:
    """Return the names of the pipelines there are, without importing any."""
    folder = Path(__file__).parent / "pipelines"
    names = {path.parent.name for path in folder.glob("*/__init__.py")}
    return [*(name for name in ORDER if name in names), *sorted(names.difference(ORDER))]
