"""What files say is checked once: types, ranges, finite numbers, known words, plain names."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from zoo.utils import schema
from zoo.utils.errors import ZooError
from zoo.utils.names import check_name, check_recipe_name, problem_of
from zoo.utils.schema import (
    Count,
    Flag,
    Name,
    Number,
    RecipeName,
    Text,
    parse_json,
    validated,
)


@dataclass(frozen=True)
class Inner:
    step: Count


@dataclass(frozen=True)
class Document:
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    threshold: Number
    n_images: Count = 0
    share: Annotated[Number, Field(ge=0, le=1)] = 0.0
    kind: Literal["none", "robust"] = "none"
    inner: Inner | None = None
    size: tuple[Count, Count] = (1, 1)
    sealed: Flag = False
    note: Text = ""
    object_name: Name = "part"
    recipe: RecipeName = "patchcore/embedded"
    findings: dict[Text, Any] = field(default_factory=dict)


VALID = {"threshold": 1, "inner": {"step": 2}, "size": [3, 4], "recipe": "a/b", "note": "\udcff"}
INVALID = {
    "threshold": [True, "5", float("nan"), float("inf"), None, [1]],
    "n_images": [-1, 1.0, "3", True, 10**400],
    "share": [1.5, -0.1],
    "kind": ["foo", 1],
    "inner": [{"step": -1}, {}, 3],
    "size": [[1], [1, 2, 3], [1, -2], "12"],
    "sealed": [1, "yes"],
    "note": [3, None],
    "object_name": ["../x", "a/b", "a\\b", "..", "", " ", "a\nb", "\x1b[2J", 7, "n" * 256],
    "recipe": ["a//b", "../b", "/etc", "a/../b", 3],
    "findings": [[], {3: 4}],
    "foreign": [1],
}


def test_plain_data_becomes_the_dataclass():
    document = validated(Document, VALID, "x.json")
    assert document == Document(1.0, inner=Inner(2), size=(3, 4), recipe="a/b", note="\udcff")


@pytest.mark.parametrize(("key", "value"), [(key, v) for key, vs in INVALID.items() for v in vs])
def test_one_wrong_field_is_one_line_with_file_field_and_mend(key, value):
    with pytest.raises(ZooError, match=r"^run/x\.json: .*: fit again$") as caught:
        validated(Document, {**VALID, key: value}, "run/x.json", "fit again")
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_named():
    with pytest.raises(ZooError, match="threshold is missing"):
        validated(Document, {}, "x.json")
    with pytest.raises(ZooError, match=r"x\.json"):
        validated(Document, [], "x.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a": 1, "a": 2}',
        "[NaN]",
        "[Infinity]",
        "[" * 100_000,
        b"\xff{}",
        b"\x00",
        "1" * 9999,
    ],
)
def test_json_that_is_none_is_refused_in_one_line(text, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ZooError, match=r"x\.json is no valid JSON"):
        schema.read_json(path)


def test_a_file_that_is_missing_or_too_large_is_named(tmp_path, monkeypatch):
    with pytest.raises(ZooError, match="no such file"):
        schema.read_json(tmp_path / "x.json")
    monkeypatch.setattr(schema, "MAX_BYTES", 4)
    (tmp_path / "x.json").write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(ZooError, match="larger than"):
        schema.read_json(tmp_path / "x.json")


@given(st.text(max_size=30))
def test_a_name_stays_in_its_folder(text):
    problem = problem_of(text)
    if problem is None:
        assert check_name(text, "object") == text
        assert "/" not in text
        assert text not in {"", ".", ".."}
    else:
        with pytest.raises(ZooError, match="object"):
            check_name(text, "object", "metrics.json")


@pytest.mark.parametrize(
    "name", ["schraube ö", "部品", "01", "no", "1e3", ".hidden", "a..b", "\udcff"]
)
def test_any_plain_name_will_do(name):
    assert check_name(name, "object") == name


def test_names_of_recipes_have_parts():
    assert check_recipe_name("patchcore/embedded") == "patchcore/embedded"
    for wrong in ("../x", "/x", "x/", 5):
        with pytest.raises(ZooError, match="recipe"):
            check_recipe_name(wrong)


def test_json_round_trips_names_that_are_no_utf8():
    assert parse_json('{"a": "\\udcff"}', "x") == {"a": "\udcff"}
