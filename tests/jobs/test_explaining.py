"""What counted for an answer, from a video to pictures."""

import cv2
import numpy as np
import pytest
from clips import write_clip
from kedro.io import DataCatalog, MemoryDataset
from recognising import CLASSES, FLOW, FUSION, RGB

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.jobs import predicting

pytestmark = pytest.mark.slow
TILE, LINE, GAP = 160, 22, 6


@pytest.fixture
def catalog():
    """Return a spatial stream that means red and green, and a temporal one without any pooling."""
    import keras  # noqa: PLC0415 - these tests alone
    from watching import watching_channels  # noqa: PLC0415

    flat = keras.Sequential(
        [keras.Input((3, 32, 32, 2)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
    )
    entries = {
        "two_stream.fusion": FUSION | {"threshold": None},
        "spatial.model": TrainedModel(watching_channels((32, 32, 3)), CLASSES, RGB),
        "temporal.model": TrainedModel(flat, CLASSES, FLOW),
    }
    return DataCatalog(
        {name: MemoryDataset(data, copy_mode="assign") for name, data in entries.items()}
    )


@pytest.fixture
def video(tmp_path):
    """Grey, with a red spot at the top left in the second half."""
    frames = np.full((16, 64, 64, 3), 5, np.uint8)
    frames[8:, 8:24, 8:24, 2] = 250
    return write_clip(tmp_path / "spot.avi", frames)


def test_the_spot_lights_up_when_it_is_there(catalog, video, tmp_path, capsys):
    folder = tmp_path / "what" / "counted"
    assert predicting.predict(catalog, predicting.Wanted([video], "text", 2, explain=folder))
    assert [file.name for file in folder.iterdir()] == ["spot_spatial.png"]
    said = capsys.readouterr().err
    assert "temporal: no picture of what counted" in said
    assert f"Written: {folder / 'spot_spatial.png'}" in said
    picture = cv2.imread(str(folder / "spot_spatial.png")).astype(int)
    top = LINE + TILE + GAP
    maps = [picture[top : top + TILE, n * (TILE + GAP) :][:, :TILE].sum(axis=-1) for n in range(8)]
    assert max(found.max() for found in maps[:4]) < maps[6].max() / 2
    row, column = np.argwhere(maps[6] > 0.8 * maps[6].max()).mean(axis=0)
    assert (row, column) == (pytest.approx(TILE / 4, abs=12), pytest.approx(TILE / 4, abs=12))


def test_clips_of_a_folder_are_told_apart_by_their_class(catalog, video, tmp_path):
    for label in ("run", "wave"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "a.avi").write_bytes(video.read_bytes())
    wanted = predicting.Wanted([tmp_path / "set"], "csv", 2, explain=tmp_path / "out")
    assert predicting.predict(catalog, wanted)
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["run_a_spatial.png", "wave_a_spatial.png"]
