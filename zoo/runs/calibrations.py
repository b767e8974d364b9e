"""New thresholds for a finished run, and those that it had before."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zoo.data.known_images import image_digest
from zoo.data.listing import find_images, without_copies
from zoo.methods.admissibility import with_calibration
from zoo.postprocess.calibration import Calibration, doubt
from zoo.postprocess.false_alarms import FalseAlarms, count_false_alarms, expected_false_alarms
from zoo.postprocess.rules import Rule
from zoo.postprocess.rules.text import parse_rule, rule_of
from zoo.postprocess.score_maps import Scenes, ScoreMaps
from zoo.runs.check import check_run, read_calibration
from zoo.runs.checksums import keep_copy, put_file, remove_file
from zoo.runs.documents import METRICS
from zoo.runs.folder import CALIBRATION, json_text, own_folder
from zoo.runs.maps import SavedMaps, kept_maps
from zoo.utils.errors import ZooError
from zoo.utils.schema import read_json

HISTORY = "calibrations"


def older_calibrations(folder: Path) -> list[Path]:
    """Return the files of the calibrations that a run had before, oldest first."""
    return sorted(path for path in (folder / HISTORY).glob("*.json") if path.stem.isdigit())


def last_calibration(folder: Path) -> Path:
    """Return the file of the calibration that held before the present one.

    Raises:
        ZooError: There is none.
    """
    kept = older_calibrations(folder)
    if not kept:
        raise ZooError(f"run {folder} has no older calibration: there is nothing to put back")
    return kept[-1]


def set_calibration(folder: Path, calibration: Calibration) -> Path:
    """Give a run a new calibration and return where the old one is kept.

    Both files appear whole or not at all; in between the old calibration holds.
    """
    kept = older_calibrations(folder)
    number = int(kept[-1].stem) + 1 if kept else 1
    place = own_folder(folder, HISTORY) / f"{number:04d}.json"
    keep_copy(folder, CALIBRATION, f"{HISTORY}/{place.name}")
    put_file(folder, CALIBRATION, calibration.to_text().encode())
    _note_admissible(folder, calibration)
    return place


def undo_calibration(folder: Path) -> None:
    """Let the last older calibration of a run hold again; the present one is gone.

    Raises:
        ZooError: There is none.
    """
    own_folder(folder, HISTORY)
    kept = last_calibration(folder)
    put_file(folder, CALIBRATION, kept.read_bytes())
    remove_file(folder, f"{HISTORY}/{kept.name}")
    _note_admissible(folder, read_calibration(folder))


def _note_admissible(folder: Path, calibration: Calibration) -> None:
    """Note in the run's metrics whether VAND 4.0 admits it with this calibration."""
    metrics = read_json(folder / METRICS)  # as it is: only this one value changes
    noted = metrics.get("vand4_admissible")
    present = noted and with_calibration(noted, calibration.given)
    if present != noted:
        text = json_text({**metrics, "vand4_admissible": present})
        put_file(folder, METRICS, text.encode())


VALIDATION = "validation"


@dataclass(frozen=True)
class Assessed:
    """A calibration and its false alarms to expect; None where one image cannot tell.

    Attributes:
        doubt: Why it may mean nothing, see `zoo.postprocess.calibration`.
    """

    calibration: Calibration
    false_alarms: FalseAlarms | None
    doubt: str | None = None

    def lines(self, name: str) -> Iterator[str]:
        """Describe both for people, one line each."""
        yield f"{name}: {self.calibration.describe()}"
        if self.false_alarms is not None:
            yield f"{' ' * len(name)}  {self.false_alarms.describe()}"
        if self.doubt is not None:
            yield f"{' ' * len(name)}  {self.doubt}"


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
        in_order: The same as `images`, in the order in which they are scored, where it is known.
    """

    split: str
    images: tuple[str, ...] = ()
    given: bool = False
    in_order: tuple[str, ...] = ()


def source_of(
    folder: Path, normal: Sequence[Path] | None = None, name: str = ""
) -> CalibrationSource:
    """Return where images come from: given ones, or those that the run itself held out of its fit.

    Args:
        folder: Folder of the run.
        normal: The images that a person gave, if any; the run's own count as its own.
        name: What to call those given.
    """
    own = _own_source(folder)
    if normal is None:
        return own
    in_order = tuple(image_digest(path) for path in normal)
    images = tuple(sorted(set(in_order)))
    if images == own.images:
        return replace(own, in_order=in_order)
    return CalibrationSource(name, images, True, in_order)


def _own_source(folder: Path) -> CalibrationSource:
    first = next(iter(older_calibrations(folder)), folder / CALIBRATION)
    try:
        fitted = read_calibration(folder, first.relative_to(folder))
    except ZooError:  # damaged, or of another version
        return CalibrationSource("validation")
    if fitted.given:  # somebody removed the older ones
        return CalibrationSource("validation")
    return CalibrationSource(fitted.split, fitted.images)


def given_images(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the images of a folder, each once and enough for a threshold, and notices.

    Raises:
        ZooError: There are fewer than two.
    """
    found = find_images(folder)
    images, copies = without_copies(found.images)
    if len(images) < 2:
        raise ZooError(
            f"1 image in {folder}: a threshold needs 2 normal ones at least, and 30 to hold"
        )
    return images, [*found.notices(), *copies]


def recalibrated(
    folder: Path,
    rule: Rule | str | None = None,
    normal: str | Path | None = None,
    device: str | None = None,
    log: Callable[[str], None] = lambda text: None,
) -> tuple[Assessed | None, Assessed]:
    """Return the calibration of a run, if it can be read, and a new one; nothing is written.

    Args:
        folder: Folder of the run.
        rule: Of the new one, or its text; by default the same as before.
        normal: Folder of normal images; by default the run's own calibration images.
        device: Where the model runs.
        log: Receives what a person should know.

    Raises:
        ZooError: The images are gone, too few, or ones that may set no threshold; or no rule is
            known.
    """
    if isinstance(rule, str):
        rule = parse_rule(rule)
    old = read_old(folder, required=rule is None)
    if rule is None:
        assert old is not None
        rule = rule_of(old)
    given, notices = given_images(Path(normal)) if normal is not None else (None, [])
    for notice in notices:
        log(notice)
    source = source_of(folder, given, str(normal))
    bit_depth = check_run(folder, with_model=False).get("bit_depth")
    if given is None and not rule.needs and kept_maps(folder, VALIDATION):
        return recalibrate(rule, SavedMaps(folder, VALIDATION), source, old, bit_depth)

    from zoo.runs.normal_images import normal_maps  # needs torch, which maps that were kept do not

    with normal_maps(folder, given, device, rule.needs) as maps:
        return recalibrate(rule, maps, source, old, bit_depth)


def recalibrate(
    rule: Rule,
    score_maps: Scenes | ScoreMaps,
    source: CalibrationSource,
    old: Calibration | None,
    bit_depth: int | None = None,
) -> tuple[Assessed | None, Assessed]:
    """Derive a calibration, and assess the old one by the same maps.

    Args:
        rule: The rule.
        score_maps: Scenes, or raw maps of normal images at native size; read several times.
        source: Where the images come from.
        old: What held so far, if it can be read.
        bit_depth: Of the run: what a model learned by is no matter of thresholds.

    Returns:
        The old calibration, if any, and the new one; none is assessed by images that set it.
    """
    scenes = Scenes.of(score_maps)
    calibration = rule(scenes, source.split)
    calibration = replace(
        calibration, images=source.images, given=source.given, bit_depth=bit_depth
    )
    doubted = doubt(calibration, scenes.clean)
    new = Assessed(calibration, expected_false_alarms(rule, scenes), doubted)
    if old is None:
        return None, new
    return Assessed(old, _expected(old, source, scenes)), new


def _expected(old: Calibration, source: CalibrationSource, scenes: Scenes) -> FalseAlarms | None:
    """Assess the old calibration by images that it has not seen, or by cross-fitting its rule."""
    digests = source.in_order or source.images
    seen = np.array([digest in old.images for digest in digests], bool)
    if old.images and not seen.any():
        return count_false_alarms(old, scenes.clean, held_out=True)
    if source.in_order and not seen.all() and old.images:
        return count_false_alarms(old, scenes.subset(~seen).clean, held_out=True)
    if old.images == source.images:
        with contextlib.suppress(ZooError):  # set by hand, or by a rule that is no more
            return expected_false_alarms(rule_of(old), scenes)
    return count_false_alarms(old, scenes.clean, held_out=False)
