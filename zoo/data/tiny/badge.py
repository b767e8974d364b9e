"""A moulded and printed part in a fixed pose: a dark plastic name plate on a grey mat."""

from __future__ import annotations

import cv2
import numpy as np

from zoo.data.tiny.fields import blur, fractal_noise, mix, planes, smooth_noise, smoothstep
from zoo.data.tiny.scene import Draws, Frame, Specimen, Surface

_HALF = (152.0, 88.0)  # half width and half height of the plate, in units
_CORNER = 20.0
_THICKNESS = 9.0
_HOLES = ((-133.0, 0.0), (133.0, 0.0))
_MEDALLION = (-78.0, 4.0)  # centre of the raised ring
_PLASTIC = (0.030, 0.058, 0.085)
_INK = (0.74, 0.73, 0.68)
_MAT = (0.27, 0.28, 0.285)
_PRINT_DETAIL = 4  # printing plate: dots per unit


def badge(frame: Frame, draws: Draws) -> Specimen:
    """Return the plate as it came from the mould and the printer, laid into its fixture."""
    x, y = _pose(frame, draws("pose"))
    edge = _rounded_box(x, y, _HALF, _CORNER)  # units, negative inside
    height = _THICKNESS * np.sqrt(np.clip(1 - np.clip((edge + 2.2) / 2.2, 0, 1) ** 2, 0, 1))
    relief, holes = _relief(x, y, edge)
    on_plate = smoothstep(0.35, -0.35, edge) * (1 - holes)

    rng = draws("plastic")
    grain = smooth_noise(rng, frame.grid, max(1.1 * frame.pitch, 1.5))
    sink = fractal_noise(rng, frame.grid, 90 * frame.pitch, octaves=2)
    height = height + relief + (0.055 * grain + 0.5 * sink) * on_plate
    height = height * (1 - holes) - 1.0 * holes

    mat, mat_height = _mat(frame, draws("mat"))
    height = height + mat_height * (1 - on_plate)
    batch = 1 + 0.05 * rng.standard_normal(3)
    flow = 1 + 0.05 * fractal_noise(rng, frame.grid, 40 * frame.pitch, octaves=3)
    plastic = flow * planes(_PLASTIC * batch)
    albedo = mix(mat, plastic, on_plate)
    albedo = mix(albedo, 0.02, holes)

    ink, tint = _ink(x, y, frame, draws("ink"))
    ink = ink * on_plate
    albedo = mix(albedo, tint, ink)
    gloss = mix(np.full(frame.grid, 0.02, np.float32), 0.17 - 0.10 * ink, on_plate)
    surface = Surface(
        height=height.astype(np.float32),
        albedo=np.clip(albedo, 0.005, 0.95),
        gloss=gloss,
        roughness=(0.22 + 0.16 * ink).astype(np.float32),
    )
    parts = (on_plate > 0.5).astype(np.int32)
    return Specimen(surface, parts, core=(0.10, 0.16, 0.20), depth=5.5)


def _pose(frame: Frame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates fixed to the plate: the fixture leaves it a little play."""
    x, y = frame.coordinates()
    turn = np.float32(rng.normal(0, 0.006))
    shift_x, shift_y = np.clip(rng.normal(0, 0.9, 2), -2.2, 2.2).astype(np.float32)
    x, y = x - shift_x, y - shift_y
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def _rounded_box(
    x: np.ndarray, y: np.ndarray, half: tuple[float, float], corner: float
) -> np.ndarray:
    """Return the signed distance to a rounded box, negative inside, in units."""
    out_x, out_y = np.abs(x) - half[0] + corner, np.abs(y) - half[1] + corner
    corner_x, corner_y = np.maximum(out_x, 0), np.maximum(out_y, 0)
    outside = np.sqrt(corner_x * corner_x + corner_y * corner_y)
    return outside + np.minimum(np.maximum(out_x, out_y), 0) - corner


def _relief(x: np.ndarray, y: np.ndarray, edge: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the mould raises above the plate (units) and where the screw holes are."""
    rim = smoothstep(-12.0, -10.6, edge) * smoothstep(-4.4, -5.8, edge)
    distance = np.hypot(x - _MEDALLION[0], y - _MEDALLION[1])
    ring = smoothstep(43.0, 41.5, distance) * smoothstep(34.5, 36.0, distance)
    relief = 1.7 * rim + 1.8 * ring

    # three grip slots on the right
    for offset in (-13.0, 0.0, 13.0):
        slot = _rounded_box(x - 88, y - 44 - offset, (26.0, 3.6), 3.4)
        relief = relief - 2.2 * smoothstep(0.9, -0.9, slot)

    holes = np.zeros_like(x)
    for centre_x, centre_y in _HOLES:
        distance = np.hypot(x - centre_x, y - centre_y)
        relief = relief - 2.6 * smoothstep(11.5, 7.0, distance)  # countersink
        holes = np.maximum(holes, smoothstep(6.9, 6.1, distance))
    return relief, holes


def _mat(frame: Frame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return colour and height of the rubber mat under the plate."""
    pebbles = smooth_noise(rng, frame.grid, 2.3 * frame.pitch)
    cloud = fractal_noise(rng, frame.grid, 70 * frame.pitch, octaves=3)
    shade = 1 + 0.04 * pebbles + 0.03 * cloud
    return shade * planes(_MAT), 0.22 * pebbles


def _printing_plate() -> np.ndarray:
    """Return the artwork, 0 to 1, at ``_PRINT_DETAIL`` dots per unit, centred on the badge."""
    detail = _PRINT_DETAIL
    centre = np.asarray(_HALF) * detail
    canvas = np.zeros((int(2 * centre[1]), int(2 * centre[0])), np.uint8)

    def at(x: float, y: float) -> tuple[int, int]:
        return int(centre[0] + x * detail), int(centre[1] + y * detail)

    def text(words: str, x: float, y: float, size: float, weight: float) -> None:
        bold = max(round(weight * detail), 1)
        scale = size * detail / 21  # Hershey capitals are 21 dots high at scale 1
        font = cv2.FONT_HERSHEY_DUPLEX
        cv2.putText(canvas, words, at(x, y), font, scale, 255, bold, cv2.LINE_AA)

    text("ZOO-AD 2", -22, -34, 19, 2.6)
    text("24 V DC  3.1 A", -22, -8, 11, 1.6)
    text("SER 0417-B  IP67", -22, 12, 8.5, 1.2)
    cv2.line(canvas, at(-22, -25), at(112, -25), 255, round(1.4 * detail), cv2.LINE_AA)
    # medallion: a circle cut by a wave
    cv2.circle(canvas, at(*_MEDALLION), 27 * detail, 255, -1, cv2.LINE_AA)
    way = np.linspace(-30, 30, 60)
    wave = [at(_MEDALLION[0] + step, _MEDALLION[1] + 8 * np.sin(step / 7)) for step in way]
    cv2.polylines(canvas, [np.array(wave, np.int32)], False, 0, 6 * detail, cv2.LINE_AA)
    # code of bars, always the same
    for index, wide in enumerate((2, 1, 1, 3, 1, 2, 2, 1, 3, 1, 1, 2, 1, 3)):
        left = -22 + index * 5.2
        cv2.rectangle(canvas, at(left, 30), at(left + wide * 1.15, 56), 255, -1)
    return canvas.astype(np.float32) / 255


def _ink(
    x: np.ndarray, y: np.ndarray, frame: Frame, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return opacity of the print and its colour; ink density and register vary."""
    slip_x, slip_y = rng.normal(0, 0.35, 2).astype(np.float32)
    ragged = smooth_noise(rng, frame.grid, max(1.3 * frame.pitch, 1.5))
    map_x = (x + _HALF[0] + slip_x + 0.10 * ragged) * _PRINT_DETAIL
    map_y = (y + _HALF[1] + slip_y - 0.10 * ragged) * _PRINT_DETAIL
    artwork = blur(_printing_plate(), _PRINT_DETAIL * 0.35)
    opacity = cv2.remap(artwork, map_x, map_y, cv2.INTER_LINEAR)
    spread = float(np.clip(rng.normal(0.5, 0.06), 0.36, 0.64))  # squeeze-out of the pad
    opacity = smoothstep(spread - 0.3, spread + 0.3, opacity)
    cover = 0.93 + 0.05 * smooth_noise(rng, frame.grid, 9 * frame.pitch) + 0.03 * ragged
    return opacity * np.clip(cover, 0.6, 1), planes(_INK) * np.float32(rng.normal(1, 0.025))
