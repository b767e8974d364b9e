"""Anomalib's verbs, handed on as they are; `train` on data in our layout writes a run folder."""

from __future__ import annotations

from collections.abc import Sequence

from jsonargparse._util import import_object

from zoo.command import ZooCLI
from zoo.data.datamodule import MVTecAD2Layout
from zoo.errors import ZooError


def run_anomalib_verb(words: Sequence[str]) -> int:
    """Run one of anomalib's verbs; `train` on data in our layout writes a run folder."""
    if words[0] != "train" or {"-h", "--help"} & set(words) or _prints_config(words):
        ZooCLI(words).run()
        return 0
    command = ZooCLI(words, parse_only=True)
    data = command.settings.get("data")
    if data is None:
        raise ZooError(
            "no data given: add --data MVTecAD2Layout --data.root DIR --data.category NAME"
        )
    if import_object(data.class_path) is not MVTecAD2Layout:
        command.instantiate()
        command.run()
        return 0
    from zoo.runs.train import train

    return train(command)


def _prints_config(words: Sequence[str]) -> bool:
    return any(word.startswith("--print_config") for word in words)
