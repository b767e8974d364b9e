"""One scene from its name to its pictures: specimen, defects, lamp, camera."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.data.tiny.badge import badge
from zoo.data.tiny.beans import beans
from zoo.data.tiny.camera import expose
from zoo.data.tiny.defects import Damaged, strike
from zoo.data.tiny.draws import Draws
from zoo.data.tiny.frame import Frame
from zoo.data.tiny.lights import LIGHTS, jittered
from zoo.data.tiny.shading import shade
from zoo.data.tiny.surface import Specimen, Surface
from zoo.data.tiny.weave import weave

OBJECTS: dict[str, Callable[[Frame, Draws], Specimen]] = {
    "weave": weave,
    "badge": badge,
    "beans": beans,
}


def build(frame: Frame, draws: Draws, defects: tuple[str, ...] = ()) -> Damaged:
    """Return the specimen of a scene with its defects; the same one without, if none are given.

    Args:
        frame: The field of view.
        draws: The scene's random draws, which also name the object.
        defects: Kinds of defect, see ``zoo.data.tiny.defects.KINDS``.
    """
    return strike(OBJECTS[draws.subject](frame, draws), defects, frame, draws)


def photograph(surface: Surface, light: str, frame: Frame, draws: Draws) -> np.ndarray:
    """Return the picture of a surface in one of the six lights.

    Returns:
        (height, width, C) uint8; C is 1 for a grey camera and 3 (red, green, blue) otherwise.
    """
    lamp = jittered(LIGHTS[light], draws(f"lamp {light}"))
    radiance = shade(surface, lamp, frame)
    return expose(radiance, frame, lamp.exposure, draws(f"noise {light}"))
