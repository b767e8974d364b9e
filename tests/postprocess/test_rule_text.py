"""Rules as text: literals only, names in any case, mistakes of one line with the nearest name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest

from zoo.postprocess import Calibration, Quantile, Rule
from zoo.postprocess.rules.text import parse_rule, rule_of
from zoo.utils.errors import ZooError


@dataclass(frozen=True)
class Odd(Rule):
    """A rule with a parameter of every kind."""

    level: float
    limit: Literal["peak", "area"] = "peak"
    count: int = 3
    strict: bool = False
    note: str = ""
    steps: tuple = (1, 2)
    top: float | None = None

    def derive(self, scenes, split):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Quantile(q=0.9999, min_area_px=20)", Quantile(q=0.9999, min_area_px=20)),
        ("  quantile ( min_area_px = 7 )  ", Quantile(min_area_px=7)),
        ("QUANTILE", Quantile()),
        ("Quantile()", Quantile()),
        ("quantile(q=1)", Quantile(q=1)),
        ("quantile(q=1e-3)", Quantile(q=0.001)),
        ("odd(level=-2.5, limit='area')", Odd(level=-2.5, limit="area")),
        ("odd(level=1, limit=area)", Odd(level=1, limit="area")),
        ("odd(level=1, strict=True, steps=(3, 4))", Odd(level=1, strict=True, steps=(3, 4))),
        ("odd(level=1, top=None, note='a b')", Odd(level=1, top=None, note="a b")),
    ],
)
def test_a_rule_is_read(text, rule):
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Quantil(q=0.9)", "there is no rule 'Quantil'; did you mean 'Quantile'?"),
        ("Rule", "there is no rule 'Rule'"),
        ("quantile(qq=0.9)", "Quantile has no parameter 'qq'; did you mean 'q'?"),
        ("quantile(min_area=3)", "did you mean 'min_area_px'?"),
        ("quantile(needs=3)", "Quantile has no parameter 'needs'"),
        ("quantile(q='high')", "Quantile: q is 'high', it must be a number"),
        ("quantile(q=True)", "q is True, it must be a number"),
        ("quantile(q=2)", "q is 2, it must lie in (0, 1]"),
        ("quantile(min_area_px=2.5)", "min_area_px is 2.5, it must be a whole number"),
        ("odd(level=1, limit='mass')", "limit is 'mass', choose from peak, area"),
        ("odd(level=1, strict=1)", "strict is 1, it must be True or False"),
        ("odd(level=1, note=3)", "note is 3, it must be a text"),
        ("odd", "Odd: "),
        ("quantile(0.9)", "must name each value once"),
        ("quantile(**{'q': 1})", "must name each value once"),
        ("quantile(q=1 + 1j)", "it must be a number"),
        ("quantile(q=float('nan'))", "'q=float('nan')' gives no plain value"),
        ("quantile(q=[x for x in ()])", "gives no plain value"),
        ("quantile(q=0.9, q=0.8)", "must name each value once"),
        ("zoo.postprocess.Quantile(q=0.9)", "cannot be read"),
        ("quantile(q=0.9", "cannot be read"),
        ("", "cannot be read"),
        ("3", "cannot be read"),
        ("(" * 5000, "cannot be read"),
        ("\0", "cannot be read"),
    ],
)
def test_mistakes_are_one_line(text, says):
    with pytest.raises(ZooError) as caught:
        parse_rule(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("place", ["quantile(q={})", "{}", "{}(q=1)", "quantile(q=[{}])"])
def test_nothing_that_is_written_is_run(place, tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(ZooError):
        parse_rule(place.format(f"__import__('pathlib').Path({str(mark)!r}).touch()"))
    assert not mark.exists()


def test_a_calibration_names_the_rule_that_made_it():
    rule = Quantile(q=0.97, min_area_px=3)
    calibration = rule([np.random.default_rng(0).random((9, 9), dtype=np.float32)])
    assert rule_of(calibration) == rule
    assert rule_of(Calibration.from_dict(calibration.to_dict())) == rule


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(threshold=1.0),
        Calibration(threshold=1.0, rule="Gone"),
        Calibration(threshold=1.0, rule="Quantile", parameters={"gone": 1}),
    ],
)
def test_a_calibration_without_a_known_rule_wants_another(calibration):
    with pytest.raises(ZooError, match="--rule takes another"):
        rule_of(calibration)
