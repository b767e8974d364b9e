"""Metrics inside anomalib's evaluator: values of `zoo.metrics`, at model size, of raw maps."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from zoo.methods.evaluator import RawEvaluator
from zoo.metrics import PixelScores

METRICS = {metric.name: metric for metric in RawEvaluator().test_metrics}
OF_MAPS = [f"{name}_model_size" for name in ("oracle_segf1", "pixel_auroc", "au_pro_005")]
OF_MASKS = [f"{name}_model_size" for name in ("segf1", "precision", "recall")]
OF_MASKS += ["segf1_all_positive_model_size", "flagged_fraction_model_size"]
OF_IMAGES = ["image_auroc", "image_f1_max"]


def make(name: str):
    return copy.deepcopy(METRICS[name])


def batch(seed: int, size: int = 4, channel: bool = True, dtype: torch.dtype = torch.float32):
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(size, 12, 9, generator=generator) < 0.2
    maps = 20 + 30 * torch.rand(size, 12, 9, generator=generator) + 9 * truth
    labels = torch.arange(size) % 2
    truth &= labels.bool()[:, None, None]
    maps = maps.to(dtype)
    return SimpleNamespace(
        anomaly_map=maps[:, None] if channel else maps,
        pred_mask=maps > 40,
        gt_mask=truth,
        gt_label=labels,
        pred_score=maps.amax((1, 2)),
    )


def flat(*batches, name: str) -> np.ndarray:
    return np.concatenate([getattr(b, name).float().numpy().ravel() for b in batches])


def test_scores_far_outside_the_unit_interval_keep_their_order():
    metric, given = make("pixel_auroc_model_size"), [batch(0), batch(1, 3, channel=False)]
    for each in given:
        metric.update(each)
    expected = roc_auc_score(flat(*given, name="gt_mask"), flat(*given, name="anomaly_map"))
    assert metric.compute().item() == pytest.approx(expected, abs=1e-3)
    assert 0.5 < expected < 0.9


def test_au_pro_and_oracle_are_those_of_zoo_metrics():
    given, pixels = batch(2), PixelScores()
    for score_map, truth in zip(given.anomaly_map[:, 0], given.gt_mask, strict=True):
        pixels.update(score_map.numpy(), truth.numpy())
    for name, expected in [
        ("au_pro_005", pixels.au_pro(0.05)),
        ("au_pro_030", pixels.au_pro(0.3)),
        ("oracle_segf1", pixels.oracle_segf1),
    ]:
        metric = make(f"{name}_model_size")
        metric.update(given)
        assert metric.compute().item() == pytest.approx(expected)


def test_masks_are_counted_as_scikit_learn_counts():
    given = [batch(3), batch(4)]
    truth, marked = flat(*given, name="gt_mask"), flat(*given, name="pred_mask")
    expected = [f1_score(truth, marked), precision_score(truth, marked)]
    expected += [recall_score(truth, marked), f1_score(truth, truth >= 0), marked.mean()]
    for kind, value in zip(OF_MASKS, expected, strict=True):
        metric = make(kind)
        for each in given:
            metric.update(each)
        assert metric.compute().item() == pytest.approx(value), kind


def test_image_metrics_see_all_batches():
    given = [batch(5), batch(6)]
    labels, scores = flat(*given, name="gt_label"), flat(*given, name="pred_score")
    metric, best = make("image_auroc"), make("image_f1_max")
    for each in given:
        metric.update(each)
        best.update(each)
    assert metric.compute().item() == pytest.approx(roc_auc_score(labels, scores))
    reached = max(f1_score(labels, scores >= threshold) for threshold in scores)
    assert best.compute().item() == pytest.approx(reached)


@pytest.mark.parametrize("kind", [*OF_MAPS, *OF_MASKS, *OF_IMAGES])
def test_parts_of_several_processes_add_up(kind, monkeypatch):
    whole, one, other = make(kind), make(kind), make(kind)
    for metric, seeds in ((whole, (7, 8)), (one, (7,)), (other, (8,))):
        for seed in seeds:
            metric.update(batch(seed))

    def gather(states, state, group):
        states[:] = [state, other.state]

    monkeypatch.setattr(torch.distributed, "get_world_size", lambda group=None: 2)
    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    alone = one.compute().item()
    one._computed = None
    with one.sync_context(distributed_available=lambda: True):
        merged = one.value(one.state)
    assert merged == pytest.approx(whole.compute().item())
    assert one.compute().item() == pytest.approx(alone)  # its own state is back


@pytest.mark.parametrize("kind", [*OF_MAPS, *OF_MASKS, *OF_IMAGES])
def test_calling_a_metric_gives_the_batch_and_keeps_the_rest(kind):
    metric, first, second = make(kind), make(kind), make(kind)
    metric.update(batch(9))
    second.update(batch(10))
    assert metric(batch(10)).item() == pytest.approx(second.compute().item())
    first.update(batch(9))
    first.update(batch(10))
    assert metric.compute().item() == pytest.approx(first.compute().item())
    metric.reset()
    metric.update(batch(10))
    assert metric.compute().item() == pytest.approx(second.compute().item())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kind", [*OF_MAPS, *OF_IMAGES])
def test_other_precisions_are_counted(kind, dtype):
    metric = make(kind)
    metric.update(batch(11, dtype=dtype))
    assert 0 <= metric.compute().item() <= 1


def test_without_a_defect_a_value_is_nan():
    given = batch(12)
    given.gt_mask, given.gt_label = torch.zeros_like(given.gt_mask), torch.zeros(4)
    for kind in (*OF_MAPS, *OF_IMAGES):
        metric = make(kind)
        metric.update(given)
        assert torch.isnan(metric.compute())


def test_names_say_what_is_measured_at_model_size():
    names = [metric.name for metric in RawEvaluator().test_metrics]
    assert len(names) == len(set(names)) == 11
    assert [name for name in names if not name.endswith("_model_size")] == [
        "image_auroc",
        "image_f1_max",
    ]
