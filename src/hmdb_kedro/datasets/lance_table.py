"""Lance tables as Kedro datasets: one row a clip, committed batch by batch."""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NoReturn

import pandas as pd
import pyarrow as pa
from kedro.io import AbstractDataset, AbstractVersionedDataset, DatasetError
from kedro.io.core import Version, VersionNotFoundError

from hmdb_kedro.datasets.locks import lock_of
from hmdb_kedro.video.tables import ClipTable

KEY = "clip_id"


class LanceTable(
    AbstractVersionedDataset[pa.Table | pd.DataFrame, ClipTable | pd.DataFrame | None]
):
    """A table with one row a clip, that grows by small commits and is versioned by tags.

    Saving upserts by `clip_id` in one commit: a row replaces the one of the same clip. A Kedro
    version is a Lance tag, set by `confirm()` once a node has saved its last chunk; a run that
    commits nothing gives the table no new version, a killed one leaves its rows and no tag.

    Example catalog entry:
    ```yaml
    frames:
      type: hmdb_kedro.datasets.LanceTable
      path: data/04_feature/frames.lance
      versioned: true
    ```
    """

    def __init__(
        self,
        *,
        path: str,
        load_as: Literal["clips", "pandas"] = "clips",
        optional: bool = False,
        version: Version | None = None,
        storage_options: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        """Describe a table; nothing is opened.

        Args:
            path: A folder, or the address of one on an object store (`s3://…`).
            load_as: `clips` loads a ClipTable, `pandas` a DataFrame.
            optional: Load None, rather than fail, where there is no table or no version yet.
            version: Given by Kedro where the entry is versioned.
            storage_options: Passed to Lance for object stores.
            credentials: The same, from Kedro's credentials.
            metadata: Ignored by Kedro; read by kedro-viz.
        """
        self._uri = _uri(path)
        self._load_as = load_as
        self._optional = optional
        self._storage_options = {**(storage_options or {}), **(credentials or {})}
        self.metadata = metadata
        super().__init__(PurePosixPath(self._uri), version)

    def load(self) -> ClipTable | pd.DataFrame | None:
        """Return the table at the version asked for, or at its newest one.

        Raises:
            DatasetError: There is no table, or no such version, and it is not optional.
        """
        if self._optional and not self._exists():
            return None
        tag = self.resolve_load_version()
        if tag is not None and tag not in self._tags():
            raise VersionNotFoundError(f"{self._uri} has no version {tag!r}.")
        if self._load_as == "pandas":
            rows: pd.DataFrame = _open(self._uri, self._storage_options, tag).to_table().to_pandas()
            return rows.sort_values(KEY, ignore_index=True)
        return ClipTable(self._uri, tag, self._storage_options)

    def save(self, data: pa.Table | pd.DataFrame) -> None:
        """Commit the rows: those of known clips replace the old ones, others are added.

        The schema's metadata, where it has changed, is a commit of its own, before the rows.
        """
        import lance  # noqa: PLC0415

        if isinstance(data, pd.DataFrame):
            data = pa.Table.from_pandas(data, preserve_index=False)
        if not self._has_table():
            lance.write_dataset(data, self._uri, storage_options=self._storage_options or None)
            return
        table = _open(self._uri, self._storage_options)
        if table.schema.metadata != (data.schema.metadata or {}):
            # Before the rows: no kill in between leaves new ones under old settings.
            table.update_schema_metadata(_decoded(data.schema.metadata or {}), replace=True)
            table = _open(self._uri, self._storage_options)
        upsert = table.merge_insert(KEY).when_matched_update_all().when_not_matched_insert_all()
        upsert.execute(data)

    def confirm(self) -> None:
        """Tag the newest commit as this run's version, unless it has a tag already."""
        if self._version is None or not self._has_table():
            return
        table = _open(self._uri, self._storage_options)
        tagged = {tag["version"] for tag in table.tags.list().values()}
        if table.version not in tagged:
            table.tags.create(str(self.resolve_save_version()), table.version)
        self._clear_version_cache()

    @property
    def lock_file(self) -> Path | None:
        """What a run holds while it writes; None on an object store, which knows no locks."""
        return None if "://" in self._uri else lock_of(Path(self._uri))

    def _exists(self) -> bool:
        if not self._has_table():
            return False
        if self._version is None:
            return True
        tags = self._tags()
        return self._version.load in tags if self._version.load else bool(tags)

    def _describe(self) -> dict[str, Any]:
        return {"path": self._uri, "load_as": self._load_as, "version": self._version}

    def _has_table(self) -> bool:
        return _has_table(self._uri, self._storage_options)

    def _tags(self) -> list[str]:
        if not self._has_table():
            return []
        tags = _open(self._uri, self._storage_options).tags.list()
        return sorted(tags, reverse=True)

    # A version is a tag here, not a path: what AbstractVersionedDataset asks of paths.

    def _get_versions(self) -> list[str]:
        return self._tags()

    def _get_version_from_path(self, path: str) -> str:
        return path

    def _fetch_latest_load_version(self) -> str:
        tags = self._tags()
        if not tags:
            raise VersionNotFoundError(
                f"{self._uri} has no version yet: run the pipeline that makes it."
            )
        return tags[0]

    @classmethod
    def _save_wrapper(cls, save_func: Callable[..., None]) -> Callable[..., None]:
        # The versioned wrapper looks for the version after every save; here it is set at the end.
        wrapped: Callable[..., None] = AbstractDataset._save_wrapper.__func__(cls, save_func)  # type: ignore[attr-defined]
        return wrapped


class LanceProgress(AbstractDataset[NoReturn, pd.DataFrame]):
    """A read-only view of what a table's head holds already, tagged or not.

    Loads the given columns, one row a clip; no rows before the table exists. A stage compares
    it with what is asked for and does only what is new.
    """

    def __init__(
        self,
        *,
        path: str,
        columns: list[str],
        storage_options: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        self._uri = _uri(path)
        self._columns = columns
        self._storage_options = {**(storage_options or {}), **(credentials or {})}
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Return the columns of every committed row."""
        if not _has_table(self._uri, self._storage_options):
            return pd.DataFrame(columns=self._columns)
        table = _open(self._uri, self._storage_options)
        rows: pd.DataFrame = table.to_table(columns=self._columns).to_pandas()
        return rows

    def save(self, data: NoReturn) -> None:
        """Refuse: the table is written by its own entry."""
        raise DatasetError(f"The progress of {self._uri} is read-only.")

    def _exists(self) -> bool:
        return _has_table(self._uri, self._storage_options)

    def _describe(self) -> dict[str, Any]:
        return {"path": self._uri, "columns": self._columns}


def _uri(path: str) -> str:
    return path if "://" in path else str(Path(path).expanduser())


def _open(uri: str, storage_options: Mapping[str, str], version: str | None = None) -> Any:
    import lance  # noqa: PLC0415  (heavy: only when a table is really used)

    return lance.dataset(uri, version=version, storage_options=dict(storage_options) or None)


def _has_table(uri: str, storage_options: Mapping[str, str]) -> bool:
    if "://" not in uri:
        # A kill before the first commit leaves the folder without a manifest.
        return any(Path(uri, "_versions").glob("*.manifest"))
    try:
        _open(uri, storage_options)
    except ValueError as error:  # what Lance raises for "not found"
        if "not found" in str(error).lower():
            return False
        raise
    return True


def _decoded(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in metadata.items()}
