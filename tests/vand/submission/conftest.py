"""A data set of two objects and a sound submission to it, made without any model."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image as PIL
from small_recipes import PATCHCORE

from zoo.vand.submission.expected import MAPS, MASKS, Expected, Image
from zoo.vand.submission.write import pack, write_pair

SIZES = {"gear": (24, 40), "lid": (32, 20)}
N = 4


def expected_images() -> Expected:
    """Return two objects of four images per split, each object with a size of its own."""
    return Expected(
        "the test's data",
        tuple(
            Image(name, split, f"{number:03d}_{light}", size)
            for name, size in SIZES.items()
            for split, light in (("test_private", "regular"), ("test_private_mixed", "mixed"))
            for number in range(N)
        ),
    )


def map_and_mask(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return a map, float16, and the mask of its upper scores; every fourth shows nothing."""
    score_map = np.random.default_rng(seed).random(size, np.float32)
    score_map[4:10, 5:12] += 1.0
    mask = score_map > (1.0 if seed % N else 9.0)
    return score_map.astype(np.float16), mask


def write_submission(folder: Path, expected: Expected) -> Path:
    """Write a sound submission."""
    for seed, image in enumerate(expected.images):
        write_pair(folder, image, *map_and_mask(seed, image.native_size))
    return folder


@pytest.fixture
def submission(tmp_path) -> SimpleNamespace:
    """Return a sound submission as a folder, and what is expected of it."""
    expected = expected_images()
    folder = write_submission(tmp_path / "sub", expected)
    first = expected.images[1]  # one with a mask
    return SimpleNamespace(
        folder=folder,
        expected=expected,
        image=first,
        map=folder / first.place(MAPS),
        mask=folder / first.place(MASKS),
    )


@pytest.fixture
def archive(submission, tmp_path) -> Path:
    """Return the same submission packed."""
    return pack(submission.folder, tmp_path / "sub.tar.gz", "sub")


@pytest.fixture
def repack(archive, tmp_path):
    """Return a function that packs the archive anew, its members changed on the way."""

    def make(change: Callable | None = None, add: tuple = (), mode: str = "w:gz") -> Path:
        target = tmp_path / "other.tar.gz"
        with tarfile.open(archive) as source, tarfile.open(target, mode) as new:
            for member in source:
                data = source.extractfile(member).read()
                if change is not None:
                    member = change(member)
                if member is not None:
                    new.addfile(member, io.BytesIO(data))
            for member in add:
                new.addfile(member, io.BytesIO(b"x" * member.size))
        return target

    return make


@pytest.fixture(scope="session")
def write_tiff():
    """Return a function that writes an array as TIFF, with any options of tifffile."""

    def write(path: Path, array: np.ndarray, **options: object) -> None:
        tifffile.imwrite(path, array, **{"photometric": "minisblack", **options})

    return write


@pytest.fixture(scope="session")
def write_png():
    """Return a function that writes an array or a Pillow image as PNG."""

    def write(path: Path, image: np.ndarray | PIL.Image, **options: object) -> None:
        image = image if isinstance(image, PIL.Image) else PIL.fromarray(image)
        image.save(path, **{"format": "PNG", **options})

    return write


@pytest.fixture(name="write_submission", scope="session")
def _write_submission():
    """Return the function `write_submission`; test modules cannot import this file."""
    return write_submission


@pytest.fixture(name="map_and_mask", scope="session")
def _map_and_mask():
    """Return the function `map_and_mask`."""
    return map_and_mask


RECIPE = PATCHCORE.replace("eval_batch_size: 4", "eval_batch_size: 1")


@pytest.fixture(scope="session")
def benched(tmp_path_factory, write_object) -> SimpleNamespace:
    """Return a data set of two objects and finished runs on it that kept models and maps."""
    from zoo.cli import main

    root = tmp_path_factory.mktemp("benched")
    write_object(root / "data", "gear")
    write_object(root / "data", "lid", size=(40, 56))
    (root / "quick.yaml").write_text(RECIPE, encoding="utf-8")
    words = ["--data.root", root / "data", "--out", root / "runs", "--keep", "maps"]
    assert main(["bench", str(root / "quick.yaml"), *map(str, words)]) == 0
    return SimpleNamespace(root=root, data=root / "data", runs=root / "runs")


@pytest.fixture
def grid(benched, tmp_path, monkeypatch) -> SimpleNamespace:
    """Return a copy of the data set and the runs; the test stands beside them."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(benched.runs, tmp_path / "runs")
    return SimpleNamespace(
        data=benched.data,
        runs=Path("runs"),
        gear=Path("runs/quick/gear/seed0"),
        lid=Path("runs/quick/lid/seed0"),
    )


@pytest.fixture
def without_maps(grid) -> SimpleNamespace:
    """Return the runs with their models only."""
    for run in (grid.gear, grid.lid):
        shutil.rmtree(run / "maps")
    return grid
