"""Where a run comes from: the commit, and the process that drives it."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def git_tags(folder: Path) -> dict[str, str]:
    """Return the tags `git_commit` ("unknown" outside a repository) and `dirty`."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {"git_commit": "unknown"}
    changes = _git(folder, "status", "--porcelain")
    return {"git_commit": commit, "dirty": str(bool(changes)).lower()}


def process_tags() -> dict[str, str]:
    """Return the tags by which a later start can tell whether this process still lives."""
    pid = os.getpid()
    return {"host": platform.node(), "pid": str(pid), "process_start": _process_start(pid) or ""}


def is_dead(tags: Mapping[str, str]) -> bool:
    """Tell whether the process that left these tags is known to be gone.

    A process of another host, or one without tags, is never known to be gone.
    """
    if tags.get("host") != platform.node() or not tags.get("pid", "").isdigit():
        return False
    start = _process_start(int(tags["pid"]))
    return start is None or start != tags.get("process_start", "")


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _process_start(pid: int) -> str | None:
    """Return when a process started, "" where the system does not say, None for no process."""
    status = Path(f"/proc/{pid}/stat")
    if status.exists():
        # Field 22, counted after the command's name, which may itself hold spaces.
        return status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    if sys.platform == "win32":  # there, signal 0 is Ctrl-C
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ""
