"""What the notebooks need beside the catalog."""

import sys
from collections.abc import Sequence
from typing import Any

from IPython.core.getipython import get_ipython
from kedro.framework.context import KedroContext

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.scores import list_some


def need(context: KedroContext, entries: Sequence[str], pipelines: str) -> None:
    """Check that a notebook's entries have been made.

    From here on it shows what a user can mend in one line, not in a traceback.

    Args:
        context: Kedro's, as `%load_ext kedro.ipython` defines it.
        entries: Names of catalog entries.
        pipelines: What makes them, as `kedro run --pipelines` takes it.

    Raises:
        UserError: Some are not there; it says what to run.
    """
    shell = get_ipython()  # type: ignore[no-untyped-call]
    if shell is not None:
        # Goes before the tracebacks of rich, which Kedro's logging installs.
        shell.set_custom_exc((UserError,), _show_line)
    catalog = context.catalog
    missing = [name for name in entries if not catalog.exists(name)]
    if missing:
        params = [f"{key}={value}" for key, value in (context._runtime_params or {}).items()]
        command = ["kedro run", f"--env {context.env}" if context.env else ""]
        command += [f"--pipelines {pipelines}", f"--params {','.join(params)}" if params else ""]
        raise UserError(
            f"This notebook needs what a run makes. Received none of: {list_some(missing)}. "
            f"Do: {' '.join(filter(None, command))}"
        )


def _show_line(shell: Any, kind: type, error: UserError, trace: Any, tb_offset: Any = None) -> None:
    sys.stderr.write(f"Error: {error}\n")
