"""The rule itself: which images calibrate, which are left out, and what is said about it."""

from pathlib import Path

import pytest

from zoo.data.calibration_images import choose, without
from zoo.data.sample import Sample
from zoo.utils.errors import ZooError


def _samples(names, label=0):
    return [Sample(Path(f"{name}.png"), None, label) for name in names]


def test_what_is_left_out_of_validation_is_said():
    validation = [*_samples("abcd"), *_samples("ef", 1), *_samples("g", None)]
    chosen = choose(_samples("cx"), validation, _samples("dx"), 0, "Mine")
    assert [sample.image_path.stem for sample in chosen.samples] == ["a", "b"]
    assert chosen.notice == (
        "calibration: 2 normal images of Mine's validation; left out there: "
        "1 also in test, 1 also in train, 3 not labelled normal"
    )


@pytest.mark.parametrize(
    ("validation", "reason"),
    [
        ([], "has no validation images"),
        (_samples("bc"), "puts training images into validation"),
        (_samples("az"), "puts test images into validation"),
        (_samples("k", 1), "has no normal image in validation"),
    ],
)
def test_a_share_of_train_is_held_out_for_a_reason(validation, reason):
    train = [*_samples("abcdefghij"), *_samples("y", 1)]
    chosen = choose(train, validation, _samples("za"), 4, "Mine")
    assert chosen.held_out
    assert chosen.notice.endswith(
        f"2 of 11 training images held out by seed 4, because Mine {reason}"
    )
    assert not {sample.image_path.stem for sample in chosen.samples} & {"a", "y", "z"}
    again = choose(train[::-1], validation, _samples("za"), 4, "Mine")
    assert again.samples == chosen.samples
    kept = choose(train, validation, _samples("za"), 4, "Mine", may_hold_out=False)
    assert kept.notice == f"calibration: not derived anew, because Mine {reason}"
    assert not kept.samples


def test_a_link_to_a_test_image_is_a_test_image(tmp_path, write_image, texture):
    real = write_image(tmp_path / "test.png", texture(0))
    link = tmp_path / "copy.png"
    link.symlink_to(real)
    chosen = choose(_samples("abcde"), [Sample(link, None, 0)], [Sample(real, None, 0)], 0, "Mine")
    assert chosen.held_out


def test_train_that_is_all_test_leaves_nothing():
    with pytest.raises(ZooError, match=r"of its 2 training image\(s\) none can be spared"):
        choose(_samples("ab"), [], _samples("ab"), 0, "Mine")


def test_one_of_two_training_images_is_held_out():
    chosen = choose(_samples("ab"), [], [], 0, "Mine")
    assert len(chosen.samples) == 1
    assert len(without(_samples("ab"), chosen.samples)) == 1


def test_the_line_counts_one_image_as_one():
    assert choose([], _samples("a"), [], 0, "Mine").notice.endswith(
        " 1 normal image of Mine's validation"
    )
