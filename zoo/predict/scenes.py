"""Makes the scenes that a rule reads: normal images, the same relit, the same with defects in them.

Every image is read once. Lights are put on at model size, where they cost little and look the same;
defects at native size, where small ones are small. Both are drawn by a fixed seed and the number of
the image, so that a calibration can be repeated.
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

# Enough to tell what light does to a method, few enough to cost less than a fit.
MOST_IMAGES = 12
SEVERITIES = (2, 4)
DEFECTS_PER_IMAGE = 4
_SEED = 20_503  # any; fixed, so that a run and its recalibration see the same lights


@contextmanager
def scenes(
    judge: Predictor,
    paths: Sequence[Path],
    clean: ScoreMaps,
    needs: Set[str],
    families: Sequence[str] = FAMILIES,
    seed: int = _SEED,
) -> Iterator[Scenes]:
    """Give the scenes that a rule needs; their maps lie on disk until the block ends.

    Args:
        judge: What scores: a fitted model, or a graph that was exported from one.
        paths: The normal images.
        clean: Their score maps, in the same order.
        needs: "relit", "defects", both or none, see `Rule.needs`.
        families: Kinds of light.
        seed: Draws lights and defects.
    """
    chosen = evenly(len(paths), MOST_IMAGES)
    with ExitStack() as stack:
        relit = stack.enter_context(ScoreMapSpool()) if "relit" in needs else ()
        painted = stack.enter_context(ScoreMapSpool()) if "defects" in needs else ()
        masks: list[np.ndarray] = []
        for index in chosen if needs else ():
            pixels = judge.read(paths[index])
            if "relit" in needs:
                _relit(judge, pixels, _lights(families, seed + index), relit)
            if "defects" in needs:
                masks += _painted(judge, pixels, seed + index, painted)
        yield Scenes(clean, relit, painted, masks, tuple(chosen))


def evenly(n_found: int, n_wanted: int) -> list[int]:
    """Return at most `n_wanted` of `n_found` indices, evenly spread.

    Example:
        >>> evenly(10, 4)
        [0, 3, 6, 9]
    """
    if n_found <= n_wanted:
        return list(range(n_found))
    return np.unique(np.linspace(0, n_found - 1, n_wanted).round().astype(int)).tolist()


def _lights(families: Sequence[str], seed: int) -> list[Light]:
    return [Light(family, each, seed) for family in families for each in SEVERITIES]


def _relit(
    judge: Predictor, pixels: np.ndarray, lights: Sequence[Light], spool: ScoreMapSpool
) -> None:
    small = judge.at_model_size(pixels)
    _score(judge, [relight_image(small, each) for each in lights], pixels.shape[:2], spool)


def _painted(
    judge: Predictor, pixels: np.ndarray, seed: int, spool: ScoreMapSpool
) -> list[np.ndarray]:
    """Score one image with several defects, one at a time, and return their masks."""
    wanted = defects(seed, DEFECTS_PER_IMAGE, KINDS)
    pairs = [put_defect(pixels, each) for each in wanted]
    small = [judge.at_model_size(painted) for painted, _ in pairs]
    _score(judge, small, pixels.shape[:2], spool)
    return [mask for _, mask in pairs]


def _score(
    judge: Predictor,
    images: Sequence[np.ndarray],
    native_size: tuple[int, int],
    spool: ScoreMapSpool,
) -> None:
    for scored in judge.score_images(images, [native_size] * len(images)):
        spool.append(scored.score_map, native_size)
