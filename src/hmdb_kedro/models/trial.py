"""Build what is asked for before anything runs: a wrong file shows in seconds, not hours."""

from pathlib import Path

import keras

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.models.backbones import check_backbone
from hmdb_kedro.models.cnn3d import build_cnn3d
from hmdb_kedro.models.spatial import build_frozen, build_spatial
from hmdb_kedro.models.stacked_flow import build_flow_resnet50
from hmdb_kedro.models.warm_start import start_from
from hmdb_kedro.params import SpatialParams, StackParams, TemporalParams


def try_spatial(params: SpatialParams, weights: Path | None) -> None:
    """Refuse a backbone, a file of weights or a stage to tune from that does not exist.

    Raises:
        UserError: See `build_frozen`.
    """
    if params.is_pretrained or params.tune_from is not None:
        build_frozen(params, weights=weights, seed=0)
    else:
        check_backbone(params.backbone)


def try_temporal(params: TemporalParams, weights: Path | None) -> None:
    """Refuse a file that does not hold weights of ResNet-50.

    Raises:
        UserError: See `build_flow_resnet50`.
    """
    if weights is not None:
        build_flow_resnet50(params, num_classes=2, weights=weights, seed=0)


def try_start(params: SpatialParams | StackParams, earlier: TrainedModel) -> None:
    """Refuse a model to start from that is of another network than the one asked for.

    Raises:
        UserError: See `start_from`; or what is asked for cannot be built.
    """
    start_from(_build(params, len(earlier.classes)), earlier, earlier.classes)


def _build(params: SpatialParams | StackParams, num_classes: int) -> keras.Model:
    if isinstance(params, SpatialParams):
        return build_spatial(params, num_classes=num_classes, weights=None, seed=0)
    if isinstance(params, TemporalParams) and params.architecture == "resnet50":
        return build_flow_resnet50(params, num_classes=num_classes, weights=None, seed=0)
    channels = 2 if isinstance(params, TemporalParams) else 3
    return build_cnn3d(params, num_classes=num_classes, channels=channels, seed=0)
