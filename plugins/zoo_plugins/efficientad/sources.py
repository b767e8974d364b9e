"""Images of anything: a folder, or generated "dead leaves" (Baradad et al., NeurIPS 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from torchvision.transforms.v2 import InterpolationMode, Resize

from zoo.data.cache import ImageCache
from zoo.data.file_hashes import fingerprint
from zoo.data.images import read_image
from zoo.data.listing import find_images
from zoo.data.transforms import to_model_size

GENERATED = "generated"
_TEXTURES = 1000
_GREY_SHARE = 0.3
_MOST_CACHED = 2000


class Source(Protocol):
    """A set of images of anything."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    def __len__(self) -> int:
        """Return the number of images."""

    def image(self, index: int, side: int) -> np.ndarray:
        """Return an image as a square, (side, side, 3) uint8; its aspect ratio may be lost."""

    def fingerprint(self) -> str:
        """Return text that changes when an image changes."""


@dataclass(frozen=True)
class GeneratedTextures:
    """Textures that are made on the spot, see `texture`."""

    seed: int = 0
    name: str = "generated textures"

    def __len__(self) -> int:
        """Return the number of textures."""
        return _TEXTURES

    def image(self, index: int, side: int) -> np.ndarray:
        """Make a texture, or take it from the cache."""
        recipe = f"texture|{self.seed}|{index}|{side}"
        return ImageCache().get(
            Path(texture.__code__.co_filename), recipe, lambda: texture(self.seed, index, side)
        )

    def fingerprint(self) -> str:
        """Return the seed, and the code that makes them."""
        code = Path(texture.__code__.co_filename)
        return f"textures {self.seed} {fingerprint([('textures', code)])}"


class FolderOfImages:
    """All images below a folder, such as ImageNet's.

    Args:
        folder: The folder.

    Raises:
        ZooError: There is no such folder, or no image in it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self.paths = find_images(self.folder).images
        self.name = f"{len(self.paths)} images of {self.folder.name}"

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    def image(self, index: int, side: int) -> np.ndarray:
        """Read an image, or take it from the cache where the set is small."""
        path, resize = self.paths[index], Resize((side, side), InterpolationMode.BILINEAR)

        def make() -> np.ndarray:
            return to_model_size(read_image(path), resize)

        # Of ImageNet hardly an image is drawn twice: a cache would only be written to.
        few = len(self) <= _MOST_CACHED
        return ImageCache().get(path, f"square|{side}", make) if few else make()

    def fingerprint(self) -> str:
        """Return 16 hex digits."""
        return fingerprint((path.relative_to(self.folder).as_posix(), path) for path in self.paths)


def source_of(images: str | Path) -> Source:
    """Return what `generated` or the path of a folder stands for.

    Raises:
        ZooError: There is no such folder, or no image in it.
    """
    return GeneratedTextures() if str(images) == GENERATED else FolderOfImages(images)


def penalty_image(source: Source, size: tuple[int, int]) -> torch.Tensor:
    """Draw one image as the penalty of EfficientAD wants it, (3, H, W) in [0, 1].

    Resized to twice the size, grey with probability 0.3, cropped to its centre. Draws two numbers
    from torch's global generator.

    Args:
        source: The images.
        size: (H, W).
    """
    which, grey = torch.rand(2).tolist()
    index = min(int(which * len(source)), len(source) - 1)
    height, width = size
    whole = source.image(index, 2 * max(size))  # (2S, 2S, 3) uint8
    top, left = (len(whole) - height) // 2, (len(whole) - width) // 2
    crop = whole[top : top + height, left : left + width]
    image = torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1).float() / 255
    if grey < _GREY_SHARE:
        weights = image.new_tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)
        image = (image * weights).sum(0, keepdim=True).expand(3, -1, -1)
    return image


_LEAVES = (8, 120)  # fewest and most
_GREY_TEXTURES = 0.2  # share


def texture(seed: int, index: int, side: int) -> np.ndarray:
    """Return one image, (side, side, 3) uint8 RGB, that depends on its arguments alone.

    Args:
        seed: Of the whole set.
        index: Number of the image in the set.
        side: Of the square in pixels.
    """
    rng = np.random.default_rng([seed, index])
    image = _surface(rng, side)
    count = int(np.exp(rng.uniform(*np.log(_LEAVES))))
    for _ in range(count):
        leaf = np.zeros((side, side), np.uint8)
        _draw(rng, leaf, side)
        image = np.where(leaf[..., None] > 0, _surface(rng, side), image)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5))
    if rng.random() < _GREY_TEXTURES:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    return np.uint8(np.clip(255 * image, 0, 255))


def _draw(rng: np.random.Generator, leaf: np.ndarray, side: int) -> None:
    """Draw an ellipse, a polygon or a stroke into a mask; small ones are more frequent."""
    radius = side * 0.02 * (25 ** rng.random())
    centre = rng.uniform(0, side, 2)
    kind = rng.integers(3)
    if kind == 0:
        axes = (max(1, int(radius)), max(1, int(radius * rng.uniform(0.3, 1))))
        cv2.ellipse(leaf, tuple(map(int, centre)), axes, rng.uniform(0, 180), 0, 360, 1, -1)
    elif kind == 1:
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
        reach = radius * rng.uniform(0.4, 1, len(angles))
        points = centre + np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None]
        cv2.fillPoly(leaf, [points.astype(np.int32)], 1)
    else:
        end = centre + rng.normal(0, 3 * radius, 2)
        thickness = max(1, int(radius * rng.uniform(0.05, 0.4)))
        cv2.line(leaf, tuple(map(int, centre)), tuple(map(int, end)), 1, thickness)


def _surface(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return a colour with a gradient and noise of one scale, (side, side, 3) float32."""
    colour = rng.random(3)
    at = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    slope = rng.normal(0, 0.2, 2)
    gradient = slope[0] * at[:, None] + slope[1] * at[None, :]
    cells = int(2 * (side / 4) ** rng.random())
    coarse = rng.normal(0, rng.uniform(0, 0.25), (cells, max(1, int(cells * rng.uniform(0.3, 1)))))
    noise = cv2.resize(coarse.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    tint = rng.uniform(0.5, 1, 3)
    return np.float32(colour + (gradient + noise)[..., None] * tint)
