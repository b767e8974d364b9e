"""The patch description network of EfficientAD, from anomalib, and teachers from files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.data.anomalib_internals import (
    MediumPatchDescriptionNetwork,
    SmallPatchDescriptionNetwork,
)
from zoo.utils.errors import ZooError, nearest, one_line

ModelSize = Literal["small", "medium"]
_CLASSES = {"small": SmallPatchDescriptionNetwork, "medium": MediumPatchDescriptionNetwork}
_SHOWN = 4  # keys of a foreign file


def patch_network(size: ModelSize, channels: int, padding: bool = False) -> nn.Module:
    """Return a patch description network: (B, 3, H, W) in [0, 1] to (B, channels, H/4-8, W/4-8).

    Args:
        size: small or medium (paper, tables 5 and 6).
        channels: Of the output.
        padding: Pad so that the output is (H/4, W/4), which only the teacher's own training does.

    Raises:
        ZooError: Another size.
    """
    if size not in _CLASSES:
        raise ZooError(f"there is no model_size '{size}'{nearest(str(size), _CLASSES)}")
    return _CLASSES[size](out_channels=channels, padding=padding)


def load_teacher(teacher: nn.Module, path: str | Path) -> None:
    """Fill a teacher from a file of weights.

    Files of anomalib, of nelson1425/EfficientAD and of `python -m zoo_plugins.efficientad.teacher`
    differ in the names of the tensors only: the i-th tensor goes to the i-th name.

    Args:
        teacher: A patch description network.
        path: A state dict.

    Raises:
        ZooError: There is no such file, it cannot be read, or it is of another architecture.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ZooError(
            f"no teacher at '{path}': give the path of published weights, or weights: home_made, "
            "which distils one without a network"
        )
    given, own = _read(path), teacher.state_dict()
    shapes = [tuple(value.shape) for value in own.values()]
    if [tuple(value.shape) for value in given.values()] != shapes:
        raise ZooError(
            f"teacher {path} is of another architecture: {_difference(given, own)}; choose "
            "model_size and teacher_channels as the file has them"
        )
    teacher.load_state_dict(dict(zip(own, given.values(), strict=True)))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign file may fail in any way
        raise ZooError(f"teacher {path} cannot be read: {one_line(error, 120)}") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ZooError(f"teacher {path} holds no state dict: expected names and tensors only")
    return state


def _difference(given: dict[str, Tensor], own: dict[str, Tensor]) -> str:
    """Return the first few tensors that do not fit."""
    if len(given) != len(own):
        names = ", ".join(list(given)[:_SHOWN])
        return f"it has {len(given)} tensors ({names} ...) and not {len(own)}"
    pairs = zip(given.items(), own.items(), strict=True)
    wrong = [
        f"{name} is {tuple(value.shape)}, {other} must be {tuple(expected.shape)}"
        for (name, value), (other, expected) in pairs
        if value.shape != expected.shape
    ]
    return "; ".join(wrong[:_SHOWN])
