"""The six lights: where the lamp stands, what colour it has, how long the shutter is open."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Light:
    """A lamp above the scene and a dome that fills the shadows.

    Args:
        position: x, y, z of the lamp, in long sides of the field, from the centre of the field;
            y points down the picture.
        colour: Linear red, green, blue of the lamp; the dome stays neutral.
        key: Irradiance of the lamp at the centre.
        fill: Irradiance of the dome.
        exposure: Gain of the camera.
    """

    position: tuple[float, float, float]
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    key: float = 0.85
    fill: float = 0.36
    exposure: float = 1.0


_REGULAR = Light(position=(-0.55, -0.75, 1.25))

LIGHTS: dict[str, Light] = {
    "regular": _REGULAR,
    "overexposed": replace(_REGULAR, exposure=1.9),
    "underexposed": replace(_REGULAR, exposure=0.36),
    # the lamp moves, lower and to another side, and changes its colour
    "shift_1": Light((1.05, -0.3, 1.05), (1.16, 0.99, 0.78), key=0.85, fill=0.30),
    "shift_2": Light((0.35, 1.25, 0.75), (0.86, 0.99, 1.18), key=0.90, fill=0.26),
    "shift_3": Light((-1.3, 0.45, 0.55), (1.08, 1.0, 0.88), key=0.95, fill=0.20, exposure=1.1),
}
UNSEEN_IN_PUBLIC = ("shift_2", "shift_3")
PUBLIC_LIGHTS = tuple(name for name in LIGHTS if name not in UNSEEN_IN_PUBLIC)
MIXED_LIGHTS = tuple(name for name in LIGHTS if name != "regular")


def jittered(light: Light, rng: np.random.Generator) -> Light:
    """Return the light as it was for one exposure: lamps flicker and get bumped a little."""
    x, y, z = np.asarray(light.position) + rng.normal(0, 0.012, 3)
    return replace(
        light,
        position=(float(x), float(y), float(z)),
        key=light.key * float(rng.normal(1, 0.012)),
        exposure=light.exposure * float(np.clip(rng.normal(1, 0.015), 0.95, 1.05)),
    )
