"""Small clips that tests draw, with motion that is known."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.decode import probe_clip

REPOSITORY = Path(__file__).parents[1]


def write_clip(file: Path, frames: np.ndarray, fps: float = 30.0) -> Path:
    """Write uint8 frames (T, H, W, 3), BGR, as MJPG in AVI."""
    file.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames.shape[1:3]
    fourcc = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(file), cv2.CAP_OPENCV_MJPEG, fourcc, fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return file


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a smooth random picture, uint8 (H, W, 3), that wraps at its edges."""
    noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    tiled = cv2.GaussianBlur(np.tile(noise, (3, 3)), (0, 0), 2.0)[height : 2 * height]
    smooth = tiled[:, width : 2 * width]
    grey = 128 + 50 * smooth / smooth.std()
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def moving_clip(
    dx: int, dy: int, n_frames: int = 5, height: int = 96, width: int = 128, seed: int = 0
) -> np.ndarray:
    """Return a texture that moves by (dx, dy) pixels a frame: uint8 (T, H, W, 3)."""
    picture = texture(height, width, seed)
    return np.stack([np.roll(picture, (t * dy, t * dx), axis=(0, 1)) for t in range(n_frames)])


def index_of(folder: ClipFolder) -> pd.DataFrame:
    """Return the columns of the clip index that extraction reads."""
    rows = []
    for path, clip in folder.items():
        probe = probe_clip(clip.file, 2, 0.9)
        rows.append(
            {
                "clip_id": clip.clip_id,
                "label": clip.label,
                "path": path,
                "content_hash": probe.content_hash,
                "n_frames": probe.n_frames,
                "fps": probe.fps,
                "status": probe.status,
            }
        )
    return pd.DataFrame(rows)
