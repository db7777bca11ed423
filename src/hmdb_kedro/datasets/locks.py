"""One writer of a table at a time."""

from pathlib import Path

from filelock import FileLock, Timeout

from hmdb_kedro.errors import UserError


def lock_of(table: Path) -> Path:
    """Return the file that a writer of the table holds."""
    return table.with_name(f"{table.name}.lock")


def lock_table(name: str, file: Path) -> FileLock:
    """Take the lock of a table; it ends with its process, however that ends.

    Raises:
        UserError: Another process holds it, or its folder cannot be written.
    """
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"Another run is writing `{name}` ({file}). Wait for it, or stop it: "
            "what it has done is kept, and the same command goes on from there."
        ) from None
    except OSError as error:
        raise UserError(
            f"`{name}` cannot be written. Received: {file.parent} ({error.strerror}). Name a "
            "folder that can be written with --params data_root=…"
        ) from None
    return lock
