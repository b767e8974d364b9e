"""Trying candidates one after the other, cheapest question first; every answer is kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo import __version__
from zoo.benchmark.pick.budget import Budget
from zoo.benchmark.pick.candidates import Candidate
from zoo.benchmark.pick.choice import Row
from zoo.benchmark.pick.estimate import EstimatePicture, estimate, write_pictures
from zoo.benchmark.pick.rehearsal import measure_cost
from zoo.data.file_hashes import fingerprint
from zoo.data.images import find_bit_depth, image_size
from zoo.export.cost import DeployedCost, deployed_cost
from zoo.export.precision import Precision
from zoo.predict.graph import GraphPredictor
from zoo.recipes.experiment import load
from zoo.runs.documents import Share
from zoo.runs.export import NormalImages, export_run, graph_paths, precision_of
from zoo.runs.folder import own_folder, write_json
from zoo.runs.run import run
from zoo.utils.atomic import copy_file
from zoo.utils.errors import ZooError, one_line
from zoo.utils.schema import Text, read_json, validated

Say = Callable[[str], None]
LEAST_PICTURES = 8
_SHARE, _MOST_HELD_OUT = 0.2, 12
GRAPHS, RUNS = "exported", "runs"


@dataclass(frozen=True)
class Search:
    """What a search works with.

    Attributes:
        out: Folder of everything that is written.
        fit_on: Folder of the good pictures that candidates are fitted on.
        judged: Pictures of the estimate.
        native_size: (H, W) of the pictures that costs are measured with.
        budget: What is allowed.
        device: As OpenVINO names it.
        precisions: What is tried.
        seed: Of fits and draws.
        key: Changes when the pictures, the seed or the version change.
    """

    out: Path
    fit_on: Path
    judged: Sequence[EstimatePicture]
    native_size: tuple[int, int]
    budget: Budget
    device: str
    precisions: Sequence[Precision]
    seed: int
    key: str

    def rows(self, candidate: Candidate, say: Say) -> list[Row]:
        """Return one row per precision; a candidate that fails is a row with the reason."""
        try:
            return list(self._rows(candidate, say))
        except ZooError as error:
            return [Row(candidate.name, each, None, reason=str(error)) for each in self.precisions]
        except Exception as error:  # any method may fail in any way; the others go on
            return [
                Row(candidate.name, each, None, reason=one_line(error)) for each in self.precisions
            ]

    def _rows(self, candidate: Candidate, say: Say) -> Iterator[Row]:
        least = self._least(candidate, say)
        fitting = []
        for precision, cost in least.items():
            if self._excess(cost) > 1:
                why = f"its least is beyond {self.budget}: not fitted"
                yield Row(candidate.name, precision, cost, reason=why)
            else:
                fitting.append(precision)
        if fitting:
            folder = self._fitted(candidate, say)
            paths = graph_paths(own_folder(folder, GRAPHS), [".xml"], fitting)
            export_run(folder, paths, NormalImages(folder), reuse=True, log=say)
            for path in paths:
                yield self._judged(candidate, path, say)

    def _excess(self, cost: DeployedCost) -> float:
        return self.budget.excess(cost.latency_ms, cost.memory_mb)

    def _least(self, candidate: Candidate, say: Say) -> dict[Precision, DeployedCost]:
        place = self.out / "rehearsals" / f"{candidate.slug}.json"
        key = f"{self._key(candidate)} {self.device} {' '.join(self.precisions)}"

        def measured() -> dict[str, Any]:
            say(f"{candidate.name}: what would it cost at least?")
            folder = place.parent
            costs = measure_cost(candidate, self.fit_on, self.precisions, self.device, folder)
            return {precision: asdict(cost) for precision, cost in costs.items()}

        return cached_json(place, key, measured, dict[Precision, DeployedCost])

    def _fitted(self, candidate: Candidate, say: Say) -> Path:
        run_folder = self.out / RUNS / candidate.slug

        def fitted() -> str:
            say(f"{candidate.name}: fit")
            experiment = load(
                candidate.recipe.path,
                data={
                    "class_path": "zoo.data.ImageFolders",
                    "init_args": {"good": str(self.fit_on.absolute()), "seed": self.seed},
                },
                seed=self.seed,
                overrides=candidate.overrides,
                folder=run_folder,
            )
            run(experiment)
            return "fitted"

        place = self.out / RUNS / f"{candidate.slug}.json"
        cached_json(place, self._key(candidate), fitted, Literal["fitted"])
        return run_folder

    def _judged(self, candidate: Candidate, path: Path, say: Say) -> Row:
        precision = precision_of(path)
        graph = GraphPredictor(path)

        def judged() -> dict[str, Any]:
            say(f"{candidate.name} in {precision}: estimate and cost")
            cost = deployed_cost(path, self.native_size, self.device)
            return {"cost": asdict(cost), "segf1": estimate(graph, self.judged)}

        key = f"{graph.metadata.made_from} {self.device} {self.key}"
        found = cached_json(path.with_suffix(".estimate.json"), key, judged, _Estimated)
        place = path.relative_to(self.out).as_posix()
        return Row(candidate.name, precision, found.cost, found.segf1, place)

    def _key(self, candidate: Candidate) -> str:
        text = candidate.recipe.path.read_text(encoding="utf-8")
        return hashlib.sha256(f"{self.key}{text}{candidate.size}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Estimated:
    cost: DeployedCost
    segf1: Share | None


@dataclass(frozen=True)
class _Record:
    key: Text
    value: Any


def cached_json(place: Path, key: str, work: Callable[[], Any], kind: Any) -> Any:
    """Return what was found out before under the same key, or find it out and write it down.

    Args:
        place: Where it is written down.
        key: Of all that decides it.
        work: Finds it out, as plain data.
        kind: What the data must be, see `validated`; what is none is found out again.
    """
    with contextlib.suppress(ZooError):
        known = validated(_Record, read_json(place), place)
        if known.key == key:
            return validated(kind, known.value, place)
    value = work()
    place.parent.mkdir(parents=True, exist_ok=True)
    write_json(place, {"key": key, "value": value})
    return validated(kind, value, place)


def prepare(
    good: Sequence[Path],
    out: Path,
    budget: Budget,
    device: str,
    precisions: Sequence[Precision],
    max_good: int,
    seed: int,
) -> Search:
    """Part good pictures into those that candidates are fitted on and those that judge them.

    Raises:
        ZooError: There are too few.
    """
    if len(good) < LEAST_PICTURES:
        raise ZooError(
            f"{len(good)} good pictures: zoo pick needs {LEAST_PICTURES} at least, to learn from, "
            "to calibrate on and to estimate with; 50 make an estimate that tells candidates apart"
        )
    order = np.random.default_rng(seed).permutation(len(good))[:max_good]
    n_judging = min(max(2, round(_SHARE * len(order))), _MOST_HELD_OUT)
    judging = [good[index] for index in sorted(order[:n_judging])]
    fitting = [good[index] for index in sorted(order[n_judging:])]
    names = [(f"{index:05d}", path) for index, path in enumerate([*judging, *fitting])]
    key = f"{fingerprint(names)} {seed} {__version__}"
    # One folder of pictures per key: other pictures are not mixed with those of an earlier command.
    folder = out / "pictures" / hashlib.sha256(key.encode()).hexdigest()[:8]
    for index, path in enumerate(fitting):
        _linked(path, folder / "fit" / f"{index:05d}{path.suffix}")
    judged = write_pictures(judging, folder / "estimate", seed, find_bit_depth(fitting))
    native_size = image_size(fitting[0])
    return Search(out, folder / "fit", judged, native_size, budget, device, precisions, seed, key)


def _linked(path: Path, place: Path) -> None:
    """Let a picture appear in another folder: a link where the system has them, else a copy."""
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(path.resolve())
    except OSError:
        copy_file(path, place)
