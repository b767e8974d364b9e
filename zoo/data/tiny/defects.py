"""Six kinds of defect and where they strike; light falls on them as on everything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from zoo.data.tiny.fields import (
    blob_distance,
    blur,
    filled,
    flake,
    fractal_noise,
    mix,
    planes,
    smooth_noise,
    smoothstep,
    stroke,
    wandering_curve,
)
from zoo.data.tiny.scene import Draws, Frame, Specimen, Surface

# strength of the faintest defect: below it even a large one drowns in the normal variation
FAINTEST = 0.5


@dataclass(frozen=True)
class Site:
    """Where one defect goes.

    Attributes:
        frame: The field of view.
        rng: Source of every draw of this defect.
        centre: x and y in units from the top left corner.
        part: (rows, columns) bool, the part of the specimen that is hit.
        strength: From `FAINTEST` to 1.
    """

    frame: Frame
    rng: np.random.Generator
    centre: tuple[float, float]
    part: np.ndarray
    strength: float

    @cached_property
    def breadth(self) -> float:
        """Side of a square as large as the part, in units: a small part has small defects."""
        return float(np.sqrt(np.count_nonzero(self.part))) / self.frame.pitch

    def size(self, low: float, high: float) -> float:
        """Draw a size in units; small ones are as frequent as large ones."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def here(self, field: np.ndarray) -> np.ndarray:
        """Return the mean of a field (..., rows, columns) over a few units around the centre."""
        column, row = (int(value * self.frame.pitch) for value in self.centre)
        reach = max(int(3 * self.frame.pitch), 1)
        rows = slice(max(row - reach, 0), row + reach + 1)
        columns = slice(max(column - reach, 0), column + reach + 1)
        return field[..., rows, columns].mean(axis=(-2, -1))


def scratch(specimen: Specimen, site: Site) -> tuple[Surface, np.ndarray]:
    """Cut a groove with raised lips that lays bare what is under the skin."""
    surface, frame, rng = specimen.surface, site.frame, site.rng
    length = site.size(18, min(100, max(2.2 * site.breadth, 19)))
    width = rng.uniform(1.5, 2.0 + 2.0 * site.strength)
    cut = stroke(frame, site.centre, wandering_curve(rng, length, 0.5), width, taper=True)
    cut = cut * site.part
    depth = 0.5 + 1.1 * site.strength
    lips = (blur(cut, 0.9 * width * frame.pitch) - 0.5 * cut) * site.part
    height = surface.height - depth * blur(cut, 0.3 * frame.pitch) + 0.5 * depth * lips
    bare = planes(_bare(specimen, site))
    return Surface(
        height=height,
        albedo=mix(surface.albedo, bare, cut * (0.30 + 0.55 * site.strength)),
        gloss=mix(surface.gloss, 0.06, cut),
        roughness=mix(surface.roughness, 0.4, cut),
    ), cut


def dent(specimen: Specimen, site: Site) -> tuple[Surface, np.ndarray]:
    """Press a hollow with a raised rim; the colour stays, the fine relief is crushed."""
    surface, frame, rng = specimen.surface, site.frame, site.rng
    radius = site.size(8, min(28, max(0.36 * site.breadth, 8.5)))
    stretch = rng.uniform(1, 1.8)
    distance = blob_distance(frame, rng, site.centre, radius, ragged=0.06, stretch=stretch)
    hollow = np.square(np.clip(1 - np.square(distance), 0, 1)) * site.part
    rim = np.exp(-np.square((distance - 1.12) / 0.18)) * site.part
    depth = radius * (0.20 + 0.28 * site.strength)
    crushed = smoothstep(1.0, 0.7, distance) * site.part * (0.40 + 0.50 * site.strength)
    height = mix(surface.height, blur(surface.height, 3.5 * frame.pitch), crushed)
    pressed = surface.albedo * (1 - 0.16 * crushed)
    changed = Surface(
        height=height - depth * hollow + 0.16 * depth * rim,
        albedo=pressed,
        gloss=surface.gloss,
        roughness=surface.roughness,
    )
    return changed, smoothstep(1.12, 1.0, distance) * site.part


def missing(specimen: Specimen, site: Site) -> tuple[Surface, np.ndarray]:
    """Break a piece out and leave a rough floor in the colour of the inside."""
    surface, frame, rng = specimen.surface, site.frame, site.rng
    radius = site.size(10, min(34, max(0.6 * site.breadth, 10.5)))
    stretch = rng.uniform(1, 1.7)
    distance = blob_distance(frame, rng, site.centre, radius, ragged=0.17, stretch=stretch)
    gone = filled(distance, radius, frame) * site.part
    rough = smooth_noise(rng, frame.grid, 2.4 * frame.pitch)
    depth = specimen.depth * (0.45 + 0.55 * site.strength)
    floor = blur(surface.height, 2.5 * frame.pitch) - depth + 0.28 * rough
    core = planes(specimen.core) * (1 + 0.09 * rough)
    return Surface(
        height=mix(surface.height, floor, gone),
        albedo=mix(surface.albedo, np.clip(core, 0.01, 0.9), gone),
        gloss=mix(surface.gloss, 0.03, gone),
        roughness=mix(surface.roughness, 0.45, gone),
    ), gone


def _bare(specimen: Specimen, site: Site) -> np.ndarray:
    """Return the colour of a groove, (C,): the inside, kept apart from the skin around it."""
    skin = site.here(specimen.surface.albedo)
    core = np.asarray(specimen.core)
    if abs(core.mean() - skin.mean()) < 0.35 * skin.mean():
        return skin * 0.4
    return core


# linear colours
_LIQUIDS = ((0.46, 0.28, 0.14), (0.20, 0.23, 0.36), (0.50, 0.46, 0.40), (0.30, 0.46, 0.26))
_RESIDUES = ((0.55, 0.54, 0.50), (0.46, 0.40, 0.28))
# of foreign bodies: colour, gloss, roughness
_STUFF = (
    ((0.42, 0.43, 0.45), 0.55, 0.12),  # steel
    ((0.42, 0.05, 0.04), 0.25, 0.20),  # red plastic
    ((0.04, 0.12, 0.38), 0.25, 0.20),  # blue plastic
    ((0.30, 0.19, 0.10), 0.03, 0.50),  # wood
    ((0.03, 0.03, 0.03), 0.12, 0.30),  # rubber
    ((0.70, 0.69, 0.66), 0.05, 0.45),  # paper
)
_DARK_SKIN = 0.15  # reflectance below which a liquid would not show


def _as_seen(colour: tuple[float, ...], surface: Surface) -> np.ndarray:
    """Return a colour as the camera of this object sees it, (C,): grey or in colour."""
    return np.asarray(colour) if surface.albedo.shape[0] == 3 else np.mean(colour, keepdims=True)


def stain(specimen: Specimen, site: Site) -> tuple[Surface, np.ndarray]:
    """Let a liquid dry: it filters the colour below, or leaves a pale film on a dark skin."""
    surface, frame, rng = specimen.surface, site.frame, site.rng
    # a near view shows a small puddle, not a flooded image
    radius = site.size(8, min(32, 0.14 * min(frame.extent)))
    stretch = rng.uniform(1, 2)
    distance = blob_distance(frame, rng, site.centre, radius, ragged=0.16, stretch=stretch)
    wet = filled(distance, radius, frame, soft=0.06)
    cloud = 0.78 + 0.13 * fractal_noise(rng, frame.grid, max(0.9 * radius * frame.pitch, 2))
    ring = 0.45 * np.exp(-np.square((distance - 0.93) / 0.09))  # drying drives solids outwards
    density = wet * np.clip(cloud + ring, 0.35, 1.5) * (0.45 + 0.95 * site.strength)
    gloss = surface.gloss
    if site.here(surface.albedo).mean() < _DARK_SKIN:
        residue = planes(_as_seen(_RESIDUES[rng.integers(len(_RESIDUES))], surface))
        albedo = mix(surface.albedo, residue, np.clip(0.36 * density, 0, 0.9))
        gloss = mix(gloss, 0.02, 0.6 * wet)
    else:
        liquid = planes(_as_seen(_LIQUIDS[rng.integers(len(_LIQUIDS))], surface))
        albedo = surface.albedo * np.power(liquid, density)
        gloss = gloss + 0.08 * wet
    return Surface(surface.height, albedo, gloss, surface.roughness), wet


def foreign(specimen: Specimen, site: Site) -> tuple[Surface, np.ndarray]:
    """Drop a hair, a splinter, a crumb or a flake on the specimen; it throws a shadow."""
    surface, frame, rng = specimen.surface, site.frame, site.rng
    form = ("hair", "splinter", "crumb", "flake")[rng.integers(4)]
    stuff, gloss, roughness = _STUFF[rng.integers(len(_STUFF))]
    if form == "hair":
        width = rng.uniform(1.4, 3.0)
        curve = wandering_curve(rng, site.size(32, 95), 2.6)
        body = stroke(frame, site.centre, curve, width)
        raised = 1.4 * body
    elif form == "splinter":
        width = site.size(3.0, 7.0)
        curve = wandering_curve(rng, width * rng.uniform(4, 8), 0.25)
        body = stroke(frame, site.centre, curve, width, taper=True)
        raised = 0.9 * width * blur(body, 0.3 * width * frame.pitch)
    elif form == "crumb":
        radius = site.size(4.5, 15)
        distance = blob_distance(frame, rng, site.centre, radius, 0.10, rng.uniform(1, 1.5))
        body = filled(distance, radius, frame)
        lumps = 1 + 0.12 * fractal_noise(rng, frame.grid, max(0.8 * radius * frame.pitch, 2))
        raised = radius * np.sqrt(np.clip(1 - np.square(distance), 0, 1)) * lumps
    else:
        radius = site.size(6.0, 19)
        body = flake(frame, rng, site.centre, radius)
        x, y = frame.coordinates()
        slope = rng.normal(0, 0.10, 2).astype(np.float32)
        raised = 1.6 + slope[0] * (x - x.mean()) * 0.3 + slope[1] * (y - y.mean()) * 0.3
        raised = np.clip(raised, 0.6, 4.0)
    ground = blur(surface.height, 4 * frame.pitch)
    # a faint one has nearly the colour of what it lies on
    skin = site.here(surface.albedo)
    colour = skin + (_as_seen(stuff, surface) - skin) * (0.4 + 0.6 * site.strength)
    grain = 1 + 0.05 * fractal_noise(rng, frame.grid, 4 * frame.pitch, octaves=2)
    return Surface(
        height=np.maximum(surface.height, mix(surface.height, ground + raised, body)),
        albedo=mix(surface.albedo, np.clip(planes(colour) * grain, 0.01, 0.9), body),
        gloss=mix(surface.gloss, gloss, body),
        roughness=mix(surface.roughness, roughness, body),
    ), body


def specks(specimen: Specimen, site: Site) -> tuple[Surface, np.ndarray]:
    """Scatter a few grains of dust, 2 to 6 pixels of the image each."""
    surface, frame, rng = specimen.surface, site.frame, site.rng
    x, y = frame.coordinates()
    dust = np.zeros(frame.grid, np.float32)
    for number in range(int(rng.integers(2, 6))):
        offset = rng.normal(0, 14, 2) if number else np.zeros(2)
        at_x = float(np.clip(site.centre[0] + offset[0], 3, frame.extent[0] - 3))
        at_y = float(np.clip(site.centre[1] + offset[1], 3, frame.extent[1] - 3))
        radius = float(np.sqrt(rng.uniform(2.2, 6) / np.pi)) / frame.magnification
        away_x, away_y = x + frame.extent[0] / 2 - at_x, y + frame.extent[1] / 2 - at_y
        distance = np.sqrt(away_x * away_x + away_y * away_y * rng.uniform(0.8, 1.25))
        dust = np.maximum(dust, smoothstep(1.15 * radius, 0.85 * radius, distance))
    pale = site.here(surface.albedo).mean() < _DARK_SKIN
    colour = planes(_as_seen((0.66, 0.64, 0.60) if pale else (0.03, 0.025, 0.02), surface))
    return Surface(
        height=surface.height + 0.5 * dust,
        albedo=mix(surface.albedo, colour, dust * (0.55 + 0.45 * site.strength)),
        gloss=mix(surface.gloss, 0.03, dust),
        roughness=surface.roughness,
    ), dust


# from (specimen, site) to the changed surface and the opacity of the defect, (rows, columns)
Maker = Callable[[Specimen, Site], tuple[Surface, np.ndarray]]

KINDS: dict[str, Maker] = {
    "scratch": scratch,
    "dent": dent,
    "missing": missing,
    "stain": stain,
    "foreign": foreign,
    "specks": specks,
}
# opacity from which a pixel of the image counts as defective
_MASK_LEVEL = 0.4
# no defect is centred closer than this to the border of the field, in units
_MARGIN = 8.0


@dataclass(frozen=True)
class Damaged:
    """A specimen after its defects, and their mask: (height, width) uint8, 0 or 255."""

    specimen: Specimen
    mask: np.ndarray


def strike(specimen: Specimen, kinds: tuple[str, ...], frame: Frame, draws: Draws) -> Damaged:
    """Add one defect per kind to a specimen; without kinds the mask is empty."""
    mask = np.zeros((frame.height, frame.width), np.uint8)
    for order, kind in enumerate(kinds):
        rng = draws(f"defect {order} {kind}")
        site = _choose_site(specimen, kind, frame, rng)
        surface, opacity = KINDS[kind](specimen, site)
        specimen = replace(specimen, surface=surface)
        np.maximum(mask, _as_mask(opacity, frame), out=mask)
    return Damaged(specimen, mask)


def _choose_site(specimen: Specimen, kind: str, frame: Frame, rng: np.random.Generator) -> Site:
    """Pick where a defect goes: any point of a part, for a missing piece a point of its edge."""
    margin = int(_MARGIN * frame.pitch)
    inner = specimen.parts[margin:-margin, margin:-margin]
    candidates = np.flatnonzero(inner)
    if kind == "missing":
        numbers = inner.astype(np.float32)
        kernel = np.ones((3, 3), np.uint8)
        edge = (inner > 0) & (cv2.dilate(numbers, kernel) != cv2.erode(numbers, kernel))
        candidates = np.flatnonzero(edge) if edge.any() else candidates
    row, column = np.unravel_index(candidates[rng.integers(len(candidates))], inner.shape)
    row, column = int(row) + margin, int(column) + margin
    return Site(
        frame=frame,
        rng=rng,
        centre=((column + 0.5) / frame.pitch, (row + 0.5) / frame.pitch),
        part=specimen.parts == specimen.parts[row, column],
        # faint ones are as frequent as strong ones
        strength=float(np.exp(rng.uniform(np.log(FAINTEST), 0.0))),
    )


def _as_mask(opacity: np.ndarray, frame: Frame) -> np.ndarray:
    """Return the mask at the size of the image: the pixels that the defect mostly covers."""
    size = (frame.width, frame.height)
    share = cv2.resize(opacity.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    # a hair thinner than a pixel covers none of them mostly
    level = min(_MASK_LEVEL, 0.6 * float(share.max()))
    return np.where(share > level, 255, 0).astype(np.uint8)
