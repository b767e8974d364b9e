"""A woven texture: twill cloth of spun yarn, every thread a little different, seen in grey."""

from __future__ import annotations

import cv2
import numpy as np

from zoo.data.tiny.fields import fractal_noise, mix, smooth_noise, smoothstep, wandering_curve
from zoo.data.tiny.scene import Draws, Frame, Specimen, Surface

_WARP_PERIOD = 8.6  # units from thread to thread, upright threads
_WEFT_PERIOD = 7.6  # lying threads
_SWING = 1.5  # height by which a thread rises and dives, in units
_THICKNESS = 2.6  # height of a thread's round back, in units


def weave(frame: Frame, draws: Draws) -> Specimen:
    """Return a piece of cloth that fills the field."""
    along_x, along_y = _drape(frame, draws("drape"))
    warp = _threads(along_x / _WARP_PERIOD, along_y, frame, draws("warp"))
    weft = _threads(along_y / _WEFT_PERIOD, along_x, frame, draws("weft"))

    # 2/2 twill: each thread passes over two and under two, shifted by one from row to row
    quarter = np.float32(np.pi / 2)
    warp_wave = np.sin(quarter * (along_y / _WEFT_PERIOD + warp["index"]) + quarter / 2)
    weft_wave = -np.sin(quarter * (along_x / _WARP_PERIOD + weft["index"]) + quarter / 2)
    warp_height = _SWING * warp_wave + warp["back"]
    weft_height = _SWING * weft_wave + weft["back"]
    on_top = warp_height > weft_height
    height = np.maximum(np.maximum(warp_height, weft_height), -0.6)

    shade = np.where(on_top, 0.33 * warp["shade"], 0.18 * weft["shade"])
    creases = smooth_noise(draws("creases"), frame.grid, 110 * frame.pitch)
    height += 1.3 * creases
    height, shade = _fuzz(height, shade, frame, draws("fuzz"))

    soiling = fractal_noise(draws("soiling"), frame.grid, 60 * frame.pitch, octaves=3)
    shade = np.clip(shade * (1 + 0.02 * soiling), 0.02, 0.9)
    surface = Surface(
        height=height.astype(np.float32),
        albedo=shade[None].astype(np.float32),
        gloss=np.where(on_top, 0.06, 0.04).astype(np.float32),
        roughness=np.full(frame.grid, 0.5, np.float32),
    )
    parts = np.ones(frame.grid, np.int32)
    return Specimen(surface, parts, core=(0.05,), depth=5.0)


def _drape(frame: Frame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates that follow the cloth: turned, shifted and pulled a little askew."""
    x, y = frame.coordinates()
    turn = np.float32(rng.normal(0.0, 0.02))
    shift_x, shift_y = rng.uniform(0, 4 * _WARP_PERIOD, 2).astype(np.float32)
    pull_x = 2.2 * smooth_noise(rng, frame.grid, 95 * frame.pitch)
    pull_y = 2.2 * smooth_noise(rng, frame.grid, 95 * frame.pitch)
    along_x = x * np.cos(turn) - y * np.sin(turn) + pull_x + shift_x
    along_y = x * np.sin(turn) + y * np.cos(turn) + pull_y + shift_y
    return along_x, along_y


def _threads(
    across: np.ndarray, along: np.ndarray, frame: Frame, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return number, round back and shade of the threads of one direction."""
    number = np.round(across)
    row = number - number.min()
    way = along - along.min()

    def per_thread(cell: float) -> np.ndarray:
        """A property that wanders along each thread on its own, in bumps of ``cell`` units."""
        table = smooth_noise(rng, (int(row.max()) + 1, int(way.max() / cell) + 2), (1, 1.5))
        return cv2.remap(table, way / cell, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    place = across - number - np.clip(0.035 * per_thread(22), -0.11, 0.11)
    width = np.clip(0.98 + 0.06 * per_thread(9), 0.78, 1.15)
    inside = np.clip(1 - (2 * place / width) ** 2, 0, 1)

    # fibres: noise drawn out along the thread and slanted, because yarn is twisted
    fibres = smooth_noise(rng, (256, 512), (2.2, 2.6))
    fibre = cv2.remap(
        fibres,
        way * 0.55 + place * 6 + row * 61.7,
        place * 26 + row * 37.3,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    shade = 1 + 0.07 * per_thread(45) + 0.20 * fibre
    back = np.sqrt(inside) * _THICKNESS * (0.86 + 0.14 * width) + 0.26 * fibre * inside
    return {"index": number, "back": back, "shade": shade * smoothstep(-0.3, 0.5, inside)}


def _fuzz(
    height: np.ndarray, shade: np.ndarray, frame: Frame, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lay short loose fibres on the cloth, as any spun yarn sheds them."""
    wide, high = frame.extent
    hairs = np.zeros(frame.grid, np.uint8)
    thin = max(round(0.35 * frame.pitch), 1)
    for _ in range(rng.poisson(wide * high / 1300)):
        curve = wandering_curve(rng, rng.uniform(5, 18), 2.2, count=20)
        curve = curve + (rng.uniform(-0.5, 0.5, 2) + 0.5) * (wide, high)
        steps = np.round(curve * frame.pitch * 16).astype(np.int32)
        cv2.polylines(hairs, [steps], False, int(rng.uniform(15, 100)), thin, cv2.LINE_AA, 4)
    alpha = hairs.astype(np.float32) / 255
    return height + 0.8 * alpha, mix(shade, 0.6, alpha)
