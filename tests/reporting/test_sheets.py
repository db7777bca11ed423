import base64

import cv2
import numpy as np
import pytest

from hmdb_kedro.reporting.sheets import Tile, colour_wheel, contact_sheet

GREEN, WHITE = (0, 200, 0), (255, 255, 255)


def picture_of(figure):
    kind, encoded = figure.data[0].source.split(",")
    assert kind == "data:image/jpeg;base64"
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def test_the_legend_shows_each_direction_where_it_points():
    picture = colour_wheel(3.0).picture
    middle = len(picture) // 2
    assert np.abs(picture[middle, -2].astype(int) - (255, 0, 0)).max() < 12
    assert picture[-2, middle, 2] < 12  # yellow below
    assert (picture[0, 0] == WHITE).all()
    assert picture[middle, middle].min() > 240


@pytest.mark.parametrize("n_tiles", [1, 2, 9, 51, 101])
def test_every_tile_has_its_place_title_and_note(n_tiles):
    tiles = [
        Tile(f"class_{number}", f"clip {number}", np.full((240, 320, 3), GREEN, np.uint8))
        for number in range(n_tiles)
    ]
    figure = contact_sheet(tiles, "Sheet")
    picture = picture_of(figure)
    _, titles, notes = figure.data
    assert list(titles.text) == [tile.title for tile in tiles]
    assert list(notes.text) == [tile.note for tile in tiles]
    for x, y in zip(notes.x, notes.y, strict=True):
        assert np.abs(picture[int(y), int(x)].astype(int) - GREEN).max() < 12
    assert len({*zip(notes.x, notes.y, strict=True)}) == n_tiles
    assert figure.layout.width <= 1400
    assert list(figure.layout.xaxis.range) == [0, picture.shape[1]]
    assert list(figure.layout.yaxis.range) == [picture.shape[0], 0]


def test_pictures_keep_their_aspect():
    tall = Tile("tall", "tall", np.full((200, 50, 3), GREEN, np.uint8))
    green = (np.abs(picture_of(contact_sheet([tall], "Sheet")).astype(int) - GREEN) < 12).all(-1)
    rows, columns = np.flatnonzero(green.any(1)), np.flatnonzero(green.any(0))
    assert (np.ptp(rows) + 1) / (np.ptp(columns) + 1) == pytest.approx(4, rel=0.1)


def test_fifty_one_busy_pictures_stay_below_a_megabyte_and_a_half():
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    figure = contact_sheet([Tile("class", "clip", soft)] * 51, "Sheet")
    assert len(figure.to_json()) < 1.5e6


def test_a_long_class_name_is_shortened_to_its_tile():
    tiles = [Tile("a_class_with_a_very_long_name_indeed", "", np.zeros((9, 12, 3), np.uint8))] * 51
    title = contact_sheet(tiles, "Sheet").data[1].text[0]
    assert title.endswith("…")
    assert len(title) < 25
