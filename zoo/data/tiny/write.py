"""Writes a set of scenes to disk in the layout of MVTec AD 2."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

import cv2
import numpy as np

from zoo.data.tiny import record
from zoo.data.tiny.draws import Draws
from zoo.data.tiny.frame import Frame
from zoo.data.tiny.plan import SIZES, Scene, scenes
from zoo.data.tiny.scene import OBJECTS, build, photograph
from zoo.utils.atomic import write_bytes, write_text
from zoo.utils.errors import ZooError, nearest

COLUMNS = ("object", "split", "file", "label", "light", "group", "defect")
# a fixed level, so that equal pictures are equal files; higher levels save 3 % at 5 times the time
_COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 3]


def write_tiny(
    root: Path,
    seed: int = 0,
    size: str = "small",
    objects: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Render a small data set in exactly the layout of MVTec AD 2.

    Beside what the original has there are ``private_ground_truth`` and a ``manifest.csv`` with
    one row per image. The same seed gives the same bytes on one machine and library version. A
    finished set is left alone; one that was interrupted is written again.

    Args:
        root: Folder to write; new, empty, or holding the same set.
        seed: Seed of everything random.
        size: ``small`` (three objects, long side about 320 pixels) or ``real`` (one object at
            2448 x 2048, a few images, for measuring cost).
        objects: Names of objects, to render others than the size has by default.
        progress: Called with a line of text now and then.

    Returns:
        ``root``.

    Raises:
        ZooError: If the folder holds something else, or a name is unknown.

    Example:
        >>> write_tiny(Path("tiny"), seed=0)  # doctest: +SKIP
        PosixPath('tiny')
    """
    say = progress or (lambda _: None)
    root = Path(root)
    if size not in SIZES:
        raise ZooError(f"there is no size {size!r}{nearest(size, SIZES)}")
    if seed < 0:
        raise ZooError(f"the seed {seed} is negative: choose 0 or more")
    chosen = _chosen(SIZES[size].objects if objects is None else objects)
    wanted = record.recipe(seed, size, chosen)
    if record.is_finished(root, wanted):
        say(f"{root} holds this set already (seed {seed}, size {size}): nothing to do")
        return root

    record.begin(root, wanted)
    rows: list[dict[str, str]] = []
    for subject in chosen:
        frame = SIZES[size].frames[subject]
        planned = list(scenes(subject, SIZES[size], seed))
        say(f"{subject}: {len(planned)} scenes at {frame.width} x {frame.height}")
        for scene in planned:
            rows += _write_scene(root / subject, scene, frame, Draws(seed, subject, scene.group))
    manifest = StringIO()
    writer = csv.DictWriter(manifest, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(root / "manifest.csv", manifest.getvalue())
    record.finish(root)
    return root


def _chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return the wanted objects in their fixed order."""
    for name in names:
        if name not in OBJECTS:
            raise ZooError(f"there is no object {name!r}{nearest(name, OBJECTS)}")
    if not names:
        raise ZooError(f"no object is named{nearest('', OBJECTS)}")
    return tuple(name for name in OBJECTS if name in names)


def _write_scene(folder: Path, scene: Scene, frame: Frame, draws: Draws) -> list[dict[str, str]]:
    """Render one scene, write its pictures and masks, and return its rows of the manifest."""
    damaged = build(frame, draws, scene.defects)
    rows = []
    for shot in scene.shots:
        picture = photograph(damaged.specimen.surface, shot.light, frame, draws)
        _write_png(folder / shot.split / shot.file, picture)
        if shot.mask is not None:
            _write_png(folder / shot.mask, damaged.mask)
        label = "bad" if scene.defects else "good"
        defect = "+".join(scene.defects)
        values = (draws.subject, shot.split, shot.file, label, shot.light, scene.group, defect)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _write_png(path: Path, picture: np.ndarray) -> None:
    """Write (H, W), (H, W, 1) or (H, W, 3) red, green, blue uint8 as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = picture.ndim == 3 and picture.shape[2] == 3
    done, data = cv2.imencode(".png", picture[..., ::-1] if colour else picture, _COMPRESSION)
    if not done:
        raise ZooError(f"OpenCV could not encode {path}: reinstall opencv-python-headless")
    write_bytes(path, data.tobytes())
