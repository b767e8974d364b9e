"""Writes a set of scenes to disk in the layout of MVTec AD 2."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

import cv2
import numpy as np

from zoo.data.tiny.badge import badge
from zoo.data.tiny.beans import beans
from zoo.data.tiny.camera import LIGHTS, expose, jittered, shade
from zoo.data.tiny.defects import Damaged, strike
from zoo.data.tiny.plan import SMALL, Scene, Size, scenes
from zoo.data.tiny.scene import Draws, Frame, Specimen, Surface
from zoo.data.tiny.weave import weave
from zoo.utils.atomic import write_bytes, write_text
from zoo.utils.errors import ZooError, nearest
from zoo.utils.schema import read_json

OBJECTS: dict[str, Callable[[Frame, Draws], Specimen]] = {
    "weave": weave,
    "badge": badge,
    "beans": beans,
}
COLUMNS = ("object", "split", "file", "label", "light", "group", "defect")
FINISHED = "tiny.json"
# stands there while a set is being written, and becomes FINISHED by renaming
STARTED = "tiny.started.json"
# raised whenever the same seed would give other images than before
_RENDERER = 2
# a fixed level, so that equal images are equal files; higher levels save 3 % at 5 times the time
_COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 3]


def build(frame: Frame, draws: Draws, defects: tuple[str, ...] = ()) -> Damaged:
    """Return the specimen of a scene with defects of some kinds, or without any."""
    return strike(OBJECTS[draws.object_name](frame, draws), defects, frame, draws)


def photograph(surface: Surface, light: str, frame: Frame, draws: Draws) -> np.ndarray:
    """Return the image of a surface in one of the six lights, (height, width, 1 or 3) uint8."""
    lamp = jittered(LIGHTS[light], draws(f"lamp {light}"))
    radiance = shade(surface, lamp, frame)
    return expose(radiance, frame, lamp.exposure, draws(f"noise {light}"))


def write_tiny(
    root: Path,
    seed: int = 0,
    size: Size = SMALL,
    objects: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Render a small data set in exactly the layout of MVTec AD 2.

    `private_ground_truth` and a `manifest.csv` of one row per image stand beside what the original
    has. The same seed gives the same bytes on one machine and library version. A finished set is
    left alone; an interrupted one is written again.

    Args:
        root: Folder to write; new, empty, or holding the same set.
        seed: Seed of everything random.
        size: How much is rendered, and how large: three objects, long side about 320 pixels.
        objects: Names of objects; those of the size by default.
        progress: Called with a line of text now and then.

    Returns:
        `root`.

    Raises:
        ZooError: The folder holds something else, or a name is unknown.

    Example:
        >>> write_tiny(Path("tiny"), seed=0)  # doctest: +SKIP
        PosixPath('tiny')
    """
    report = progress or (lambda _: None)
    root = Path(root)
    if seed < 0:
        raise ZooError(f"the seed {seed} is negative: choose 0 or more")
    chosen = _chosen(size.objects if objects is None else objects)
    recipe = {"seed": seed, "size": size.name, "objects": list(chosen), "renderer": _RENDERER}
    if _is_finished(root, recipe):
        report(f"{root} holds this set already (seed {seed}, size {size.name}): nothing to do")
        return root

    root.mkdir(parents=True, exist_ok=True)
    write_text(root / STARTED, json.dumps(recipe, indent=2) + "\n")
    rows: list[dict[str, str]] = []
    for object_name in chosen:
        frame = size.frames[object_name]
        planned = list(scenes(object_name, size, seed))
        report(f"{object_name}: {len(planned)} scenes at {frame.width} x {frame.height}")
        for scene in planned:
            rows += _write_scene(
                root / object_name, scene, frame, Draws(seed, object_name, scene.group)
            )
    manifest = StringIO()
    writer = csv.DictWriter(manifest, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(root / "manifest.csv", manifest.getvalue())
    (root / STARTED).replace(root / FINISHED)
    return root


def _is_finished(root: Path, recipe: dict[str, object]) -> bool:
    """Return whether ``root`` holds the set of a recipe already."""
    if root.exists() and not root.is_dir():
        raise ZooError(f"{root} is a file, not a folder: name another folder")
    if not root.exists() or not any(root.iterdir()):
        return False
    for name in (FINISHED, STARTED):
        if not (root / name).is_file():
            continue
        present = _read(root / name)
        if present == recipe:
            return name == FINISHED
        raise ZooError(
            f"{root} holds another tiny set ({_words(present)}), wanted is {_words(recipe)}: "
            "name another folder, or delete this one"
        )
    raise ZooError(
        f"{root} is not empty and was not made by `zoo tiny`: name a new or empty folder"
    )


def _read(path: Path) -> dict[str, object]:
    try:
        recipe = read_json(path)
    except ZooError:  # cut off in the middle
        return {}
    return recipe if isinstance(recipe, dict) else {}


def _words(present: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in present.items()) or "unreadable"


def _chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return the named objects in their fixed order."""
    for name in names:
        if name not in OBJECTS:
            raise ZooError(f"there is no object {name!r}{nearest(name, OBJECTS)}")
    if not names:
        raise ZooError(f"no object is named{nearest('', OBJECTS)}")
    return tuple(name for name in OBJECTS if name in names)


def _write_scene(folder: Path, scene: Scene, frame: Frame, draws: Draws) -> list[dict[str, str]]:
    """Render one scene, write its images and masks, and return its rows of the manifest."""
    damaged = build(frame, draws, scene.defects)
    rows = []
    for shot in scene.shots:
        image = photograph(damaged.specimen.surface, shot.light, frame, draws)
        _write_png(folder / shot.split / shot.file, image)
        if shot.mask is not None:
            _write_png(folder / shot.mask, damaged.mask)
        label = "bad" if scene.defects else "good"
        defect = "+".join(scene.defects)
        values = (draws.object_name, shot.split, shot.file, label, shot.light, scene.group, defect)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _write_png(path: Path, image: np.ndarray) -> None:
    """Write (H, W), (H, W, 1) or (H, W, 3) red, green, blue uint8 as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = image.ndim == 3 and image.shape[2] == 3
    done, data = cv2.imencode(".png", image[..., ::-1] if colour else image, _COMPRESSION)
    if not done:
        raise ZooError(f"OpenCV could not encode {path}: reinstall opencv-python-headless")
    write_bytes(path, data.tobytes())
