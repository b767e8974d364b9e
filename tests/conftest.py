"""Shared fixtures: two threads in all, a cache of our own, and data sets of a few small images."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import cv2
import hypothesis
import numpy as np
import pytest

# Before torch is imported anywhere: equal thread counts make runs comparable to the last digit.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
# Waiting threads that spin make a forward pass 40 times slower where cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # large pages: fewer of them to be zeroed
os.environ.setdefault("MPLBACKEND", "Agg")

# Random inputs are the same in every run of the suite; benchmarks/fuzz_trust.py draws new ones.
hypothesis.settings.register_profile("suite", derandomize=True)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Keep the developer's image cache out of the tests, and the tests out of it."""
    os.environ["ANOMALIB_ZOO_CACHE"] = str(tmp_path_factory.mktemp("image_cache"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Let files with slow tests begin, so that no process is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def texture(seed: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Return a smooth random texture, (H, W, 3) uint8."""
    noise = np.random.default_rng(seed).random((*size, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.uint8(np.clip(128 + 600 * (smooth - 0.5), 0, 255))


def write_image(path: Path, pixels: np.ndarray) -> Path:
    """Write pixels (RGB or grey) as an image file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return path


def write_object(
    root: Path, name: str, n_train: int = 4, truth: bool = True, size: tuple[int, int] = (48, 64)
) -> Path:
    """Write a minimal object in the MVTec AD 2 layout: a bright square is the defect."""
    folder = root / name
    for index in range(n_train):
        write_image(folder / f"train/good/{index:03d}_regular.png", texture(index, size))
    for index in range(3):
        write_image(folder / f"validation/good/{index:03d}_regular.png", texture(50 + index, size))
    mask = np.zeros(size, np.uint8)
    mask[10:26, 20:40] = 255
    for index in range(2):
        good, bad = texture(100 + index, size), texture(200 + index, size)
        bad[mask > 0] = 255 - bad[mask > 0] // 4
        write_image(folder / f"test_public/good/{index:03d}_regular.png", good)
        write_image(folder / f"test_public/bad/{index:03d}_regular.png", bad)
        write_image(folder / f"test_public/ground_truth/bad/{index:03d}_regular_mask.png", mask)
        for split, light in (("test_private", "regular"), ("test_private_mixed", "mixed")):
            for number, pixels, real in ((index, good, mask * 0), (index + 2, bad, mask)):
                write_image(folder / f"{split}/{number:03d}_{light}.png", pixels)
                if truth:
                    stem = f"private_ground_truth/{split}/{number:03d}_{light}_mask.png"
                    write_image(folder / stem, real)
    return folder


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """Return a data set with one object of a few 64x48 images, private truth included."""
    write_object(tmp_path / "data", "part")
    return tmp_path / "data"


@pytest.fixture(name="texture", scope="session")
def _texture():
    """Return the function `texture`; test modules cannot import this file."""
    return texture


@pytest.fixture(name="write_image", scope="session")
def _write_image():
    """Return the function `write_image`."""
    return write_image


@pytest.fixture(name="write_object", scope="session")
def _write_object():
    """Return the function `write_object`."""
    return write_object


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Return the file of a recipe that fits in a second, called quick."""
    from small_recipes import PATCHCORE

    path = tmp_path / "quick.yaml"
    path.write_text(PATCHCORE, encoding="utf-8")
    return path


@pytest.fixture
def cheap_runs(monkeypatch: pytest.MonkeyPatch):
    """Let runs of this process write their folders without computing; see `CheapFit`."""
    from cheap_runs import COST, CheapFit, evaluate_nothing

    from zoo.runs.run import run

    fit = CheapFit()
    monkeypatch.setattr("zoo.benchmark.attempt.fit_here", fit)
    monkeypatch.setitem(run.__kwdefaults__, "fit", fit)
    monkeypatch.setattr("zoo.runs.run.evaluate", evaluate_nothing)
    monkeypatch.setattr("zoo.runs.run.measure_cost", lambda *args: COST)
    return fit


@pytest.fixture
def interruptible():
    """Let SIGINT raise, also where a shell has ignored it for tests that run behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that as much as looks up a host."""

    def touched(*args: object, **kwargs: object) -> None:
        pytest.fail(f"the network was touched: {args}")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, touched)
    monkeypatch.setattr(socket.socket, "connect", touched)
    monkeypatch.setattr(urllib.request, "urlopen", touched)


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """Return a function that makes anomalib's stock engine, quiet and on the CPU."""
    from anomalib.engine import Engine

    def make():
        return Engine(
            default_root_dir=tmp_path_factory.mktemp("engine"),
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    return make


@pytest.fixture(scope="session")
def fitted(tmp_path_factory, engine):
    """Return a PatchCore that anomalib's engine fitted, its data, and its checkpoint."""
    from lightning import seed_everything
    from zoo_plugins.patchcore import ZooPatchcore

    from zoo.data import MVTecAD2Layout
    from zoo.methods import BlobPostProcessor
    from zoo.postprocess import Quantile

    root = tmp_path_factory.mktemp("fitted")
    write_object(root, "part")
    seed_everything(0)
    model = ZooPatchcore(
        weights="random",
        backbone="resnet10t",  # few operations: a graph of it is made in seconds
        layers=["layer1", "layer2"],
        image_size=64,
        coreset_sampling_ratio=0.1,
        post_processor=BlobPostProcessor(Quantile()),  # needs no relit images
        visualizer=False,
    )
    runner = engine()
    runner.fit(model, datamodule=MVTecAD2Layout(root, "part"))
    runner.trainer.save_checkpoint(root / "model.ckpt")
    return SimpleNamespace(model=model, root=root, checkpoint=root / "model.ckpt")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the real photographs, where somebody has them."""
    root = os.environ.get("ZOO_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("real photographs are not here: set ZOO_DATA to a data set in the layout")
    return Path(root)


@pytest.fixture(scope="session")
def graph(fitted, tmp_path_factory):
    """Return a function that gives the path of the fitted PatchCore's graph by its suffix."""
    from zoo.export import export_model

    made, runtimes = {}, {".onnx": "onnxruntime", ".xml": "openvino"}

    def get(suffix: str):
        for package in ("onnx", "onnxscript", runtimes[suffix]):
            pytest.importorskip(package, reason="the extra `export` is not installed")
        if suffix not in made:
            folder = tmp_path_factory.mktemp("graph")
            made[suffix] = export_model(fitted.model, folder / f"model{suffix}")
        return made[suffix]

    return get


@pytest.fixture(scope="session")
def exported(graph):
    """Return a function that gives the loaded graph by its suffix."""
    from zoo.predict import GraphPredictor

    made = {}

    def get(suffix: str) -> GraphPredictor:
        if suffix not in made:
            made[suffix] = GraphPredictor(graph(suffix), threads=1)
        return made[suffix]

    return get
