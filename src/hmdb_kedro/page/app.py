"""The page itself: what stands where, and what happens on a press."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import gradio as gr
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference import Prediction
from hmdb_kedro.page.drawing import styles, with_pictures
from hmdb_kedro.page.gallery import FIELDS
from hmdb_kedro.page.looking import Look
from hmdb_kedro.page.parts import Parts
from hmdb_kedro.page.turns import Turns
from hmdb_kedro.page.uploads import MOST_BYTES, Uploads
from hmdb_kedro.reporting.examples import evenly
from hmdb_kedro.video.clips import VIDEO_SUFFIXES
from hmdb_kedro.video.decode import UnreadableClipError

_EXAMPLES = 6
_CARDS = 24
_ANY = "all"
_AT_ONCE = 2
_WAITING = 64
# Beside those who wait for an answer, each in a thread, for whom the gallery is drawn.
_THREADS = _AT_ONCE + _WAITING + 30
# Gradio holds the last answer of so many visitors, a film in each; 10,000 are its default.
_REMEMBERED = 30
_TITLE = "Which action does a clip show?"
_LEAD = (
    "One network looks at single frames, another one at the motion between them; what both say is "
    "put together. Nothing leaves this machine, and no clip stays on it."
)
_FILTERS = {"label": "Class", "outcome": "The fusion is", "who": "Right alone"} | FIELDS
_PRESS = """element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-clip]');
  if (button) trigger('click', {clip: button.dataset.clip});
});"""
# A press on the timeline goes there; who wants no motion starts the film.
_WATCH = """element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-seek]');
  const video = element.querySelector('video');
  if (button && video) { video.currentTime = Number(button.dataset.seek); video.play(); }
});
watch('value', () => {
  const video = element.querySelector('video');
  if (video && matchMedia('(prefers-reduced-motion: reduce)').matches) {
    video.autoplay = false;
    video.pause();
  }
});"""
_SHOW = "() => document.getElementById('%s').scrollIntoView({block: 'nearest'})"

logger = logging.getLogger(__name__)


def build_page(parts: Parts, uploads: Uploads) -> gr.Blocks:
    """Return the page, ready to be launched."""
    handlers = Handlers(parts, uploads)
    page = gr.Blocks(title=_TITLE, analytics_enabled=False)
    with page:
        gr.HTML(f"<h1>{_TITLE}</h1><p class='lead'>{_LEAD}</p>", js_on_load=None)
        with gr.Tabs():
            with gr.Tab("Try a clip"):
                _build_trial(handlers)
            with gr.Tab("Right and wrong"):
                _build_gallery(handlers)
    # Gradio keeps an upload whose visitor it turns away: we take each, and turn away ourselves.
    page.queue(default_concurrency_limit=_AT_ONCE)
    return page


def launch_page(page: gr.Blocks, port: int | None) -> str:
    """Serve the page on this machine alone, beside what goes on here; return its address.

    Raises:
        UserError: The port is taken.
    """
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace"])
    try:
        _, address, _ = page.launch(
            server_name="127.0.0.1",
            server_port=port,
            share=False,
            prevent_thread_lock=True,
            quiet=True,
            footer_links=[],
            max_file_size=MOST_BYTES,
            max_threads=_THREADS,
            state_session_capacity=_REMEMBERED,
            ssr_mode=False,
            theme=theme,
            css=styles(),
            app_kwargs={"exception_handlers": {ClientDisconnect: _let_go}},
        )
    except OSError:
        raise UserError(
            f"The page needs a free port. Received: {port or 'none is free from 7860 on'}. Name "
            "another with --port."
        ) from None
    return str(address)


class Handlers:
    """What happens on a press: values in, HTML out."""

    def __init__(self, parts: Parts, uploads: Uploads):
        """Take what the page is made of, and where uploads lie."""
        self.parts, self.uploads = parts, uploads
        self.turns = Turns(_AT_ONCE, _WAITING)
        chosen = evenly(parts.gallery.clips.sort_values("clip_id")["clip_id"].to_list(), _EXAMPLES)
        clips = parts.gallery.clips
        examples = clips[clips["clip_id"].isin(chosen)].sort_values("clip_id")
        self.examples = parts.drawing.examples(with_pictures(examples, parts.picture))

    def answer_upload(self, given: Any) -> tuple[str, None]:
        """Answer an upload and remove it; the drop zone is free again."""
        drawing = self.parts.drawing
        name = str((given or {}).get("orig_name") or "The file")
        try:
            with self.uploads.taken(given) as (name, file), self.turns.taken():
                found = self.parts.look(file)
            return drawing.result(_named(found, name), found.film), None
        except (UnreadableClipError, UserError) as error:
            return drawing.error(name, str(error)), None

    def answer_example(self, event: gr.EventData) -> str:
        """Answer a test clip anew."""
        clip_id = str(event.clip)
        try:
            row = self.parts.gallery.clip(clip_id)
            with self.turns.taken():
                found = self.parts.look(self.parts.files(row["path"]))
        except (KeyError, UnreadableClipError, UserError) as error:
            return self.parts.drawing.error(clip_id, _reason(error))
        return self.parts.drawing.result(_named(found, clip_id), found.film, row["label"])

    def open_clip(self, event: gr.EventData) -> str:
        """Show the stored answer of a test clip, with its film."""
        clip_id = str(event.clip)
        gallery = self.parts.gallery
        try:
            row, answer = gallery.clip(clip_id), gallery.answer(clip_id)
            film = self.parts.film(self.parts.files(row["path"]), float(row["duration_s"]))
        except UnreadableClipError as error:
            logger.warning("%s: %s", clip_id, error)
            film = None
        except KeyError as error:
            return self.parts.drawing.error(clip_id, _reason(error))
        return self.parts.drawing.result(answer, film, row["label"])

    def draw_gallery(self, n_cards: int, *values: str) -> tuple[str, dict[str, Any]]:
        """Show the clips that the filters choose, at most so many; offer more where there are."""
        gallery = self.parts.gallery
        chosen = gallery.chosen(self._wanted(values))
        shown = with_pictures(chosen.head(n_cards), self.parts.picture)
        cards = self.parts.drawing.gallery(shown, chosen, gallery)
        return cards, gr.update(visible=n_cards < len(chosen))

    @property
    def filters(self) -> dict[str, list[str]]:
        """The values to choose from, by column; columns that do not differ are left out."""
        every = {column: self.parts.gallery.choices(column) for column in _FILTERS}
        return {column: values for column, values in every.items() if values}

    def _wanted(self, values: tuple[str, ...]) -> Mapping[str, str | None]:
        return {
            column: None if value in (_ANY, None) else value
            for column, value in zip(self.filters, values, strict=True)
        }


def _build_trial(handlers: Handlers) -> None:
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            upload = gr.File(
                label="Your clip",
                file_types=sorted(VIDEO_SUFFIXES),
                height=150,
                elem_id="upload",
            )
            examples = gr.HTML(handlers.examples, js_on_load=_PRESS, elem_id="examples")
        with gr.Column(scale=5, min_width=300):
            result = gr.HTML(
                handlers.parts.drawing.start(), js_on_load=_WATCH, elem_id="result", min_height=200
            )
    answered = upload.upload(
        handlers.answer_upload,
        upload,
        [result, upload],
        preprocess=False,
        concurrency_limit=None,
        api_visibility="private",
        trigger_mode="multiple",
        show_progress_on=result,
    )
    picked = examples.click(
        handlers.answer_example,
        None,
        result,
        concurrency_limit=None,
        api_visibility="private",
        show_progress_on=result,
    )
    for done in (answered, picked):
        done.then(None, js=_SHOW % "result")


def _build_gallery(handlers: Handlers) -> None:
    filters = handlers.filters
    with gr.Row():
        chosen = [
            gr.Dropdown(
                [(value.replace("_", " "), value) for value in (_ANY, *values)],
                value=_ANY,
                label=_FILTERS[column],
                min_width=150,
                elem_id=f"filter-{column}",
            )
            for column, values in filters.items()
        ]
    detail = gr.HTML(handlers.parts.drawing.hint(), js_on_load=_WATCH, elem_id="detail")
    n_cards = gr.State(_CARDS)
    first, offer = handlers.draw_gallery(_CARDS, *[_ANY] * len(chosen))
    cards = gr.HTML(first, js_on_load=_PRESS, elem_id="gallery")
    more = gr.Button("Show more", elem_id="more", visible=offer["visible"])
    redraw: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    for choice in chosen:
        choice.change(lambda: _CARDS, None, n_cards, **redraw).then(
            handlers.draw_gallery, [n_cards, *chosen], [cards, more], **redraw
        )
    more.click(lambda n: n + _CARDS, n_cards, n_cards, **redraw).then(
        handlers.draw_gallery, [n_cards, *chosen], [cards, more], **redraw
    )
    opened = cards.click(
        handlers.open_clip, None, detail, api_visibility="private", show_progress_on=detail
    )
    opened.then(None, js=_SHOW % "detail")


async def _let_go(request: Request, error: Exception) -> Response:
    """End an upload whose visitor left in the middle: no fault of ours, and nobody reads this."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


def _named(found: Look, name: str) -> Prediction:
    return replace(found.prediction, name=name)


def _reason(error: Exception) -> str:
    return "it is no test clip of this run" if isinstance(error, KeyError) else str(error)
