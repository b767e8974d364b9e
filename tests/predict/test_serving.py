"""Predictors in servers: shared by threads, bounded in memory, never hanging in a fork."""

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
from zoo.predict import GraphPredictor, TorchPredictor
from zoo.utils.errors import one_line

RUNTIMES = ["torch", ".onnx", ".xml"]
N_THREADS, N_EACH = 8, 10
_SECONDS = 30  # a hanging child is given up after


@pytest.fixture(params=RUNTIMES)
def predictor(request, fitted):
    """A predictor of each runtime, with limits that mark something in most images."""
    limits = Calibration(3.0, min_area_px=2)
    if request.param == "torch":
        return TorchPredictor(fitted.model, limits)
    made = request.getfixturevalue("exported")(request.param)
    made.calibration = limits
    return made


@pytest.fixture(scope="module")
def images(texture):
    return [texture(seed, (40 + 3 * seed, 64)) for seed in range(7)]


def same(one, other):
    arrays = np.array_equal(one.anomaly_map, other.anomaly_map) and np.array_equal(
        one.mask, other.mask
    )
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
            message = str(work())
        except BaseException as error:
            message = f"{type(error).__name__}: {one_line(error)}"
        os.write(writing, message.encode())
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


def test_threads_that_share_a_predictor_get_what_one_alone_gets(predictor, images):
    alone = [predictor.predict(image) for image in images]

    def work(thread):
        order = [(thread + step) % len(images) for step in range(N_EACH)]
        return [(index, predictor.predict(images[index])) for index in order]

    for index, found in (pair for pairs in in_threads(work) for pair in pairs):
        assert same(found, alone[index])


def test_threads_that_share_a_stream_share_its_images(predictor, images):
    alone = [predictor.predict(image) for image in images]
    stream = predictor.predict(images * 3)
    found = [each for part in in_threads(lambda _: list(stream)) for each in part]
    assert len(found) == 3 * len(images)
    for image, expected in zip(images, alone, strict=True):
        mine = [each for each in found if np.array_equal(each.image, image)]
        assert len(mine) == 3
        assert all(same(each, expected) for each in mine)


def test_a_method_may_keep_what_it_computes_on_itself(fitted, images, monkeypatch):
    predictor = TorchPredictor(fitted.model, Calibration(3.0))

    def keeps(batch, *args):
        fitted.model.last = batch.image  # as a hook that collects features does
        time.sleep(0.001)
        batch.anomaly_map = fitted.model.last.mean(1, keepdim=True)
        batch.pred_score = None
        return batch

    monkeypatch.setattr(fitted.model, "test_step", keeps)
    monkeypatch.setattr(fitted.model, "last", None, raising=False)
    alone = [predictor.score(image)[1] for image in images]

    def work(thread):
        return [predictor.score(image)[1] for image in images]

    assert in_threads(work) == [alone] * N_THREADS


def test_a_map_stays_when_a_method_uses_its_memory_again(fitted, images, monkeypatch):
    memory = torch.zeros(1, 1, 8, 8)

    def overwrites(batch, *args):
        batch.anomaly_map = memory.fill_(float(batch.image.mean()))
        batch.pred_score = None
        return batch

    monkeypatch.setattr(fitted.model, "test_step", overwrites)
    predictor = TorchPredictor(fitted.model, Calibration(3.0))
    (first, score), _ = (predictor.score(image) for image in images[:2])
    assert (first == np.float32(score)).all()


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_new_limits_in_one_thread_do_not_disturb_another(suffix, exported, images):
    model = exported(suffix)
    limits = [Calibration(threshold) for threshold in (0.0, 1e9)]

    def work(thread):
        found = []
        for step in range(N_EACH):
            model.calibration = limits[(thread + step) % 2]
            found.append(model.predict(images[0]).mask.mean())
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

    def test_a_predictor_is_an_error_in_a_child(self, predictor, images):
        predictor.predict(images[0])
        small = predictor.at_model_size(images[0])
        for work in (
            lambda: predictor.predict(images[0]),
            lambda: predictor.score(images[0]),
            lambda: next(predictor.predict(images)),
            lambda: list(predictor.predict(images, on_error=lambda *args: None)),
            lambda: predictor.score_images([small], [(40, 64)]),
        ):
            message = in_a_fork(work)
            assert message.startswith("ZooError: this process was forked after ")
            assert "multiprocessing.get_context('spawn')" in message
        assert predictor.predict(images[0]).mask.shape == images[0].shape[:2]

    def test_a_stream_stays_where_it_began(self, predictor, images):
        stream = predictor.predict(images)
        next(stream)
        assert "ZooError: a stream of predictions does not continue" in in_a_fork(
            lambda: next(stream)
        )
        assert len(list(stream)) == len(images) - 1

    def test_a_predictor_made_in_a_child_of_torch_is_an_error_too(self, fitted, images):
        TorchPredictor(fitted.model, Calibration(3.0)).predict(images[0])
        message = in_a_fork(
            lambda: TorchPredictor(fitted.model, Calibration(3.0)).predict(images[0])
        )
        assert message.startswith("ZooError: this process was forked after torch had computed")

    def test_one_thread_of_torch_needs_no_other(self, fitted, images):
        predictor = TorchPredictor(fitted.model, Calibration(3.0))

        def alone():
            torch.set_num_threads(1)
            return predictor.predict(images[0]).score

        assert float(in_a_fork(alone)) == pytest.approx(predictor.predict(images[0]).score)

    def test_an_onnx_graph_loaded_in_a_child_works(self, graph, exported, images):
        here = exported(".onnx").predict(images[0]).score
        there = in_a_fork(
            lambda: GraphPredictor(graph(".onnx"), threads=2).predict(images[0]).score
        )
        assert float(there) == pytest.approx(here, rel=1e-5)

    def test_openvino_in_a_child_of_openvino_is_an_error_too(self, graph, exported, images):
        exported(".xml").predict(images[0])
        message = in_a_fork(lambda: GraphPredictor(graph(".xml"), threads=2).predict(images[0]))
        assert message.startswith("ZooError: this process was forked after OpenVINO had begun")
