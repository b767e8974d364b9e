"""What a scene is made of before light falls on it: a height field and a material per point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Surface:
    """A height field with its material; the arrays share rows and columns of the grid.

    Args:
        height: (rows, columns) height in units.
        albedo: (C, rows, columns) linear reflectance; C is 1 for a grey camera, 3 for colour.
        gloss: (rows, columns) strength of the mirror-like part.
        roughness: (rows, columns) width of the highlight, as a slope.
    """

    height: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray
    roughness: np.ndarray


@dataclass(frozen=True)
class Specimen:
    """One physical thing in front of the camera, and what a defect must know about it.

    Args:
        surface: Its surface.
        parts: (rows, columns) int32, 0 where no defect may be centred, else the number of the
            part (a thread sheet, a plate, one bean) that the point belongs to.
        core: (C,) linear reflectance of the inside, which a broken edge lays bare.
        depth: How deep a missing piece reaches, in units.
    """

    surface: Surface
    parts: np.ndarray
    core: tuple[float, ...]
    depth: float
