"""A place for a training node to put its curves, without knowing about tracking."""

import logging
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

logger = logging.getLogger(__name__)


class EpochLogger:
    """Write metrics, epoch by epoch, into whichever MLflow run is active at that moment.

    A node's inputs are loaded before its run is opened, so nothing is decided at construction.
    """

    @property
    def run_id(self) -> str | None:
        """The id of the active MLflow run, None where nothing is tracked."""
        run = _active_run()
        return None if run is None else str(run.info.run_id)

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Log one epoch's metrics as one point of each curve.

        Args:
            metrics: Values by name (`loss`, `val_top1`, …).
            epoch: The step they belong to.
        """
        values = {name: float(value) for name, value in metrics.items()}
        if _active_run() is None:
            logger.debug("Epoch %d, not tracked: %s", epoch, values)
            return
        sys.modules["mlflow"].log_metrics(values, step=epoch)


class EpochLog(AbstractDataset[NoReturn, EpochLogger]):
    """Give a node an `EpochLogger`."""

    def __init__(self, *, metadata: dict[str, Any] | None = None) -> None:
        """Create the entry.

        Args:
            metadata: For kedro-viz and other plugins; not read here.
        """
        self.metadata = metadata

    def load(self) -> EpochLogger:
        """Return a logger bound to the run that is active when it is used."""
        return EpochLogger()

    def save(self, data: NoReturn) -> None:
        """Refuse: curves are logged while training, not saved by a node.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError("An EpochLog is an input of a training node; it cannot be an output.")

    def _describe(self) -> dict[str, Any]:
        return {}


def _active_run() -> Any:
    # Where nobody has imported MLflow (seconds), no run can be active.
    mlflow = sys.modules.get("mlflow")
    return None if mlflow is None else mlflow.active_run()
