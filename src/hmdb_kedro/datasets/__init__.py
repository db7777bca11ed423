"""What the catalog can hold beside Kedro's own datasets.

Constructors are cheap and import nothing heavy: kedro-mlflow builds every entry at start-up.
"""

from hmdb_kedro.datasets.checkpoint import Checkpoint
from hmdb_kedro.datasets.epoch_log import EpochLog
from hmdb_kedro.datasets.external_scores import ExternalScores
from hmdb_kedro.datasets.keras_model import KerasModel
from hmdb_kedro.datasets.lance_table import LanceProgress, LanceTable
from hmdb_kedro.datasets.onnx_model import OnnxModel
from hmdb_kedro.datasets.protocol_runs import ProtocolRuns
from hmdb_kedro.datasets.split_lists import SplitLists
from hmdb_kedro.datasets.video_folder import VideoFolder
from hmdb_kedro.datasets.weights_folder import WeightsFolder

__all__ = [
    "Checkpoint",
    "EpochLog",
    "ExternalScores",
    "KerasModel",
    "LanceProgress",
    "LanceTable",
    "OnnxModel",
    "ProtocolRuns",
    "SplitLists",
    "VideoFolder",
    "WeightsFolder",
]
