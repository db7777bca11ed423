"""What a test's result rests on, as a few digits."""

import hashlib

from clips import REPOSITORY

_KINDS = {".py", ".yml", ".ipynb", ".html", ".json", ".md", ".toml", ".lock"}


def fingerprint(*names: str) -> str:
    """Return 16 hex digits of the files, and those below the folders, of the repository."""
    digest = hashlib.sha256()
    for path in (REPOSITORY / name for name in names):
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in (file for file in found if file.suffix in _KINDS):
            digest.update(str(file.relative_to(REPOSITORY)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]
