"""The registry of two-stream models: versions, and which of those that can be compared is best."""

from collections.abc import Mapping

import mlflow
from mlflow.entities.model_registry import ModelVersion

from hmdb_kedro.params import FUSED

BEST = "best"
# The lower, the better; a proper score, and what the fusion rules are chosen by.
JUDGED_BY = "val_log_loss"
# Only figures of the same clips in the same parts, seen through as many views, can be compared.
COMPARABLE = ("data_digest", "split", "protocol")
_SHOWN = (*COMPARABLE, "seed", "flow_algorithm", "git_commit", "dirty", "data_version")


def register(
    client: mlflow.MlflowClient, model_uri: str, run_id: str, name: str = FUSED
) -> ModelVersion:
    """Register a logged model, and give it the alias `best` where its validation is the best.

    It is compared with the registered versions of the same clips, split and protocol. The first
    of its kind is the best of its kind: the alias follows what is worked on.

    Args:
        client: Of the store.
        model_uri: Of the logged model, as `log_model` returns it: `models:/m-…`.
        run_id: The run with the model's tags and final figures.
        name: Of the registered model; made where it is missing.

    Returns:
        The version, as it is registered.
    """
    run = client.get_run(run_id)
    told = {key: run.data.tags[key] for key in _SHOWN if key in run.data.tags}
    figure = run.data.metrics.get(JUDGED_BY)
    if figure is not None:
        told[JUDGED_BY] = repr(figure)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    others = client.search_model_versions(f"name = '{name}'")
    model_id = model_uri.removeprefix("models:/")
    version = client.create_model_version(
        name, model_uri, run_id, tags=told, model_id=model_id if model_id != model_uri else None
    )
    rivals = [_judged(other.tags) for other in others if _is_like(other.tags, told)]
    known = [rival for rival in rivals if rival is not None]
    if figure is not None and all(figure <= rival for rival in known):
        client.set_registered_model_alias(name, BEST, version.version)
    return client.get_model_version(name, version.version)


def _is_like(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(one.get(key) == other.get(key) for key in COMPARABLE)


def _judged(tags: Mapping[str, str]) -> float | None:
    return float(tags[JUDGED_BY]) if JUDGED_BY in tags else None
