"""Commands and Python blocks of all pages do what they say, on one small data set and run."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from doc_pages import blocks, commands
from small_recipes import PATCHCORE

from zoo.cli import main
from zoo.data.tiny import write_tiny

pytestmark = pytest.mark.slow
RANDOM = "weights: random\n    backbone: resnet10t\n    layers: [layer1, layer2]"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return a folder with one rendered object, a quick recipe, and a finished run of it."""
    folder = tmp_path_factory.mktemp("site")
    write_tiny(folder / "tiny", objects=["badge"])
    recipe = PATCHCORE.replace("image_size: 64", "image_size: 96")
    (folder / "quick.yaml").write_text(recipe.replace("ratio: 0.1", "ratio: 0.02"), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        [first, *_] = commands("docs/mvtec-ad-2.md", names(folder))
        assert main(first[1:]) == 0
    return folder


@pytest.fixture
def here(site, tmp_path, monkeypatch, texture, write_image):
    """Stand in a copy of the folder that has photographs, too."""
    monkeypatch.chdir(shutil.copytree(site, tmp_path / "site"))
    for index in range(8):
        write_image(Path(f"photos/good/{index}.png"), texture(index))
    bad = texture(9)
    cv2.rectangle(bad, (20, 10), (40, 26), (255, 255, 255), -1)
    for name in ("photos/bad/0.png", "photos/new/7.jpg"):
        write_image(Path(name), bad)
    return Path.cwd()


def names(folder: Path) -> dict[str, str]:
    """Return what the pages name, and what it is called in the folder."""
    return {
        "$ZOO_DATA": str(folder / "tiny"),
        "patchcore/embedded padim/stock": "quick.yaml",
        "patchcore/embedded": "quick.yaml",
        "patchcore-embedded": "quick",
    }


def carry_out(words: list[str], monkeypatch) -> None:
    program, *rest = words
    if program == "zoo":
        assert main(rest) == 0, words
        return
    assert program == "python"
    monkeypatch.setattr(sys, "argv", rest)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(rest[0], run_name="__main__")
    assert not ended.value.code, words


def test_mvtec_ad_2(here, monkeypatch, capsys):
    for words in commands("docs/mvtec-ad-2.md", names(here)):
        carry_out(words, monkeypatch)
    assert {"entry.tar.gz", "vand4.tar.gz", "vand4", "runs"} <= {p.name for p in here.iterdir()}
    printed = capsys.readouterr().out
    assert "finished before" in printed
    assert printed.count("has no error: 32 maps and 32 masks of 1 objects") == 2
    assert "| quick | patchcore | yes | 1 | 1 |" in printed


def test_exporting(here, monkeypatch):
    for package in ("onnx", "onnxscript", "onnxruntime", "openvino", "nncf"):
        pytest.importorskip(package, reason="the extra `export` is not installed")
    Path("IMAGES").mkdir()
    for path in ("IMAGES/7.png", "7.png"):
        shutil.copy("photos/bad/0.png", path)
    # Of a network that was trained: the allowed differences are for such.
    Path("trained.yaml").write_text(PATCHCORE.replace(RANDOM, "weights: embedded"), "utf-8")
    assert main(["fit", "trained.yaml", "--good", "photos/good", "--out", "RUN"]) == 0
    assert main(["calibrate", "RUN", "--rule", "Quantile(q=0.9)"]) == 0  # so that masks hold some
    for words in commands("docs/exporting.md")[:3]:  # without `zoo pick`
        carry_out(words, monkeypatch)
    for file in Path("RUN/exported").iterdir():
        shutil.copy(file, file.name)
    assert main(["predict", "model.onnx", "IMAGES", "--out", "expected"]) == 0
    expected = cv2.imread("expected/masks/7.png", cv2.IMREAD_GRAYSCALE) > 0
    assert expected.any()
    lines, others = blocks("docs/exporting.md", "python")
    found: dict = {}
    exec(compile(lines, "exporting.md", "exec"), found)
    np.testing.assert_array_equal(found["mask"], expected)
    last = lines.splitlines()[-1]
    exec(compile(f"import openvino\n{others}\n{last}", "exporting.md", "exec"), found)
    np.testing.assert_array_equal(found["mask"], expected)


def test_recipes(here, monkeypatch, capsys):
    smaller = {"1024": "48 --tiling.side 64", "OBJECT": "badge", "image_size 128": "image_size 64"}
    for words in commands("docs/recipes.md", {**smaller, **names(here)}):
        words, into = (words[:-2], words[-1]) if ">" in words else (words, None)
        capsys.readouterr()
        if any("--print_config" in word for word in words):
            with pytest.raises(SystemExit, match="0"):
                main(words[1:])
        else:
            carry_out(words, monkeypatch)
        if into:
            Path(into).write_text(capsys.readouterr().out, encoding="utf-8")
    assert "my_recipe · badge · seed 0 · to do" in capsys.readouterr().out
    assert Path("detector/model.ckpt").is_file()


def test_many_runs(here, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)  # there is none here
    shutil.rmtree("runs")
    *here_alone, on_ray = commands("docs/cluster.md", {**names(here), "ads 4": "ads 1"})
    for words in here_alone:
        carry_out(words, monkeypatch)
    assert "| quick | patchcore | yes | 1 |" in capsys.readouterr().out
    ray = pytest.importorskip("ray.cluster_utils", reason="the extra ray is not installed")
    shutil.rmtree("runs")
    cluster = ray.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        carry_out([cluster.address if word == "auto" else word for word in on_ray], monkeypatch)
    finally:
        cluster.shutdown()
    assert "| quick | patchcore | yes | 1 |" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_readme(capsys):
    [lines] = [block for block in blocks("README.md", "python") if block.startswith("import zoo\n")]
    exec(compile(lines, "README.md", "exec"), {})
    assert re.search(r"(True|False) \d+\.\d+ \[.*\] \(48, 64\)\n", capsys.readouterr().out)


def test_python(here, capsys):
    shutil.rmtree("runs")
    shutil.move("tiny", "tinyset")
    found: dict = {}
    for block in blocks("docs/python.md", "python"):
        exec(compile(block, "docs/python.md", "exec"), found)
    printed = capsys.readouterr().out
    assert "photos/bad/0.png" in printed
    assert re.search(r"quickstart\s+0\.\d+", printed)
