"""Reading ground-truth masks: black is normal, every other value is a defect, in every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from zoo.data.image_file import open_image
from zoo.utils.errors import ZooError

_WHITE = 255
INVERTED_ABOVE = 0.5  # of an image: hardly a defect is so large


def read_mask(path: Path, native_size: tuple[int, int], any_value: bool = False) -> np.ndarray:
    """Read a ground-truth mask.

    Args:
        path: An image of any mode; values are 0 and 255.
        native_size: (H, W) in pixels of the image that it belongs to.
        any_value: Take every value but 0 for a defect, as labelling tools write classes.

    Returns:
        bool array of shape (H, W).

    Raises:
        ZooError: Unreadable, of another size than its image, compressed with loss, or with values
            it must not hold.
    """
    with open_image(path) as file:
        if file.is_lossy:
            raise ZooError(
                f"mask {path} is a {file.format_name} file, whose compression smears values: "
                "save masks as PNG"
            )
        if file.size != native_size:
            raise ZooError(
                f"mask {path} is {_size(file.size)}, its image is {_size(native_size)}: "
                "a mask has the size of its image"
            )
        values = _values(*_layers(file.decoded()))
    defect = values != 0 if values.ndim == 2 else np.logical_or.reduce(values != 0, axis=-1)
    if any_value or (values[defect] == _WHITE).all():
        return defect
    other = sorted(set(np.unique(values).tolist()) - {0, _WHITE})[:4]
    held = f"the values {other}" if other else "colours"
    raise ZooError(f"mask {path} holds {held}: only 0 (normal) and {_WHITE} (defect) count")


def looks_inverted(mask: np.ndarray) -> bool:
    """Whether a mask, bool (H, W), marks more of its image than a defect does."""
    return bool(np.count_nonzero(mask) > INVERTED_ABOVE * mask.size)


def _values(colour: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Return what marks defects, (H, W) or (H, W, C), from colour and transparency (H, W)."""
    if alpha is None or (alpha == alpha.flat[0]).all():
        return colour
    if (colour == colour[:1, :1]).all():
        return alpha
    return colour * (alpha != 0)[..., None]


def _layers(decoded: Image.Image | np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return colour, (H, W) or (H, W, 3) with 0 for black, and transparency, (H, W) if any."""
    if isinstance(decoded, np.ndarray):
        return decoded[..., :3], decoded[..., 3] if decoded.shape[2] == 4 else None
    mode = decoded.mode
    if mode.startswith("I") or mode in ("F", "L"):
        return np.asarray(decoded), None
    if mode == "1":
        return np.asarray(decoded.convert("L")), None
    if mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in decoded.info:
        both = np.asarray(decoded.convert("RGBA"))
        return both[..., :3], both[..., 3]
    colour = np.asarray(decoded.convert("RGB"))
    # In a palette that is black throughout the places are the classes.
    return (np.asarray(decoded) if mode == "P" and not colour.any() else colour), None


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
