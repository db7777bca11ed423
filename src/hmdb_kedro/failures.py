"""Tell what a user can mend, said in one line, from what needs a traceback."""

from collections.abc import Iterator

from kedro.config import MissingConfigException
from kedro.framework.context import KedroContextError
from kedro.io import DatasetError
from kedro.validation.exceptions import ParameterValidationError

from hmdb_kedro.errors import UserError

# Configuration and stores: what these libraries complain about is written or chosen by a user.
_LIBRARIES = {"omegaconf", "yaml", "mlflow", "sqlalchemy", "pydantic_core"}
_PLAIN = (UserError, ParameterValidationError, MissingConfigException, KedroContextError)
# Wrapped by Kedro, these say that a file is missing or broken; others are mistakes in the code.
_OF_FILES = (DatasetError, OSError, ValueError, EOFError, ImportError)
# Raised by Kedro itself, these answer an option: a node, tag or runner that does not exist.
_OF_OPTIONS = (ValueError, AttributeError)


def explain(error: BaseException) -> str | None:
    """Return the one line that a user needs, or None where only a traceback helps."""
    text = _of_missing_package(error) or _of_dataset(error)
    if text is None and (isinstance(error, (*_PLAIN, OSError)) or _is_elsewhere(error)):
        text = str(error)
    return None if text is None else " ".join(text.split())


def _of_missing_package(error: BaseException) -> str | None:
    for cause in _chain(error):
        name = (getattr(cause, "name", None) or "").partition(".")[0]
        if isinstance(cause, ModuleNotFoundError) and name not in ("", "hmdb_kedro"):
            return f'`{name}` is not installed. Do: pip install "hmdb_kedro[train]"'
    return None


def _of_dataset(error: BaseException) -> str | None:
    if not isinstance(error, DatasetError):
        return None
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, UserError):
            return _with_entry(error, str(cause))
    inner = chain[1] if len(chain) > 1 else None
    if inner is None or not str(error).startswith("Failed while"):
        return _with_entry(error, str(error))
    if isinstance(inner, _OF_FILES) or _library(inner) in _LIBRARIES:
        return _with_entry(error, str(inner))
    return None


def _with_entry(error: BaseException, text: str) -> str:
    """Put the note about the catalog entry, left by the hook `EntryNotes`, in front."""
    return " ".join([*getattr(error, "__notes__", []), text])


def _is_elsewhere(error: BaseException) -> bool:
    if _library(error) in _LIBRARIES:
        return True
    return isinstance(error, _OF_OPTIONS) and _raising_module(error).startswith("kedro.")


def _library(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _raising_module(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
