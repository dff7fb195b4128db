"""Images as clouds of points, for networks that see positions and no grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POINTS = 24


def as_points(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The brightest pixels of `images [N, 1, H, W]` as `[N, 3, POINTS]`: x, y and brightness.

    Positions run from -1 to 1; of pixels that are alike bright, the first come first.
    """
    height, width = images.shape[2:]
    flat = images.reshape(len(images), -1)
    chosen = np.argsort(-flat, axis=1, kind="stable")[:, :POINTS]
    y, x = np.divmod(chosen, width)
    cloud = (
        x * (2 / (width - 1)) - 1,
        y * (2 / (height - 1)) - 1,
        np.take_along_axis(flat, chosen, axis=1),
    )
    return np.stack(cloud, axis=1).astype(np.float32)
