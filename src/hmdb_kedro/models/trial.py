"""Build what is asked for before anything runs: a wrong file shows in seconds, not hours."""

from pathlib import Path

from hmdb_kedro.models.backbones import check_backbone
from hmdb_kedro.models.spatial import build_frozen
from hmdb_kedro.models.stacked_flow import build_flow_resnet50
from hmdb_kedro.params import SpatialParams, TemporalParams


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
