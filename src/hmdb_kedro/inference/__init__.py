"""From a video to an answer, through what training and evaluation went through.

Light: NumPy, OpenCV and Pydantic; onnxruntime where an export is loaded.
"""

from hmdb_kedro.inference.exported import write_export
from hmdb_kedro.inference.reading import Limits, Video
from hmdb_kedro.inference.recogniser import Recogniser
from hmdb_kedro.inference.results import Action, Failure, Prediction, StreamAnswer
from hmdb_kedro.inference.streams import Stream
from hmdb_kedro.inference.workers import Workers

__all__ = [
    "Action",
    "Failure",
    "Limits",
    "Prediction",
    "Recogniser",
    "Stream",
    "StreamAnswer",
    "Video",
    "Workers",
    "write_export",
]
