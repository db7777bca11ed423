"""What a recogniser answers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

NONE_OF_THESE = "none of these"


@dataclass(frozen=True)
class StreamAnswer:
    """What one stream says by itself.

    Attributes:
        stream: Its name.
        label: The class it finds most probable.
        probability: Of that class.
        weight: Its weight in the fusion rule: of a mean, or a power in a product.
        probabilities: One a class, in the recogniser's order.
    """

    stream: str
    label: str
    probability: float
    weight: float
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Action:
    """A stretch of a long video with one answer.

    Attributes:
        start_s: Where it begins, in seconds.
        end_s: Where it ends.
        label: The class, or `none of these`.
        probability: Of the most probable class, the mean over the windows of the stretch.
    """

    start_s: float
    end_s: float
    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The answer to one video.

    Attributes:
        name: The file's name, or what stands for it.
        label: The most probable class, or `none of these` where it is below the threshold.
        probability: Of the most probable class.
        top: The most probable classes with their probabilities, the first one first.
        threshold: What 95 % of validation clips reach; None where it is not known.
        streams: What each stream says by itself.
        probabilities: The fused ones, one a class in the recogniser's order; they sum to 1.
        seconds: How long the video is.
        timeline: Of a long video, its actions one after another; else empty.
    """

    name: str
    label: str
    probability: float
    top: tuple[tuple[str, float], ...]
    threshold: float | None
    streams: tuple[StreamAnswer, ...]
    probabilities: tuple[float, ...]
    seconds: float
    timeline: tuple[Action, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether it is one of the classes, as far as the threshold can tell."""
        return self.label != NONE_OF_THESE

    def to_json(self) -> dict[str, Any]:
        """Return plain values: all but the probabilities of classes that are not in `top`."""
        return {
            "name": self.name,
            "label": self.label,
            "probability": self.probability,
            "threshold": self.threshold,
            "seconds": self.seconds,
            "top": [{"label": label, "probability": p} for label, p in self.top],
            "streams": [
                {
                    "stream": answer.stream,
                    "label": answer.label,
                    "probability": answer.probability,
                    "weight": answer.weight,
                }
                for answer in self.streams
            ],
            "timeline": [vars(action) for action in self.timeline],
        }


@dataclass(frozen=True)
class Failure:
    """Why a video has no answer.

    Attributes:
        name: The file's name, or what stands for it.
        reason: What is wrong with it, in one line.
    """

    name: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"name": self.name, "error": self.reason}


def accepted_label(
    classes: tuple[str, ...], probabilities: np.ndarray, threshold: float | None
) -> str:
    """Return the most probable class, or `none of these` where it is below the threshold."""
    best = int(probabilities.argmax())
    is_below = threshold is not None and float(probabilities[best]) < threshold
    return NONE_OF_THESE if is_below else classes[best]


def most_probable(
    classes: tuple[str, ...], probabilities: np.ndarray, count: int
) -> tuple[tuple[str, float], ...]:
    """Return the most probable classes with their probabilities, the first one first."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    return tuple((classes[i], float(probabilities[i])) for i in order)
