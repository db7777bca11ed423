"""What the pipelines hand on that is more than an array or a table."""

from dataclasses import dataclass, field
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
