"""The means of one board: our rows per recipe, over objects and seeds, with ranks and cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from zoo.data.layout import PRIVATE_SPLITS, TEST_SPLITS
from zoo.recipes import DEMO
from zoo.registry import methods
from zoo.reproduction.rows import PAPER_RECIPE
from zoo.standings.board import SERVER, Board
from zoo.standings.cost import cost_of
from zoo.standings.markdown import Table, percent, whole
from zoo.standings.published import DATA_SET
from zoo.standings.ranks import drop, places, r_final
from zoo.vand4 import NO, YES

HEAD = ("recipe", "method", "VAND 4", "objects", "seeds", "public", "private", "private_mixed")
HEAD += ("drop", "R_final", "seconds", "ms", "peak MB", "Pareto")


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Average SegF1 over objects, per recipe and split, with the drop under mixed light and cost.

    Seeds are averaged within an object first; the spread is the standard deviation of the object
    means over seeds. Where the server scored one seed, that one counts.
    """
    found = []
    for (recipe, method), group in rows.groupby(["recipe", "method"], sort=False):
        entry: dict[str, object] = {
            "recipe": recipe,
            "method": method,
            "vand4": _vand4(group),
            "objects": group["object"].nunique(),
            "seeds": group["seed"].nunique(),
        }
        for split in TEST_SPLITS:
            part = group[group["split"] == split]
            if (part["scored_by"] == SERVER).any():
                part = part[part["scored_by"] == SERVER]
            by_seed = part.groupby("seed")["segf1"].mean()
            complete = len(part) > 0 and part["segf1"].notna().all()
            entry[split] = by_seed.mean() if complete else None
            entry[f"{split}_spread"] = by_seed.std(ddof=0) if complete else None
            entry[f"{split}_images"] = len(part)
        entry["drop"] = drop(entry["test_private"], entry["test_private_mixed"])
        found.append(entry | cost_of(group).record())
    table = pd.DataFrame(found)
    means = [tuple(row) for row in table[list(PRIVATE_SPLITS)].to_numpy(dtype=object)]
    table["r_final"] = pd.Series(r_final(means), dtype=float)
    table["place"] = pd.Series(places(means), dtype=float)
    return table


def means_table(rows: pd.DataFrame, board: Board) -> Table:
    """Return the means of one data set, ranked among its rows, and who is not admitted and why.

    Args:
        rows: Of the board's recipes.
        board: Ours of one data set.
    """
    table = summary(rows).sort_values("place", kind="stable")
    is_ranking = table["place"].notna().sum() > 1
    fronts = board.fronts()
    entries = table.to_dict("records")
    lines = [[*cells_of(each, is_ranking), _front(*fronts[each["recipe"]])] for each in entries]
    where = f"{board.data_set}: " if board.data_set == DATA_SET else ""
    before = (
        "SegF1 at native resolution, one fixed mask per image, mean over objects "
        f"({where}{', '.join(board.objects)}).\n"
        "Drop: relative loss from private to private_mixed. R_final: mean of the ranks in both, "
        "among these rows.\nSeconds: fit, calibration and all splits of one object. ms: one image, "
        f"median. {_pareto_note(board)}"
    )
    after = "\n\n".join(_notes(rows, entries))
    return Table(f"Means over {', '.join(board.objects)}", HEAD, lines, 3, before, after)


def cells_of(entry: dict[str, Any], is_ranking: bool) -> list[str]:
    """Return one recipe of the summary as texts."""
    cells = [entry["recipe"], entry["method"], entry["vand4"].partition(":")[0]]
    cells += [str(entry["objects"]), str(entry["seeds"])]
    for split in TEST_SPLITS:
        unknown = "server" if entry[f"{split}_images"] and split in PRIVATE_SPLITS else "-"
        spread = entry[f"{split}_spread"] if entry["seeds"] > 1 else None
        cells.append(unknown if pd.isna(entry[split]) else _score(entry[split], spread))
    rank = f"{entry['r_final']:g}" if is_ranking and not pd.isna(entry["place"]) else "-"
    cost = [whole(entry[name]) for name in ("total_s", "p50_ms", "peak_rss_mb")]
    return [*cells, percent(entry["drop"]), rank, *cost]


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


def _notes(rows: pd.DataFrame, entries: list[dict[str, Any]]) -> Iterator[str]:
    if any(str(entry["recipe"]).endswith(DEMO) for entry in entries):
        yield "Recipes named demo: small or under-trained on purpose, no comparison of methods."
    refused = [entry for entry in entries if entry["vand4"].startswith(NO)]
    if refused:
        said = "\n".join(f"- {each['recipe']}: {each['vand4'][len(NO) :]}" for each in refused)
        yield f"Not admitted by VAND 4, because\n\n{said}"
    if assumed := list(_assumed(rows)):
        yield "\n".join(["Assumed where the papers are silent:", "", *assumed])


def _vand4(group: pd.DataFrame) -> str:
    """Return the verdict of a recipe's runs: yes if all say so, the first no, or a dash."""
    said = group["vand4_admissible"].dropna().astype(str)
    refused = [each for each in said if each.startswith(NO)]
    if refused:
        return refused[0]
    return YES if len(said) == len(group) else "-"


def _assumed(rows: pd.DataFrame) -> Iterator[str]:
    """Yield what the cards assume where recipes mimic a paper that leaves something open."""
    mimics = rows[rows["recipe"].astype(str).str.endswith(PAPER_RECIPE)]
    known = methods() if len(mimics) else {}
    for name in dict.fromkeys(mimics["method"]):
        if name in known and known[name].card:
            yield from (f"- {name}: {each}" for each in known[name].card.assumed)


def _score(value: float, spread: float | None) -> str:
    text = percent(value)
    return text if spread is None or pd.isna(spread) else f"{text} ± {100 * spread:.1f}"
