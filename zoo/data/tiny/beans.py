"""Loose grains strewn at random: dried beans in layers, each of its own shape, tilt and pattern."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from zoo.data.tiny.fields import blur, fractal_noise, mix, planes, smooth_noise, smoothstep
from zoo.data.tiny.scene import Draws, Frame, Specimen, Surface

_LENGTH = 21.0  # half length of a bean, in units
_LAYERS = 5  # so many that the tray hardly shows
_SPACING = 31.0  # units between the beans of one layer
# linear colours from pale to dark; a bean lies somewhere between two neighbours
_PALETTE = np.array([(0.33, 0.14, 0.09), (0.25, 0.093, 0.06), (0.18, 0.063, 0.045)])
_MARBLE = (0.075, 0.028, 0.022)
_SCAR = (0.38, 0.19, 0.13)
_TRAY = (0.030, 0.032, 0.036)


def beans(frame: Frame, draws: Draws) -> Specimen:
    """Return a heap of beans that covers the field."""
    places = _places(frame, draws("places"))
    kinds = _kinds(len(places), draws("kinds"))
    height = 0.3 * smooth_noise(draws("tray"), frame.grid, 5 * frame.pitch)
    number = np.zeros(frame.grid, np.int32)
    covered = np.zeros(len(places) + 1, int)
    for index, place in enumerate(places):
        kind = {name: float(values[index]) for name, values in kinds.items()}
        covered[index + 1] = _drop(height, number, place, kind, index + 1, frame)

    albedo = _skin(number, places, kinds, frame, draws("skin"))
    in_view = np.bincount(number.ravel(), minlength=len(covered))
    open_lying = (covered > 0) & (in_view > 0.85 * covered)
    wrinkles = 0.04 * smooth_noise(draws("wrinkles"), frame.grid, 2.6 * frame.pitch)
    surface = Surface(
        # steps between beans are softened, or their edges would show the grid as a dotted line
        height=blur(height, 0.22 * frame.pitch) + wrinkles,
        albedo=albedo,
        gloss=np.full(frame.grid, 0.14, np.float32),
        roughness=np.full(frame.grid, 0.19, np.float32),
    )
    parts = np.where(open_lying[number], number, 0).astype(np.int32)
    return Specimen(surface, parts, core=(0.74, 0.69, 0.56), depth=5.0)


def _places(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Return (N, 2) centres in units from the top left corner, layer by layer, no large gap."""
    wide, high = frame.extent
    layers = []
    for _ in range(_LAYERS):
        start = rng.uniform(-1.0, 0.0, 2) * _SPACING
        x, y = np.meshgrid(
            np.arange(start[0], wide + _SPACING, _SPACING),
            np.arange(start[1], high + _SPACING, _SPACING),
        )
        centres = np.stack([x.ravel(), y.ravel()], axis=1)
        centres += rng.normal(0, 0.30 * _SPACING, centres.shape)
        layers.append(rng.permutation(centres))
    return np.concatenate(layers)


def _kinds(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return what makes each of ``count`` beans its own, (count,) each."""

    def around(middle: float, spread: float) -> np.ndarray:
        return rng.normal(middle, spread, count).clip(middle - 2 * spread, middle + 2 * spread)

    length = _LENGTH * around(1, 0.07)
    width = length * around(0.64, 0.035)
    return {
        "turn": rng.uniform(0, 2 * np.pi, count),
        "length": length,
        "width": width,
        "plump": width * around(0.70, 0.04),
        "bend": rng.uniform(0.05, 0.24, count),
        "tilt_x": around(0, 0.07),
        "tilt_y": around(0, 0.07),
        "tone": rng.uniform(0.2, 1.4, count),
        "bright": around(1, 0.07),
        "marbled": around(0.4, 0.2),
        "level": around(0.55, 0.25),
        "cut": rng.uniform(0, 600, count),
    }


def _drop(
    height: np.ndarray,
    number: np.ndarray,
    place: np.ndarray,
    kind: dict[str, float],
    name: int,
    frame: Frame,
) -> int:
    """Drop one bean on the heap, in place; return the grid points its outline covers."""
    pitch = frame.pitch
    # half height and half width of the turned outline, a little over for the bend
    cosine, sine = np.float32(np.cos(kind["turn"])), np.float32(np.sin(kind["turn"]))
    width = kind["width"] * (1 + kind["bend"])
    reach_x = float(np.hypot(kind["length"] * cosine, width * sine)) * pitch + 2
    reach_y = float(np.hypot(kind["length"] * sine, width * cosine)) * pitch + 2
    column, row = float(place[0]) * pitch, float(place[1]) * pitch
    top, bottom = max(int(row - reach_y), 0), min(int(row + reach_y) + 1, height.shape[0])
    left, right = max(int(column - reach_x), 0), min(int(column + reach_x) + 1, height.shape[1])
    if top >= bottom or left >= right:
        return 0
    x = (np.arange(left, right, dtype=np.float32) - column)[None, :] / pitch
    y = (np.arange(top, bottom, dtype=np.float32) - row)[:, None] / pitch
    a, b = _bean_coordinates(x, y, cosine, sine, kind)
    rest = 1 - a * a - b * b
    outline = rest > 0
    if not outline.any():
        return 0
    below = height[top:bottom, left:right]
    back = kind["plump"] * np.sqrt(rest[outline])
    back += (kind["tilt_x"] * x + kind["tilt_y"] * y)[outline]
    # it sinks until most of it rests on the beans below, and hides what is under its outline
    gap = below[outline] - back
    middle = len(gap) * 4 // 5
    below[outline] = back + np.partition(gap, middle)[middle]
    number[top:bottom, left:right][outline] = name
    return len(back)


def _bean_coordinates(
    x: np.ndarray,
    y: np.ndarray,
    cosine: np.ndarray | np.float32,
    sine: np.ndarray | np.float32,
    kind: Mapping[str, np.ndarray | float],
) -> tuple[np.ndarray, np.ndarray]:
    """Return lengthwise and crosswise coordinates; a*a + b*b is 1 on the bent outline."""
    a = (x * cosine + y * sine) / kind["length"]
    b = (y * cosine - x * sine) / kind["width"]
    return a, b + kind["bend"] * (2 * a * a - 0.7)


def _skin(
    number: np.ndarray,
    places: np.ndarray,
    kinds: dict[str, np.ndarray],
    frame: Frame,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the colour of every point, (3, rows, columns); ``number`` 0 is the tray."""

    def spread(values: np.ndarray) -> np.ndarray:
        """Give every point the value of its bean."""
        return np.concatenate([values[:1], values]).astype(np.float32)[number]

    pitch = frame.pitch
    columns, rows = np.arange(number.shape[1]), np.arange(number.shape[0])
    x = columns.astype(np.float32)[None, :] / pitch - spread(places[:, 0])
    y = rows.astype(np.float32)[:, None] / pitch - spread(places[:, 1])
    shape = {name: spread(kinds[name]) for name in ("length", "width", "bend")}
    turn = kinds["turn"]
    a, b = _bean_coordinates(x, y, spread(np.cos(turn)), spread(np.sin(turn)), shape)

    # marbling: flames along the bean, each bean cuts its own piece from one sheet
    sheet = fractal_noise(rng, (720, 720), 6.5, octaves=3)
    cut = spread(kinds["cut"])
    at = a * 26 + 40 + cut, b * 22 + 660 - cut
    flames = cv2.remap(sheet, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    level = spread(kinds["level"])
    dark = smoothstep(0, 0.6, flames - level) * spread(kinds["marbled"])

    tone = kinds["tone"]
    lower, share = tone.astype(int), (tone % 1)[:, None]
    colours = _PALETTE[lower] * (1 - share) + _PALETTE[lower + 1] * share
    colours = colours * kinds["bright"][:, None]
    cloud = 1 + 0.06 * flames + 0.02 * smooth_noise(rng, number.shape, max(1.5 * pitch, 1.5))
    albedo = np.stack([spread(colours[:, channel]) for channel in range(3)]) * cloud
    albedo = mix(albedo, planes(_MARBLE), dark)
    # the hilum: a pale scar with a dark lip on the hollow side
    scar = np.sqrt((a * 4.2) ** 2 + ((b - 0.86) * 7.0) ** 2)
    albedo = mix(albedo, planes(_MARBLE), 0.45 * smoothstep(1.5, 1.05, scar))
    albedo = mix(albedo, planes(_SCAR), smoothstep(0.95, 0.6, scar))
    albedo[:, number == 0] = np.asarray(_TRAY, np.float32)[:, None]
    return np.clip(albedo, 0.01, 0.9)
