"""The score maps of the calibration study, kept on disk: clean, relit, painted, unseen light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import zoo
from zoo.benchmark.bench import bench
from zoo.data import layout
from zoo.data.images import read_image
from zoo.data.relight import FAMILIES, Light, relight_image
from zoo.data.sample import Sample
from zoo.data.synthetic import defects, put_defect
from zoo.postprocess.score_maps import Scenes
from zoo.predict.scenes import DEFECTS_PER_IMAGE, MOST_IMAGES, SEVERITIES, evenly
from zoo.recipes.files import find_recipe, run_folder
from zoo.runs.maps import MapWriter, SavedMaps

UNSEEN = "unseen_light"
LEFT_OUT = "shadow"  # no calibration sees it
_UNSEEN_SEVERITY = 3
_SEED = 20_503
_RELIT, _PAINTED = "study_relit", "study_painted"


@dataclass(frozen=True)
class StudyRun:
    """One recipe on one object, its folder and its data."""

    recipe: str
    object_name: str
    root: Path
    folder: Path

    def listed(self, split: str) -> list[Sample]:
        """Return the images of a split; those under the unseen light are those of test_private."""
        return layout.samples(
            self.root, self.object_name, "test_private" if split == UNSEEN else split
        )

    def maps(self, split: str) -> SavedMaps:
        """Return the kept score maps of a split."""
        return SavedMaps(self.folder, split)

    def has(self, split: str) -> bool:
        """Whether the maps of a split are there."""
        return (self.folder / "maps" / split / "index.json").is_file()


def fitted(
    recipes: Sequence[str], roots: Sequence[Path], out: Path, as_fitted: bool = False
) -> Iterator[StudyRun]:
    """Fit what is not fitted yet, keeping all maps, and yield every run."""
    for root in roots:
        if not as_fitted and bench(recipes, root, out=out, keep="maps").failed:
            raise SystemExit("a run failed; the study needs them all")
        for recipe in recipes:
            for name in layout.object_names(root):
                folder = run_folder(out, find_recipe(recipe).slug, name, 0)
                yield StudyRun(recipe, name, root, folder)


def score_scenes(run: StudyRun) -> Scenes:
    """Return the scenes of a run as `zoo.predict.scenes` makes them, but without one family."""
    samples = run.listed("validation")
    chosen = evenly(len(samples), MOST_IMAGES)
    pixels = dict.fromkeys(chosen)
    if not (run.has(_RELIT) and run.has(_PAINTED)):
        detector = zoo.load(run.folder)
        pixels = {index: read_image(samples[index].image_path) for index in chosen}
        relit = (
            relight_image(pixels[index], Light(family, severity, _SEED + index))
            for index in chosen
            for family in FAMILIES
            if family != LEFT_OUT
            for severity in SEVERITIES
        )
        _write(run, _RELIT, detector.scored(relit))
        painted = (
            put_defect(pixels[index], defect)[0]
            for index in chosen
            for defect in defects(_SEED + index, DEFECTS_PER_IMAGE)
        )
        _write(run, _PAINTED, detector.scored(painted))
    masks = [
        put_defect(read_image(samples[index].image_path), defect)[1]
        for index in chosen
        for defect in defects(_SEED + index, DEFECTS_PER_IMAGE)
    ]
    clean = run.maps("validation")
    return Scenes(clean, run.maps(_RELIT), run.maps(_PAINTED), masks, tuple(chosen))


def score_unseen(run: StudyRun) -> None:
    """Score the images of test_private under lights that no calibration has seen."""
    if run.has(UNSEEN):
        return
    samples = run.listed(UNSEEN)
    relit = (
        relight_image(read_image(sample.image_path), Light(LEFT_OUT, _UNSEEN_SEVERITY, index))
        for index, sample in enumerate(samples)
    )
    _write(run, UNSEEN, zoo.load(run.folder).scored(relit))


def truth(sample: Sample, native_size: tuple[int, int]) -> np.ndarray:
    """Return the right mask of an image; the study needs them all."""
    found = sample.truth(native_size)
    if found is None:
        raise SystemExit(f"no ground truth for {sample.image_path}")
    return found


def _write(run: StudyRun, split: str, scored: Iterator) -> None:
    writer = MapWriter(run.folder, split)
    for each in scored:
        writer.append(each)
    writer.close()
