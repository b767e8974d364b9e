"""The versions that runs were made with, as `requirements.txt`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

# They follow from torch's pin, and differ by platform.
_OF_TORCH = re.compile(r"(nvidia|cuda|triton)(-|$)")


def requirements(names: Iterable[str]) -> str:
    """Return `requirements.txt` for distributions and all that they require.

    Args:
        names: The distributions that the runs import, such as anomalib-zoo.
    """
    names = sorted(set(names))
    found = {_key(each.name): each for each in _closure(names)}
    own = [found.pop(_key(name)) for name in names if _key(name) in found]
    others = [each for name, each in sorted(found.items()) if not _OF_TORCH.match(name)]
    return "\n".join([*(line for each in own for line in _own(each)), "", *map(_pin, others), ""])


def _closure(names: Iterable[str]) -> Iterator[Distribution]:
    todo, seen = list(names), set()
    while todo:
        name = todo.pop()
        try:
            found = distribution(name)
        except PackageNotFoundError:  # an alternative that is not used here
            continue
        if _key(found.name) in seen:
            continue
        seen.add(_key(found.name))
        yield found
        for text in found.requires or []:
            required = Requirement(text)
            if required.marker is None or required.marker.evaluate({"extra": ""}):
                todo.append(required.name)


def _own(found: Distribution) -> Iterator[str]:
    """Yield the pin of a package that may come from elsewhere than an index."""
    source = json.loads(found.read_text("direct_url.json") or "{}")
    commit = source.get("vcs_info", {}).get("commit_id")
    if commit:
        yield f"{found.name} @ git+{source['url']}@{commit}"
        return
    if source:
        yield f"# {found.name} was installed from a folder: put here where judges find this version"
    yield _pin(found)


def _pin(found: Distribution) -> str:
    # `2.10.0+cpu` is an index's own name for 2.10.0
    return f"{found.name}=={found.version.partition('+')[0]}"


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
