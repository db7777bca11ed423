"""What the runs over splits and seeds have stored, to be summed up."""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from hmdb_kedro.runs import ScoredRun, read_stored

logger = logging.getLogger(__name__)
_SCORES = "07_model_output"
_INDEX = "03_primary/clip_index.parquet"


class ProtocolRuns(AbstractDataset[NoReturn, list[ScoredRun]]):
    """Load all versions of all scores below a data root: a read-only view.

    A run of a model counts where scores and protocol of one version are there, and the protocol
    says under which settings they were made; one that a kill has cut off is left out. Scores are
    read when they are asked for.

    Example catalog entry:
    ```yaml
    protocol_runs:
      type: hmdb_kedro.datasets.ProtocolRuns
      path: data
    ```
    """

    def __init__(self, *, path: str, name: str = "", metadata: dict[str, Any] | None = None):
        """Describe the data root; nothing is opened.

        Args:
            path: The data root.
            name: Of the data set, to tell several apart.
            metadata: Ignored by Kedro; read by kedro-viz.
        """
        self._path = Path(path).expanduser()
        self._name = name
        self.metadata = metadata

    def load(self) -> list[ScoredRun]:
        """Return the runs, oldest first; none where nothing is stored."""
        sources = self._sources()
        runs = [run for file in self._protocols() for run in self._runs(file, sources)]
        return sorted(runs, key=lambda run: (run.version, run.model))

    def save(self, data: NoReturn) -> None:
        """Refuse: runs write their own scores."""
        raise DatasetError("`protocol_runs` is read-only.")

    def _protocols(self) -> Iterator[Path]:
        return self._path.glob(f"{_SCORES}/split*/*_protocol.json/*/*_protocol.json")

    def _runs(self, file: Path, sources: dict[str, str]) -> Iterator[ScoredRun]:
        version, model = file.parent.name, file.name.removesuffix("_protocol.json")
        protocol = read_stored(file)
        if not protocol:
            logger.warning("%s is cut off: that run is left out. Delete it.", file)
        table = f"{model}_scores.parquet"
        scores = file.parents[2] / table / version / table
        if "settings_key" in protocol and scores.is_file():
            yield ScoredRun(
                model,
                protocol["split"],
                protocol["seed"],
                version,
                protocol,
                partial(pd.read_parquet, scores),
                sources,
                self._name,
            )

    def _sources(self) -> dict[str, str]:
        """Return what the newest index says: a clip's source is the same in all splits."""
        files = sorted(self._path.glob(f"{_INDEX}/*/{Path(_INDEX).name}"))
        if not files:
            return {}
        index = pd.read_parquet(files[-1], columns=["clip_id", "source_video"])
        return dict(zip(index["clip_id"], index["source_video"], strict=True))

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "name": self._name}
