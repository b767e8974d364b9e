"""Putting a defect into an image: the changed pixels, and the mask of exactly these.

The kinds are class-agnostic and classical:

- cut_paste: a piece of the image somewhere else, turned and shifted in tone (Li et al., CutPaste,
  CVPR 2021, arXiv 2104.04015). Here the piece has rounded, ragged, feathered edges, any angle, and
  an opacity that gives the contrast asked for.
- perlin: islands cut from Perlin noise and filled with another texture (Zavrtanik et al., DRAEM,
  ICCV 2021, arXiv 2108.07610; own code). Here the texture comes from normal images, magnified and
  turned, and the islands have a given area.
- scratch: a thin, slightly curved line, dark or bright, whose width and contrast vary.
- local_light: a soft stain of more or less light.
"""

from __future__ import annotations

import cv2
import numpy as np

from zoo.data.synthetic import fills, shapes
from zoo.data.synthetic.defect import AREAS, CONTRASTS, Defect
from zoo.data.synthetic.shapes import between
from zoo.utils.errors import ZooError

_TRIES = 20
_LEAST_AREA = 6.0  # pixels
_ZOOM = (0.5, 2.0)  # of the texture in a perlin defect
_LEAST_VISIBLE = 2.0  # grey values
_VISIBLE = 1 / 3  # local spreads
_PINHOLE = 0.12  # diameter, in sides of a square of the defect's area
_LARGEST_PINHOLE = 9  # pixels
_SAMPLES = 128  # per side: enough to tell grey from colour

_THUMB = 96  # long side of the image that is looked at
_PLAIN = 20  # grey values within which a ground is one colour
_BORDER = 0.9  # share of the border that has this colour where the ground is plain
_OBJECT = (0.02, 0.9)  # shares of the image that an object may take
_PREFERRED = 0.8  # share of the defects that go on the object
_LEAST = 6.0  # grey values
_MOST_CONTRAST = 120.0  # grey values: beyond it everything is black or white anyway
_SPREAD_SAMPLES = 256  # per side
_NORMAL = 1.4826  # standard deviation over median absolute deviation of a normal distribution

Window = tuple[slice, slice]


def put_defect(
    pixels: np.ndarray, defect: Defect, donor: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return an image with a defect in it, and where the defect is.

    The mask holds the pixels that change in some channel by a third of the local spread and by 2
    grey values at least, and the pinholes between them. Outside it the image stays, bit for bit.

    Args:
        pixels: (H, W, 3) uint8, a normal image; grey stays grey.
        defect: The defect; its seed alone decides every draw.
        donor: (h, w, 3) uint8, another normal image, whose texture a perlin defect shows; the
            image's own by default. Other kinds ignore it.

    Returns:
        Pixels (H, W, 3) uint8 and mask (H, W) bool, never empty.

    Raises:
        ZooError: An array of another shape or type, or nothing to see after 20 tries: cut_paste and
            perlin move what is there, and a uniform image has nothing to move.
    """
    _check(pixels, "image")
    if donor is not None:
        _check(donor, "donor")
    source = donor if donor is not None and defect.kind == "perlin" else pixels
    for attempt in range(_TRIES):
        rng = np.random.default_rng([defect.seed, attempt])
        window, changed, visible = _struck(pixels, defect, source, rng)
        if visible.any():
            image, mask = pixels.copy(), np.zeros(pixels.shape[:2], bool)
            np.copyto(image[window], changed, where=visible[..., None])
            mask[window] = visible
            return image, mask
    height, width = pixels.shape[:2]
    raise ZooError(
        f"{_TRIES} tries left no visible {defect.kind} defect in an image of {width}x{height}: "
        "it looks uniform; leave it out, or use the kinds scratch and local_light"
    )


def _struck(
    pixels: np.ndarray, defect: Defect, source: np.ndarray, rng: np.random.Generator
) -> tuple[Window, np.ndarray, np.ndarray]:
    """Return a window of the image, its pixels (h, w, 3) uint8 with the defect, and its mask."""
    share = between(rng, *AREAS[defect.kind][defect.size])
    strength = between(rng, *CONTRASTS[defect.strength])
    # streams of their own: a size that takes more draws must not move the place
    shape_draws, place_draws, look_draws = rng.spawn(3)
    area = max(share * pixels.shape[0] * pixels.shape[1], _LEAST_AREA)

    opacity = _outline(defect.kind, shape_draws, area, pixels.shape[:2])
    window = _place(place_draws, pixels, opacity.shape)
    under = pixels[window].astype(np.float32)
    spread = _local_spread(_around(pixels, window, area), np.sqrt(area))
    contrast = _contrast(spread, strength)
    change = _change(defect.kind, look_draws, opacity, under, contrast, source, _is_grey(pixels))
    changed = np.rint(np.clip(under + change, 0, 255))
    return window, changed.astype(np.uint8), _visible(changed - under, spread, area)


def _outline(kind: str, rng: np.random.Generator, area: float, size: tuple[int, int]) -> np.ndarray:
    """Return the opacity of a defect, (h, w) float32, no larger than the image."""
    if kind == "scratch":
        opacity = shapes.stroke(rng, area, min(size))
    else:
        outlines = {
            "cut_paste": shapes.patch,
            "perlin": shapes.islands,
            "local_light": shapes.stain,
        }
        opacity = outlines[kind](rng, area)
    rows, columns = np.minimum(opacity.shape, size)
    return cv2.resize(opacity, (int(columns), int(rows)), interpolation=cv2.INTER_AREA)


def _change(
    kind: str,
    rng: np.random.Generator,
    opacity: np.ndarray,
    under: np.ndarray,
    contrast: float,
    source: np.ndarray,
    grey: bool,
) -> np.ndarray:
    """Return what a defect adds to the pixels under it, (h, w, 3) float32."""
    shade = fills.tone(rng, under, opacity, contrast, grey)
    if kind == "scratch":
        return fills.painted(opacity, shade)
    if kind == "local_light":
        return fills.relit(opacity, shade, under)
    zoom = between(rng, *_ZOOM) if kind == "perlin" else 1.0
    layer = fills.texture(rng, source, under.shape[:2], zoom)
    if grey:
        layer[:] = cv2.cvtColor(layer, cv2.COLOR_RGB2GRAY)[..., None]
    return fills.replaced(opacity, layer, under, shade, contrast)


def _visible(change: np.ndarray, spread: float, area: float) -> np.ndarray:
    """Return the mask of a change, bool (h, w)."""
    least = max(_LEAST_VISIBLE, _VISIBLE * spread)
    seen = np.uint8(np.maximum.reduce(cv2.split(np.abs(change))) >= least)
    side = 2 * (min(round(_PINHOLE * np.sqrt(area)), _LARGEST_PINHOLE) // 2) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(seen, cv2.MORPH_CLOSE, disc) > 0


def _around(pixels: np.ndarray, window: Window, area: float) -> np.ndarray:
    """Return a window and its surroundings as wide as the defect, (h, w, 3) uint8."""
    margin = int(np.sqrt(area)) + 4
    wider = (slice(max(0, side.start - margin), side.stop + margin) for side in window)
    return pixels[tuple(wider)]


def _is_grey(pixels: np.ndarray) -> bool:
    step = -(-max(pixels.shape[:2]) // _SAMPLES)
    sample = pixels[::step, ::step]
    return bool((sample == sample[..., :1]).all())


def _check(pixels: np.ndarray, name: str) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ZooError(
            f"{name} of shape {pixels.shape} and type {pixels.dtype} cannot take a defect: "
            "use (H, W, 3) uint8, as zoo.data.images.read_image returns"
        )


def _place(
    rng: np.random.Generator, pixels: np.ndarray, box: tuple[int, int]
) -> tuple[slice, slice]:
    """Return rows and columns for a box (height, width) inside the image, rather on its object."""
    seen, anywhere, chosen, within = rng.random(), rng.random(2), rng.random(), rng.random(2)
    centre = anywhere
    thing = _foreground(pixels)
    if seen < _PREFERRED and thing.any():
        spots = np.argwhere(thing)
        centre = (spots[int(chosen * len(spots))] + within) / thing.shape
    size = np.array(pixels.shape[:2])
    top, left = np.clip(np.rint(centre * size - np.array(box) / 2).astype(int), 0, size - box)
    return slice(top, top + box[0]), slice(left, left + box[1])


def _foreground(pixels: np.ndarray) -> np.ndarray:
    """Return where a small copy of an image on plain ground differs from it, bool (h, w)."""
    shrink = max(1.0, max(pixels.shape[:2]) / _THUMB)
    size = [max(1, round(side / shrink)) for side in pixels.shape[1::-1]]
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    edge = np.ones(small.shape[:2], bool)
    edge[1:-1, 1:-1] = False
    differs = np.abs(small - np.median(small[edge], axis=0)).max(axis=2) > _PLAIN
    plain = (~differs[edge]).mean() >= _BORDER
    return differs & (plain and _OBJECT[0] <= differs.mean() <= _OBJECT[1])


def _local_spread(pixels: np.ndarray, scale: float) -> float:
    """Return the robust deviation from the mean nearby in grey values, at least 6."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    side = 2 * max(round(scale), 1) + 1
    apart = np.abs(grey - cv2.blur(grey, (side, side)))
    step = -(-max(apart.shape) // _SPREAD_SAMPLES)
    return max(_NORMAL * float(np.median(apart[::step, ::step])), _LEAST)


def _contrast(spread: float, strength: float) -> float:
    """Return a contrast in grey values: so many spreads, but at most 120."""
    return min(strength * spread, _MOST_CONTRAST)
