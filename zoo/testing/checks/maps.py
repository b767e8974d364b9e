"""The scores of a fitted method: raw, finite maps that depend on image and seed alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from zoo.data.dataset import NativeBatch
from zoo.postprocess import to_native
from zoo.predict.predictor import Scored
from zoo.predict.torch_predictor import predict_batch
from zoo.testing.method_under_test import MethodUnderTest, score

# Of the range of scores: what sums in another order make of float32, with a wide margin.
BATCH_TOLERANCE = 1e-4
# A lower bound that so many pixels of every image share is no coincidence.
_CLAMPED_SHARE = 0.05


def fits(under_test: MethodUnderTest) -> Iterable[str]:
    """Find a method that anomalib's engine cannot fit."""
    _ = under_test.fitted  # fits when it is asked for
    return ()


def gives_score_maps(under_test: MethodUnderTest) -> Iterator[str]:
    """Find maps of the wrong shape, scores that are not finite, and clamped ones."""
    items = under_test.items(under_test.fitted)
    n_images = len(items)
    with torch.inference_mode():
        batch: Any = predict_batch(under_test.fitted, NativeBatch.collate(items))
    size = tuple(batch.image.shape[-2:])
    maps, scores = batch.anomaly_map, batch.pred_score
    if maps is None:
        yield "there is no score map; return anomaly_map from the model"
        return
    shape = tuple(maps.shape)
    if shape[:-2] not in {(n_images,), (n_images, 1)}:
        yield f"{n_images} images give maps of shape {shape}; return (B, 1, h, w)"
        return
    if shape[-2:] != size:
        yield f"the maps are {shape[-2:]} for images of {size}; bring them to the input's size"
    if scores is not None and scores.numel() != n_images:
        yield f"{n_images} images give {scores.numel()} image scores; return one for each"
    for name, values in (("map", maps), ("image score", scores)):
        if values is not None and not values.isfinite().all():
            yield f"a {name} holds NaN or infinite scores; look at divisions, roots and logarithms"
            return
    yield from _clamped(maps.reshape(n_images, -1).cpu().numpy())


def _clamped(maps: np.ndarray) -> Iterator[str]:
    """Find bounds that raw scores do not have, in maps of shape (images, pixels)."""
    lowest, highest = maps.min(axis=1), maps.max(axis=1)
    if (lowest == highest).any():
        yield "a map has one score everywhere; return raw scores, neither rounded nor thresholded"
    elif (highest == highest.max()).sum() > 1:
        yield (
            f"several maps end at exactly {highest.max():.6g}; return raw scores, neither clamped "
            "nor normalised"
        )
    elif (lowest == lowest[0]).all() and _share(maps == lowest[0]) > _CLAMPED_SHARE:
        yield f"many scores are exactly {lowest[0]:.6g}; return raw scores, not clamped from below"


def _share(pixels: np.ndarray) -> float:
    """Return the smallest share of true pixels of an image, of (images, pixels)."""
    return float(pixels.mean(axis=1).min())


def scores_defects_higher(under_test: MethodUnderTest) -> Iterator[str]:
    """Find scores of the wrong sign, or maps that are turned, mirrored or shifted."""
    anomalous: list[float] = []
    normal: list[float] = []
    differences = []
    for sample, scored in zip(under_test.samples, under_test.alone, strict=True):
        (anomalous if sample.label else normal).append(scored.score)
        if sample.label:
            score_map = to_native(scored.score_map, scored.native_size)
            truth = sample.truth(scored.native_size)
            assert truth is not None  # of a defect
            differences.append(score_map[truth].mean() - score_map[~truth].mean())
    if np.mean(differences) <= 0:
        yield (
            f"pixels of a defect score {-np.mean(differences):.3g} lower than the others on "
            "average; larger is more anomalous, and a map lies as its image does (a trained "
            "method may need more steps: trainer={'max_epochs': ..., 'max_steps': ...})"
        )
    if np.mean(anomalous) <= np.mean(normal):
        yield (
            f"anomalous images score {np.mean(anomalous):.6g} on average, normal ones "
            f"{np.mean(normal):.6g}; the image score must be larger where there is a defect"
        )


def ignores_the_batch(under_test: MethodUnderTest) -> Iterator[str]:
    """Find images whose scores depend on the batch, or change when they are scored again."""
    model, alone = under_test.fitted, under_test.alone
    items = under_test.items(model)
    together = score(model, items)
    again = [score(model, [item])[0] for item in items]
    for name, others in (("in a batch", together), ("the second time", again)):
        share = largest_difference(alone, others)
        if share > BATCH_TOLERANCE:
            yield (
                f"an image scores otherwise {name}, by {share:.2g} of the range of scores; use "
                "nothing of other images, and change no state while scoring"
            )


def follows_the_seed(under_test: MethodUnderTest) -> Iterator[str]:
    """Find fits that differ under one seed."""
    _, model = under_test.run
    again = [score(model, [item])[0] for item in under_test.items(model)]
    share = largest_difference(under_test.alone, again)
    if share > 0:
        yield (
            f"two fits under one seed give maps that differ by {share:.2g} of the range of scores; "
            "draw from the global generators of torch, numpy or random, or from one with a seed"
        )


def largest_difference(one: list[Scored], other: list[Scored]) -> float:
    """Return the largest difference of maps, or of image scores, as a share of their range."""
    maps, others = (np.stack([scored.score_map for scored in side]) for side in (one, other))
    scores, other_scores = (np.array([scored.score for scored in side]) for side in (one, other))
    if maps.shape != others.shape:
        return float("inf")
    return max(_of_range(maps, others), _of_range(scores, other_scores))


def _of_range(one: np.ndarray, other: np.ndarray) -> float:
    return float(abs(one - other).max() / max(np.ptp(one), np.finfo(np.float32).tiny))
