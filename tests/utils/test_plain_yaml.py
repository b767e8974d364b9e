"""YAML is read by one bounded dialect, and what is written comes back."""

from __future__ import annotations

import os
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zoo.recipes.files import recipes_folder
from zoo.utils import plain_yaml
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import dump_yaml, parse_yaml, read_text, read_yaml


@pytest.fixture(autouse=True, params=["C", "Python"])
def _parser(request, monkeypatch):
    """Try both parsers: a build of PyYAML may come without the one in C."""
    if request.param == "Python":
        monkeypatch.setattr(plain_yaml, "_C_LOADER", yaml.SafeLoader)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("Null", None),
        ("", None),
        ("TRUE", True),
        ("false", False),
        ("-12", -12),
        ("+3", 3),
        ("1e3", 1000.0),
        ("5.", 5.0),
        (".5", 0.5),
        ("01", "01"),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2026-11-30", "2026-11-30"),
        ("._", "._"),
        ("'1e3'", "1e3"),
        ('"true"', "true"),
        (r'"\udcff"', "\udcff"),
    ],
)
def test_only_words_and_decimal_numbers_are_no_text(text, value):
    read = parse_yaml(f"a: {text}", "x")["a"]
    assert read == value
    assert type(read) is type(value)


def test_keys_are_text():
    assert parse_yaml("01: {no: [1]}\n1e3: 2\n", "x") == {"01": {"no": [1]}, "1e3": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 500, "deep"),
        ("{a: " * 500, "deep"),
        ("a: &a [1]\nb: *a", "x: not valid YAML (anchors and aliases are not known here"),
        ("a: *b", "anchors and aliases"),
        ("a: &a\n  b: 1", "anchors and aliases"),
        ("a: 1\n\na: 2", "the key 'a' stands twice, line 3"),
        ("a: {b: 1, 'b': 2}", "'b' stands twice"),
        ("c: {<<: {b: 1}}", "merge keys"),
        ("? [a, b]\n: c", "a key must be plain text"),
        ("&a b: c", "a key must be plain text"),
        ("a: !!python/object/apply:os.system [ls]", "the tag 'tag:yaml.org,2002:python"),
        ("a: !!str b", "the tag"),
        ("a: !b c", "the tag"),
        ("a: .nan", ".nan is no finite number"),
        ("a: -.INF", "-.INF is no finite number"),
        ("a: 1e999", "1e999 is no finite number"),
        ("a: " + "9" * 10_000, "an integer of 10000 digits"),
        ("a: 1\n---\nb: 2", "a second document begins here, line 2"),
        ("a: \0", "x: not valid YAML"),
        ("a: [", "not valid YAML"),
        ("a: b\x85c", "not valid YAML"),
        ("\ta: b", "not valid YAML"),
    ],
)
def test_what_grows_runs_or_means_two_things_is_refused_in_one_line(text, message):
    with pytest.raises(ZooError) as error:
        parse_yaml(text, "x")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_named_with_its_cure(tmp_path, encoding):
    path = tmp_path / "my_recipe.yaml"
    path.write_bytes("# ö\nmodel: ZooPatchcore\n".encode(encoding))
    with pytest.raises(ZooError, match=r"my_recipe\.yaml is UTF-16 or UTF-32: save it as UTF-8"):
        read_yaml(path)


def test_a_file_is_read_as_utf8_and_bounded(tmp_path, monkeypatch):
    path = tmp_path / "r.yaml"
    path.write_bytes("\ufeffa: ö\r\nb: [1]\r\n".encode())
    assert read_yaml(path) == {"a": "ö", "b": [1]}
    path.write_bytes("a: ö".encode("latin-1"))
    with pytest.raises(ZooError, match=r"r\.yaml is not UTF-8 \(byte 3\): save it as UTF-8"):
        read_yaml(path)
    path.write_bytes(b"a" * (plain_yaml.MAX_BYTES + 1))
    with pytest.raises(ZooError, match="larger than 1 MB"):
        read_yaml(path)
    for name in (tmp_path, tmp_path / "missing.yaml", "a\0b"):
        with pytest.raises(ZooError, match="cannot be read"):
            read_yaml(name)


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ZooError, match="is no file"):
        read_text(tmp_path / "pipe.yaml")


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_texts |= st.sampled_from(["01", "no", "1e3", "1E5", ".5", "~", "", "<<", "0o7", "1_0", "\udc80"])
_values = st.recursive(
    _texts | st.booleans() | st.none() | st.integers(-(10**15), 10**15) | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)


@given(data=st.dictionaries(_texts, _values, max_size=3))
def test_what_is_written_comes_back(data):
    assert parse_yaml(dump_yaml(data), "x") == data


@given(text=_texts)
def test_other_dialects_read_a_written_text_as_text(text):
    assert yaml.safe_load(dump_yaml({"a": text}))["a"] == text


@pytest.mark.parametrize(
    "path", sorted(recipes_folder().rglob("*.yaml")), ids=lambda path: path.stem
)
def test_packaged_recipes_mean_the_same_in_every_dialect(path):
    assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))
