"""The field of view: how large the picture is, and how finely the scene is sampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frame:
    """Relation between lengths of the scene, the working grid and the pixels of the file.

    All geometry is given in *units*; one unit is one pixel where the magnification is 1. The
    scene is computed on a grid that may be finer than the picture, because the lens and the
    sensor then average over it as a camera does.

    Args:
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        magnification: Pixels of the picture per unit.
        oversampling: Grid points per pixel, along each axis.
    """

    width: int
    height: int
    magnification: float = 1.0
    oversampling: int = 2

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the working grid."""
        return self.height * self.oversampling, self.width * self.oversampling

    @property
    def pitch(self) -> float:
        """Grid points per unit."""
        return self.magnification * self.oversampling

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of the field in units."""
        return self.width / self.magnification, self.height / self.magnification

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of every grid point in units, origin at the centre; (rows, columns)."""
        rows, columns = self.grid
        x = (np.arange(columns, dtype=np.float32) - (columns - 1) / 2) / self.pitch
        y = (np.arange(rows, dtype=np.float32) - (rows - 1) / 2) / self.pitch
        x_grid, y_grid = np.meshgrid(x, y)
        return x_grid, y_grid
