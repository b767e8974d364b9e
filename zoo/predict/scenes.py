"""The score maps that a calibration rule reads: of normal images, the same relit or with defects.

Lights are applied at model size, synthetic defects at native size. Both are drawn by a fixed seed
and the number of the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from zoo.data.relight import FAMILIES, Light, relight_image
from zoo.data.synthetic import KINDS, defects, put_defect
from zoo.postprocess.score_maps import Scenes, ScoreMaps, ScoreMapSpool
from zoo.predict.predictor import Predictor

# Enough to measure what light does to a method, few enough to cost less than a fit.
MOST_IMAGES = 12
SEVERITIES = (2, 4)
DEFECTS_PER_IMAGE = 4
_SEED = 20_503  # any; fixed, so that a run and its recalibration see the same lights


@contextmanager
def scenes(
    predictor: Predictor,
    paths: Sequence[Path],
    clean: ScoreMaps,
    needs: Set[str],
) -> Iterator[Scenes]:
    """Give the scenes that a rule needs; their maps lie on disk until the block ends.

    Args:
        predictor: A fitted model, or a graph that was exported from one.
        paths: The normal images.
        clean: Their score maps, in the same order.
        needs: "relit", "defects", both or none, see `Rule.needs`.
    """
    chosen = evenly(len(paths), MOST_IMAGES)
    with ExitStack() as stack:
        relit = stack.enter_context(ScoreMapSpool()) if "relit" in needs else None
        painted = stack.enter_context(ScoreMapSpool()) if "defects" in needs else None
        masks: list[np.ndarray] = []

        for index in chosen if needs else ():
            pixels = predictor.read(paths[index])
            size = pixels.shape[0], pixels.shape[1]
            if relit is not None:
                small = predictor.at_model_size(pixels)
                lights = [
                    Light(name, each, _SEED + index) for name in FAMILIES for each in SEVERITIES
                ]
                _score(predictor, [relight_image(small, light) for light in lights], size, relit)
            if painted is not None:
                drawn = defects(_SEED + index, DEFECTS_PER_IMAGE, KINDS)
                pairs = [put_defect(pixels, defect) for defect in drawn]
                images = [predictor.at_model_size(image) for image, _ in pairs]
                _score(predictor, images, size, painted)
                masks += [mask for _, mask in pairs]
        yield Scenes(clean, relit or (), painted or (), masks, tuple(chosen))


def evenly(n_items: int, n_most: int) -> list[int]:
    """Return at most `n_most` of `n_items` indices, evenly spread.

    Example:
        >>> evenly(10, 4)
        [0, 3, 6, 9]
    """
    if n_items <= n_most:
        return list(range(n_items))
    return np.unique(np.linspace(0, n_items - 1, n_most).round().astype(int)).tolist()


def _score(
    predictor: Predictor,
    images: Sequence[np.ndarray],
    native_size: tuple[int, int],
    spool: ScoreMapSpool,
) -> None:
    for scored in predictor.score_images(images, [native_size] * len(images)):
        spool.append(scored.score_map, native_size)
