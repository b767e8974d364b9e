"""A method's card as text: its facts, as `zoo show` prints them, and its page in markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zoo.methods.card import Card, Weights, vand4_admissible
from zoo.methods.registry import Method
from zoo.recipes.files import Recipe
from zoo.results.catalogue import ANYWHERE

MEASURED = "real_photographs.csv"
_LEARNS = {
    "training_free": "nothing; it stores what normal images look like",
    "one_shot": "in a single pass over the normal images",
    "epochs": "by gradient descent over several epochs",
}
_RESULTS_NOTE = (
    f"SegF1 at native resolution, mean over seeds, from `results/{MEASURED}`; "
    "`results/README.md` explains what these images are and are not. Seconds: fit, calibration "
    "and all splits. ms: one image, median."
)


def facts(card: Card) -> Iterator[tuple[str, str]]:
    """Yield pairs of label and text: where a method comes from and what it needs."""
    if paper := card.paper:
        cited = f"{paper.authors}: {paper.title}. {paper.venue} ({paper.year}). {paper.url}"
        yield "Paper", cited
    if reference := card.reference:
        at = f"{reference.repository} at {reference.commit} ({reference.licence})"
        yield "Reference", at
    yield "Licence", f"code {card.licence.code}; weights {card.licence.weights}"
    for weights in card.weights:
        yield "Weights", _weights(weights)
    yield "Needs", str(card.needs)
    yield "Learns", _LEARNS[card.learns]
    if card.fidelity:
        yield "Fidelity", f"{card.fidelity.tolerance} ({card.fidelity.test})"


def vand4(card: Card) -> str:
    """Return whether the rules of VAND 4.0 admit the method, with the facts that they ask for."""
    admissible, reason = vand4_admissible(card)
    made = f"synthetic anomalies: {card.vand4.synthetic_anomalies}"
    return f"{'yes' if admissible else 'no'}, {reason}; {made}"


def lists(card: Card) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield pairs of heading and items: what was changed, and what is taken for granted."""
    yield "Differences from the reference", card.differences
    yield "Assumptions", card.assumptions
    if card.assumed:
        yield "Assumed where the papers are silent", card.assumed


def card_page(method: Method, recipes: Iterable[Recipe]) -> str:
    """Return the page of a method in markdown, without its title.

    Args:
        method: A registered method whose card can be read.
        recipes: The packaged recipes that run it.
    """
    assert method.card is not None
    return "\n\n".join(_parts(method, method.card, list(recipes)))


def _parts(method: Method, card: Card, recipes: list[Recipe]) -> Iterator[str]:
    from zoo.utils.markdown import grid  # pandas takes its time

    yield card.idea
    name = f"`{method.name}`, class `{method.class_name}` of {method.distribution}"
    rows = [("Name", name), *facts(card), ("VAND 4.0", f"admissible: {vand4(card)}")]
    yield grid(("Card", ""), rows, 2)
    if recipes:
        yield "## Recipes"
        yield "`zoo bench RECIPE --data.root DIR` runs one on every object of a data set."
        lines = [(f"`{r.name}`", r.description or "-", r.needs or ANYWHERE) for r in recipes]
        yield grid(("recipe", "what it is", "needs"), lines, 3)
    yield f"## Results\n\n{_results(method)}"
    for heading, items in lists(card):
        text = "\n".join(f"- {item}" for item in items) or "None."
        yield f"## {heading}\n\n{text}"


def _results(method: Method) -> str:
    from zoo.results.markdown import method_table
    from zoo.results.published import results_folder
    from zoo.results.rows import read_rows

    measured = read_rows([results_folder() / MEASURED])
    measured = measured[measured["method"] == method.name]
    if measured.empty:
        return f"None yet in `results/{MEASURED}`."
    return f"{_RESULTS_NOTE}\n\n{method_table(measured)}"


def _weights(weights: Weights) -> str:
    access = ", gated: ask for access first" if weights.gated else ""
    digest = f", sha256 {weights.sha256}" if weights.sha256 else ""
    return f"{weights.name}: {weights.source} ({weights.licence}{access}{digest})"
