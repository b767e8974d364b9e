"""The SHA-256 of a graph and its weights, inside the graph: damage gives other masks, and no error.

The digest stands in the metadata, which is a part of the file that it is of. So it is worked out
with zeros in its own place.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from zoo.predict.metadata import MEND, UNSIGNED, ExportMetadata
from zoo.utils.errors import ZooError

_BLOCK = 1 << 20
# As JSON has it in ONNX, and with the quotes that XML wants.
_FIELD = re.compile(rb"sha256(?:\"|&quot;): (?:\"|&quot;)([0-9a-f]{64})")


def sign(path: Path, metadata: ExportMetadata) -> None:
    """Put the digest into a graph whose metadata was just written, unsigned."""
    data = bytearray(path.read_bytes())
    place = _place(data)
    data[place] = _digest(data, place, weights_of(path, metadata)).encode()
    path.write_bytes(data)


def check_intact(path: Path, metadata: ExportMetadata) -> None:
    """Raise where a graph or its weights are not those that were exported.

    Args:
        path: A graph.
        metadata: What it carries along.

    Raises:
        ZooError: A file is missing or damaged.
    """
    weights = weights_of(path, metadata)
    data = bytearray(path.read_bytes())
    place = _place(data)
    if place is None or _digest(data, place, weights) != metadata.sha256:
        beside = f" or {weights.name}" if weights else ""
        raise ZooError(f"{path}{beside} is damaged, the SHA-256 is another one: {MEND}")


def weights_of(path: Path, metadata: ExportMetadata | None = None) -> Path | None:
    """Return the file of weights beside a graph, if it has one.

    Raises:
        ZooError: It is missing.
    """
    weights = path.with_suffix(".bin") if path.suffix == ".xml" else None
    if metadata is not None and metadata.weights is not None:
        weights = path.with_name(metadata.weights)
    if weights is not None and not weights.is_file():
        raise ZooError(f"{weights} is missing, the weights of {path.name}: copy both files")
    return weights


def _place(data: bytearray) -> slice | None:
    """Return where the digest stands; metadata comes last in both formats."""
    field = _FIELD.match(data, data.rfind(b"sha256"))
    return field and slice(*field.span(1))


def _digest(data: bytearray, place: slice, weights: Path | None) -> str:
    digest = hashlib.sha256(data[: place.start])
    digest.update(UNSIGNED.encode())
    digest.update(memoryview(data)[place.stop :])
    if weights is not None:
        with weights.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()
