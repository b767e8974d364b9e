"""Anomalib's verbs, handed on as they are; `train` writes a run folder."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.command import ZooCLI
from zoo.errors import ZooError


def run_anomalib_verb(words: Sequence[str]) -> int:
    """Run one of anomalib's verbs; `train` fits, calibrates and judges into a run folder."""
    if words[0] != "train" or {"-h", "--help"} & set(words) or _prints_config(words):
        ZooCLI(words, typed=words[1:]).run()
        return 0
    command = ZooCLI(words, parse_only=True, typed=words[1:])
    if command.settings.get("data") is None:
        raise ZooError(
            "no data given: add --data MVTecAD2Layout --data.root DIR --data.category NAME"
        )
    from zoo.runs.train import train

    train(command)
    return 0


def _prints_config(words: Sequence[str]) -> bool:
    return any(word.startswith("--print_config") for word in words)
