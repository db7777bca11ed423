"""The export inside an MLflow model: the one place of prediction that knows MLflow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hmdb_kedro.errors import UserError

# Where an MLflow model keeps its export.
EXPORT = Path("data", "export")


def is_model_uri(text: str) -> bool:
    """Tell whether a text names an MLflow model rather than a folder."""
    return text.startswith(("models:/", "runs:/", "mlflow-artifacts:/"))


@contextmanager
def export_of_model(uri: str) -> Iterator[Path]:
    """Give the export of an MLflow model for as long as it is loaded.

    Raises:
        UserError: MLflow is not installed, or there is no such model of this project.
    """
    try:
        import mlflow  # noqa: PLC0415 - heavy, and absent from the bare requirements
    except ImportError:
        raise UserError(
            f"MLflow is not installed. Received: {uri}. Do: pip install mlflow"
        ) from None
    with TemporaryDirectory() as work:
        try:
            found = Path(mlflow.artifacts.download_artifacts(uri, dst_path=work))
        except (mlflow.MlflowException, OSError) as error:
            raise UserError(
                f"MLflow gives no such model. Received: {uri}, from {mlflow.get_tracking_uri()} "
                f"({' '.join(str(error).split())}). Do: name another, or set MLFLOW_TRACKING_URI"
            ) from None
        if not (found / EXPORT).is_dir():
            raise UserError(f"This is no two-stream model. Received: {uri}.")
        yield found / EXPORT
