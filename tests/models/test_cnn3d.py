"""3D CNNs: the range of what they see."""

import numpy as np
import pytest
from params import make

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("branch", "changes", "value", "seen"),
    [
        ("cnn3d_v2", {}, 255, 1),
        ("cnn3d_v2", {}, 0, -1),
        ("cnn3d_v2", {"rgb_difference": True}, 0, 0),
        ("cnn3d_v2", {"rgb_difference": True}, -255, -2),
        ("temporal", {}, 3, 3),
    ],
)
def test_inputs_are_brought_to_a_range_about_zero(branch, changes, value, seen):
    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415

    params = make(branch, image_size=16, window=2, filters=[4, 4], **changes)
    channels = 2 if branch == "temporal" else 3
    model = build_cnn3d(params, num_classes=2, channels=channels, seed=1)
    rescaled = keras.Model(model.input, model.get_layer("rescale").output)
    stack = np.full((1, 2, 16, 16, channels), value, np.float32)
    assert rescaled.predict_on_batch(stack) == pytest.approx(np.full_like(stack, seen))
