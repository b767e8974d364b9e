"""What every scene is made of: the field of view, its random draws, a surface, a specimen."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draws:
    """Random generators of one scene: each purpose has its own stream, whatever else is drawn.

    Example:
        >>> draws = Draws(0, "weave", "train_000")
        >>> float(draws("pose").random()) == float(draws("pose").random())
        True
    """

    seed: int
    object_name: str
    scene: str

    def __call__(self, purpose: str) -> np.random.Generator:
        """Return a fresh generator for one purpose; the same purpose gives the same draws."""
        words = (self.object_name, self.scene, purpose)
        # crc32, because Python salts hash() of a string anew in every process
        return np.random.default_rng([self.seed, *(zlib.crc32(word.encode()) for word in words)])


@dataclass(frozen=True)
class Frame:
    """How the scene, the working grid and the pixels of the file relate.

    Geometry is in units; one unit is one pixel at a magnification of 1. The grid may be finer than
    the image: lens and sensor average over it.

    Attributes:
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        magnification: Pixels per unit.
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


@dataclass(frozen=True)
class Surface:
    """A height field with its material, all (rows, columns) of the grid.

    Attributes:
        height: Height in units.
        albedo: (C, rows, columns) linear reflectance; C is 1 for a grey camera, 3 for colour.
        gloss: Strength of the mirror-like part.
        roughness: Width of the highlight, as a slope.
    """

    height: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray
    roughness: np.ndarray


@dataclass(frozen=True)
class Specimen:
    """One physical thing in front of the camera.

    Attributes:
        surface: Its surface.
        parts: (rows, columns) int32, the number of the part (a plate, one bean) that a point
            belongs to; 0 where no defect may be centred.
        core: (C,) linear reflectance of the inside, which a broken edge lays bare.
        depth: Depth of a missing piece in units.
    """

    surface: Surface
    parts: np.ndarray
    core: tuple[float, ...]
    depth: float
