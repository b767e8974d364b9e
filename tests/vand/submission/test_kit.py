"""A kit runs by itself: its entry points train, evaluate and submit from its own folder."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from zoo.cli import main
from zoo.runs.checksums import write_checksums
from zoo.runs.folder import read_metrics
from zoo.vand.submission.runs import find_runs

pytestmark = pytest.mark.slow


@pytest.fixture
def kit(grid, capsys) -> Path:
    """Return a kit of two runs, with the runs and everything else gone."""
    assert main(["submit", str(grid.runs), "--kit", "entry"]) == 0
    printed = capsys.readouterr().out
    assert "admissible to VAND 4.0: yes" in printed
    assert "no attestation" in printed
    shutil.move("runs", "gone")
    return Path("entry").resolve()


def entry_point(kit: Path, name: str, function: str, *words: object) -> int:
    module = runpy.run_path(str(kit / "industrial" / f"{name}.py"))
    return module[function]([str(word) for word in words])


def test_nothing_in_it_tells_of_this_machine(kit, grid, tmp_path):
    assert not Path("entry.unfinished").exists()
    texts = [path for path in kit.rglob("*") if path.suffix in {".md", ".json", ".yaml", ".txt"}]
    assert len(texts) > 10
    for path in texts:
        text = path.read_text(encoding="utf-8")
        assert str(grid.data) not in text, path
        assert str(tmp_path) not in text, path


def test_the_recipe_is_the_runs_own(kit):
    recipe = yaml.safe_load((kit / "quick.yaml").read_text())
    [first, _] = find_runs([Path("gone")])
    assert recipe["model"] == first.config["model"]
    assert set(recipe["data"]["init_args"]).isdisjoint({"root", "category"})


def test_the_manifest_holds_the_hash_of_every_file(kit):
    facts = json.loads((kit / "manifest.json").read_text())
    assert facts["seed"] == 0
    assert facts["sealed"] is False
    assert facts["vand4_admissible"] == {"gear": "yes", "lid": "yes"}
    assert facts["pretrained_weights"] == []  # weights: random
    assert {"zoo", "libraries"} <= set(facts["code"])
    for name, run in facts["runs"].items():
        assert run["folder"] == f"weights/{name}/seed0"
        assert {"config.yaml", "model.ckpt", "calibration.json"} <= set(run["sha256"])
        for file, digest in run["sha256"].items():
            data = (kit / run["folder"] / file).read_bytes()
            assert hashlib.sha256(data).hexdigest() == digest
    recipe = (kit / facts["recipe_file"]).read_bytes()
    assert facts["recipe_sha256"] == hashlib.sha256(recipe).hexdigest()


def test_versions_are_pinned(kit):
    lines = (kit / "requirements.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    for name in ("anomalib-zoo", "anomalib", "timm", "numpy", "tifffile"):
        assert pins[name] == version(name)
    assert pins["torch"] == version("torch").partition("+")[0]
    assert not [name for name in pins if name.startswith("nvidia")]
    assert all(re.fullmatch(r"#.*||[\w.-]+(==| @ git\+)\S+", line) for line in lines)


def test_the_report_is_drafted(kit):
    text = (kit / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# PatchCore on MVTec AD 2")
    for part in ("CVPR (2022)", "| gear |", "| lid |", "q=0.99", "## Rules of VAND 4.0", "p95 ms"):
        assert part in text
    assert "None" not in text


def test_attestations_of_sealed_runs_are_carried(grid):
    for run in (grid.gear, grid.lid):
        (run / "attestation.json").write_text("{}")
    assert main(["submit", str(grid.runs), "--kit", "entry"]) == 0
    facts = json.loads(Path("entry/manifest.json").read_text())
    assert facts["sealed"] is True
    assert "attestation.json" in facts["runs"]["gear"]["sha256"]
    for run in (grid.gear, grid.lid):  # an attestation holds hashes: nothing may be rewritten
        for path in (Path("entry/weights") / run.relative_to("runs/quick")).iterdir():
            same = path.read_bytes() == (run / path.name).read_bytes()
            assert same or path.name == "checksums.json"  # of these files alone


def test_submit_writes_and_checks_an_archive(kit, grid, capsys):
    words = ["--data.root", grid.data, "--out", "entry.tar.gz"]
    assert entry_point(kit, "submit", "submit", *words) == 0
    printed = capsys.readouterr().out
    assert "entry.tar.gz has no error: 16 maps and 16 masks of 2 objects" in printed
    assert main(["submit", "gone", "--out", "same.tar.gz"]) == 0  # from the maps of the runs
    assert Path("entry.tar.gz").read_bytes() != b""
    assert main(["submit", "--check", "same.tar.gz", "--data.root", str(grid.data)]) == 0


def test_test_evaluates_the_masks_of_the_weights(kit, grid, capsys):
    """The reference is what the run itself measured on test_public."""
    assert entry_point(kit, "test", "evaluate", "--data.root", grid.data) == 0
    lines = capsys.readouterr().out.splitlines()
    scores = []
    for name in ("gear", "lid"):
        metrics = read_metrics(kit / "weights" / name / "seed0")
        scores.append(metrics["splits"]["test_public"]["segf1"])
        assert f"{name}: SegF1 {100 * scores[-1]:.2f} %" in lines
    assert lines[-1] == f"mean of 2 objects: SegF1 {50 * sum(scores):.2f} %"


@pytest.mark.slow
def test_train_makes_the_models_anew(kit, grid):
    """The same recipe, seed and data give the thresholds that the weights came with."""
    assert entry_point(kit, "train", "train", "--data.root", grid.data) == 0
    for name in ("gear", "lid"):
        new = json.loads((kit / f"runs/quick/{name}/seed0/calibration.json").read_text())
        old = json.loads((kit / f"weights/{name}/seed0/calibration.json").read_text())
        assert new == old
    assert list(read_metrics(kit / "runs/quick/gear/seed0")["splits"]) == ["test_public"]


@pytest.mark.slow
def test_train_of_a_sealed_kit_seals(grid):
    for run in (grid.gear, grid.lid):
        (run / "attestation.json").write_text("{}")
    assert main(["submit", str(grid.runs), "--kit", "entry"]) == 0
    assert entry_point(Path("entry"), "train", "train", "--data.root", grid.data) == 0
    for name in ("gear", "lid"):
        run = Path(f"entry/runs/quick/{name}/seed0")
        assert json.loads((run / "attestation.json").read_text())["reads"]["data"]
        new = json.loads((run / "calibration.json").read_text())
        carried = Path(f"entry/weights/{name}/seed0/calibration.json")
        assert new == json.loads(carried.read_text())


def test_a_script_runs_by_itself(kit, tmp_path):
    script = str(kit / "industrial" / "submit.py")
    done = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (kit / "uploads.csv").read_text().startswith("uploaded_utc,archive,sha256,by")


def test_nothing_is_overwritten(grid, capsys):
    Path("entry").mkdir()
    Path("entry/mine.txt").touch()
    assert main(["submit", str(grid.runs), "--kit", "entry"]) == 1
    assert "entry is there already and nothing is overwritten" in capsys.readouterr().err
    assert [path.name for path in Path("entry").iterdir()] == ["mine.txt"]


def test_runs_without_models_make_no_kit(grid, capsys):
    (grid.lid / "model.ckpt").unlink()
    assert main(["submit", str(grid.runs), "--kit", "entry"]) == 1
    assert "kept no model: repeat it without --keep none" in capsys.readouterr().err
    assert not Path("entry").exists()


def test_a_kit_of_given_images_is_not_admissible(grid, capsys):
    for run in (grid.gear, grid.lid):
        calibration = run / "calibration.json"
        calibration.write_text(json.dumps({**json.loads(calibration.read_text()), "given": True}))
        write_checksums(run)
    assert main(["submit", str(grid.runs), "--kit", "entry"]) == 0
    assert "VAND 4.0: no: thresholds from given images" in capsys.readouterr().out
    verdicts = json.loads(Path("entry/manifest.json").read_text())["vand4_admissible"]
    assert all(verdict.startswith("no: thresholds from given") for verdict in verdicts.values())


def test_a_kit_is_written_in_its_place_and_no_link_is_followed(grid, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    Path("entry.unfinished").symlink_to(tmp_path / "elsewhere")
    assert main(["submit", str(grid.runs), "--kit", "entry"]) == 0
    assert not list((tmp_path / "elsewhere").iterdir())
    Path("other").symlink_to(tmp_path / "elsewhere")
    assert main(["submit", str(grid.runs), "--kit", "other"]) == 1
    metrics = grid.lid / "metrics.json"
    named = {**json.loads(metrics.read_text()), "object": "../../../../X"}
    metrics.write_text(json.dumps(named))
    write_checksums(grid.lid)
    assert main(["submit", str(grid.runs), "--kit", "third"]) == 1
    assert not list(tmp_path.rglob("X"))
