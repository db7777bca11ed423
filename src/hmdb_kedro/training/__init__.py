"""Training and scoring, in plain Keras."""

import os

# Both are read when TensorFlow is loaded. Its start-up notes are nothing a user can act upon;
# and it leaves oneDNN off on processors without AVX-512, where 3D convolutions then take four
# times as long (docs/decisions/0003-onednn.md).
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
