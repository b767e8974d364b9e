"""Which cases are shown, and what is read of old and damaged ones."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest

from zoo.results.report.cases import Case, chosen, kept_cases


@pytest.fixture
def folder(tmp_path, write_report_run):
    return write_report_run(tmp_path, "m/quick", "cup", 0, 0.5)


def test_all_kept_cases_are_found_split_by_split(folder):
    found = kept_cases(folder, [])
    splits = list(dict.fromkeys(case.split for case in found))
    assert splits == ["test_private", "test_private_mixed", "test_public"]
    assert {case.facts["kind"] for case in found} == {"worst", "best", "highest_normal_score"}
    worst = found[0]
    assert worst.title.startswith("worst 1: SegF1 ")
    assert worst.mask_text == "1 blob, 1 defect not touched"


def test_the_first_of_every_kind_comes_before_the_second(folder):
    cases = kept_cases(folder, [])
    few = chosen(cases, 6)
    assert [case.facts["rank"] for case in few] == [1] * 6
    assert {case.split for case in few} == {case.split for case in cases}
    assert {case.facts["kind"] for case in few} == {"worst", "best"}
    assert chosen(cases, 0) == []
    assert chosen(cases, 99) == cases


def test_panels_are_three_pictures_inside_the_page(folder):
    shown = kept_cases(folder, [])[0].panels()
    assert len(shown) == 3
    for uri in shown:
        head, _, data = uri.partition(",")
        assert head == "data:image/webp;base64"
        encoded = np.frombuffer(base64.b64decode(data), np.uint8)
        assert cv2.imdecode(encoded, cv2.IMREAD_COLOR).shape == (48, 64, 3)


@pytest.mark.parametrize(
    "content",
    ["", "[{]", '{"a": 1}', "[1]", "[{}]", '[{"kind": "worst", "file": "../../x.png"}]'],
)
def test_a_damaged_list_is_named_and_the_other_splits_are_shown(folder, content):
    (folder / "cases" / "test_private" / "cases.json").write_text(content)
    missing = []
    found = kept_cases(folder, missing)
    assert {case.split for case in found} == {"test_private_mixed", "test_public"}
    [printed] = missing
    assert printed.startswith(f"cases of test_private: {folder / 'cases/test_private/cases.json'}")


def test_what_is_gone_or_no_picture_is_left_out(folder):
    first, second, *_ = kept_cases(folder, [])
    first.path.unlink()
    second.path.write_bytes(b"")
    assert second.panels() == ()
    assert first.path not in [case.path for case in kept_cases(folder, [])]


def test_a_box_keeps_its_distance_from_what_it_frames():
    case = Case("s", None, {"width": 1000, "height": 500})
    assert case.frame((100, 50, 10, 20)) == (88, 38, 34, 44)
