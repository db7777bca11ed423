"""Two-stream action recognition on HMDB51, as one Kedro project."""

__version__ = "0.1.0"
