"""Make room: compact tables, and drop the versions that are no longer wanted."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hmdb_kedro.datasets.locks import lock_of, lock_table

# Kedro's versions are times, and sort as such.
_VERSION = re.compile(r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z")


@dataclass(frozen=True)
class Stale:
    """The versions of one entry that can go.

    Attributes:
        path: The table, or the folder of a file's versions.
        versions: Those that go, oldest first.
        n_bytes: What is freed.
    """

    path: Path
    versions: tuple[str, ...]
    n_bytes: int


def find_stale(data_root: Path, keep: int) -> list[Stale]:
    """List what every table, model and report below a folder keeps beyond its newest versions.

    Args:
        data_root: Where the project's data are.
        keep: Versions that stay, of each.
    """
    commits = data_root.rglob("*.lance/_versions/*.manifest")
    tables = sorted({commit.parents[1] for commit in commits})
    found = [_stale_rows(table, keep) for table in tables]
    found += [_stale_files(folder, keep) for folder in sorted(_versioned_folders(data_root))]
    return [stale for stale in found if stale.versions or stale.n_bytes]


def remove(stale: Stale) -> None:
    """Drop the versions; of a table also what no version needs, and many small files become few.

    Raises:
        UserError: A run is writing the table: its newest files would look like leftovers.
    """
    if stale.path.suffix != ".lance":
        for version in stale.versions:
            shutil.rmtree(stale.path / version)
        return
    with lock_table(stale.path.stem, lock_of(stale.path)):
        table = _open(stale.path)
        for version in stale.versions:
            table.tags.delete(version)
        _compact(table)
        table.cleanup_old_versions(timedelta(0), error_if_tagged_old_versions=False)


def _compact(table: Any) -> None:
    tags = {tag["version"]: name for name, tag in table.tags.list().items()}
    newest = tags.get(table.version)
    table.optimize.compact_files()
    # The same rows in fewer files: the newest version stays what it was.
    if newest is not None:
        table.tags.update(newest, table.version)


def _stale_rows(path: Path, keep: int) -> Stale:
    table = _open(path)
    tags = table.tags.list()
    old = sorted(tags)[:-keep]
    kept = {table.version, *(tags[name]["version"] for name in tags if name not in old)}
    needed = {file for version in kept for file in _data_files(path, version)}
    n_bytes = sum(
        file.stat().st_size for file in (path / "data").glob("*") if file.name not in needed
    )
    return Stale(path, tuple(old), n_bytes)


def _data_files(path: Path, version: int) -> Iterator[str]:
    for fragment in _open(path, version).get_fragments():
        yield from (Path(file.path).name for file in fragment.data_files())


def _versioned_folders(data_root: Path) -> set[Path]:
    folders = (path for path in data_root.rglob("*Z") if path.is_dir())
    return {path.parent for path in folders if _VERSION.fullmatch(path.name)}


def _stale_files(folder: Path, keep: int) -> Stale:
    versions = sorted(path.name for path in folder.iterdir() if _VERSION.fullmatch(path.name))
    old = versions[:-keep]
    files = [file for version in old for file in (folder / version).rglob("*") if file.is_file()]
    return Stale(folder, tuple(old), sum(file.stat().st_size for file in files))


def _open(path: Path, version: int | None = None) -> Any:
    import lance  # noqa: PLC0415  (heavy: only where it is needed)

    return lance.dataset(str(path), version=version)
