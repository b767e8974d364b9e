"""New thresholds for a finished run, and what to expect of the old and the new ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.data.known_images import image_digests
from zoo.data.pictures import pictures
from zoo.errors import ZooError
from zoo.post.calibration import Calibration
from zoo.post.false_alarms import FalseAlarms, count_false_alarms, expected_false_alarms
from zoo.post.rule_text import rule_of
from zoo.post.rules import Rule
from zoo.post.scenes import Scenes, ScoreMaps
from zoo.runs.check import read_calibration
from zoo.runs.folder import CALIBRATION
from zoo.runs.history import older


@dataclass(frozen=True)
class Judged:
    """A calibration and its false alarms to expect; None where one image cannot tell."""

    calibration: Calibration
    false_alarms: FalseAlarms | None

    def lines(self, name: str) -> Iterator[str]:
        """Say both for people, one line each."""
        yield f"{name}: {self.calibration.describe()}"
        if self.false_alarms is not None:
            yield f"{' ' * len(name)}  {self.false_alarms.describe()}"


def read_old(folder: Path, required: bool = False) -> Calibration | None:
    """Return the calibration that holds, or None for one that this version cannot read.

    Args:
        folder: Folder of the run.
        required: Raise instead, since the rule is to be taken from it.
    """
    try:
        return read_calibration(folder)
    except ZooError as error:
        if required:
            raise ZooError(f"{error}; name the rule of the new one with --rule") from error
        return None


@dataclass(frozen=True)
class CalibrationSource:
    """Where the normal images come from that set thresholds, for the record.

    Attributes:
        split: The same in words.
        images: Which ones they are, see `Calibration.images`.
        given: Whether a person gave them.
    """

    split: str
    images: tuple[str, ...] = ()
    given: bool = False


def source_of(
    folder: Path, good: Sequence[Path] | None = None, name: str = ""
) -> CalibrationSource:
    """Return where images come from: given ones, or those that the run itself held out of its fit.

    Args:
        folder: Folder of the run.
        good: The images that a person gave, if any; the run's own count as its own.
        name: What to call those given.
    """
    own = _own_source(folder)
    if good is None:
        return own
    images = image_digests(good)
    return own if images == own.images else CalibrationSource(name, images, given=True)


def _own_source(folder: Path) -> CalibrationSource:
    first = next(iter(older(folder)), folder / CALIBRATION)
    try:
        fitted = read_calibration(folder, first.relative_to(folder))
    except ZooError:  # damaged, or of another version
        return CalibrationSource("validation")
    if fitted.given:  # somebody removed the older ones
        return CalibrationSource("validation")
    return CalibrationSource(fitted.split, fitted.images)


def given_pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder, enough of them for a threshold.

    Raises:
        ZooError: There are fewer than two.
    """
    found = pictures(folder).images
    if len(found) < 2:
        raise ZooError(
            f"1 picture in {folder}: a threshold needs 2 good ones at least, and 30 to hold"
        )
    return found


def recalibrate(
    rule: Rule,
    score_maps: Scenes | ScoreMaps,
    source: CalibrationSource,
    old: Calibration | None,
    bit_depth: int | None = None,
) -> tuple[Judged | None, Judged]:
    """Derive a calibration, and judge the old one by the same maps.

    Args:
        rule: The rule.
        score_maps: Scenes, or raw maps of normal images at native size; read several times.
        source: Where the images come from.
        old: What held so far, if it can be read.
        bit_depth: Of the run: what a model learned by is no matter of thresholds.

    Returns:
        The old calibration, if any, and the new one; none is judged by images that set it.
    """
    scenes = Scenes.of(score_maps)
    calibration = rule(scenes, source.split)
    found = {"images": source.images, "given": source.given, "bit_depth": bit_depth}
    calibration = replace(calibration, **found)
    if old is not None and old.image_threshold is not None:
        # Verdicts stay with the image score, of which blobs say nothing.
        return Judged(old, None), Judged(
            calibration.with_image_threshold(scenes.clean.scores), None
        )
    new = Judged(calibration, expected_false_alarms(rule, scenes))
    if old is None:
        return None, new
    return Judged(old, _expected(old, new.calibration, scenes)), new


def _expected(old: Calibration, new: Calibration, scenes: Scenes) -> FalseAlarms | None:
    images, others = [(each.split, each.n_images, each.n_pixels) for each in (old, new)]
    if images != others:
        return count_false_alarms(old, scenes.clean, held_out=True)
    try:
        return expected_false_alarms(rule_of(old), scenes)
    except ZooError:  # set by hand, or by a rule that is no more
        return count_false_alarms(old, scenes.clean, held_out=False)
