"""What happens to one clip: decoding, flow, encoding, sampling, augmentation."""

import os

# Read when OpenCV is loaded: broken clips are reported as rows, not as FFmpeg's chatter.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
