"""Real processes and a real Ray cluster give the numbers of one run after another, also killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.cli import main

pytestmark = pytest.mark.slow

# PatchCore that tells which process and device it is on, and waits there when it is recorded to.
SPY = """
import os, time
from pathlib import Path
from zoo_plugins.patchcore import ZooPatchcore


class Spy(ZooPatchcore):
    def on_fit_start(self, *args, **kwargs):
        here = Path(os.environ["SPY"])
        name = self.trainer.datamodule.category
        recorded = here / f"{name}.{len(list(here.glob(name + '.*')))}"
        recorded.write_text(f"{os.getpid()} {os.environ.get('CUDA_VISIBLE_DEVICES')}")
        while (here / f"hold {name}").exists():
            time.sleep(0.05)
        super().on_fit_start(*args, **kwargs)
"""
OBJECTS = ("one", "part", "two")


@pytest.fixture
def place(tmp_path, mini, recipe, monkeypatch):
    """Return a folder with three objects, a recipe, and what the recipe needs on the path."""
    for index, name in enumerate(OBJECTS):
        if name != "part":
            shutil.copytree(mini / "part", mini / name)
            (mini / name / "train/good" / f"00{index}_regular.png").unlink()
    (tmp_path / "code").mkdir()
    (tmp_path / "spy").mkdir()
    (tmp_path / "code" / "spy_model.py").write_text(SPY)
    recipe.write_text(recipe.read_text().replace("ZooPatchcore", "spy_model.Spy"))
    monkeypatch.syspath_prepend(tmp_path / "code")
    monkeypatch.setenv("SPY", str(tmp_path / "spy"))
    # Cluster nodes are started from here, and find the recipe's class as these processes do.
    path = [str(tmp_path / "code"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    return tmp_path


def words(place, out, *more: str) -> list[str]:
    data = ("--data.root", str(place / "data"), "--out", str(place / out))
    return ["bench", str(place / "quick.yaml"), *data, "--trust", "--threads", "1", *more]


def results(place, out) -> dict[str, dict]:
    paths = sorted((place / out).rglob("metrics.json"))
    return {path.parent.parent.name: json.loads(path.read_text())["splits"] for path in paths}


def hashes(place, out) -> set[str]:
    paths = (place / out).rglob("metrics.json")
    return {json.loads(path.read_text())["config_hash"] for path in paths}


def recorded(place, name, attempt=0) -> Path:
    """Wait until a run has begun."""
    path = place / "spy" / f"{name}.{attempt}"
    patience = time.monotonic() + 120
    while not (path.exists() and path.read_text()) and time.monotonic() < patience:
        time.sleep(0.05)
    return path


def start(place, *more: str) -> subprocess.Popen:
    call = "import sys; from zoo.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", call, *words(place, *more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_processes_give_the_numbers_of_one_after_the_other(place, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("torch.cuda.device_count", lambda: 2)  # there is none here
        assert main(words(place, "devices", "--devices", "0,1")) == 0
    seen = dict(path.read_text().split() for path in (place / "spy").iterdir())
    assert set(seen.values()) == {"0", "1"}  # a device for each process
    assert "[3/3] " in capsys.readouterr().out
    shutil.rmtree(place / "spy")
    (place / "spy").mkdir()
    assert main(words(place, "alone")) == 0
    assert {path.read_text().split()[1] for path in (place / "spy").iterdir()} == {"None"}
    assert set(results(place, "alone")) == set(OBJECTS)
    assert results(place, "devices") == results(place, "alone")
    # The device is not part of the configuration: what is finished stays finished.
    assert hashes(place, "devices") == hashes(place, "alone")
    assert main(words(place, "devices")) == 0
    assert "finished before" in capsys.readouterr().out


@pytest.mark.usefixtures("interruptible")
def test_a_killed_worker_is_replaced_and_ctrl_c_keeps_what_is_finished(place):
    (place / "spy" / "hold two").touch()
    grid = start(place, "runs", "--jobs", "2")
    os.kill(int(recorded(place, "two").read_text().split()[0]), signal.SIGKILL)
    assert recorded(place, "two", attempt=1).exists()
    patience = time.monotonic() + 120
    while len(results(place, "runs")) < 2 and time.monotonic() < patience:
        time.sleep(0.1)
    grid.send_signal(signal.SIGINT)
    printed, _ = grid.communicate()
    assert grid.returncode == 130
    assert "interrupted; what was finished is kept" in printed
    assert set(results(place, "runs")) == {"one", "part"}
    assert not list((place / "runs" / "quick" / "two").iterdir())
    (place / "spy" / "hold two").unlink()
    grid = start(place, "runs", "--jobs", "2")
    printed, _ = grid.communicate()
    assert grid.returncode == 0
    assert "seed 0 · 2 finished before, 1 to do" in printed
    assert main(words(place, "alone")) == 0
    assert results(place, "runs") == results(place, "alone")


def test_two_grids_share_a_folder_and_kill_9_leaves_nothing_that_computes_on(place):
    (place / "spy" / "hold part").touch()
    first = start(place, "runs", "--jobs", "2")
    worker = int(recorded(place, "part").read_text().split()[0])
    second = start(place, "runs")
    printed, _ = second.communicate()
    assert second.returncode == 1
    assert "left out: quick · part · seed 0: " in printed
    assert f"part/seed0 is being computed by process {worker} on " in printed
    assert set(results(place, "runs")) == {"one", "two"}
    first.kill()
    first.communicate()
    (place / "spy" / "hold part").unlink()
    patience = time.monotonic() + 20
    while Path(f"/proc/{worker}").exists() and time.monotonic() < patience:
        time.sleep(0.05)
    last = start(place, "runs")
    printed, _ = last.communicate()
    assert last.returncode == 0, printed
    assert set(results(place, "runs")) == set(OBJECTS)


def test_a_ray_cluster_of_two_nodes_repeats_the_run_of_a_killed_worker(place, capsys, monkeypatch):
    pytest.importorskip("ray", reason="the extra ray is not installed")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    (place / "spy" / "hold two").touch()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        address = ("--executor", "ray", "--address", cluster.address)
        assert main(words(place, "ray", *address, "--threads", "2")) == 1
        assert "no node of the cluster has 2 cores" in capsys.readouterr().err
        grid = start(place, "ray", *address)
        os.kill(int(recorded(place, "two").read_text().split()[0]), signal.SIGKILL)
        (place / "spy" / "hold two").unlink()
        printed, _ = grid.communicate(timeout=300)
    finally:
        cluster.shutdown()
    assert grid.returncode == 0, printed
    assert recorded(place, "two", attempt=1).exists()
    assert "time unknown" in printed
    assert main(words(place, "alone")) == 0
    assert results(place, "ray") == results(place, "alone")
    assert hashes(place, "ray") == hashes(place, "alone")


def test_without_ray_it_says_what_to_install(place, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(words(place, "ray", "--executor", "ray")) == 1
    assert "pip install 'anomalib-zoo[ray]'" in capsys.readouterr().err
