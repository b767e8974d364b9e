"""What a method is: an importable anomalib model, with a name of its own and a sound card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from anomalib.models import AnomalibModule

from zoo.methods import registry
from zoo.testing.isolation import NetworkTouched
from zoo.testing.method_under_test import MethodUnderTest


def is_a_model(subject: MethodUnderTest) -> Iterator[str]:
    """Find a class that anomalib cannot use."""
    try:
        kind = subject.method_class
    except NetworkTouched as touched:
        yield f"importing it reaches for {touched}; import nothing that downloads"
        return
    if not isinstance(kind, type) or not issubclass(kind, AnomalibModule):
        yield (
            f"{subject.class_path} is no AnomalibModule; derive it, as in "
            "class MyMethod(ZooMethod, AnomalibModule)"
        )
    elif missing := sorted(kind.__abstractmethods__):
        yield f"{kind.__name__} lacks {', '.join(missing)}; define what AnomalibModule asks for"
    elif "<locals>" in kind.__qualname__:
        yield f"{kind.__name__} is defined in a function; define it in a module, for recipes"


def has_its_own_name(subject: MethodUnderTest) -> Iterator[str]:
    """Find other models of the same name, in whatever case: anomalib's get_model ignores it."""
    own = subject.method_class
    others = {
        f"{other.__module__}.{other.__qualname__}"
        for other in _subclasses(AnomalibModule)
        if other.__name__.lower() == own.__name__.lower() and not _same(other, own)
    }
    others |= {
        f"{method.target} of {method.distribution}"
        for method in registry.methods().values()
        if method.class_name.lower() == own.__name__.lower()
        and (subject.registered is None or method.name != subject.registered.name)
    }
    for other in sorted(others):
        yield (
            f"{other} has the name too, and --model {own.__name__} no longer says which; rename "
            f"the class, say Zoo{own.__name__}"
        )


def has_a_card(subject: MethodUnderTest) -> Iterator[str]:
    """Find a missing registration, or what is wrong with the card."""
    if subject.registered is None:
        yield (
            f"no entry point leads to {subject.class_path}; add one to "
            f'[project.entry-points."{registry.GROUP}"] and install the package'
        )
    elif subject.registered.problem:
        yield subject.registered.problem


def _subclasses(family: Any) -> Iterator[type]:
    for child in family.__subclasses__():
        yield child
        yield from _subclasses(child)


def _same(one: type, other: type) -> bool:
    """Whether two classes are one; a module that was loaded twice counts as one."""
    return (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__)
