"""Streaming AUROC, oracle SegF1 and AU-PRO against exact, sort-based references."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import precision_recall_curve, roc_auc_score

from zoo.metrics import PixelCounts, PixelScores, load_splits, save_splits
from zoo.utils.errors import ZooError

EIGHT_NEIGHBOURS = np.ones((3, 3), int)
CASES = [
    "continuous", "tied", "diagonal", "constant", "separable", "inverted", "negative",
    "signed", "huge", "few normal pixels", "sparse zeros",
]  # fmt: skip


@functools.cache
def _split(case: str, scale: int = 1):
    """Four images as (score map float32, truth bool), the third one normal."""
    generator = np.random.default_rng(CASES.index(case))
    images = []
    for index, shape in enumerate([(60, 80), (71, 53), (64, 64), (33, 120)]):
        shape = shape[0] * scale, shape[1] * scale
        density = {"diagonal": 0.3, "few normal pixels": 0.9}.get(case)
        if density:  # single pixels that touch at corners, or ground truth nearly everywhere
            truth = generator.random(shape) < density
        else:  # blobs of very different size
            truth = ndimage.gaussian_filter(generator.random(shape), 2) > 0.56
        if index == 2:
            truth[:] = False
        scores = generator.gamma(2.0, 0.3, shape) + truth * generator.gamma(1.5, 0.4, shape)
        if case == "tied":
            scores = np.round(scores * 3)
        elif case == "constant":
            scores = np.full(shape, 0.7)
        elif case == "separable":
            scores = scores * 0 + generator.random(shape) + 2 * truth
        elif case == "inverted":
            scores = -truth.astype(float)
        elif case == "negative":
            scores = -(10.0**-scores)
        elif case == "signed":
            scores = scores - 0.9
        elif case == "huge":
            exponent = generator.uniform(-30, 20, shape) + truth * generator.uniform(0, 18, shape)
            scores = 10.0**exponent * np.where(generator.random(shape) < 0.1 + 0.8 * truth, 1, -1)
        elif case == "sparse zeros":  # what a clamp leaves: mostly ties at 0
            scores = np.maximum(scores - 1.2, 0)
        images.append((scores.astype(np.float32), truth))
    return images


def _coarse(images):
    """The same maps with scores that a bin holds exactly: 12 mantissa bits."""
    mask = np.uint32(0xFFFFF800)
    return [((scores.view(np.uint32) & mask).view(np.float32), truth) for scores, truth in images]


def _stream(images) -> PixelScores:
    pixels = PixelScores()
    for scores, truth in images:
        pixels.update(scores, truth)
    return pixels


def _flat(images):
    scores = np.concatenate([scores.ravel() for scores, _ in images]).astype(np.float64)
    return scores, np.concatenate([np.ravel(truth) != 0 for _, truth in images])


def _exact_oracle(images) -> float:
    scores, truth = _flat(images)
    precision, recall, _ = precision_recall_curve(truth, scores)
    return float(np.nanmax(2 * precision * recall / np.maximum(precision + recall, 1e-300)))


def _exact_au_pro(images, limit: float) -> float:
    """AU-PRO by its definition: every distinct score is a threshold, every region is looked at."""
    scores, truth = _flat(images)
    thresholds = np.unique(scores)[::-1]

    def share_at_or_above(values):
        values = np.sort(values)
        return 1 - np.searchsorted(values, thresholds, side="left") / values.size

    regions = []
    for image_scores, image_truth in images:
        labels, count = ndimage.label(image_truth, structure=EIGHT_NEIGHBOURS)
        regions += [
            share_at_or_above(image_scores[labels == label].astype(np.float64))
            for label in range(1, count + 1)
        ]
    rate = [0.0, *share_at_or_above(scores[~truth])]
    overlap = [0.0, *np.mean(regions, axis=0)]
    area = 0.0
    for left, right, low, high in zip(rate, rate[1:], overlap, overlap[1:], strict=False):
        if right > limit:
            cut = low + (high - low) * (limit - left) / (right - left)
            return (area + (limit - left) * (low + cut) / 2) / limit
        area += (right - left) * (low + high) / 2
    return area / limit


def _metrics(pixels: PixelScores) -> list:
    return [
        pixels.pixel_auroc, pixels.oracle_segf1, pixels.oracle_threshold,
        pixels.au_pro(), pixels.au_pro(0.3),
    ]  # fmt: skip


def _assert_same(one: PixelScores, other: PixelScores) -> None:
    assert one.n_regions == other.n_regions
    for part in ["normal", "defect", "region"]:
        mine, theirs = getattr(one, part).to_arrays(), getattr(other, part).to_arrays()
        assert mine["mantissa_bits"] == theirs["mantissa_bits"]
        np.testing.assert_array_equal(mine["bins"], theirs["bins"])
        # Sums of fractions depend on their order in the last bit.
        rtol = 1e-12 if part == "region" else 0
        np.testing.assert_allclose(mine["counts"], theirs["counts"], rtol=rtol, atol=0)
    assert _metrics(one) == pytest.approx(_metrics(other), rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_coarse_scores_give_the_exact_values(case):
    images = _coarse(_split(case))
    pixels = _stream(images)
    scores, truth = _flat(images)
    assert pixels.pixel_auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert pixels.oracle_segf1 == pytest.approx(_exact_oracle(images), abs=1e-12)
    for limit in [0.05, 0.3, 1.0]:
        assert pixels.au_pro(limit) == pytest.approx(_exact_au_pro(images, limit), abs=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_any_scores_give_nearly_the_exact_values(case):
    # Large enough that a pixel more or less does not move F1 by the tolerance.
    images = _split(case, scale=3)
    pixels = _stream(images)
    exact = roc_auc_score(*_flat(images)[::-1])
    assert pixels.pixel_auroc == pytest.approx(exact, abs=1e-4)
    oracle = _exact_oracle(images)
    assert oracle - 1e-4 <= pixels.oracle_segf1 <= oracle + 1e-12
    images = _split(case)
    assert _stream(images).au_pro() == pytest.approx(_exact_au_pro(images, 0.05), abs=1e-4)


def test_au_pro_agrees_with_anomalib():
    torch = pytest.importorskip("torch")
    aupro = pytest.importorskip("anomalib.metrics.aupro")
    torch.set_num_threads(2)
    for case in CASES:
        # One size for all images: anomalib stacks them.
        images = [(scores[:33, :53], truth[:33, :53]) for scores, truth in _split(case)]
        metric = aupro._AUPRO(fpr_limit=0.05)
        for scores, truth in images:
            target = torch.from_numpy(truth.astype(np.int64))[None]
            metric.update(torch.from_numpy(scores.copy())[None], target)
        result = _stream(images).au_pro(0.05)
        assert result == pytest.approx(metric.compute().item(), abs=1e-3), case


@pytest.mark.parametrize("case", CASES)
def test_oracle_threshold_reaches_the_oracle_score(case):
    images = _split(case)
    pixels, counts = _stream(images), PixelCounts()
    for scores, truth in images:
        counts.update(scores >= pixels.oracle_threshold, truth)
    assert counts.segf1 == pytest.approx(pixels.oracle_segf1, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5])
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_constant_map(value, limit):
    truth = np.zeros((20, 30), bool)
    truth[3:6, 4:9] = truth[12, 20] = True
    pixels = _stream([(np.full((20, 30), value, np.float32), truth)])
    assert pixels.au_pro(limit) == pytest.approx(limit / 2, abs=1e-12)
    assert pixels.pixel_auroc == 0.5
    assert pixels.oracle_segf1 == pytest.approx(2 * 16 / (16 + 600), abs=1e-12)
    assert pixels.oracle_threshold == value


def test_perfect_map_scores_exactly_one():
    pixels = _stream(_split("separable"))
    assert [pixels.pixel_auroc, pixels.oracle_segf1, pixels.au_pro()] == [1.0, 1.0, 1.0]


def test_corner_contact_joins_a_region():
    truth = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 1], [0, 0, 1, 0, 0]], np.uint8)
    scores = truth.astype(np.float32)
    scores[2, 2] = 0  # one third of the first region is missed
    pixels = _stream([(scores, truth)])
    assert pixels.n_regions == 2
    assert pixels.region.levels()[1] == pytest.approx([1 / 3, 2 / 3 + 1])
    # FPR is 0 down to score 1; from there a straight line to (1, 1).
    start = (2 / 3 + 1) / 2
    assert pixels.au_pro() == pytest.approx(start + (1 - start) * 0.05 / 2)


def test_every_region_weighs_the_same():
    truth = np.zeros((40, 40), bool)
    truth[2:22, 2:22] = truth[30, 30] = True
    scores = np.zeros((40, 40), np.float32)
    scores[30, 30] = 1
    pixels = _stream([(scores, truth)])
    assert pixels.au_pro() == pytest.approx(0.5 + 0.5 * 0.05 / 2)
    assert pixels.region.total == pytest.approx(2)


@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_an_offset_of_ten_thousand_deviations_changes_no_metric(offset):
    random = np.random.default_rng(3)
    images = []
    for _ in range(4):
        truth = np.zeros((60, 80), bool)
        truth[10:30, 10:40] = True
        scores = random.normal(size=truth.shape) + 3 * truth
        images.append(((offset + scores).astype(np.float32), truth))
    scores, truth = _flat(images)
    pixels = _stream(images)
    assert pixels.pixel_auroc == pytest.approx(roc_auc_score(truth, scores), rel=1e-12)
    assert pixels.oracle_segf1 == pytest.approx(_exact_oracle(images), rel=1e-12)
    for limit in [0.05, 0.3]:
        assert pixels.au_pro(limit) == pytest.approx(_exact_au_pro(images, limit), rel=1e-12)


@pytest.mark.parametrize("case", ["continuous", "diagonal", "signed"])
def test_merging_and_order_change_nothing(case):
    images = _split(case)
    once = _stream(images)
    _assert_same(_stream(images[::-1]), once)
    _assert_same(_stream(images[3:]) + PixelScores() + _stream(images[:3]), once)
    assert once.n_regions == sum(
        ndimage.label(truth, structure=EIGHT_NEIGHBOURS)[1] for _, truth in images
    )


def test_layout_and_dtype_do_not_matter():
    scores, truth = _split("continuous")[0]
    expected = _stream([(scores, truth)])
    wide = np.repeat(np.asfortranarray(scores), 2, axis=1)[:, ::2]
    file_mask = np.repeat(truth.astype(np.uint8) * 255, 3, axis=0)[::3]
    _assert_same(_stream([(wide, file_mask)]), expected)
    _assert_same(_stream([(scores[::-1, ::-1], truth[::-1, ::-1])]), expected)
    _assert_same(_stream([(scores.astype(np.float64), truth.T.copy().T)]), expected)


def test_half_precision_is_exact():
    images = [(scores.astype(np.float16), truth) for scores, truth in _split("continuous")]
    pixels = _stream(images)
    scores, truth = _flat(images)
    assert pixels.pixel_auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert pixels.au_pro() == pytest.approx(_exact_au_pro(images, 0.05), abs=1e-10)


@pytest.mark.parametrize("shape", [(1, 1), (5, 7)])
def test_without_defect_pixels_nothing_is_defined(shape):
    pixels = _stream([(np.full(shape, 0.5, np.float32), np.zeros(shape, bool))])
    assert _metrics(pixels) == [None] * 5
    assert pixels.normal.total == np.prod(shape)
    assert pixels.n_regions == 0
    assert pixels.defect.total == pixels.region.total == 0


@pytest.mark.parametrize("shape", [(1, 1), (5, 7)])
def test_without_normal_pixels_only_the_oracle_is_defined(shape):
    pixels = _stream([(np.full(shape, 0.5, np.float32), np.ones(shape, bool))])
    assert _metrics(pixels) == [None, 1.0, 0.5, None, None]
    assert pixels.normal.total == 0
    assert pixels.n_regions == 1


@pytest.mark.parametrize("images", [[], [(np.zeros((0, 4), np.float32), np.zeros((0, 4), bool))]])
def test_without_pixels_nothing_is_defined(images):
    assert _metrics(_stream(images)) == [None] * 5


@pytest.mark.parametrize("limit", [0, -0.1, 1.1, float("nan")])
def test_limits_outside_their_range_are_refused(limit):
    with pytest.raises(ZooError, match="limit"):
        _stream(_split("tied")).au_pro(limit)


@pytest.mark.parametrize("case", ["continuous", "signed", "constant"])
def test_files_round_trip(case, tmp_path):
    pixels = _stream(_split(case))
    path = tmp_path / "histograms.npz"
    save_splits(path, {"one": pixels})
    save_splits(path, {"one": pixels})  # a second time over the first
    assert [file.name for file in tmp_path.iterdir()] == ["histograms.npz"]
    loaded = load_splits(str(path))["one"]
    _assert_same(loaded, pixels)
    loaded.update(*_split(case)[0])  # what was loaded can be added to
    _assert_same(loaded, _stream([*_split(case), _split(case)[0]]))


def test_empty_scores_round_trip(tmp_path):
    save_splits(tmp_path / "empty.npz", {"one": PixelScores()})
    assert _metrics(load_splits(tmp_path / "empty.npz")["one"]) == [None] * 5


@pytest.mark.parametrize("damage", ["missing", "text", "cut", "foreign", "array", "other bins"])
def test_unreadable_files_are_named_in_one_line(damage, tmp_path):
    path = tmp_path / "histograms.npz"
    save_splits(path, {"one": _stream(_split("tied"))})
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "text":
        path.write_text("no scores here")
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "foreign":
        np.savez(path, other=np.zeros(3))
    elif damage == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        with np.load(path) as arrays:
            np.savez(path, **{**arrays, "one/normal/mantissa_bits": 10})
    with pytest.raises(ZooError) as caught:
        load_splits(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_scores_are_named_and_not_counted():
    scores, truth = np.ones((4, 5), np.float32), np.eye(4, 5, dtype=bool)
    pixels = _stream([(scores, truth)])
    broken = scores.copy()
    broken[0, :3] = np.nan
    with pytest.raises(ZooError) as caught:
        pixels.update(broken, truth)
    assert str(caught.value).startswith("score map of shape (4, 5) holds 3 NaN and 0 infinite")
    assert "\n" not in str(caught.value)
    _assert_same(pixels, _stream([(scores, truth)]))


@pytest.mark.parametrize(
    ("truth", "words"),
    [(np.zeros((5, 4), bool), r"\(4, 5\).*\(5, 4\)"), (np.zeros((4, 5)), "truth.*float64")],
)
def test_wrong_truth_is_refused(truth, words):
    pixels = PixelScores()
    with pytest.raises(ZooError, match=words):
        pixels.update(np.zeros((4, 5), np.float32), truth)
    assert pixels.normal.total == 0
