"""The contract that every method of the zoo keeps, as one call."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.testing.checks import construction, identity, maps, runs
from zoo.testing.isolation import quiet
from zoo.testing.method_under_test import MethodUnderTest
from zoo.utils.errors import ZooError, nearest, one_line


@dataclass(frozen=True)
class Violation:
    """One line of a report; `error` is the exception behind it, if there was one."""

    check: str
    text: str
    error: BaseException | None = None

    def __str__(self) -> str:
        """Return `check name: what is wrong; how to repair`."""
        return f"{self.check}: {' '.join(self.text.split())}"


@dataclass(frozen=True)
class Check:
    """A named check.

    Attributes:
        name: Names it in reports.
        find: Yields one text per fault, `what is wrong; how to repair`.
        repair: How to repair what `find` itself stumbles over.
        needs: Checks that must hold, or this one would only repeat the fault.
    """

    name: str
    find: Callable[[MethodUnderTest], Iterable[str]]
    repair: str
    needs: tuple[str, ...] = ()

    def __call__(self, under_test: MethodUnderTest) -> list[Violation]:
        """Return the faults of a method; what it raises is a fault too."""
        violations: list[Violation] = []
        try:
            violations.extend(Violation(self.name, text) for text in self.find(under_test))
        except (Exception, SystemExit) as error:
            text = f"{one_line(error)}; {self.repair}"
            violations.append(Violation(self.name, text, error))
        return violations


_ALL = (
    Check("class", identity.is_a_model, "make `module:Class` of the entry point importable"),
    Check("class name", identity.has_its_own_name, "rename the class", ("class",)),
    Check("card", identity.has_a_card, "see plugins/README.md"),
    Check("object names", identity.names_no_object, "repair that file", ("class",)),
    Check(
        "constructor",
        construction.downloads_nothing,
        "give every argument a default, or pass arguments={...} to check_method",
        ("class",),
    ),
    Check(
        "components",
        construction.takes_components,
        "take pre_processor, post_processor, evaluator and visualizer as AnomalibModule does",
        ("constructor",),
    ),
    Check(
        "post-processor",
        construction.shares_the_post_processor,
        "put ZooMethod first among the bases",
        ("constructor",),
    ),
    Check(
        "pre-processor",
        construction.keeps_its_transform,
        "use PreProcessor of anomalib, or a subclass with both checkpoint hooks",
        ("constructor",),
    ),
    Check(
        "recipe",
        construction.fits_a_recipe,
        "annotate the constructor with types that a recipe can hold, such as int or nn.Module",
        ("constructor",),
    ),
    Check("fit", maps.fits, "repair training_step and fit", ("recipe",)),
    Check("score map", maps.gives_score_maps, "repair what the model returns", ("fit",)),
    Check("sign", maps.scores_defects_higher, "repair the score map", ("score map",)),
    Check("batch", maps.ignores_the_batch, "score any number of images", ("score map",)),
    Check("run", runs.writes_a_run, "`zoo train` shows where", ("score map", "post-processor")),
    Check("seed", maps.follows_the_seed, "repair the second fit in one process", ("run",)),
    Check(
        "saved run",
        runs.comes_back_as_a_run,
        "keep what was learned in parameters and buffers, and let the constructor make them all",
        ("run", "pre-processor"),
    ),
    Check(
        "checkpoint",
        runs.comes_back_as_a_checkpoint,
        "keep constructor arguments and state plain: weights and numbers",
        ("run", "pre-processor"),
    ),
    Check(
        "stock engine",
        runs.runs_in_the_engine,
        "use nothing of a batch or a trainer that anomalib's own do not have",
        ("constructor", "post-processor"),
    ),
    Check(
        "stock command line",
        runs.runs_from_the_command_line,
        "use nothing of a batch or a trainer that anomalib's own do not have",
        ("recipe", "stock engine"),
    ),
)
CHECKS: dict[str, Check] = {check.name: check for check in _ALL}


class ContractError(AssertionError):
    """A method breaks the contract.

    Attributes:
        violations: What is wrong, one by one.
        skipped: Checks that were not made, each with those that it needs and that failed.
    """

    def __init__(
        self, name: str, violations: list[Violation], skipped: dict[str, tuple[str, ...]]
    ) -> None:
        self.violations = violations
        self.skipped = skipped
        lines = [f"{name} breaks the contract of the zoo", *map(str, violations)]
        lines += [f"{check}: skipped, it needs {' and '.join(skipped[check])}" for check in skipped]
        super().__init__("\n  ".join(lines))


def check_method(
    method: str | type,
    arguments: dict[str, Any] | None = None,
    trainer: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    only: Iterable[str] | None = None,
) -> None:
    """Raise unless a method keeps the contract.

    Args:
        method: Entry name, class name, or the class itself.
        arguments: Constructor arguments for a quick build, plain values as in a recipe.
        trainer: Trainer settings. A method that learns by epochs, as its card says, gets 20 steps;
            if its maps are still those of chance then, give it more max_epochs and max_steps.
        data: Data settings, such as {"train_batch_size": 1}; 2 images a batch by default.
        only: Names of `CHECKS` to make, with those that they need; all by default.

    Raises:
        ContractError: One line per fault, `check name: what is wrong; how to repair`.
        ZooError: There is no method or no check of that name.
    """
    __tracebackhide__ = True  # pytest then shows the lines, not this function
    checks = _with_needs(CHECKS if only is None else only)
    violations: list[Violation] = []
    failed: set[str] = set()
    skipped: dict[str, tuple[str, ...]] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, quiet():
        under_test = MethodUnderTest(method, arguments, trainer, data, Path(folder))
        for check in checks:
            if unmet := tuple(need for need in check.needs if need in failed or need in skipped):
                skipped[check.name] = unmet
            elif faults := check(under_test):
                failed.add(check.name)
                violations += faults
    if violations:
        causes = [violation.error for violation in violations if violation.error]
        raise ContractError(under_test.name, violations, skipped) from next(iter(causes), None)


def _with_needs(names: Iterable[str]) -> list[Check]:
    """Return checks and all that they need, in order."""
    todo, selected = list(names), set()
    while todo:
        name = todo.pop()
        if name not in CHECKS:
            raise ZooError(f"the contract has no check '{name}'{nearest(name, CHECKS)}")
        selected.add(name)
        todo += CHECKS[name].needs
    return [check for check in _ALL if check.name in selected]
