"""Where tiles lie on an image: geometry alone, no pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from zoo.utils.errors import ZooError, nearest

Remainder = Literal["spread", "shift", "pad"]

# Of an image that is resized with its aspect kept: a strip of 16 x 4096 would get 21 million at a
# shorter side of 288, and a network 14 GB. Tiles go through it one after the other.
MAX_WHOLE_PIXELS, MAX_TILED_PIXELS = 2**23, 2**27


@dataclass(frozen=True)
class Grid:
    """The tiles of one image.

    Attributes:
        size: (H, W) of the image.
        tile: (h, w) of a tile.
        rows: First row of every row of tiles, ascending.
        columns: First column of every column of tiles, ascending.
    """

    size: tuple[int, int]
    tile: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the origin (top, left) of every tile, row by row."""
        return ((top, left) for top in self.rows for left in self.columns)

    @property
    def covered(self) -> tuple[int, int]:
        """(H, W) that the tiles cover; larger than the image where they run over its edge."""
        return self.rows[-1] + self.tile[0], self.columns[-1] + self.tile[1]

    def at(self, tile: tuple[int, int]) -> Grid | None:
        """Return the grid of maps whose tiles have another size, or None if no pixel grid fits.

        Example:
            >>> Layout(tile=32, overlap=16).grid((32, 64)).at((2, 2)).columns
            (0, 1, 2)
        """
        axes = []
        starts = (self.rows, self.columns)
        for length, side, to, values in zip(self.size, self.tile, tile, starts, strict=True):
            scaled = [value * to for value in (length, *values)]
            if any(value % side for value in scaled):
                return None
            axes.append([value // side for value in scaled])
        (height, *rows), (width, *columns) = axes
        return Grid((height, width), tile, tuple(rows), tuple(columns))


@dataclass(frozen=True)
class Layout:
    """How images are cut.

    Attributes:
        tile: Side of a tile in pixels.
        overlap: Least overlap of neighbours in pixels.
        remainder: What happens to pixels that whole steps of tile - overlap leave over. "spread"
            takes the fewest tiles that suffice and spaces them evenly, "shift" moves the last tile
            back until it ends with the image, "pad" lets it run over the edge, where there is 0.
        multiple: "spread" starts tiles at multiples of this (all but the last, if the image ends
            elsewhere), so that the patches of a network lie on one grid.

    Raises:
        ZooError: A number out of range, or another remainder.
    """

    tile: int
    overlap: int = 0
    remainder: Remainder = "spread"
    multiple: int = 1

    def __post_init__(self) -> None:
        """Check the numbers where they are written."""
        if self.tile < 1 or not 0 <= self.overlap < self.tile or self.multiple < 1:
            raise ZooError(
                f"tiles of {self.tile} px with an overlap of {self.overlap} px in steps of "
                f"{self.multiple}: use a tile of 1 or more and an overlap that is smaller"
            )
        if self.tile % self.multiple or self.overlap % self.multiple:
            raise ZooError(
                f"tiles of {self.tile} px with an overlap of {self.overlap} px cannot start at "
                f"multiples of {self.multiple}: let both be such multiples"
            )
        choices = get_args(Remainder)
        if self.remainder not in choices:
            near = nearest(self.remainder, choices)
            raise ZooError(f"unknown remainder of tiles '{self.remainder}'{near}")

    def grid(self, size: tuple[int, int]) -> Grid:
        """Return the tiles of an image of (H, W) pixels.

        Raises:
            ZooError: The image is smaller than a tile and nothing is padded.
        """
        height, width = size
        if self.remainder != "pad" and min(size) < self.tile:
            raise ZooError(
                f"a tile of {self.tile} px is larger than an image of {width}x{height} px "
                "(at the network's scale): use a smaller window, or remainder: pad"
            )
        rows, columns = self._starts(height), self._starts(width)
        return Grid((height, width), (self.tile, self.tile), rows, columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the layout as plain data."""
        return asdict(self)

    def _starts(self, length: int) -> tuple[int, ...]:
        left, step = max(length - self.tile, 0), self.tile - self.overlap
        n_steps = -(-left // step)
        if self.remainder == "spread":
            # Exact integers: in steps of `multiple`, start i is floor(i * units / n_steps).
            units = -(-left // self.multiple)
            inner = (i * units // n_steps * self.multiple for i in range(n_steps))
            return (*inner, left)
        starts = [i * step for i in range(n_steps)]
        return (*starts, n_steps * step if self.remainder == "pad" else left)


def scaled_size(
    native_size: tuple[int, int],
    scale: float | None = None,
    shorter_side: int | None = None,
    multiple: int = 1,
    max_pixels: int = MAX_WHOLE_PIXELS,
) -> tuple[int, int]:
    """Return (h, w) of an image of (H, W) pixels that is resized with its aspect ratio kept.

    Args:
        native_size: (H, W).
        scale: Factor of both sides.
        shorter_side: Pixels of the shorter side; instead of `scale`.
        multiple: Both sides are rounded to multiples of this.
        max_pixels: A ZooError is raised where the result would have more.

    Example:
        >>> scaled_size((2048, 2448), scale=0.625, multiple=16)
        (1280, 1536)
    """
    if not scale:
        assert shorter_side is not None  # one of both is given
        scale = shorter_side / min(native_size)
    height, width = (max(1, round(side * scale / multiple)) * multiple for side in native_size)
    check_pixels(native_size, (height, width), max_pixels)
    return height, width


def check_pixels(
    native_size: tuple[int, int], size: tuple[int, int], max_pixels: int = MAX_WHOLE_PIXELS
) -> None:
    """Raise a ZooError where an image of (H, W) pixels would get too many at another size."""
    if size[0] * size[1] > max_pixels:
        raise ZooError(
            f"an image of {native_size[1]}x{native_size[0]} px would be resized to "
            f"{size[1]}x{size[0]}, more than {max_pixels / 1e6:.0f} million pixels: cut it into "
            "pieces, or resize it to a fixed height and width"
        )
