"""`zoo predict`: JSON lines, masks and overlays of images, folders and folders being filled."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import zoo
from zoo.cli import main
from zoo.predict import Prediction, sources

RECIPE = {
    "model": {
        "class_path": "ZooPatchcore",
        "init_args": {
            "weights": "random",
            "backbone": "resnet10t",
            "layers": ["layer1", "layer2"],
            "image_size": 64,
            "coreset_sampling_ratio": 0.1,
            "post_processor": {
                "class_path": "zoo.methods.BlobPostProcessor",
                "init_args": {"rule": {"class_path": "zoo.postprocess.Quantile"}},
            },
        },
    },
    "data": {"class_path": "zoo.data.MVTecAD2Layout"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory, write_object):
    folder = tmp_path_factory.mktemp("predict")
    write_object(folder / "data", "part")
    (folder / "quick.yaml").write_text(yaml.safe_dump(RECIPE))
    words = ["bench", str(folder / "quick.yaml"), "--data.root", str(folder / "data")]
    assert main([*words, "--splits", "test_public", "--out", str(folder / "r")]) == 0
    return folder / "r" / "quick" / "part" / "seed0"


@pytest.fixture
def bad(run) -> list[Path]:
    root = yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]["root"]
    return sorted(Path(root, "part", "test_public", "bad").glob("*.png"))


@pytest.fixture
def shots(tmp_path, bad, texture, write_image) -> Path:
    """Return a folder of a defective and two normal images, one of another size."""
    folder = tmp_path / "shots"
    write_image(folder / "monday" / "1.png", texture(100))
    write_image(folder / "tuesday" / "1.png", texture(101, (30, 40)))
    shutil.copy(bad[0], folder / "2.png")
    return folder


@pytest.fixture
def predict(run, tmp_path, monkeypatch, capsys):
    """Return a function that predicts and returns exit code, records and what was said."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, list[dict], str]:
        code = main(["predict", str(run), *map(str, words)])
        said = capsys.readouterr()
        return code, [json.loads(line) for line in said.out.splitlines()], said.err

    return call


def kept(out: str | Path = "predictions") -> list[dict]:
    return [json.loads(line) for line in Path(out, "predictions.jsonl").read_text().splitlines()]


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_each_image_is_a_line_a_mask_and_an_overlay(run, shots, predict):
    code, lines, said = predict("shots")
    assert code == 0
    assert lines == kept()
    assert [line["path"] for line in lines] == ["shots/2.png", *_in_folders("shots/{}/1.png")]
    detector = zoo.load(run)
    for line in lines:
        expected = detector.predict(line["path"])
        mask = np.asarray(Image.open(Path("predictions", line["mask"])))
        assert mask.dtype == np.uint8
        assert np.array_equal(mask, expected.mask * np.uint8(255))
        with Image.open(Path("predictions", line["overlay"])) as overlay:
            assert overlay.size == (line["width"], line["height"])
        assert {**expected.to_dict(), "mask": line["mask"], "overlay": line["overlay"]} == (
            line | {"blobs": expected.to_dict()["blobs"]}
        )
    assert files(Path("predictions/masks")) == ["2.png", *_in_folders("{}/1.png")]
    assert files(Path("predictions/overlays")) == ["2.jpg", *_in_folders("{}/1.jpg")]
    n_anomalous = sum(line["is_anomalous"] for line in lines)
    assert n_anomalous >= 1
    assert f"3 images, {n_anomalous} anomalous, " in said
    assert "images per second, written to predictions" in said
    assert said.count("\n") == 1


@pytest.mark.slow
def test_a_graph_judges_as_its_run_does_without_torch(run, shots, predict, tmp_path, capsys):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="the extra `export` is not installed")
    assert main(["export", str(run), "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    _, expected, _ = predict("shots")
    code = (
        "import sys; from zoo.cli import main;"
        "code = main(['predict', 'model.onnx', 'shots', '--out', 'graph']);"
        "sys.exit(code or ('torch' in sys.modules) * 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines == kept("graph")
    assert files(Path("graph")) == files(Path("predictions"))
    for ours, theirs in zip(lines, expected, strict=True):
        same = [key for key in ours if key not in ("score", "blobs")]
        assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}
        assert ours["score"] == pytest.approx(theirs["score"], rel=1e-3)
        masks = [Path(out, ours["mask"]).read_bytes() for out in ("graph", "predictions")]
        assert masks[0] == masks[1]


def _in_folders(name: str) -> list[str]:
    return [name.format(folder) for folder in ("monday", "tuesday")]


def test_overlays_can_be_left_out_and_results_written_elsewhere(shots, predict, tmp_path):
    code, lines, _ = predict(shots, "--no-overlays", "--out", "else/where", "--batch-size", 2)
    assert code == 0
    assert not any("overlay" in line for line in lines)
    assert files(tmp_path / "else" / "where") == [
        "blobs.csv",
        *("masks/2.png", "masks/monday/1.png", "masks/tuesday/1.png"),
        "predictions.jsonl",
    ]


def test_blobs_are_rows_of_a_table(run, shots, predict):
    _, lines, _ = predict(shots)
    table = pd.read_csv("predictions/blobs.csv")
    expected = [(line["path"], blob) for line in lines for blob in line["blobs"]]
    assert len(table) == len(expected) >= 1
    for (path, blob), row in zip(expected, table.to_dict("records"), strict=True):
        assert row["path"] == path
        assert [row[name] for name in ("x", "y", "width", "height")] == blob["box"]
        assert [row[f"centroid_{name}"] for name in "xy"] == blob["centroid"]
        for name in ("id", "area_px", "peak", "mean", "integrated"):
            assert row[name] == blob[name]
    predict(shots / "monday")  # the table is that of this command
    assert set(pd.read_csv("predictions/blobs.csv")["path"]) <= {str(shots / "monday/1.png")}


def test_no_name_in_the_table_is_a_formula(shots, predict):
    shutil.move(shots / "2.png", "=cmd('x').png")
    _, [line], _ = predict("=cmd('x').png")
    assert line["path"] == "=cmd('x').png"
    assert set(pd.read_csv("predictions/blobs.csv")["path"]) == {"'=cmd('x').png"}


def test_the_lines_are_those_of_this_command(shots, predict):
    predict(shots)
    assert len(predict(shots / "2.png")[1]) == len(kept()) == 1


def test_a_damaged_image_is_a_line_and_the_others_go_on(shots, predict):
    (shots / "0.png").write_bytes(b"")
    (shots / "1.jpg").write_bytes((shots / "2.png").read_bytes()[:200])
    for batch_size in (1, 3):
        code, lines, said = predict(shots, "--batch-size", batch_size)
        assert code == 1
        assert lines == kept()
        errors = {line["path"]: line["error"] for line in lines if "error" in line}
        assert list(errors) == [str(shots / "0.png"), str(shots / "1.jpg")]
        assert "is empty (0 bytes)" in errors[str(shots / "0.png")]
        assert sum("mask" in line for line in lines) == 3
        assert "3 images, " in said
        assert ", 2 failed, " in said


def test_images_of_one_name_do_not_overwrite_each_other(shots, predict, tmp_path):
    shutil.copytree(shots, tmp_path / "more" / "shots")
    Image.open(shots / "2.png").save(shots / "2.bmp")
    Image.open(shots / "2.png").save(shots / "2.jpg")
    given = [shots, tmp_path / "more" / "shots", shots / "2.png"]
    code, lines, _ = predict(*given)
    assert code == 0
    assert len(lines) == 3 + 2 + 3
    assert len({line["mask"] for line in lines}) == len({line["overlay"] for line in lines}) == 8
    assert len(files(tmp_path / "predictions" / "masks")) == 8
    masks = {line["path"]: line["mask"] for line in lines}
    twins = [Path(masks[str(shots / name)]).name for name in ("2.bmp", "2.jpg", "2.png")]
    assert twins == ["2.png", "2.jpg.png", "2.png.png"]
    assert masks[str(shots / "monday" / "1.png")] == "masks/shots/monday/1.png"
    assert masks[str(tmp_path / "more/shots/monday/1.png")] == "masks/more/shots/monday/1.png"


def test_images_given_one_by_one_keep_their_names(bad, predict):
    lines = predict(*bad)[1]
    assert [line["mask"] for line in lines] == [f"masks/{path.name}" for path in bad]


@pytest.mark.parametrize("out", ["shots/predictions", "shots", "shots/monday"])
def test_predictions_are_never_judged(shots, predict, out):
    for _ in range(2):
        code, lines, _ = predict("shots", "--out", out)
        assert code == 0
        assert len(lines) == 3
    code, lines, _ = predict("shots", "--out", "elsewhere")
    assert len(lines) == 3


def test_what_is_left_out_is_said_and_not_judged(shots, predict):
    (shots / "clip.mp4").write_bytes(b"film")
    code, lines, said = predict(shots)
    assert code == 1
    assert lines[0] == {
        "path": str(shots / "clip.mp4"),
        "error": "video, of which ffmpeg makes images",
    }
    assert len(lines) == 1 + 3
    assert "left out clip.mp4" in said
    assert "3 images, " in said
    assert ", 1 failed, " in said


def test_a_much_larger_image_is_said_once(shots, predict, texture, write_image):
    for index in range(2):
        write_image(shots / f"large{index}.png", texture(index, (192, 256)))
    _, lines, said = predict(shots)
    assert len(lines) == 5
    assert said.count("16 times larger than those of the calibration") == 1
    assert f"image {shots / 'large0.png'} is 16 times" in said
    assert Image.open(Path("predictions", lines[1]["mask"])).size == (256, 192)


def test_nothing_of_an_image_is_kept(shots, predict, monkeypatch):
    alive, most, real = [], [], Prediction.overlay

    def overlay(self):
        alive.append(weakref.ref(self.image))
        most.append(sum(ref() is not None for ref in alive))
        return real(self)

    monkeypatch.setattr(Prediction, "overlay", overlay)
    for index in range(20):
        shutil.copy(shots / "2.png", shots / f"copy{index}.png")
    assert predict(shots)[0] == 0
    assert len(most) == 23
    assert max(most) <= 2


def watched(monkeypatch, *steps) -> None:
    """Let each step happen while watching sleeps; after the last one Ctrl-C is pressed."""
    waiting = iter(steps)

    def sleep(seconds):
        assert seconds == 0.25
        step = next(waiting, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(sources.time, "sleep", sleep)


def nothing() -> None:
    pass


def test_watching_judges_what_comes_once_it_is_whole(shots, bad, predict, monkeypatch):
    new, data = shots / "new.png", bad[1].read_bytes()
    watched(
        monkeypatch,
        nothing,  # those that were there are predicted after this
        new.touch,
        nothing,
        lambda: new.write_bytes(data[:300]),
        lambda: new.write_bytes(data),
        nothing,  # predicted after this
        nothing,
        lambda: shutil.copy(bad[0], new),  # overwritten
        nothing,
        new.unlink,
        lambda: shutil.copy2(bad[0], new),  # there again
        nothing,
    )
    code, lines, said = predict(shots, "--watch", "--interval", 0.25)
    assert code == 130
    names = [Path(line["path"]).relative_to(shots).as_posix() for line in lines]
    assert names == ["2.png", "monday/1.png", "tuesday/1.png", "new.png", "new.png", "new.png"]
    assert not any("error" in line for line in lines)
    assert lines == kept()
    assert "6 images, " in said
    assert "interrupted; what was finished is kept" in said


def test_watching_may_begin_with_an_empty_folder(tmp_path, bad, predict, monkeypatch):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    watched(monkeypatch, lambda: shutil.copy(bad[0], inbox), nothing)
    code, lines, said = predict(inbox, "--watch", "--interval", 0.25)
    assert code == 130
    assert len(lines) == 1
    assert "watching" in said


def test_watching_survives_a_folder_that_is_away_for_a_moment(shots, predict, monkeypatch):
    away = shots.with_name("away")
    watched(
        monkeypatch,
        nothing,
        lambda: shots.rename(away),
        lambda: away.rename(shots),
        nothing,
    )
    code, lines, _ = predict(shots, "--watch", "--interval", 0.25)
    assert code == 130
    assert len(lines) == 6


def test_a_watch_goes_on_with_the_log(shots, predict, monkeypatch):
    for n_lines in (3, 6):
        watched(monkeypatch, nothing)
        predict(shots, "--watch", "--interval", 0.25)
        assert len(kept()) == n_lines


def test_an_interrupted_command_keeps_what_it_wrote(shots, predict, monkeypatch):
    real, written = Prediction.to_dict, []

    def to_dict(self):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(self)
        return real(self)

    monkeypatch.setattr(Prediction, "to_dict", to_dict)
    code, lines, said = predict(shots)
    assert code == 130
    assert len(lines) == len(kept()) == 2
    assert "2 images" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere", "x.png"], "no such folder at nowhere"),
        (["."], "the following arguments are required: IMAGE"),
        ([".", "x.png"], "no finished run at ."),
        (["RUN", "nothing.png"], "no image and no folder at nothing.png"),
        (["RUN", "empty"], "no image in empty"),
        (["RUN", "empty", "--interval", "0"], "--interval must be greater than 0"),
        (["RUN", "empty", "--batch-size", "0"], "--batch-size at least 1"),
        (["RUN", "empty", "--wach"], "did you mean '--watch'"),
        (["no.onnx", "x.png"], "no exported graph at no.onnx"),
        (["model.pt", "x.png"], "no such folder at model.pt"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(run, words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    assert main(["predict", *[str(run) if word == "RUN" else word for word in words]]) == 1
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not said.out
    assert not Path("predictions").exists()
