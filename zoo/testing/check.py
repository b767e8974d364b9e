"""One check of the contract: a function that finds what is wrong with a method."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from zoo.testing.subject import MethodUnderTest
from zoo.utils.errors import one_line


@dataclass(frozen=True)
class Violation:
    """One line of a report; `error` is the exception behind it, if there was one."""

    check: str
    text: str
    error: BaseException | None = None

    def __str__(self) -> str:
        """Return `check name: what is wrong; how to mend`."""
        return f"{self.check}: {' '.join(self.text.split())}"


@dataclass(frozen=True)
class Check:
    """A named check.

    Attributes:
        name: Names it in reports.
        find: Yields one text per fault, `what is wrong; how to mend`.
        mend: How to mend what `find` itself stumbles over.
        needs: Checks that must hold, or this one would only say the same in other words.
    """

    name: str
    find: Callable[[MethodUnderTest], Iterable[str]]
    mend: str
    needs: tuple[str, ...] = ()

    def __call__(self, subject: MethodUnderTest) -> list[Violation]:
        """Return the faults of a method; what it raises is a fault too."""
        found: list[Violation] = []
        try:
            for text in self.find(subject):
                found.append(Violation(self.name, text))
        except (Exception, SystemExit) as error:
            text = f"{one_line(error)}; {self.mend}"
            found.append(Violation(self.name, text, error))
        return found
