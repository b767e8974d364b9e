"""Light and camera: lamps, shading, cast shadows, lens, noise, tone curve, eight bits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from zoo.data.tiny.fields import blur
from zoo.data.tiny.scene import Frame, Surface


@dataclass(frozen=True)
class Light:
    """A lamp above the scene and a dome that fills the shadows.

    Attributes:
        position: x, y (down) and z of the lamp in long sides of the field, from its centre.
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


# penumbra: how fast a shadow's edge widens with distance, as a slope
_SOFTNESS = 0.22
# share of the dome that a glossy surface mirrors
_DOME_MIRROR = 0.10


def normals(height: np.ndarray, pitch: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, y, z of the unit normals of a height field with ``pitch`` grid points per unit."""
    slope_x = cv2.Scharr(height, cv2.CV_32F, 1, 0, scale=pitch / 32)
    slope_y = cv2.Scharr(height, cv2.CV_32F, 0, 1, scale=pitch / 32)
    z = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    return -slope_x * z, -slope_y * z, z


def cast_shadow(
    height: np.ndarray, direction: tuple[float, float, float], pitch: float
) -> np.ndarray:
    """Return the share of the lamp that each point sees, (rows, columns) float32 in [0, 1].

    Walks from every point along a unit vector towards the lamp in growing steps and keeps the
    highest obstacle above the ray, measured by its angle: far obstacles throw soft shadows.
    """
    x, y, z = direction
    flat = float(np.hypot(x, y))
    climb = z / max(flat, 1e-3)  # rise of the ray per unit of way
    reach = float(height.max() - height.min()) / climb
    rows, columns = height.shape
    blocked = np.zeros_like(height)
    way = 0.8
    while way < reach:
        step = way * pitch / max(flat, 1e-3)
        matrix = np.array([[1, 0, -x * step], [0, 1, -y * step]], np.float32)
        ahead: np.ndarray = cv2.warpAffine(
            height, matrix, (columns, rows), borderMode=cv2.BORDER_REPLICATE
        )
        ahead -= height
        ahead *= 1 / (way * _SOFTNESS)
        ahead -= climb / _SOFTNESS - 0.5
        np.maximum(blocked, ahead, out=blocked)
        way *= 1.3
    return 1 - np.minimum(blocked, 1)


def ambient_occlusion(height: np.ndarray, pitch: float) -> np.ndarray:
    """Return the share of the dome that each point sees: hollows see less than ridges."""
    hidden = np.zeros_like(height)
    for radius in (1.5, 5.0):  # units
        hidden += np.maximum(blur(height, radius * pitch) - height, 0) / radius
    return 1 / (1 + 1.3 * hidden)


def _dot(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the scalar product of two vector fields, (rows, columns)."""
    total = one[0] * other[0]
    total += one[1] * other[1]
    total += one[2] * other[2]
    return total


def _half(image: np.ndarray) -> np.ndarray:
    rows, columns = image.shape
    return cv2.resize(image, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)


def _as(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def _lamp_field(light: Light, frame: Frame) -> list[np.ndarray]:
    """Return direction to the lamp (3), half-way direction (3) and irradiance, (rows, columns)."""
    rows, columns = frame.grid
    lamp = np.asarray(light.position, np.float32) * max(frame.extent)
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 33), np.linspace(-0.5, 0.5, 33))
    to = [lamp[0] - x * frame.extent[0], lamp[1] - y * frame.extent[1], lamp[2] + 0 * x]
    way = np.sqrt(to[0] ** 2 + to[1] ** 2 + to[2] ** 2)
    to = [part / way for part in to]
    half = [to[0], to[1], to[2] + 1]  # half way to the camera, which stands at (0, 0, 1)
    length = np.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2)
    irradiance = light.key * float(lamp @ lamp) / way**2
    coarse = [*to, *(part / length for part in half), irradiance]
    return [_as(part.astype(np.float32), (rows, columns)) for part in coarse]


def shade(surface: Surface, light: Light, frame: Frame) -> np.ndarray:
    """Return the light that leaves a surface towards a far camera, (C, rows, columns) linear."""
    to_x, to_y, to_z, half_x, half_y, half_z, key = _lamp_field(light, frame)
    n_x, n_y, n_z = normals(surface.height, frame.pitch)

    # shadow and occlusion are soft: half the grid is enough and four times cheaper
    coarse = _half(surface.height)
    lamp = np.asarray(light.position) / np.linalg.norm(light.position)
    towards = (float(lamp[0]), float(lamp[1]), float(lamp[2]))
    key *= _as(cast_shadow(coarse, towards, frame.pitch / 2), key.shape)
    sky = _as(ambient_occlusion(coarse, frame.pitch / 2), key.shape)
    sky *= light.fill * (0.65 + 0.35 * n_z)

    # highlight: the normal must lie half way between lamp and camera
    cosine = np.maximum(_dot((n_x, n_y, n_z), (half_x, half_y, half_z)), 0.05)
    squared_tangent = 1 / (cosine * cosine) - 1
    squared_tangent /= surface.roughness * surface.roughness
    shine = np.exp(-squared_tangent)
    shine *= key
    shine *= surface.gloss
    glow = sky * surface.gloss
    glow *= _DOME_MIRROR
    lit = np.maximum(_dot((n_x, n_y, n_z), (to_x, to_y, to_z)), 0)
    lit *= key

    grey = surface.albedo.shape[0] == 1
    colours = (float(np.mean(light.colour)),) if grey else light.colour
    radiance = np.empty_like(surface.albedo)
    for plane, albedo, colour in zip(radiance, surface.albedo, colours, strict=True):
        np.multiply(lit, colour, out=plane)
        plane += sky
        plane *= albedo
        plane += shine * colour
        plane += glow
    return radiance


_FULL_WELL = 54_000.0  # electrons at white
_READ_NOISE = 12.0  # electrons
_BLUR = 0.72  # width of the point spread function in pixels of the image
_GLARE = 0.035  # share of light that the lens scatters widely
_VIGNETTING = 0.16  # loss in the corners


def expose(
    radiance: np.ndarray, frame: Frame, exposure: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the image of a radiance field, (height, width, C) uint8.

    Radiance is linear light (C, rows, columns) on the working grid; white is reached where exposure
    times radiance is 1.
    """
    size = (frame.width, frame.height)
    x = np.linspace(-1, 1, frame.width, dtype=np.float32)
    y = np.linspace(-1, 1, frame.height, dtype=np.float32)[:, None]
    gain = (exposure * _FULL_WELL) * (1 - _VIGNETTING / 2 * (x * x + y * y))
    image = np.empty((frame.height, frame.width, len(radiance)), np.uint8)
    for channel, plane in enumerate(radiance):
        sharp = blur(plane, _BLUR * frame.oversampling)
        sharp = cv2.resize(sharp, size, interpolation=cv2.INTER_AREA)
        electrons = (sharp + _GLARE * (blur(sharp, max(size) / 25) - sharp)) * gain
        noise = rng.standard_normal(electrons.shape, dtype=np.float32)
        if len(radiance) == 3:
            # the interpolation of a colour filter array spreads noise and weakens it
            noise = cv2.GaussianBlur(noise, (3, 3), 0.7) * 1.3
        electrons += noise * np.sqrt(np.maximum(electrons, 0) + _READ_NOISE**2)
        image[..., channel] = _encode(electrons / _FULL_WELL)
    return image


def _encode(linear: np.ndarray) -> np.ndarray:
    """Apply the sRGB tone curve to linear light and round to eight bits."""
    # a table of 4096 steps, as the converter of a 12-bit camera has
    step = np.linspace(0, 1, 4096)
    curve = np.where(step < 0.0031308, step * 12.92, 1.055 * step ** (1 / 2.4) - 0.055)
    table = np.round(curve * 255).astype(np.uint8)
    return table[(np.clip(linear, 0, 1) * 4095 + 0.5).astype(np.int32)]
