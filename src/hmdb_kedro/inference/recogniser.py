"""One path from a video to an answer: the public interface of prediction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.evaluation.fusion import FusionRule, fuse
from hmdb_kedro.inference import timeline
from hmdb_kedro.inference.exported import check_classes, read_export
from hmdb_kedro.inference.logged import export_of_model
from hmdb_kedro.inference.reading import HeldVideo, Limits, Video, hold_video, name_of
from hmdb_kedro.inference.results import (
    Action,
    Failure,
    Prediction,
    StreamAnswer,
    accepted_label,
    most_probable,
)
from hmdb_kedro.inference.streams import Stream
from hmdb_kedro.params import FlowSettings
from hmdb_kedro.video.decode import UnreadableClipError
from hmdb_kedro.video.live import Section, Settings

TOP_K = 5
TOO_LARGE = "it takes more memory than there is for it; cut it, or scale it down"


class Recogniser:
    """Answers which action a video shows, as the evaluation would.

    A video passes through the encoding of the stored frames and flow, the views of scoring, the
    networks and the fitted fusion: for a clip of the data set, its scores are the stored ones.

    Example:
    ```python
    recogniser = Recogniser.from_export("my_export")
    print(recogniser.predict("clip.avi").label)
    ```
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        fusion: Mapping[str, Any],
        limits: Limits | None = None,
    ):
        """Take the streams, and how they are combined.

        Args:
            streams: In the order of the fusion rule.
            fusion: As `two_stream.fusion` is stored.
            limits: What is refused.
        """
        self._streams = tuple(streams)
        self._rule = FusionRule.from_json(fusion)
        self.classes: tuple[str, ...] = tuple(fusion["classes"])
        self.threshold: float | None = fusion.get("threshold")
        self.limits = limits or Limits()

    @classmethod
    def from_export(
        cls, folder: str | Path, limits: Limits | None = None, *, threads: int | None = None
    ) -> "Recogniser":
        """Load what `kedro hmdb export` has written; needs neither Kedro nor Keras.

        Args:
            folder: The export.
            limits: What is refused.
            threads: How many a network computes with; by default one a core.

        Raises:
            UserError: It is no export, or a file of it has changed.
        """
        exported = read_export(Path(folder))
        streams = [
            Stream.of_file(name, file, preprocessing, threads)
            for name, (file, preprocessing) in exported.streams.items()
        ]
        return cls(streams, exported.fusion, limits)

    @classmethod
    def from_models(
        cls,
        models: Mapping[str, TrainedModel],
        fusion: Mapping[str, Any],
        limits: Limits | None = None,
    ) -> "Recogniser":
        """Take Keras models and the fusion as the catalog holds them.

        Args:
            models: `<model>.model` by model; those that the fusion names are used.
            fusion: `two_stream.fusion`.
            limits: What is refused.

        Raises:
            UserError: A model was trained on other classes than the fusion was fitted on.
        """
        chosen = {name: models[name] for name in fusion["streams"]}
        check_classes(fusion, {name: model.classes for name, model in chosen.items()})
        streams = [Stream.of_model(name, trained) for name, trained in chosen.items()]
        return cls(streams, fusion, limits)

    @classmethod
    def from_mlflow(cls, uri: str, limits: Limits | None = None) -> "Recogniser":
        """Load what `fusion_eval` has logged as an MLflow model.

        Args:
            uri: `models:/two_stream@best`, `models:/two_stream/3`, `runs:/<run>/two_stream`, or a
                folder.
            limits: What is refused.

        Raises:
            UserError: MLflow is not installed, or there is no such model of this project.
        """
        with export_of_model(uri) as folder:
            return cls.from_export(folder, limits)

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams' names, in the order of the fusion."""
        return tuple(stream.name for stream in self._streams)

    @property
    def flow(self) -> FlowSettings | None:
        """How the flow is made that a stream looks at; None where none looks at flow."""
        found = (stream.settings for stream in self._streams)
        return next((how for how in found if isinstance(how, FlowSettings)), None)

    def predict(
        self, video: Video, *, top_k: int = TOP_K, with_timeline: bool | None = None
    ) -> Prediction:
        """Answer one video.

        Args:
            video: A file, its bytes, or uint8 RGB frames of shape (T, H, W, 3).
            top_k: How many classes `Prediction.top` holds.
            with_timeline: Answer windows of two seconds too; by default from ten seconds on.

        Raises:
            UnreadableClipError: It is no video, damaged, too short, or beyond a limit.
        """
        try:
            settings = {stream.settings for stream in self._streams}
            asked = None if with_timeline else partial(self._asked, with_timeline is None)
            with _beside() as beside:
                held = hold_video(video, settings, self.limits, asked, beside)
                return self._answer(name_of(video), held, top_k, with_timeline)
        except MemoryError:
            raise UnreadableClipError(TOO_LARGE) from None
        except (cv2.error, OSError) as error:
            is_memory = isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem
            reason = TOO_LARGE if is_memory else " ".join(str(error).split())
            raise UnreadableClipError(reason) from None

    def moments(self, video: Video, count: int) -> dict[str, np.ndarray]:
        """Return what each stream sees at evenly spaced moments of a video, through the centre.

        Args:
            video: As for `predict`.
            count: How many moments.

        Returns:
            By stream, float32 (count, …), as its network takes it.

        Raises:
            UnreadableClipError: As `predict`.
        """
        held = hold_video(video, {stream.settings for stream in self._streams}, self.limits)
        return {
            stream.name: np.stack(
                stream.samples(held.pictures[stream.settings], stream.moments(count))
            ).astype(np.float32)
            for stream in self._streams
        }

    def predict_many(
        self, videos: Iterable[Video], *, top_k: int = TOP_K, with_timeline: bool | None = None
    ) -> Iterator[Prediction | Failure]:
        """Answer videos one after another; one that cannot be read does not stop the others."""
        for video in videos:
            try:
                yield self.predict(video, top_k=top_k, with_timeline=with_timeline)
            except UnreadableClipError as error:
                yield Failure(name_of(video), str(error))

    def _asked(
        self, may_be_long: bool, n_frames: int, fps: float
    ) -> dict[Settings, set[int]] | None:
        """Return the pictures that an answer looks at; None for all, as a timeline does."""
        if may_be_long and n_frames / fps >= timeline.LONG_S:
            return None
        found: dict[Settings, set[int]] = {}
        for stream in self._streams:
            asked = stream.asked(n_frames)
            if asked is None:
                return None
            found.setdefault(stream.settings, set()).update(asked)
        return found

    def _answer(
        self, name: str, held: HeldVideo, top_k: int, with_timeline: bool | None
    ) -> Prediction:
        alone = [
            stream.probabilities(held.pictures[stream.settings], stream.protocol())
            for stream in self._streams
        ]
        fused = self._fused(alone)
        if with_timeline is None:
            with_timeline = held.seconds >= timeline.LONG_S
        return Prediction(
            name=name,
            label=accepted_label(self.classes, fused, self.threshold),
            probability=float(fused.max()),
            top=most_probable(self.classes, fused, top_k),
            threshold=self.threshold,
            streams=tuple(map(self._stream_answer, self._streams, alone, self._rule.weights)),
            probabilities=tuple(map(float, fused)),
            seconds=held.seconds,
            timeline=self._timeline(held) if with_timeline else (),
        )

    def _fused(self, alone: Sequence[np.ndarray]) -> np.ndarray:
        # Stored scores are float32, and the rule was fitted on them.
        stored = [probabilities.astype(np.float32)[None] for probabilities in alone]
        fused: np.ndarray = fuse(self._rule, stored)[0]
        return fused

    def _stream_answer(
        self, stream: Stream, probabilities: np.ndarray, weight: float
    ) -> StreamAnswer:
        best = int(probabilities.argmax())
        return StreamAnswer(
            stream.name,
            self.classes[best],
            float(probabilities[best]),
            weight,
            tuple(map(float, probabilities)),
        )

    def _timeline(self, held: HeldVideo) -> tuple[Action, ...]:
        answers = [
            (window, self._window(held, window)) for window in timeline.windows(held.seconds)
        ]
        return timeline.merged(answers, self.classes, self.threshold)

    def _window(self, held: HeldVideo, window: timeline.Window) -> np.ndarray:
        alone = []
        for stream in self._streams:
            pictures = held.pictures[stream.settings]
            n_pictures = pictures.shape(stream.name)[0]
            section = Section(pictures, *timeline.indices(window, held.seconds, n_pictures))
            alone.append(stream.probabilities(section, stream.glance()))
        return self._fused(alone)


@contextmanager
def _beside() -> Iterator[Executor | None]:
    """Lend a second thread, where there is more than one core for an answer."""
    if cv2.getNumThreads() == 1:
        yield None
        return
    beside = ThreadPoolExecutor(1)
    try:
        yield beside
    finally:
        # What was begun of a video that is refused, nobody will take.
        beside.shutdown(cancel_futures=True)
