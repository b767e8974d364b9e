"""The post-processor in anomalib's own flow: fit, test, predict, checkpoints and export."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from anomalib.data import ImageBatch, InferenceBatch
from anomalib.models import Patchcore
from anomalib.post_processing import PostProcessor
from zoo_plugins.patchcore import ZooPatchcore

from zoo.data import MVTecAD2Layout
from zoo.data.dataset import NativeBatch
from zoo.methods import BlobPostProcessor
from zoo.postprocess import Calibration, Quantile, finish
from zoo.utils.errors import ZooError


@pytest.fixture(scope="module")
def predict(fitted, engine):
    """Return a function that predicts the public test split in batches of two."""

    def run(model):
        data = MVTecAD2Layout(fitted.root, "part", eval_batch_size=2)
        return engine().predict(model, datamodule=data)

    return run


@pytest.fixture(scope="module")
def predicted(fitted, predict):
    return predict(fitted.model)


def _batch(score_maps, labels=None, native_size=None):
    count = len(score_maps)
    return NativeBatch(
        image=torch.zeros(count, 3, *score_maps.shape[-2:]),
        anomaly_map=score_maps,
        pred_score=score_maps.flatten(1).amax(1),
        gt_label=None if labels is None else torch.tensor(labels),
        native_size=native_size or [tuple(score_maps.shape[-2:])] * count,
    )


def _calibrate(processor, *batches):
    processor.on_validation_epoch_start()
    for batch in batches:
        processor.on_validation_batch_end(None, None, batch)
    processor.on_validation_epoch_end(SimpleNamespace(sanity_checking=False), None)


def test_fitting_calibrates_on_the_validation_images(fitted):
    calibration = fitted.model.post_processor.calibration
    assert calibration.rule == "Quantile"
    assert calibration.parameters.items() >= {"q": 0.999, "factor": 1.0, "min_area_px": 10}.items()
    assert (calibration.n_images, calibration.n_pixels) == (3, 3 * 48 * 64)


def test_the_threshold_is_the_quantile_of_validation_maps_at_native_size(fitted, engine):
    data = MVTecAD2Layout(fitted.root, "part")
    data.follow(fitted.model.pre_processor.transform)
    maps = []
    for batch in data.dataloader("validation"):
        with torch.no_grad():
            outputs = fitted.model.model.eval()(fitted.model.pre_processor.transform(batch.image))
        maps += [cv2.resize(m, (64, 48)) for m in outputs.anomaly_map.numpy().squeeze(1)]
    exact = np.quantile(np.stack(maps), 0.999, method="inverted_cdf")
    assert fitted.model.post_processor.calibration.threshold == pytest.approx(exact, rel=3e-4)


def test_score_maps_and_scores_stay_raw(predicted):
    maps = torch.cat([batch.anomaly_map for batch in predicted])
    scores = torch.cat([batch.pred_score for batch in predicted])
    assert maps.max() > 1.5  # distances, outside [0, 1]
    assert scores.max() > 1.5


def test_verdict_and_preview_are_those_of_finish(fitted, predicted):
    calibration = fitted.model.post_processor.calibration
    seen = marked = 0
    for batch in predicted:
        for index, native_size in enumerate(batch.native_size):
            score_map = batch.anomaly_map[index].squeeze().numpy()
            finished = finish(score_map, native_size, calibration)
            assert bool(batch.pred_label[index]) == bool(finished.blobs)
            preview = batch.pred_mask[index].squeeze().numpy()
            assert preview.shape == score_map.shape
            assert preview.any() == finished.mask.any()
            seen += 1
            if not finished.blobs:
                continue
            rows, columns = np.nonzero(preview)
            native_rows, native_columns = np.nonzero(finished.mask)
            assert rows.mean() / 64 == pytest.approx(native_rows.mean() / 48, abs=0.03)
            assert columns.mean() / 64 == pytest.approx(native_columns.mean() / 64, abs=0.03)
            marked += 1
    assert seen == 4
    assert marked >= 2


def test_anomalibs_test_runs_and_reports_metrics(fitted, engine):
    [metrics] = engine().test(fitted.model, datamodule=MVTecAD2Layout(fitted.root, "part"))
    assert metrics["image_auroc"] == 1.0
    assert all(np.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize("split", ["test_private", "test_private_mixed"])
def test_private_splits_are_predicted_in_order(fitted, engine, split):
    data = MVTecAD2Layout(fitted.root, "part", test_split=split)
    [batch] = engine().predict(fitted.model, datamodule=data)
    names = [Path(path).name[:3] for path in batch.image_path]
    assert names == ["000", "001", "002", "003"]


def test_a_checkpoint_brings_calibration_maps_and_masks_back(fitted, predict, predicted):
    loaded = ZooPatchcore.load_from_checkpoint(fitted.checkpoint, visualizer=False)
    assert loaded.post_processor.calibration == fitted.model.post_processor.calibration
    for before, after in zip(predicted, predict(loaded), strict=True):
        assert torch.equal(before.anomaly_map, after.anomaly_map)
        assert torch.equal(before.pred_mask, after.pred_mask)
        assert torch.equal(before.pred_score, after.pred_score)


def test_keys_are_those_of_anomalibs_default():
    assert BlobPostProcessor().state_dict().keys() == PostProcessor().state_dict().keys()


def test_a_stock_model_with_ours_loads_with_its_default(fitted, engine, tmp_path):
    model = Patchcore(
        backbone="efficientnet_lite0_embedded",
        layers=["blocks.2"],
        coreset_sampling_ratio=0.1,
        pre_processor=fitted.model.pre_processor,
        post_processor=BlobPostProcessor(Quantile(0.9)),
        visualizer=False,
    )
    runner = engine()
    runner.fit(model, datamodule=MVTecAD2Layout(fitted.root, "part"))
    runner.trainer.save_checkpoint(tmp_path / "model.ckpt")
    stock = Patchcore.load_from_checkpoint(tmp_path / "model.ckpt")
    assert type(stock.post_processor) is PostProcessor
    ours = Patchcore.load_from_checkpoint(
        tmp_path / "model.ckpt", post_processor=BlobPostProcessor()
    )
    assert ours.post_processor.calibration == model.post_processor.calibration


def test_the_whole_model_passes_raw_values(fitted):
    model = fitted.model.eval()
    image = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = model(image)
        inner = model.model(model.pre_processor(image))
    assert torch.equal(whole.anomaly_map, inner.anomaly_map)
    assert torch.equal(whole.pred_score, inner.pred_score)


def test_a_missing_image_score_is_the_maximum_of_the_map():
    score_map = torch.randn(3, 1, 8, 8)
    output = BlobPostProcessor()(InferenceBatch(anomaly_map=score_map))
    assert torch.equal(output.pred_score.flatten(), score_map.flatten(1).amax(1))
    assert output.anomaly_map is score_map


def test_without_a_calibration_there_is_no_mask():
    with pytest.raises(ZooError, match="not calibrated"):
        BlobPostProcessor().post_process_batch(_batch(torch.rand(1, 8, 8)))


def test_a_nan_map_is_refused():
    processor = BlobPostProcessor()
    processor.calibration = Calibration(0.5)
    with pytest.raises(ZooError, match="NaN"):
        processor.post_process_batch(_batch(torch.full((1, 8, 8), float("nan"))))


@pytest.mark.parametrize("shape", [(2, 8, 8), (2, 1, 8, 8)])
def test_maps_with_and_without_channel_are_the_same(shape):
    processor = BlobPostProcessor()
    processor.calibration = Calibration(0.5, 1)
    maps = torch.zeros(shape)
    maps[1, ..., 2:4, 3:6] = 1.0
    batch = _batch(maps)
    processor.post_process_batch(batch)
    assert batch.pred_label.tolist() == [False, True]
    assert batch.pred_mask.flatten(1).sum(1).tolist() == [0, 6]
    assert torch.equal(batch.anomaly_map.reshape(shape), maps)


def test_a_blob_smaller_than_a_pixel_of_the_model_shows_in_one():
    processor = BlobPostProcessor()
    processor.calibration = Calibration(0.9, 1)
    maps = torch.zeros(2, 6, 4)
    maps[0, 1, 2] = maps[0, 4, 0] = maps[1, 0, 0] = 1.0
    batch = _batch(maps, native_size=[(96, 64)] * 2)
    processor.post_process_batch(batch)
    assert batch.pred_label.tolist() == [True, True]
    assert torch.equal(batch.pred_mask, maps > 0)


def test_a_mask_does_not_depend_on_the_rest_of_the_batch():
    processor = BlobPostProcessor()
    processor.calibration = Calibration(0.8, 2)
    maps = torch.rand(4, 16, 16, generator=torch.Generator().manual_seed(1))
    together = _batch(maps, native_size=[(16, 16), (32, 20), (50, 8), (16, 16)])
    processor.post_process_batch(together)
    alone = _batch(maps[1:2], native_size=[(32, 20)])
    processor.post_process_batch(alone)
    assert torch.equal(alone.pred_mask[0], together.pred_mask[1])


def test_defective_validation_images_do_not_move_the_threshold():
    good, bad = torch.rand(2, 8, 8), 100 + torch.rand(2, 8, 8)
    only_good, mixed = BlobPostProcessor(), BlobPostProcessor()
    _calibrate(only_good, _batch(good, [0, 0]))
    _calibrate(mixed, _batch(torch.cat([bad, good]), [1, 1, 0, 0]))
    assert mixed.calibration == only_good.calibration


def test_each_validation_epoch_calibrates_anew():
    processor = BlobPostProcessor(Quantile(1.0))
    _calibrate(processor, _batch(torch.full((1, 8, 8), 9.0), [0]))
    _calibrate(processor, _batch(torch.full((1, 8, 8), 3.0), [0]))
    assert processor.calibration.threshold == pytest.approx(3, rel=3e-4)
    _calibrate(processor)
    assert processor.calibration.threshold == pytest.approx(3, rel=3e-4)


@pytest.mark.parametrize(("with_files", "n_pixels"), [(True, 2 * 48 * 64), (False, 2 * 8 * 8)])
def test_images_of_stock_anomalib_count_at_native_size(
    with_files, n_pixels, tmp_path, write_image, texture
):
    batch = ImageBatch(
        image=torch.zeros(2, 3, 8, 8),
        anomaly_map=torch.rand(2, 1, 8, 8),
        gt_label=torch.zeros(2, dtype=torch.long),
        image_path=[str(write_image(tmp_path / "a.png", texture(0)))] * 2 if with_files else None,
    )
    processor = BlobPostProcessor()
    _calibrate(processor, batch)
    assert processor.calibration.n_pixels == n_pixels


def test_images_without_labels_do_not_calibrate():
    processor = BlobPostProcessor()
    _calibrate(processor, _batch(torch.rand(2, 8, 8)))
    assert processor.calibration is None


def test_a_batch_without_maps_is_left_alone():
    processor = BlobPostProcessor()
    processor.post_process_batch(SimpleNamespace(anomaly_map=None))
    _calibrate(processor, SimpleNamespace(anomaly_map=None))
    assert processor.calibration is None
