"""Published rows made again: the recipe that mimics one, what it takes, the server's answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from zoo.data.layout import samples, splits_on_disk
from zoo.data.splits import FIT_SPLITS, PRIVATE_SPLITS
from zoo.methods.registry import find, methods
from zoo.recipes.files import PAPER_RECIPE, Recipe, find_recipe, method_of, recipe_names
from zoo.results.aggregate import Entry
from zoo.results.published import published
from zoo.utils.errors import ZooError, nearest
from zoo.utils.markdown import grid
from zoo.vand.submission.expected import check_published, on_disk
from zoo.vand.submission.write import BYTES_PER_PIXEL, size

NEAR = 0.02  # both means within two points
REPRODUCED = "reproduced"
MODEL_ONLY = "model yes, threshold no"
NOT_REPRODUCED = "not reproduced"
NOT_YET_RUN = "not yet run"


def paper_recipe(method: str) -> Recipe:
    """Return the recipe that mimics the published row of a method.

    Args:
        method: A method's name or class, or a recipe file of one's own.

    Raises:
        ZooError: No such method, or it has no such recipe.
    """
    if Path(method).suffix in (".yaml", ".yml"):
        return find_recipe(method)
    name = find(method).name
    recipes = paper_recipes()
    if f"{name}/{PAPER_RECIPE}" not in recipes:
        have = ", ".join(recipe.partition("/")[0] for recipe in recipes)
        others = f"; those that have one: {have}" if have else ""
        raise ZooError(f"method '{name}' has no recipe '{name}/{PAPER_RECIPE}': write one{others}")
    return find_recipe(f"{name}/{PAPER_RECIPE}")


def paper_recipes() -> list[str]:
    """Return the names of all packaged recipes that mimic a published row."""
    return [name for name in recipe_names() if name.endswith(f"/{PAPER_RECIPE}")]


def survey(root: Path) -> tuple[str, bool]:
    """Return what a reproduction takes in one line, and whether the data set is the benchmark's.

    Raises:
        ZooError: A split is missing, or a copy of the benchmark has not the images that the server
            takes: all of them, under their names and at their sizes.
    """
    expected = on_disk(root)
    is_benchmark = check_published(expected)
    n_images = sum(
        len(samples(root, name, split))
        for name in expected.objects
        for split in (*FIT_SPLITS, *splits_on_disk(root, name))
    )
    maps = size(BYTES_PER_PIXEL * expected.n_pixels)
    return f"{len(expected.objects)} objects, {n_images} images, {maps} of maps", is_benchmark


def published_row(recipe: Recipe, row: str | None = None) -> Entry:
    """Return the published SegF1 that a recipe is measured against.

    Args:
        recipe: A recipe.
        row: Name of the row, where neither name nor title of the method tell it.

    Raises:
        ZooError: There is no such row.
    """
    rows = {_key(known.method): known for known in published("SegF1")}
    names = [known.method for known in rows.values()]
    if row is not None:
        if _key(row) not in rows:
            raise ZooError(f"no published row '{row}'{nearest(row, names)}")
        return rows[_key(row)]
    class_name = method_of(recipe)
    candidates = [recipe.name.partition("/")[0], class_name.removeprefix("Zoo"), class_name]
    for method in methods().values():
        if method.class_name == class_name:
            candidates += [method.name, *([method.card.title] if method.card else [])]
    for candidate in candidates:
        if _key(candidate) in rows:
            return rows[_key(candidate)]
    raise ZooError(f"no published row for {recipe.name}: name it with --row, {', '.join(names)}")


def published_au_pro(row: Entry, size: str = "256") -> Entry | None:
    """Return the published AU-PRO_0.05 of a row, at the input size where several are."""
    rows = {known.method: known for known in published("AU-PRO_0.05")}
    return rows.get(f"{row.method} @{size}", rows.get(row.method))


@dataclass(frozen=True)
class Difference:
    """A mean over objects of the server's answer and its published counterpart, as fractions."""

    metric: str
    split: str
    ours: float
    theirs: float

    @property
    def is_near(self) -> bool:
        """Whether they lie within two points of each other."""
        return abs(self.ours - self.theirs) <= NEAR + 1e-9


def differences(answer: pd.DataFrame, segf1: Entry, au_pro: Entry | None) -> list[Difference]:
    """Return the differences of all means that are known on both sides.

    Args:
        answer: From `zoo.results.published.read_server`.
        segf1: The published row.
        au_pro: Published AU-PRO_0.05 of the same method, where there is one.
    """
    pairs = []
    for metric, column, row in (("SegF1", "SegF1", segf1), ("AU-PRO_0.05", "AucPro_0.05", au_pro)):
        for split in PRIVATE_SPLITS:
            theirs = row.mean(split) if row else None
            if theirs is not None:
                values = answer[answer["split"] == split].set_index("object")[column]
                pairs.append(Difference(metric, split, sum(values) / len(values), theirs))
    return pairs


def outcome(pairs: list[Difference]) -> str:
    """Return one of three outcomes.

    Reproduced: both means of SegF1 within two points. Model yes, threshold no: only those of
    AU-PRO_0.05, which no threshold enters.
    """
    for metric, name in (("SegF1", REPRODUCED), ("AU-PRO_0.05", MODEL_ONLY)):
        near = [pair.is_near for pair in pairs if pair.metric == metric]
        if len(near) == len(PRIVATE_SPLITS) and all(near):
            return name
    return NOT_REPRODUCED


def report(answer: pd.DataFrame, segf1: Entry, au_pro: Entry | None) -> str:
    """Return the differences per object and of the means, and the outcome, as markdown."""
    pairs = differences(answer, segf1, au_pro)
    parts = [_by_object(answer, segf1, split) for split in PRIVATE_SPLITS]
    lines = [
        [pair.metric, pair.split.removeprefix("test_"), *_cells(pair.theirs, pair.ours)]
        for pair in pairs
    ]
    parts.append(grid(["mean of", "split", "published", "server", "difference"], lines, 2))
    sources = list(dict.fromkeys([*segf1.sources, *(au_pro.sources if au_pro else ())]))
    parts.append(f"Published: {'; '.join(sources)}.")
    parts.append(f"{segf1.method}: **{outcome(pairs)}**")
    return "\n\n".join(parts)


def _by_object(answer: pd.DataFrame, segf1: Entry, split: str) -> str:
    ours = answer[answer["split"] == split].set_index("object")["SegF1"]
    lines = [
        [name, *_cells(segf1.scores(split).by_object.get(str(name)), float(value))]
        for name, value in ours.items()
    ]
    head = f"SegF1 {split.removeprefix('test_')}"
    return grid([head, "published", "server", "difference"], lines)


def _cells(theirs: float | None, ours: float) -> list[str]:
    if theirs is None:
        return ["-", f"{100 * ours:.2f}", "-"]
    return [f"{100 * theirs:.2f}", f"{100 * ours:.2f}", f"{100 * (ours - theirs):+.2f}"]


def _key(name: str) -> str:
    """Return a name without what spellings differ in: `RD++` is rdpp, `PatchCore` patchcore."""
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("+", "p"))
