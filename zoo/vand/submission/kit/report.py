"""The draft of a challenge report, made from card, recipe and runs; people fill in the brackets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from zoo.methods.card import Card
from zoo.runs.documents import is_scored, read_cost
from zoo.utils.markdown import grid, percent
from zoo.utils.text import markdown_cell, markdown_prose
from zoo.vand.submission.kit.manifest import card_of
from zoo.vand.submission.runs import ObjectRun


def report(runs: Sequence[ObjectRun], facts: dict[str, Any], recipe: str) -> str:
    """Return the draft as markdown.

    Args:
        runs: One run per object.
        facts: The kit's manifest.
        recipe: The recipe's text.
    """
    card = card_of(runs[0])
    parts = [
        _head(facts, card),
        _method(card),
        _data(facts, card),
        ["## Configuration", "", "One recipe for all objects:", "", "```yaml", recipe + "```"],
        _thresholds(runs),
        _results(runs),
        _cost(runs),
        _weights(facts),
        _rules(facts, card),
    ]
    return "\n\n".join("\n".join(lines).rstrip() for lines in parts) + "\n"


def _head(facts: dict[str, Any], card: Card | None) -> Iterator[str]:
    yield f"# {card.title if card else facts['method']} on MVTec AD 2"
    yield ""
    yield "Draft, made from the method's card and the runs; what stands in [brackets] is yours to"
    yield "write. Move it into the template of the challenge."
    yield ""
    yield "Team: [names, affiliations, contact]"


def _method(card: Card | None) -> Iterator[str]:
    yield "## Method"
    yield ""
    if card is None:
        yield "[A stock model of anomalib without a card: describe it]"
        return
    yield card.idea
    if card.paper:
        yield ""
        paper = card.paper
        yield f"{paper.authors}: {paper.title}. {paper.venue} ({paper.year}). {paper.url}"
    if card.reference:
        yield f"Reference: {card.reference.repository} at {card.reference.commit}."
    lists = [("Differences from the reference", card.differences)]
    lists += [("Assumed where the papers are silent", getattr(card, "assumed", ()))]
    lists += [("What must hold for it to work", card.assumptions)]
    for heading, items in lists:
        if items:
            yield from ("", f"{heading}:", "", *(f"- {item}" for item in items))
    yield from ("", "[What is new in your entry]")


def _data(facts: dict[str, Any], card: Card | None) -> Iterator[str]:
    yield "## Data and training"
    yield ""
    if card:
        vand4 = card.vand4
        yield f"- Setting: {vand4.setting}; reads {', '.join(vand4.reads_splits) or 'no split'}."
        yield f"- Thresholds from: {vand4.threshold_source}."
        yield f"- Synthetic anomalies: {vand4.synthetic_anomalies}."
    yield f"- One model per object with the same recipe; seed {facts['seed']}."
    sealed = "saw train and validation only, see the attestation.json of each run"
    yield f"- Fit and calibration {sealed if facts['sealed'] else 'were not sealed'}."


def _thresholds(runs: Sequence[ObjectRun]) -> Iterator[str]:
    yield "## Thresholds"
    yield ""
    rule = runs[0].calibration
    given = ", ".join(f"{key}={value}" for key, value in rule.parameters.items())
    said = markdown_cell(f"{rule.rule}({given})")
    yield f"One rule for all objects, {said}; the numbers it found:"
    yield ""
    lines = []
    for run in runs:
        each = run.calibration
        source = f"{each.n_images} normal images of {each.split}"
        limits = f"{each.threshold:.6g}", f"{each.min_area_px} px"
        lines.append([run.object_name, source, *limits])
    yield _table(["object", "from", "threshold", "smallest blob"], lines, 2)


def _results(runs: Sequence[ObjectRun]) -> Iterator[str]:
    yield "## Results"
    yield ""
    yield "Server: [SegF1 private, SegF1 private_mixed, from the leaderboard]"
    public = {run.object_name: run.metrics["splits"].get("test_public") for run in runs}
    if all(values and is_scored(values) for values in public.values()):
        yield ""
        yield "On test_public, which decided nothing; SegF1 of the masks, pooled over all pixels:"
        yield ""
        scores = ("segf1", "au_pro_005")
        lines = [[name, *(percent(values[s]) for s in scores)] for name, values in public.items()]
        yield _table(["object", "SegF1", "AU-PRO 0.05"], lines)


def _cost(runs: Sequence[ObjectRun]) -> Iterator[str]:
    yield "## Cost"
    yield ""
    yield "Batch 1, from the decoded image to the finished mask at native size."
    yield ""
    lines = []
    for run in runs:
        try:
            cost = read_cost(run.folder)
            latency, memory = cost["latency"], cost["memory"]
            peak = memory["peak_device_mb"] or memory["peak_rss_mb"]
            device = cost["processor"] if cost["device"] == "cpu" else cost["device"]
            times = f"{latency['p50_ms']:.1f}", f"{latency['p95_ms']:.1f}", str(latency["passes"])
            counts = f"{peak:.0f}", str(cost["parameters"]), str(cost["threads"])
            lines.append([run.object_name, device, *times, *counts])
        except KeyError:  # not all of it was measured
            continue
    head = ["object", "device", "p50 ms", "p95 ms", "passes"]
    yield _table([*head, "peak memory MB", "parameters", "threads"], lines, 2)


def _weights(facts: dict[str, Any]) -> Iterator[str]:
    yield "## Weights and licences"
    yield ""
    lines = []
    for each in facts["pretrained_weights"]:
        gated = {True: "yes", False: "no", None: "[?]"}[each["gated"]]
        cells = [each[key] or "[?]" for key in ("name", "source", "licence")]
        lines.append([*cells, gated, each["sha256"] or "[?]"])
    head = ["pretrained weights", "source", "licence", "gated", "SHA-256"]
    yield _table(head, lines, len(head))
    yield ""
    yield "Final weights lie in `weights/`, their hashes in `manifest.json`. They were made from"
    yield "MVTec AD 2, which is CC BY-NC-SA 4.0: [licence of your weights]."


def _rules(facts: dict[str, Any], card: Card | None) -> Iterator[str]:
    yield "## Rules of VAND 4.0, industrial track"
    yield ""
    verdicts = sorted(set(facts["vand4_admissible"].values()))
    yield f"- Admissible by card and recipe: {markdown_prose('; '.join(verdicts))}."
    yield "- One configuration without an object's name; no number set by hand for an object."
    yield "- One image at a time: a mask depends on no other image."
    if card:
        name = "used" if card.vand4.uses_category_name else "not used"
        yield f"- Name of the object: {name}. Prompts: [none, or what they are]."
    yield "- Uploads of the team: `uploads.csv`, three in seven days."


def _table(head: Sequence[str], lines: Sequence[Sequence[str]], n_texts: int = 1) -> str:
    return grid(head, [[markdown_cell(cell) for cell in line] for line in lines], n_texts)
