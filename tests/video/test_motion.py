import numpy as np
import pandas as pd
import pytest

from hmdb_kedro.pipelines.temporal_training.motion import measure_motion
from hmdb_kedro.video.motion import mean_motion

# The node stands among those that import Keras.
pytestmark = pytest.mark.slow


class DrawnFlow:
    """Clips of constant flow, of which the left half moves by 2 px more."""

    def __init__(self, shared_px):
        self.shared_px = shared_px
        self.clip_ids = sorted(shared_px)
        self.taken = []

    def shape(self, clip_id):
        return 20, 16, 32

    def take(self, clip_id, indices):
        self.taken += [(clip_id, index) for index in indices]
        fields = np.zeros((len(indices), 16, 32, 2), np.float32)
        fields[..., 0] = self.shared_px[clip_id]
        fields[:, :, :12, 0] += 2
        return fields


def test_motion_is_the_mean_length_and_the_shared_part_that_of_the_median():
    flow = DrawnFlow({"a": 3.0})
    found = mean_motion(flow, "a")
    assert found["motion_px"] == pytest.approx(3 + 2 * 12 / 32)
    assert found["shared_motion_px"] == pytest.approx(3)
    assert [index for _, index in flow.taken] == [1, 3, 6, 8, 11, 13, 16, 18]


def test_test_clips_with_flow_are_measured_and_no_others():
    index = pd.DataFrame(
        {
            "clip_id": ["a", "b", "c", "d"],
            "partition": ["test", "val", "test", "test"],
            "label_id": [0, 0, 1, None],
        }
    )
    table = measure_motion(index, DrawnFlow({"a": 1.0, "b": 1.0, "d": 1.0}))
    assert table["clip_id"].to_list() == ["a"]
    assert list(table) == ["clip_id", "motion_px", "shared_motion_px"]
    assert list(measure_motion(index.head(0), DrawnFlow({}))) == list(table)
