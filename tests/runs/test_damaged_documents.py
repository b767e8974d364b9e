"""Whatever stands in a run's files: it is read, or named in one line; nothing crashes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.benchmark.sealed.attestation import read_attestation
from zoo.cli import main
from zoo.postprocess import Calibration
from zoo.postprocess.calibration import Sweep
from zoo.predict import ExportMetadata, ImageResize
from zoo.predict.predictor import Scored
from zoo.runs.documents import CASES_LIST
from zoo.runs.folder import FORMAT_VERSION, write_json
from zoo.runs.maps import MapWriter
from zoo.utils.errors import ZooError

SPLITS = ("test_private", "test_private_mixed")
CALIBRATION = Calibration(
    0.5,
    seed_threshold=0.75,
    sweep=Sweep(step=4, shortest_run=4),
    rule="Quantile",
    parameters={"q": 0.5},
    n_images=2,
)
DIGEST = "0" * 64
SEALED = {
    "format": FORMAT_VERSION,
    "recipe": {"name": "quick", "sha256": DIGEST},
    "guards": {"landlock_abi": 4, "audit_hook": True},
    "refused": [],
    "touched": [],
    "reads": {
        "data": {"part/train/good/0.png": DIGEST},
        "weights": {},
        "code": {},
        "other": {},
        "libraries": {"torch": {"files": 1, "sha256": DIGEST}},
    },
    "outputs": {"config.yaml": DIGEST},
    "resumed_from": None,
}


def write_run(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    figures = {"segf1": 0.5, "precision": 0.5, "n_images": 1, "n_good": 0, "reasons": {"a": "b"}}
    facts = {"recipe": "quick", "method": "patchcore", "object": name, "seed": 0}
    facts |= {"format": FORMAT_VERSION, "config_hash": "0"}
    facts |= {"vand4_admissible": "yes", "command": "c", "zoo_version": "0"}
    facts |= {"data_fingerprint": "0", "splits": dict.fromkeys(SPLITS, figures)}
    facts["expected_false_alarms"] = {"n_images": 2, "n_alarms": 0, "per_1000": 0.0}
    write_json(folder / "metrics.json", facts)
    cost = {"phases": {"fit": {"wall_s": 1.0, "cpu_s": 1.0}}, "total_s": 2.0, "threads": 1}
    cost |= {"latency": {"p50_ms": 1.0, "p95_ms": 2.0}, "memory": {"peak_rss_mb": 1.0}}
    write_json(folder / "cost.json", cost | {"device": "cpu", "processor": "p", "versions": {}})
    CALIBRATION.save(folder / "calibration.json")
    data = {"class_path": "zoo.data.MVTecAD2Layout", "init_args": {"root": "/gone"}}
    config = yaml.safe_dump({"model": {"class_path": "x.Y"}, "data": data})
    (folder / "config.yaml").write_text(f"# anomalib-zoo==0\n{config}")
    for split, light in zip(SPLITS, ("regular", "mixed"), strict=True):
        writer = MapWriter(folder, split)
        score_map = np.arange(24, dtype=np.float32).reshape(4, 6) / 20
        writer.append(Scored(Path(f"000_{light}.png"), (8, 12), score_map, 1.0))
        writer.close()
    case = {"kind": "worst", "rank": 1, "file": "a.png", "image": "bad/0.png", "value": 0.5}
    case |= {"width": 12, "height": 8, "has_truth": True, "n_blobs": 1, "missed": [[0, 0, 1, 1]]}
    blob = {"id": 1, "box": [0, 0, 1, 1], "area_px": 1, "peak": 1.0}
    (folder / "cases/test_private").mkdir(parents=True)
    (folder / "cases/test_private/a.png").write_bytes(b"")
    write_json(folder / "cases/test_private" / CASES_LIST, [case | {"blobs": [blob]}])
    write_json(folder / "attestation.json", SEALED)


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    root = tmp_path_factory.mktemp("documents") / "runs"
    for name in ("gear", "lid"):
        write_run(root / "quick" / name / "seed0", name)
    facts = {"recipe": "quick", "object": "nut", "seed": 0, "reason": "no image"}
    (root / "quick/nut/seed0").mkdir(parents=True)
    write_json(root / "quick/nut/seed0/failed.json", facts)
    return root


NAMES = ["metrics.json", "cost.json", "calibration.json", "maps/test_private/index.json"]
NAMES += ["cases/test_private/cases.json", "attestation.json"]
ODD = [float("nan"), float("inf"), -1, 0, True, None, "", "../../x", "/etc/passwd", "a\x1b[2J"]
ODD += [1e308, 10**30, [], {}, [[]], {"a": 1}, "=1", 0.5, "none", {"../../x": {}}, ["x"] * 3]


@st.composite
def damages(draw):
    """Return which value of which file to change, and what to make of it; None takes it away."""
    return draw(st.sampled_from(NAMES)), draw(st.integers(0, 10**6)), draw(st.sampled_from(ODD))


def places(value, here=()):
    yield here
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, each in inner:
        yield from places(each, (*here, key))


def damaged(text: str, number: int, odd) -> str:
    """Return a JSON text with one value replaced, or taken away where `number` is odd."""
    data = {"whole": json.loads(text)}
    every = list(places(data))[1:]
    *path, last = every[number % len(every)]
    inner = data
    for key in path:
        inner = inner[key]
    if number % 7 == 0 and path:
        del inner[last]
    else:
        inner[last] = odd
    return json.dumps(data.get("whole"))


def tried(read, source: object):
    """Return what is read, or None where it is refused in one line that names the file."""
    found, said = None, str(source)
    try:
        found = read()
    except ZooError as error:
        said = str(error)
    assert str(source) in said
    assert "\n" not in said
    assert "\x1b" not in said
    return found


@given(damages())
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_tables_reports_and_submissions_never_crash(sound, tmp_path_factory, capsys, damage):
    never_crash(sound, tmp_path_factory, capsys, *damage)


@pytest.mark.slow
@given(damages())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_they_never_crash_on_many_damages(sound, tmp_path_factory, capsys, damage):
    never_crash(sound, tmp_path_factory, capsys, *damage)


def never_crash(sound, tmp_path_factory, capsys, name, number, odd):
    root = Path(shutil.copytree(sound, tmp_path_factory.mktemp("damaged") / "runs"))
    path = root / "quick/gear/seed0" / name
    path.write_text(damaged(path.read_text(), number, odd))
    out = root.parent / "out"
    for words in (
        ["table", str(root)],
        ["report", str(root), "--out", str(root.parent / "report.html")],
        ["submit", str(root), "--out", str(out)],
    ):
        code = main(words)
        printed = capsys.readouterr()
        assert "--debug shows where it comes from" not in printed.err, printed.err
        assert "\x1b" not in printed.out + printed.err
        if code:
            assert str(root) in printed.err
    outside = {each.name for each in root.parent.iterdir()}
    assert outside <= {"runs", "report.html", "out", "out.unfinished"}
    tried(lambda: read_attestation(path.parent), path.parent)
    found = tried(lambda: Calibration.load(path.parent / "calibration.json"), path.parent)
    if found is not None:
        assert np.isfinite([found.threshold, found.spread_floor, found.min_mass]).all()
        assert 0 <= found.border_px <= 1 << 16
        assert found.seed_threshold is None or found.seed_threshold >= found.threshold
    shutil.rmtree(root.parent)


@given(st.integers(0, 10**6), st.sampled_from(ODD))
@settings(max_examples=100, deadline=None)
def test_metadata_of_a_graph_is_whole_or_refused(number, odd):
    tiling = {
        "resize": {"scale": 0.5, "shorter_side": None, "multiple": 16, "bicubic": False},
        "layout": {"tile": 64, "overlap": 16, "remainder": "spread", "multiple": 16},
        "seams": "blend",
    }
    whole = ExportMetadata(CALIBRATION, ImageResize((64, 96)), tiling, versions={"torch": "2"})
    text = damaged(whole.to_text(), number, odd)
    found = tried(lambda: ExportMetadata.from_text(text, "model.onnx"), "model.onnx")
    if found is None:
        return
    assert isinstance(found.calibration, Calibration)
    assert found.map_reduction >= 1
    assert found.resize is None or min(found.resize.size) >= 1


@pytest.mark.parametrize("cut", [0, 1, 17, -2])
@pytest.mark.parametrize("name", NAMES)
def test_half_a_file_is_named(sound, tmp_path, capsys, name, cut):
    root = Path(shutil.copytree(sound, tmp_path / "runs"))
    path = root / "quick/gear/seed0" / name
    path.write_bytes(path.read_bytes()[:cut])
    for words in (["table", str(root)], ["submit", str(root), "--out", str(tmp_path / "out")]):
        main(words)
        assert "--debug" not in capsys.readouterr().err
