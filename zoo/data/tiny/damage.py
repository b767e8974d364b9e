"""Defects that take something away: scratch, dent, missing piece."""

from __future__ import annotations

import numpy as np

from zoo.data.tiny.fields import blur, mix, planes, smooth_noise, smoothstep
from zoo.data.tiny.shapes import blob_distance, filled, stroke, wandering_curve
from zoo.data.tiny.site import Site
from zoo.data.tiny.surface import Specimen, Surface


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
