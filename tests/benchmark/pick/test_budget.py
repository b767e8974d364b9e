"""Budgets as people write them, and how far a cost is beyond one."""

import pytest

from zoo.benchmark.pick.choice import Budget
from zoo.utils.errors import ZooError


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("50ms,2GB", Budget(50, 2000)),
        ("2gb, 0.5 s", Budget(500, 2000)),
        ("40MS", Budget(40)),
        ("1.5GB", Budget(None, 1500)),
    ],
)
def test_a_budget_is_read(text, budget):
    assert Budget.parse(text) == budget


@pytest.mark.parametrize(
    "text", ["", "fast", "50", "0ms", "50ms,", "-5ms", "50ms,2GB,1s", "5ms 2GB"]
)
def test_a_budget_that_cannot_be_read_says_how(text):
    with pytest.raises(ZooError, match=r"the budget '.*50ms,2GB") as caught:
        Budget.parse(text)
    assert "\n" not in str(caught.value)


def test_what_is_dearest_decides():
    budget = Budget(50, 2000)
    assert budget.excess(25, 1000) == 0.5
    assert budget.excess(25, 4000) == 2
    assert Budget(50).excess(50, 1e9) == 1
    assert str(budget) == "50 ms and 2000 MB"
