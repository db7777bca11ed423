"""What the pipelines hand on that is more than an array or a table."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TrainedModel:
    """A model with what is needed to use it: its classes and its preprocessing.

    Attributes:
        model: From a batch of inputs to probabilities, float32 (B, classes).
        classes: Labels, in the order of the outputs.
        preprocessing: What stands between a clip and the input: modality, sizes, sampling.
        version: The catalog's version, once it has been loaded from there.
        file_mb: Size of its file in MB (10⁶ bytes), likewise.
    """

    model: "keras.Model"
    classes: tuple[str, ...]
    preprocessing: dict[str, Any] = field(default_factory=dict)
    version: str | None = None
    file_mb: float | None = None


@dataclass(frozen=True)
class OnnxFile:
    """A model as an ONNX file, with what is needed to use it.

    Attributes:
        path: The file: from a batch of inputs, float32 (B, …), to probabilities (B, classes).
        classes: Labels, in the order of the outputs.
        preprocessing: As of the model it was made of.
        version: The catalog's version.
    """

    path: Path
    classes: tuple[str, ...]
    preprocessing: dict[str, Any]
    version: str | None = None
