"""A look at what was extracted."""

import pandas as pd
import plotly.graph_objects as go

from hmdb_kedro.reporting.examples import middle_pictures
from hmdb_kedro.reporting.sheets import Tile, contact_sheet
from hmdb_kedro.reporting.style import empty_figure
from hmdb_kedro.video.tables import ClipTable

_TITLE = "The middle frame of one clip of each class"


def draw_frames_sheet(frames: ClipTable, clip_index: pd.DataFrame) -> go.Figure:
    """Show the middle frame of one clip of each class, as it is stored."""
    tiles = [Tile(*example) for example in middle_pictures(clip_index, frames)]
    return contact_sheet(tiles, _TITLE) if tiles else empty_figure(_TITLE, "No clip has frames.")
