"""Detectors in servers: shared by threads, bounded in memory, never hanging in a fork."""

from __future__ import annotations

import os
import signal
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from zoo.postprocess import Calibration
from zoo.predict.detector import TorchPredictor
from zoo.utils.errors import one_line

RUNTIMES = ["torch", ".onnx", ".xml"]
N_THREADS, N_EACH = 8, 10
_SECONDS = 30  # a hanging child is given up after


@pytest.fixture(params=RUNTIMES)
def detector(request, fitted):
    """A detector of each runtime, with limits that mark something in most pictures."""
    limits = Calibration(3.0, min_area_px=2)
    if request.param == "torch":
        return TorchPredictor(fitted.model, limits)
    made = request.getfixturevalue("exported")(request.param)
    made.calibration = limits
    return made


@pytest.fixture(scope="module")
def pictures(texture):
    return [texture(seed, (40 + 3 * seed, 64)) for seed in range(7)]


def same(one, other):
    arrays = np.array_equal(one.score_map, other.score_map) and np.array_equal(one.mask, other.mask)
    return arrays and one.score == other.score and one.blobs == other.blobs


def in_threads(work):
    """Let several threads do the same, all beginning at once; return what each returned."""
    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(work, range(N_THREADS)))


def in_a_fork(work):
    """Return the text that work gives in a forked child, or what it raised in one line."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of any fork beside threads
        child = os.fork()
    if child == 0:
        try:
            said = str(work())
        except BaseException as error:
            said = f"{type(error).__name__}: {one_line(error)}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    end = time.monotonic() + _SECONDS
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        time.sleep(0.02)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read().decode()


def test_threads_that_share_a_detector_get_what_one_alone_gets(detector, pictures):
    alone = [detector.predict(picture) for picture in pictures]

    def work(thread):
        order = [(thread + step) % len(pictures) for step in range(N_EACH)]
        return [(index, detector.predict(pictures[index])) for index in order]

    for index, found in (pair for pairs in in_threads(work) for pair in pairs):
        assert same(found, alone[index])


def test_threads_that_share_a_stream_share_its_pictures(detector, pictures):
    alone = [detector.predict(picture) for picture in pictures]
    stream = detector.predict(pictures * 3)
    found = [each for part in in_threads(lambda _: list(stream)) for each in part]
    assert len(found) == 3 * len(pictures)
    for picture, expected in zip(pictures, alone, strict=True):
        mine = [each for each in found if np.array_equal(each.image, picture)]
        assert len(mine) == 3
        assert all(same(each, expected) for each in mine)


def test_a_method_may_keep_what_it_computes_on_itself(fitted, pictures, monkeypatch):
    detector = TorchPredictor(fitted.model, Calibration(3.0))

    def remembers(batch, *args):
        fitted.model.last = batch.image  # as a hook that collects features does
        time.sleep(0.001)
        batch.anomaly_map = fitted.model.last.mean(1, keepdim=True)
        batch.pred_score = None
        return batch

    monkeypatch.setattr(fitted.model, "test_step", remembers)
    monkeypatch.setattr(fitted.model, "last", None, raising=False)
    alone = [detector.score(picture)[1] for picture in pictures]

    def work(thread):
        return [detector.score(picture)[1] for picture in pictures]

    assert in_threads(work) == [alone] * N_THREADS


def test_a_map_stays_when_a_method_uses_its_memory_again(fitted, pictures, monkeypatch):
    memory = torch.zeros(1, 1, 8, 8)

    def overwrites(batch, *args):
        batch.anomaly_map = memory.fill_(float(batch.image.mean()))
        batch.pred_score = None
        return batch

    monkeypatch.setattr(fitted.model, "test_step", overwrites)
    detector = TorchPredictor(fitted.model, Calibration(3.0))
    (first, score), _ = (detector.score(picture) for picture in pictures[:2])
    assert (first == np.float32(score)).all()


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_new_limits_in_one_thread_do_not_disturb_another(suffix, exported, pictures):
    model = exported(suffix)
    limits = [Calibration(threshold) for threshold in (0.0, 1e9)]

    def work(thread):
        found = []
        for step in range(N_EACH):
            model.calibration = limits[(thread + step) % 2]
            found.append(model.predict(pictures[0]).mask.mean())
        return found

    assert {share for shares in in_threads(work) for share in shares} == {0.0, 1.0}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
class TestForked:
    """A child has none of its parent's threads, and a runtime would wait for them for ever."""

    @pytest.fixture(autouse=True)
    def _two_threads(self):
        before = torch.get_num_threads()
        torch.set_num_threads(2)
        yield
        torch.set_num_threads(before)

    def test_a_detector_says_so_in_a_child(self, detector, pictures):
        detector.predict(pictures[0])
        small = detector.at_model_size(pictures[0])
        for work in (
            lambda: detector.predict(pictures[0]),
            lambda: detector.score(pictures[0]),
            lambda: next(detector.predict(pictures)),
            lambda: list(detector.predict(pictures, on_error=lambda *said: None)),
            lambda: detector.score_images([small], [(40, 64)]),
        ):
            said = in_a_fork(work)
            assert said.startswith("ZooError: this process was forked after ")
            assert "multiprocessing.get_context('spawn')" in said
        assert detector.predict(pictures[0]).mask.shape == pictures[0].shape[:2]

    def test_a_stream_stays_where_it_began(self, detector, pictures):
        stream = detector.predict(pictures)
        next(stream)
        assert "ZooError: a stream of predictions does not go on" in in_a_fork(lambda: next(stream))
        assert len(list(stream)) == len(pictures) - 1

    def test_a_detector_made_in_a_child_of_torch_says_so_too(self, fitted, pictures):
        TorchPredictor(fitted.model, Calibration(3.0)).predict(pictures[0])
        said = in_a_fork(
            lambda: TorchPredictor(fitted.model, Calibration(3.0)).predict(pictures[0])
        )
        assert said.startswith("ZooError: this process was forked after torch had computed")

    def test_one_thread_of_torch_needs_no_other(self, fitted, pictures):
        detector = TorchPredictor(fitted.model, Calibration(3.0))

        def alone():
            torch.set_num_threads(1)
            return detector.predict(pictures[0]).score

        assert float(in_a_fork(alone)) == pytest.approx(detector.predict(pictures[0]).score)

    def test_an_onnx_graph_loaded_in_a_child_works(self, graph, exported, pictures):
        from zoo.predict import GraphPredictor

        here = exported(".onnx").predict(pictures[0]).score
        there = in_a_fork(
            lambda: GraphPredictor(graph(".onnx"), threads=2).predict(pictures[0]).score
        )
        assert float(there) == pytest.approx(here, rel=1e-5)

    def test_openvino_in_a_child_of_openvino_says_so_too(self, graph, exported, pictures):
        from zoo.predict import GraphPredictor

        exported(".xml").predict(pictures[0])
        said = in_a_fork(lambda: GraphPredictor(graph(".xml"), threads=2).predict(pictures[0]))
        assert said.startswith("ZooError: this process was forked after OpenVINO had begun")
