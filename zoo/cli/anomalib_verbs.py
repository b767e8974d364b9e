"""Anomalib's verbs, handed on as they are; `train` writes a run folder."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.cli.anomalib_engine import ZooEngine
from zoo.recipes.command import ZooCLI
from zoo.utils.errors import ZooError


class VerbCLI(ZooCLI):
    """Anomalib's command line with the engine that writes plain folders and honest exports."""

    def instantiate_engine(self) -> None:
        """Build the engine with the settings that anomalib collected."""
        super().instantiate_engine()
        self.engine = ZooEngine(**self.engine._cache.args)


def run_anomalib_verb(words: Sequence[str]) -> int:
    """Run one of anomalib's verbs; `train` fits, calibrates and judges into a run folder."""
    if words[0] != "train" or {"-h", "--help"} & set(words) or _prints_config(words):
        VerbCLI(words, typed=words[1:]).run()
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
