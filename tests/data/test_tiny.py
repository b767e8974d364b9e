"""The tiny set has the layout of MVTec AD 2, is reproducible, and its masks tell the truth."""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo.cli import tiny as command
from zoo.data.tiny import OBJECTS, write, write_tiny
from zoo.data.tiny.camera import LIGHTS, MIXED_LIGHTS
from zoo.data.tiny.defects import KINDS
from zoo.data.tiny.plan import SMALL, Size
from zoo.data.tiny.scene import Draws, Frame
from zoo.data.tiny.write import build, photograph
from zoo.utils.errors import ZooError

PUBLIC = ("regular", "overexposed", "underexposed", "shift_1")
NATIVE = {"weave": (240, 320), "badge": (208, 328, 3), "beans": (224, 320, 3)}
# a few scenes of every sort, at the fields of view of the small size
FEW = Size("small", SMALL.frames, SMALL.objects, 2, 1, (1, 1), (1, 1))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny") / "set", seed=0)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(write_tiny, "__defaults__", (0, FEW, None, None))


@pytest.fixture(scope="module")
def manifest(root) -> list[dict[str, str]]:
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return image


def mask_of(root: Path, row: dict[str, str]) -> Path | None:
    folder, file = root / row["object"], Path(row["file"])
    name = f"{file.stem}_mask.png"
    if row["split"].startswith("test_private"):
        return folder / "private_ground_truth" / row["split"] / name
    if row["split"] == "test_public/bad":
        return folder / "test_public" / "ground_truth" / "bad" / name
    return None


def files_under(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


@pytest.mark.slow
def test_every_file_is_where_mvtec_ad_2_has_it(root):
    expected = {"manifest.csv", "tiny.json"}
    for name in NATIVE:
        for split, count in (("train", 24), ("validation", 8)):
            expected |= {f"{name}/{split}/good/{n:03d}_regular.png" for n in range(count)}
        for light in PUBLIC:
            folder = f"{name}/test_public"
            expected |= {f"{folder}/good/{n:03d}_{light}.png" for n in range(3)}
            expected |= {f"{folder}/bad/{n:03d}_{light}.png" for n in range(5)}
            expected |= {f"{folder}/ground_truth/bad/{n:03d}_{light}_mask.png" for n in range(5)}
        for split, word in (("test_private", "regular"), ("test_private_mixed", "mixed")):
            truth = f"{name}/private_ground_truth/{split}"
            expected |= {f"{name}/{split}/{n:03d}_{word}.png" for n in range(16)}
            expected |= {f"{truth}/{n:03d}_{word}_mask.png" for n in range(16)}
    found = [path for path in root.rglob("*") if not path.is_dir()]
    assert {path.relative_to(root).as_posix() for path in found} == expected
    assert not any(path.is_symlink() for path in found)


@pytest.mark.slow
def test_images_have_their_native_size_and_channels(root, manifest):
    for row in manifest:
        image = read(root / row["object"] / row["split"] / row["file"])
        assert image.dtype == np.uint8
        assert image.shape == NATIVE[row["object"]]
        assert image.std() > 5


@pytest.mark.slow
def test_masks_are_0_or_255_empty_for_good_and_filled_for_bad(root, manifest):
    masked = 0
    for row in manifest:
        path = mask_of(root, row)
        if path is None:
            continue
        mask = read(path)
        masked += 1
        assert mask.dtype == np.uint8
        assert mask.shape == NATIVE[row["object"]][:2]
        assert set(np.unique(mask)) <= {0, 255}
        assert mask.any() == (row["label"] == "bad"), path
        assert np.count_nonzero(mask) < 0.2 * mask.size
    assert masked == 3 * (5 * 4 + 16 * 2)


@pytest.mark.slow
def test_defects_are_graded_from_specks_to_large_ones(root, manifest):
    for name in NATIVE:
        rows = [row for row in manifest if row["object"] == name and row["label"] == "bad"]
        masks = {row["group"]: read(mask_of(root, row)) for row in rows}
        share = np.array([np.mean(mask > 0) for mask in masks.values()])
        assert np.mean((share > 0.005) & (share < 0.03)) > 0.3, name
        assert share.min() < 0.001, name


@pytest.mark.slow
def test_manifest_has_one_row_per_image_and_names_real_things(root, manifest):
    paths = {root / row["object"] / row["split"] / row["file"] for row in manifest}
    images = {path for path in root.rglob("*.png") if not path.name.endswith("_mask.png")}
    assert paths == images
    assert len(manifest) == len(images)
    for row in manifest:
        assert "/" not in row["file"]
        folder = row["split"].partition("/")[2]
        assert folder in ("", row["label"])
        kinds = row["defect"].split("+") if row["defect"] else []
        assert bool(kinds) == (row["label"] == "bad")
        assert set(kinds) <= set(KINDS)
        assert row["light"] in LIGHTS
    assert {kind for row in manifest for kind in row["defect"].split("+") if kind} == set(KINDS)
    assert {row["split"] for row in manifest} == {
        "train/good",
        "validation/good",
        "test_public/good",
        "test_public/bad",
        "test_private",
        "test_private_mixed",
    }


@pytest.mark.slow
def test_a_scene_lies_in_one_part_of_the_set_only(manifest):
    parts: dict[tuple[str, str], set[str]] = {}
    for row in manifest:
        part = row["split"].split("/")[0].removesuffix("_mixed")
        parts.setdefault((row["object"], row["group"]), set()).add(part)
    assert all(len(found) == 1 for found in parts.values())


@pytest.mark.slow
def test_private_splits_show_the_same_scenes_and_mixed_is_never_regular(manifest):
    def by_number(split: str) -> dict[tuple[str, str], str]:
        rows = (row for row in manifest if row["split"] == split)
        return {(row["object"], row["file"][:3]): row["group"] for row in rows}

    assert by_number("test_private") == by_number("test_private_mixed")
    lights = {row["light"] for row in manifest if row["split"] == "test_private_mixed"}
    assert lights <= set(MIXED_LIGHTS)
    assert lights & {"shift_2", "shift_3"}
    labels = [row["label"] for row in manifest if row["split"] == "test_private"]
    assert labels != sorted(labels)
    assert labels != sorted(labels, reverse=True)


@pytest.mark.slow
def test_masks_of_a_scene_are_equal_under_every_light(root, manifest):
    seen: dict[tuple[str, str], bytes] = {}
    for row in manifest:
        path = mask_of(root, row)
        if path is not None:
            data = path.read_bytes()
            assert seen.setdefault((row["object"], row["group"]), data) == data


@pytest.mark.slow
def test_lights_differ_in_the_way_their_names_say(root):
    for name in NATIVE:
        folder = root / name / "test_public" / "good"
        images = {light: read(folder / f"000_{light}.png").astype(float) for light in PUBLIC}
        level = {light: image.mean() for light, image in images.items()}
        assert level["underexposed"] < 0.75 * level["regular"] < 0.65 * level["overexposed"]
        # moved lamp: the left and the right half change their balance
        half = NATIVE[name][1] // 2
        left, right = (
            {light: image[:, part].mean() for light, image in images.items()}
            for part in (slice(half), slice(half, None))
        )
        assert right["shift_1"] / left["shift_1"] > 1.1 * right["regular"] / left["regular"]


@pytest.mark.slow
def test_every_defect_changes_the_image_inside_its_mask(root, manifest):
    for row in manifest:
        if row["label"] == "good" or row["light"] != "regular":
            continue
        frame = SMALL.frames[row["object"]]
        draws = Draws(0, row["object"], row["group"])
        without = photograph(build(frame, draws).specimen.surface, "regular", frame, draws)
        image = read(root / row["object"] / row["split"] / row["file"]).astype(int)
        image = image[..., None] if image.ndim == 2 else image[..., ::-1]
        change = np.abs(image - without).max(axis=2)
        mask = read(mask_of(root, row))
        where = f"{row['object']} {row['group']} {row['defect']}"
        assert change[mask > 0].mean() > 4, where
        far = cv2.dilate(mask, np.ones((31, 31), np.uint8)) == 0
        assert np.mean(change[far] > 6) < 0.01, where


@pytest.mark.parametrize("name", sorted(OBJECTS))
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_can_strike_each_object(name, kind):
    frame, draws = Frame(120, 100), Draws(3, name, f"one {kind}")
    if name == "badge":
        frame = SMALL.frames[name]
    damaged = build(frame, draws, (kind,))
    assert damaged.mask.any()
    assert np.isfinite(damaged.specimen.surface.height).all()
    assert damaged.specimen.surface.albedo.dtype == np.float32


@pytest.mark.slow
def test_an_image_does_not_depend_on_how_many_others_are_made(root, few, tmp_path):
    again = files_under(write_tiny(tmp_path / "again", seed=0))
    whole = files_under(root)
    shared = [
        name for name in again if name.endswith(".png") and "private" not in name.split("/")[1]
    ]
    assert len(shared) == 3 * (2 + 1 + 4 + 4 + 4)
    # the bad scene of this smaller set carries the same defect, because kinds take turns
    assert all(again[name] == whole[name] for name in shared)


def test_same_seed_same_bytes_in_another_process(few, tmp_path):
    here = files_under(write_tiny(tmp_path / "here", seed=5, objects=["badge"]))
    program = (
        "import sys; from pathlib import Path\n"
        "from zoo.data.tiny import write_tiny\n"
        "from zoo.data.tiny.plan import SMALL, Size\n"
        "few = Size('small', SMALL.frames, SMALL.objects, 2, 1, (1, 1), (1, 1))\n"
        "write_tiny(Path(sys.argv[1]), seed=5, size=few, objects=['badge'])\n"
    )
    paths = [path or str(Path.cwd()) for path in sys.path]
    arguments = [sys.executable, "-c", f"import sys; sys.path[:] = {paths!r}\n{program}"]
    subprocess.run([*arguments, str(tmp_path / "there")], check=True)
    assert files_under(tmp_path / "there") == here


def test_another_seed_gives_other_images_in_the_same_layout(few, tmp_path):
    one = files_under(write_tiny(tmp_path / "one", seed=1, objects=["beans"]))
    two = files_under(write_tiny(tmp_path / "two", seed=2, objects=["beans"]))
    assert one.keys() == two.keys()
    images = [name for name in one if name.endswith(".png") and "_mask" not in name]
    assert not any(one[name] == two[name] for name in images)


@pytest.mark.slow
def test_a_finished_set_is_left_alone(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    said: list[str] = []
    assert write_tiny(root, seed=0, progress=said.append) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert len(said) == 1
    assert "nothing to do" in said[0]


def test_an_interrupted_set_is_completed(few, tmp_path, monkeypatch):
    whole = files_under(write_tiny(tmp_path / "whole", objects=["weave"]))
    written, real = [], write.write_bytes

    def stop_after_six(path, data):
        if len(written) == 6:
            raise KeyboardInterrupt
        written.append(path)
        real(path, data)

    monkeypatch.setattr(write, "write_bytes", stop_after_six)
    with pytest.raises(KeyboardInterrupt):
        write_tiny(tmp_path / "cut", objects=["weave"])
    assert not (tmp_path / "cut" / write.FINISHED).exists()
    written[-1].write_bytes(b"half an image")
    monkeypatch.setattr(write, "write_bytes", real)
    assert files_under(write_tiny(tmp_path / "cut", objects=["weave"])) == whole


def test_a_foreign_folder_is_refused_untouched(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(ZooError, match=r"not made by `zoo tiny`: name a new or empty folder"):
        write_tiny(tmp_path)
    assert files_under(tmp_path) == {"holiday.jpg": b"precious"}
    with pytest.raises(ZooError, match="is a file"):
        write_tiny(tmp_path / "holiday.jpg")


@pytest.mark.slow
def test_another_seed_does_not_overwrite_a_set(root):
    with pytest.raises(ZooError, match=r"seed 0.*wanted is seed 1"):
        write_tiny(root, seed=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"objects": ["bean"]}, "did you mean 'beans'"),
        ({"objects": []}, "choose from"),
        ({"seed": -1}, "negative"),
    ],
)
def test_wrong_words_are_answered_in_one_line(tmp_path, arguments, words):
    with pytest.raises(ZooError, match=words) as caught:
        write_tiny(tmp_path / "new", **arguments)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_command_says_where_how_many_how_large_how_long(few, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args([str(tmp_path / "set"), "--seed", "7"])) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{tmp_path / 'set'}: 45 images, 24 masks, ")
    assert last.endswith(" s")
    assert json.loads((tmp_path / "set" / "tiny.json").read_text())["seed"] == 7


def test_importing_the_command_or_the_renderer_loads_nothing_heavy():
    program = "import sys; sys.path[:] = {!r}; import {}; print(*{!r} & set(sys.modules))"
    for module, heavy in (
        ("zoo.cli.tiny", {"cv2", "numpy", "torch"}),
        ("zoo.data.tiny", {"torch", "anomalib", "pandas"}),
    ):
        paths = [path or str(Path.cwd()) for path in sys.path]
        code = program.format(paths, module, heavy)
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        assert done.stdout.split() == [], module
