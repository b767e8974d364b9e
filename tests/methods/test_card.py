"""Cards: what is accepted, what each mistake is told, and the verdict on VAND 4."""

import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from zoo.methods.card import read_card, vand4_admissible
from zoo.utils.errors import ZooError

PLUGINS = Path(__file__).parents[2] / "plugins"
# The example of the documentation is the one that is tested.
EXAMPLE = yaml.safe_load(
    re.search(r"```yaml\n(.*?)```", (PLUGINS / "README.md").read_text("utf-8"), re.DOTALL)[1]
)


def read(tmp_path, **changes):
    """Read the example with some fields, given as `outer__inner`, changed; `...` leaves one out."""
    data = deepcopy(EXAMPLE)
    for key, value in changes.items():
        *outer, last = key.split("__")
        record = data[outer[0]] if outer else data
        record.pop(last, None)
        if value is not ...:
            record[last] = value
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return read_card(path)


def test_the_documented_example_is_valid(tmp_path):
    card = read(tmp_path)
    assert card.name == "my_method"
    assert card.weights[0].gated is False
    assert card.vand4.reads_splits == ("train", "validation")
    assert str(card.needs) == "CPU, 4 GB, offline"


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("zoo_plugins/*/card.yaml")), ids=str)
def test_every_bundled_card_is_valid(path):
    assert read_card(path).name == path.parent.name


def test_text_over_several_lines_becomes_one(tmp_path):
    assert read(tmp_path, idea="One line.\nAnother.\n").idea == "One line. Another."


def test_null_says_that_there_is_no_paper(tmp_path):
    assert read(tmp_path, paper=None, reference=None, fidelity=None).paper is None


def test_an_optional_field_may_be_left_out(tmp_path):
    assert read(tmp_path, needs__extras=...).needs.extras == ()


def test_what_the_papers_leave_open_may_stand_on_the_card(tmp_path):
    assert read(tmp_path).assumed == (
        "The report does not give the size of the blur; 4 pixels as in the reference code.",
    )
    assert read(tmp_path, assumed=...).assumed == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"idea": ...}, ["field 'idea' is missing", "add it"]),
        ({"paper__year": ...}, ["field 'paper.year' is missing"]),
        ({"paper__year": "2022"}, ["'paper.year' must be a whole number, not '2022'"]),
        ({"paper__jear": 2022}, ["unknown field 'paper.jear'", "did you mean 'year'?"]),
        ({"diferences": []}, ["unknown field 'diferences'", "did you mean 'differences'?"]),
        ({"title": 3}, ["'title' must be text, not 3", "quotes"]),
        ({"title": " "}, ["'title' must be text"]),
        ({"needs__gpu": "maybe"}, ["'needs.gpu' must be yes or no, not 'maybe'"]),
        ({"needs__memory_gb": True}, ["'needs.memory_gb' must be a number"]),
        ({"needs": None}, ["'needs' must have the fields gpu, memory_gb"]),
        ({"differences": "none"}, ["'differences' must be a list", "[]"]),
        ({"assumptions": ["fine", 1]}, ["'assumptions[1]' must be text"]),
        ({"assumed": "the blur"}, ["'assumed' must be a list"]),
        ({"learns": "epoch"}, ["'learns' cannot be 'epoch'", "did you mean 'epochs'?"]),
        ({"vand4__reads_splits": ["trian"]}, ["'vand4.reads_splits[0]'", "'train'"]),
        ({"vand4__pretrained": ["Efficientnet-Lite"]}, ["did you mean 'EfficientNet-Lite0'?"]),
        ({"vand4__class_agnostic": False}, ["'vand4.class_agnostic_reason'"]),
        (
            {"reference__commit": "main"},
            ["'reference.commit' must be a full hash", "git rev-parse"],
        ),
    ],
)
def test_a_mistake_is_named_with_file_field_and_fix(tmp_path, changes, words):
    with pytest.raises(ZooError) as error:
        read(tmp_path, **changes)
    for word in [str(tmp_path / "card.yaml"), *words]:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "just words", "a: [1,", "a: \xff"])
def test_a_file_that_is_no_card_is_one_line(tmp_path, text):
    path = tmp_path / "card.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ZooError) as error:
        read_card(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_regular_method_is_admissible(tmp_path):
    admissible, reason = vand4_admissible(read(tmp_path))
    assert admissible
    assert "train and validation" in reason


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"reads_splits": ("train", "test_public")}, "may not read test_public"),
        ({"threshold_source": "test_public"}, "threshold from test_public"),
        ({"class_agnostic": False, "class_agnostic_reason": "routes objects"}, "routes objects"),
        ({"test_time_state": True}, "test images before"),
        ({"synthetic_anomalies": "generative"}, "generated anomalies"),
        ({"setting": "zero_shot"}, "may not read train, validation"),
        ({"setting": "zero_shot", "reads_splits": ()}, "threshold from validation"),
    ],
)
def test_what_the_rules_bar_is_not_admissible(tmp_path, facts, word):
    card = read(tmp_path)
    admissible, reason = vand4_admissible(replace(card, vand4=replace(card.vand4, **facts)))
    assert not admissible
    assert word in reason


def test_a_zero_shot_method_that_reads_nothing_is_admissible(tmp_path):
    card = read(tmp_path)
    facts = replace(card.vand4, setting="zero_shot", reads_splits=(), threshold_source="fixed")
    assert vand4_admissible(replace(card, vand4=facts))[0]


def test_all_objections_are_told(tmp_path):
    card = read(tmp_path)
    facts = replace(card.vand4, threshold_source="test_public", test_time_state=True)
    reason = vand4_admissible(replace(card, vand4=facts))[1]
    assert "test_public" in reason
    assert "test images before" in reason
