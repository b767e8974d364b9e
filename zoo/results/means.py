"""The means of one board: our rows, over seeds and objects, with ranks and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zoo.data.splits import PRIVATE_SPLITS, TEST_SPLITS
from zoo.methods.admissibility import NO, YES
from zoo.methods.registry import methods
from zoo.recipes.files import DEMO, PAPER_RECIPE
from zoo.results.aggregate import Standing, undefined_text
from zoo.results.leaderboard import Board
from zoo.results.published import DATA_SET
from zoo.results.ranks import drop
from zoo.utils.markdown import Table, percent, whole

HEAD = ("recipe", "method", "VAND 4", "objects", "seeds", "public", "private", "private_mixed")
HEAD += ("drop", "R_final", "seconds", "ms", "peak MB", "Pareto")


def means_table(board: Board) -> Table:
    """Return the means of one data set, ranked among its rows, and who is not admitted and why.

    Args:
        board: Ours of one data set.
    """
    ranked = list(board.ranked())
    is_ranking = sum(place is not None for place, _, _ in ranked) > 1
    fronts = board.fronts()
    lines = [
        [*cells_of(each, rank if is_ranking else None), _front(*fronts[each.name])]
        for _, rank, each in ranked
    ]
    where = f"{board.data_set}: " if board.data_set == DATA_SET else ""
    names = ", ".join(board.objects)
    before = (
        "SegF1 at native resolution, one fixed mask per image, mean over objects "
        f"({where}{names}; {board.splits}).\n"
        "Drop: relative loss from private to private_mixed. R_final: mean of the ranks in both, "
        "among these rows.\nSeconds: fit, calibration and all splits of one object. ms: one image, "
        f"median. {_pareto_note(board)}"
    )
    after = "\n\n".join(_notes(board))
    return Table(f"Means over {names}; {board.splits}", HEAD, lines, 3, before, after)


def cells_of(standing: Standing, rank: float | None = None) -> list[str]:
    """Return one of our rows as texts, without its place on the Pareto fronts."""
    cells = [standing.name, standing.method, verdict_of(standing).partition(":")[0]]
    cells += [str(len(standing.objects)), standing.seeds]
    cells += [_score(standing, split) for split in TEST_SPLITS]
    cost = standing.cost
    cells += [percent(drop(*standing.means)), "-" if rank is None else f"{rank:g}"]
    return cells + [whole(each) for each in (cost.seconds, cost.latency_ms, cost.peak_mb)]


def _front(by_ms: bool | None, by_mb: bool | None) -> str:
    return ", ".join(name for name, is_on in (("ms", by_ms), ("MB", by_mb)) if is_on) or "-"


def _pareto_note(board: Board) -> str:
    split = board.accuracy_split.removeprefix("test_")
    note = f"Pareto: no other row has more SegF1 {split} for less ms, or for less MB."
    if len(board.machines) > 1:
        note += (
            "\nms of several machines do not compare: " + "; ".join(sorted(board.machines)) + "."
        )
    return note


def _notes(board: Board) -> Iterator[str]:
    found = board.standings
    if any(each.recipe.endswith(DEMO) for each in found):
        yield "Recipes named demo: small or under-trained on purpose, no comparison of methods."
    if left_out := undefined_text(found):
        yield f"Left out of means, because no pixel is marked and none is to be: {left_out}."
    apart = [each for each in found if each.name != each.recipe]
    if apart:
        said = "\n".join(f"- {each.name}: {_made(each)}" for each in apart)
        yield f"Runs of one recipe with other settings stand apart:\n\n{said}"
    verdicts = {each.name: verdict_of(each) for each in found}
    refused = {name: said for name, said in verdicts.items() if said.startswith(NO)}
    if refused:
        said = "\n".join(f"- {name}: {why[len(NO) :]}" for name, why in refused.items())
        yield f"Not admitted by VAND 4, because\n\n{said}"
    if assumed := list(_assumed(found)):
        yield "\n".join(["Assumed where the papers are silent:", "", *assumed])


def verdict_of(standing: Standing) -> str:
    """Return the verdict of a row's runs: yes if all say so, the first no, or a dash."""
    rows = standing.rows["vand4_admissible"]
    said = rows.dropna().astype(str)
    refused = [each for each in said if each.startswith(NO)]
    if refused:
        return refused[0]
    return YES if len(said) == len(rows) else "-"


def _made(standing: Standing) -> str:
    """Return which runs a row holds, and the command of the first."""
    runs = standing.rows.drop_duplicates(["object", "seed"])
    named = [f"{each.object} seed {each.seed}" for each in runs.itertuples()]
    command = next(iter(runs["command"].dropna()), None)
    return ", ".join(named) + (f", by `{command}`" if command else "")


def _assumed(found: Sequence[Standing]) -> Iterator[str]:
    """Yield what the cards assume where recipes mimic a paper that leaves something open."""
    mimics = [each for each in found if each.recipe.endswith(PAPER_RECIPE)]
    known = methods() if mimics else {}
    for name in dict.fromkeys(each.method for each in mimics):
        if name in known and known[name].card:
            yield from (f"- {name}: {each}" for each in known[name].card.assumed)


def _score(standing: Standing, split: str) -> str:
    """Return the mean with its spread, or what there is instead: whose it is, or a count."""
    scores = standing.scores(split)
    if scores.mean is None:
        if scores.missing and scores.by_object:
            return scores.count
        return "server" if split in PRIVATE_SPLITS and scores.missing else "-"
    spread = scores.spread
    return percent(scores.mean) + ("" if spread is None else f" ± {100 * spread:.1f}")
