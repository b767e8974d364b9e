"""Errors for people: one line, and the nearest valid name."""

import pickle

import pytest

from zoo.utils.errors import ZooError, nearest, one_line

MANY = [f"name{number:03d}" for number in range(40)]


@pytest.mark.parametrize(
    ("name", "valid", "expected"),
    [
        ("lsit", ["list", "show"], "; did you mean 'list'?"),
        ("zoopatchcore", ["ZooPatchcore", "Padim"], "; did you mean 'ZooPatchcore'?"),
        ("xyz", ["show", "list", "list"], "; choose from list, show"),
        ("xyz", [], ""),
        ("xyz", MANY, ""),
        ("name0007", MANY, "; did you mean 'name007'?"),
        ("", ["a"], "; choose from a"),
    ],
)
def test_nearest(name, valid, expected):
    assert nearest(name, valid) == expected


def test_nearest_takes_any_iterable():
    assert nearest("tset", (name for name in ("train", "test"))) == "; did you mean 'test'?"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ZooError("no data at x: set y"), "no data at x: set y"),
        (ValueError("a\n  b"), "ValueError: a b"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (KeyError("k"), "KeyError: 'k'"),
    ],
)
def test_one_line(error, expected):
    assert one_line(error) == expected


def test_one_line_is_cut_to_its_limit():
    text = one_line(ValueError("word " * 1000), limit=50)
    assert text.startswith("ValueError: word word")
    assert len(text) < 80


def test_an_error_keeps_its_text_between_processes():
    assert str(pickle.loads(pickle.dumps(ZooError("one line")))) == "one line"


def test_a_traceback_that_a_worker_wrapped_around_the_line_is_taken_off():
    try:
        try:
            raise ValueError("inner")
        except ValueError as inner:
            raise ZooError("image x.png cannot be read (inner): copy it again") from inner
    except ZooError as error:
        from torch._utils import ExceptionWrapper

        wrapper = ExceptionWrapper(where="in a worker")
        line = str(error)
    with pytest.raises(ZooError) as caught:
        wrapper.reraise()
    assert str(caught.value) == line
