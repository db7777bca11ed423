"""Contact sheets: one picture of every class, side by side."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import plotly.graph_objects as go

from hmdb_kedro.reporting.style import style
from hmdb_kedro.video.colours import flow_colours
from hmdb_kedro.video.encoding import encode_frame

# All tiles are one JPEG: a picture a class would make fifty subplots, which browsers draw slowly.
_SHEET_PX, _LARGEST_TILE_PX = 1280, 280
_ASPECT = 4 / 3
_GAP_PX, _TITLE_PX, _TITLE_GAP_PX, _CHARACTER_PX = 8, 24, 3, 7
_MARGIN_PX, _TOP_PX = 20, 80
_JPEG_QUALITY = 88
_FRAME = (208, 208, 208)
_WHEEL_PX = 240


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Attributes:
        title: Stands above it.
        note: Shows while the pointer is on it.
        picture: uint8, shape (H, W, 3), RGB.
    """

    title: str
    note: str
    picture: np.ndarray


@dataclass(frozen=True)
class _Grid:
    """Where the tiles stand, in pixels of the sheet."""

    columns: int
    rows: int
    tile_width: int
    tile_height: int

    @classmethod
    def of(cls, n_tiles: int) -> "_Grid":
        columns = math.ceil(math.sqrt(n_tiles))
        width = min(_LARGEST_TILE_PX, _SHEET_PX // columns - _GAP_PX)
        return cls(columns, math.ceil(n_tiles / columns), width, round(width / _ASPECT))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the sheet."""
        height = self.rows * (self.tile_height + _TITLE_PX + _GAP_PX)
        return height, self.columns * (self.tile_width + _GAP_PX)

    def corner(self, number: int) -> tuple[int, int]:
        """Return top and left of a tile's picture."""
        row, column = divmod(number, self.columns)
        top = row * (self.tile_height + _TITLE_PX + _GAP_PX) + _TITLE_PX
        return top, column * (self.tile_width + _GAP_PX)


def contact_sheet(tiles: Sequence[Tile], title: str) -> go.Figure:
    """Lay tiles out in rows, each picture whole and in its own aspect."""
    grid = _Grid.of(len(tiles))
    height, width = grid.size
    figure = go.Figure(
        [
            go.Image(source=data_uri(_mosaic(tiles, grid)), hoverinfo="skip"),
            _titles(tiles, grid),
            _notes(tiles, grid),
        ]
    )
    style(figure, title, height + _TOP_PX + _MARGIN_PX)
    sides = {"l": _MARGIN_PX, "r": _MARGIN_PX, "t": _TOP_PX, "b": _MARGIN_PX}
    figure.update_layout(width=width + 2 * _MARGIN_PX, margin=sides, showlegend=False)
    # Whatever the pointer is on, the nearest tile tells its name.
    figure.update_layout(hovermode="closest", hoverdistance=-1)
    figure.update_xaxes(visible=False, range=[0, width], constrain="domain")
    figure.update_yaxes(visible=False, range=[height, 0], scaleanchor="x", constrain="domain")
    return figure


def colour_wheel(max_px: float) -> Tile:
    """Return the legend of `flow_colours`: each direction from the middle in its colour."""
    across = np.linspace(-max_px, max_px, _WHEEL_PX, dtype=np.float32)
    flow = np.stack(np.meshgrid(across, across), axis=-1)
    picture = flow_colours(flow, max_px)
    picture[np.hypot(flow[..., 0], flow[..., 1]) > max_px] = 255
    note = f"Away from the middle is the direction; the rim is {max_px:.1f} px and more"
    return Tile(f"Legend: rim {max_px:.1f} px", note, picture)


def data_uri(picture: np.ndarray) -> str:
    """Return an RGB picture, uint8 (H, W, 3), as a JPEG that stands inside a page."""
    encoded = encode_frame(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded).decode()}"


def thumbnail_uri(picture: np.ndarray) -> str:
    """Return an RGB picture, uint8 (H, W, 3), as a JPEG no wider or higher than a tile."""
    scale = min(1.0, _LARGEST_TILE_PX / max(picture.shape[:2]))
    return data_uri(
        np.asarray(
            cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    )


def _mosaic(tiles: Sequence[Tile], grid: _Grid) -> np.ndarray:
    """Paste the pictures onto white, uint8 (H, W, 3), RGB."""
    mosaic = np.full((*grid.size, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        picture = _fitted(tile.picture, grid)
        height, width = picture.shape[:2]
        top, left = grid.corner(number)
        top += (grid.tile_height - height) // 2
        left += (grid.tile_width - width) // 2
        mosaic[top : top + height, left : left + width] = picture
        # A field without motion is as white as the sheet.
        cv2.rectangle(mosaic, (left, top), (left + width - 1, top + height - 1), _FRAME)
    return mosaic


def _fitted(picture: np.ndarray, grid: _Grid) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = min(grid.tile_height / height, grid.tile_width / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def _titles(tiles: Sequence[Tile], grid: _Grid) -> go.Scatter:
    corners = [grid.corner(number) for number in range(len(tiles))]
    most = grid.tile_width // _CHARACTER_PX
    return go.Scatter(
        x=[left for _, left in corners],
        y=[top - _TITLE_GAP_PX for top, _ in corners],
        text=[_shortened(tile.title, most) for tile in tiles],
        mode="text",
        textposition="top right",
        textfont={"size": 12},
        hoverinfo="skip",
    )


def _notes(tiles: Sequence[Tile], grid: _Grid) -> go.Scatter:
    corners = [grid.corner(number) for number in range(len(tiles))]
    return go.Scatter(
        x=[left + grid.tile_width / 2 for _, left in corners],
        y=[top + grid.tile_height / 2 for top, _ in corners],
        text=[tile.note for tile in tiles],
        mode="markers",
        marker={"size": grid.tile_height, "opacity": 0},
        hovertemplate="%{text}<extra></extra>",
    )


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
