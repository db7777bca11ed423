"""`kedro hmdb predict --explain`: the frames and regions that counted, as pictures."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.errors import UserError
from hmdb_kedro.inference import Prediction, Recogniser
from hmdb_kedro.inference.explanation import Evidence, draw_evidence

_MOMENTS = 8


def explain(
    recogniser: Recogniser,
    models: Mapping[str, TrainedModel],
    video: Path,
    answer: Prediction,
) -> Iterator[tuple[str, Evidence | None]]:
    """Say of each stream what spoke for the most probable class, at moments of a video.

    Args:
        recogniser: Of the models.
        models: Keras models by stream.
        video: What was answered.
        answer: Its answer.

    Yields:
        The stream, and its evidence; None where its network has no class activation maps.
    """
    from hmdb_kedro.models.activation import (  # noqa: PLC0415 - Keras takes seconds
        activation_maps,
        has_activation_maps,
    )

    label = answer.top[0][0]
    seconds = [(number + 0.5) / _MOMENTS * answer.seconds for number in range(_MOMENTS)]
    for stream, inputs in recogniser.moments(video, _MOMENTS).items():
        network = models[stream].model
        if not has_activation_maps(network):
            yield stream, None
            continue
        maps, probabilities = activation_maps(network, inputs, recogniser.classes.index(label))
        title = f"{stream}: brighter speaks more for {label}; below, its probability"
        yield stream, Evidence(title, seconds, inputs, maps, probabilities)


def write_evidence(evidence: Evidence, file: Path) -> None:
    """Write a picture of evidence as PNG.

    Raises:
        UserError: The file cannot be written.
    """
    _, encoded = cv2.imencode(".png", draw_evidence(evidence))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded.tobytes())
    except OSError as error:
        raise UserError(f"The picture cannot be written. Received: {file} ({error}).") from None
