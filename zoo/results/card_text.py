"""What a card says, in the words that `zoo show` prints for people, plain or as markdown."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.methods.card import Card, Weights, vand4_admissible

_LEARNS = {
    "training_free": "nothing; it stores what normal images look like",
    "one_shot": "in a single pass over the normal images",
    "epochs": "by gradient descent over several epochs",
}


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


def _weights(weights: Weights) -> str:
    access = ", gated: ask for access first" if weights.gated else ""
    digest = f", sha256 {weights.sha256}" if weights.sha256 else ""
    return f"{weights.name}: {weights.source} ({weights.licence}{access}{digest})"
