"""One stream: a network, and what stands between a clip and its input."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.params import FlowSettings, FramesSettings
from hmdb_kedro.video.live import Settings
from hmdb_kedro.video.samples import FixedViews, Pictures, Sampler, count_views, protocol_sampler

Network = Callable[[np.ndarray], np.ndarray]

# As in scoring: more views at once cost memory and gain no time.
_BATCH_SIZE = 16


@dataclass(frozen=True)
class Stream:
    """A network with its preprocessing.

    Attributes:
        name: Of the model.
        network: From inputs, float32 (B, …), to probabilities (B, C).
        preprocessing: As the model's sidecar has it.
    """

    name: str
    network: Network
    preprocessing: Mapping[str, Any]

    @classmethod
    def of_model(cls, name: str, trained: TrainedModel) -> "Stream":
        """Return the stream of a Keras model."""
        return cls(name, trained.model.predict_on_batch, trained.preprocessing)

    @classmethod
    def of_file(
        cls, name: str, file: Path, preprocessing: Mapping[str, Any], threads: int | None = None
    ) -> "Stream":
        """Return the stream of an ONNX file; by default it computes with a thread a core."""
        return cls(name, onnx_network(file, threads), preprocessing)

    @cached_property
    def settings(self) -> Settings:
        """How the pictures are made that the stream was trained on."""
        kind = FlowSettings if self._sampler.modality == "flow" else FramesSettings
        return kind.model_validate(self.preprocessing["extraction"])

    def protocol(self) -> tuple[FixedViews, int]:
        """Return what reads a clip as in scoring, and how many samples that is."""
        views, crops = self.preprocessing["test_views"], self._crops
        return protocol_sampler(self._sampler, views, crops), count_views(views, crops)

    def glance(self) -> tuple[FixedViews, int]:
        """Return what reads a short window: one view in time, the crops of scoring."""
        return protocol_sampler(self._sampler, 1, self._crops), count_views(1, self._crops)

    def asked(self, n_frames: int) -> set[int] | None:
        """Return which pictures of a video are looked at as in scoring; None where any may be.

        Args:
            n_frames: Of the video.
        """
        settings, reads = self.settings, self.protocol()[0]
        if isinstance(settings, FramesSettings):
            return reads.indices(-(-n_frames // settings.stride))
        if settings.gamma not in (None, 1):  # told by the first frames, and given to all
            return None
        return reads.indices(max(1, n_frames - settings.stride))

    def moments(self, count: int) -> tuple[FixedViews, int]:
        """Return what reads so many evenly spaced moments of a clip, through the centre."""
        return protocol_sampler(self._sampler, count, "centre"), count

    def samples(self, pictures: Pictures, how: tuple[FixedViews, int]) -> list[np.ndarray]:
        """Return what the network is to see of a clip: one array a view."""
        reads, n_views = how
        return [reads(pictures, self.name, (view, n_views)) for view in range(n_views)]

    def probabilities(self, pictures: Pictures, how: tuple[FixedViews, int]) -> np.ndarray:
        """Return the mean over a clip's views: float64 (C,), sums to 1."""
        samples = self.samples(pictures, how)
        batches = [samples[i : i + _BATCH_SIZE] for i in range(0, len(samples), _BATCH_SIZE)]
        found = [self.network(np.stack(batch).astype(np.float32)) for batch in batches]
        mean = np.concatenate(found).astype(np.float64).mean(axis=0)
        shares: np.ndarray = mean / mean.sum()
        return shares

    @cached_property
    def _sampler(self) -> Sampler:
        return Sampler(**self.preprocessing["sampler"])

    @property
    def _crops(self) -> str | int:
        crops: str | int = self.preprocessing.get("test_crops", "centre")
        return crops


def onnx_network(file: Path, threads: int | None = None) -> Network:
    """Return a network that onnxruntime computes, on the CPU."""
    import onnxruntime  # noqa: PLC0415 - where an export is used

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0  # 0: its own choice, one a core
    # Threads that wait for the next network by spinning take the core that decodes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def run(inputs: np.ndarray) -> np.ndarray:
        probabilities: np.ndarray = session.run(None, {given.name: inputs})[0]
        return probabilities

    return run
