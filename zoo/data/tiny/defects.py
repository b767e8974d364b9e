"""The kinds of defect and where they strike; light falls on them as on everything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from zoo.data.tiny import damage, deposits
from zoo.data.tiny.draws import Draws
from zoo.data.tiny.frame import Frame
from zoo.data.tiny.site import FAINTEST, Site
from zoo.data.tiny.surface import Specimen, Surface

# from (specimen, site) to the changed surface and the opacity of the defect, (rows, columns)
Maker = Callable[[Specimen, Site], tuple[Surface, np.ndarray]]

KINDS: dict[str, Maker] = {
    "scratch": damage.scratch,
    "dent": damage.dent,
    "missing": damage.missing,
    "stain": deposits.stain,
    "foreign": deposits.foreign,
    "specks": deposits.specks,
}
# opacity from which a pixel of the picture counts as defective
_MASK_LEVEL = 0.4
# no defect is centred closer than this to the border of the field, in units
_MARGIN = 8.0


@dataclass(frozen=True)
class Damaged:
    """A specimen after its defects, and where they are.

    Args:
        specimen: The changed specimen.
        mask: (height, width) uint8 at the size of the picture, 0 or 255.
    """

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
    """Return the mask at the size of the picture: the pixels that the defect mostly covers."""
    size = (frame.width, frame.height)
    share = cv2.resize(opacity.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    # a hair thinner than a pixel covers none of them mostly
    level = min(_MASK_LEVEL, 0.6 * float(share.max()))
    return np.where(share > level, 255, 0).astype(np.uint8)
