"""Run the installed package: `python -m hmdb_kedro --conf-source=…`."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def main(*args: Any, **kwargs: Any) -> Any:
    """Run pipelines with the options of `kedro run`."""
    if find_spec("kedro") is None:
        sys.exit('Kedro is not installed. Do: pip install "hmdb_kedro[train]"')
    from kedro.framework.cli.utils import find_run_command  # noqa: PLC0415 - may be absent
    from kedro.framework.project import configure_project  # noqa: PLC0415

    package_name = Path(__file__).parent.name
    configure_project(package_name)
    from hmdb_kedro.terminal import log_plainly_when_piped  # noqa: PLC0415 - needs rich

    # Without a conf/logging.yml that names the package, Kedro has just set up its own logging,
    # after the settings did this.
    log_plainly_when_piped()
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    return find_run_command(package_name)(*args, **kwargs)


if __name__ == "__main__":
    main()
