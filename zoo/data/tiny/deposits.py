"""Defects that add something: stain, foreign body, specks of a few pixels."""

from __future__ import annotations

import numpy as np

from zoo.data.tiny.fields import blur, fractal_noise, mix, planes, smoothstep
from zoo.data.tiny.shapes import blob_distance, filled, flake, stroke, wandering_curve
from zoo.data.tiny.site import Site
from zoo.data.tiny.surface import Specimen, Surface

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
    # a near view shows a small puddle, not a flooded picture
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
    """Scatter a few grains of dust, 2 to 6 pixels of the picture each."""
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
