"""The command `zoo`: its own light verbs, and anomalib's with every method of the zoo known."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import islice
from typing import NoReturn

from zoo import __version__
from zoo.cli.interrupts import INTERRUPTED, MESSAGE, interruptible
from zoo.cli.outside import described, load_verb, outside_verbs
from zoo.recipes.trust import trusting
from zoo.utils.atomic import unwritable
from zoo.utils.errors import ZooError, nearest, one_line
from zoo.utils.process import give_home, print_any_text, quiet, return_memory, share_cores
from zoo.utils.text import printable

# Each is a module of this package with HELP, add_arguments(parser) and run(args).
ZOO_VERBS = ["fit", "predict", "calibrate", "export", "relight", "efficiency", "bench", "verify"]
ZOO_VERBS += ["pick", "table", "report", "submit", "reproduce", "demo", "tiny", "list"]
ZOO_VERBS += ["show", "doctor"]
# With anomalib's options and recipes.
ANOMALIB_VERBS = {
    "train": "fit, calibrate and evaluate one method on one object; writes a run folder",
    "validate": "anomalib's validate",
    "test": "anomalib's test, metrics at model size",
    "anomalib": "anomalib's own fit, predict and export: zoo anomalib export --model ...",
}
_ENGINE_VERBS = ("fit", "validate", "test", "predict", "export")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and offer the nearest valid word.

    Attributes:
        passes: Options that begin so belong to the recipe, each with its value: `args.passed`.
    """

    passes: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        """Raise the message as an error for people."""
        verb = self.prog.split(" ", 1)[-1]
        raise ZooError(f"{message} (see `zoo {verb} --help`)" if " " in self.prog else message)

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Parse, and name the nearest option for one that does not exist."""
        args, passed = _parted(args or [], self.passes)
        known, unknown = self.parse_known_args(args)
        known.passed = passed
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            near = nearest(unknown[0], options) if unknown[0].startswith("-") else ""
            self.error(f"unknown argument '{unknown[0]}'{near}")
        return known


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors for people become one line on stderr."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    trust = "--trust" in words
    words = [word for word in words if word not in {"--debug", "--trust"}]
    print_any_text()
    give_home()
    share_cores()
    return_memory()
    if not debug:
        quiet()
    with interruptible(is_whole_process=argv is None) as is_interrupted:
        try:
            with trusting(trust):
                return dispatch(words, debug)
        except BaseException as error:
            if debug:
                raise
            if isinstance(error, KeyboardInterrupt) or is_interrupted():  # libraries rename it
                print(MESSAGE, file=sys.stderr)
                return INTERRUPTED
            if not isinstance(error, Exception):
                raise
            return _told(error)


def _told(error: Exception) -> int:
    """Print an error in one line, and return the exit code."""
    try:
        sys.stdout.flush()
    except (
        OSError
    ):  # a closed pipe, as in `zoo list | head`, or a full disk: nothing more goes there
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - it stays open until the end
    if isinstance(error, BrokenPipeError):
        return 0
    if isinstance(error, ZooError):
        text = str(error)
    else:
        more = f"{one_line(error)} (--debug shows where it comes from)"
        text = unwritable(error) or more
    print(f"zoo: {printable(text)}", file=sys.stderr)
    return 1


def dispatch(words: list[str], debug: bool) -> int:
    """Carry out the verb that words begin with, and return the exit code."""
    verb = words[0] if words else "--help"
    if verb in {"-h", "--help"}:
        print(_help())
        return 0
    if verb == "--version":
        print(f"anomalib-zoo {__version__}")
        return 0
    if verb == "train":
        return import_module("zoo.cli.train").run(words[1:])
    if verb in ANOMALIB_VERBS:
        return _anomalib(words[verb == "anomalib" :])
    outside = {} if verb in ZOO_VERBS else outside_verbs()
    if verb not in ZOO_VERBS and verb not in outside:
        known = [*ZOO_VERBS, *ANOMALIB_VERBS, *outside]
        raise ZooError(f"unknown command '{verb}'{nearest(verb, known)}")
    module = load_verb(outside[verb]) if outside else import_module(f"zoo.cli.{verb}")
    parser = Parser(prog=f"zoo {verb}", description=module.HELP, allow_abbrev=False)
    module.add_arguments(parser)
    args = parser.parse_args(words[1:])
    args.debug = debug
    return module.run(args)


def _anomalib(words: list[str]) -> int:
    if not words or words[0] in {"-h", "--help"}:
        print(f"usage: zoo anomalib VERB ...   (VERB: {', '.join(_ENGINE_VERBS)})")
        return 0
    if words[0] not in _ENGINE_VERBS:
        raise ZooError(f"anomalib has no verb '{words[0]}'{nearest(words[0], _ENGINE_VERBS)}")
    return import_module("zoo.cli.anomalib").run(words)


def _parted(words: Sequence[str], beginnings: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Part words from options that begin so, each with the value that follows it."""
    kept, taken = [], []
    rest = iter(words)
    for word in rest:
        if word.startswith(beginnings):
            taken += [word, *islice(rest, 0 if "=" in word else 1)]
        else:
            kept.append(word)
    return kept, taken


def _help() -> str:
    lines = ["usage: zoo VERB ...   (zoo VERB --help tells more)", "", "verbs of the zoo:"]
    lines += [f"  {verb:<11}{import_module(f'zoo.cli.{verb}').HELP}" for verb in ZOO_VERBS]
    lines += ["", "anomalib's verbs, with its own flags and recipes and every method known:"]
    lines += [f"  {verb:<11}{text}" for verb, text in ANOMALIB_VERBS.items()]
    lines += described()
    lines += ["", "  --version  print the version", "  --debug    show the traceback of an error"]
    lines += ["  --trust    use recipes and checkpoints unchecked: they may run any code"]
    return "\n".join(lines)
