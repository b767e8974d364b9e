"""What the checker has to say, and how many of a kind are printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from zoo.utils.text import printable

_SHOWN = 3  # of each kind; thousands of equal lines help nobody


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks wrong.

    Attributes:
        where: Path below the submission's folder, or the archive.
        what: What is wrong there, and how to mend it.
        kind: The same for all findings that have one cause; groups them.
        severity: An "error" makes the submission unfit; a "warning" may be meant so.
    """

    where: str
    what: str
    kind: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """Return the finding as one line."""
        return printable(f"{self.severity}: {self.where}: {self.what}")


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield findings as lines, errors first, a few of each kind and how many more there are."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: finding.severity):
        groups.setdefault((finding.severity, finding.kind), []).append(finding)
    for (severity, _), group in groups.items():
        yield from map(str, group[:_SHOWN])
        if len(group) > _SHOWN:
            yield f"{severity}: {len(group) - _SHOWN} more of this kind"


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any finding makes the submission unfit."""
    return any(finding.severity == "error" for finding in findings)
