"""What stands in for a table, so that a model must do without motion."""

import numpy as np
import pytest

from hmdb_kedro.training.ablation import RepeatedFrame

# What it tests imports Keras.
pytestmark = pytest.mark.slow


class Frames:
    """Clips of seven frames; a frame holds its position."""

    def shape(self, clip_id):
        return 7, 20, 24

    def take(self, clip_id, indices, reduce=1):
        shape = (len(indices), 20 // reduce, 24 // reduce, 3)
        return np.broadcast_to(np.uint8(indices)[:, None, None, None], shape)


def test_of_a_clip_the_middle_frame_is_left_at_the_size_asked_for():
    left = RepeatedFrame(Frames())
    assert left.shape("c") == (7, 20, 24)
    found = left.take("c", [0, 2, 6, 6], reduce=2)
    assert found.shape == (4, 10, 12, 3)
    assert (found == 3).all()
