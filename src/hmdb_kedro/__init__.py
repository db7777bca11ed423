"""Two-stream action recognition on HMDB51, as one Kedro project."""

import os

__version__ = "0.1.0"

# Libraries read these when they are loaded, always after this package: the one place for them.
# Whatever the user has set stays.
_ENVIRONMENT = {
    # Nothing is reported to anyone.
    "DO_NOT_TRACK": "true",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "KEDRO_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    # New tables, absent accelerators and a missing git are no news.
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Broken clips are reported as rows of a table, not as FFmpeg's chatter.
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_LOG_LEVEL": "ERROR",
    # Containers of videos alone: FFmpeg also draws texts, and opens what a playlist names.
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": (
        "format_whitelist;avi,mov,matroska,mpeg,mpegts,mpegvideo,m4v,asf,flv,ogg,gif"
    ),
    # TensorFlow leaves oneDNN off on processors without AVX-512, where 3D convolutions then take
    # four times as long: docs/decisions/0003-onednn.md.
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
