"""The GPU self-check between two devices that every machine has: the CPU and the CPU."""

from __future__ import annotations

import pytest

from zoo.testing import compare_devices
from zoo.testing.devices import DeviceComparison, trainer_arguments

TWICE = ("cpu", "cpu")


def test_a_sound_method_does_the_same_on_both(fakes):
    compared = compare_devices(fakes.FakeMean, TWICE, {"image_size": 24})
    assert compared.ok
    assert compared.scoring == compared.fitting == 0
    assert compared.peak_mb is None
    assert str(compared) == (
        "cpu and cpu: scores differ by 0 of their range (at most 0.01), fits by 0 (at most 0.1)"
    )


def test_a_method_that_scores_otherwise_on_the_other_device_is_found(fakes):
    compared = compare_devices(fakes.Remembering, TWICE)
    assert not compared.ok
    assert compared.scoring > 0.01
    assert str(compared).endswith("; look for tensors and generators that stay on one device")


def test_a_fit_that_goes_wrong_on_the_other_device_is_found(fakes, monkeypatch):
    learn, fits = fakes.FakeModel.learn, []

    def learn_once(self, images):
        if self not in fits:
            fits.append(self)
        learn(self, images if self is fits[0] else 10 + images)

    monkeypatch.setattr(fakes.FakeModel, "learn", learn_once)
    compared = compare_devices(fakes.FakeMean, TWICE)
    assert compared.scoring == 0
    assert compared.fitting > 0.1
    assert not compared.ok


def test_memory_is_told_where_it_is_known():
    assert "(at most 0.1), peak 123 MB" in str(DeviceComparison(("cpu", "cuda"), 0, 0, 123.4))


@pytest.mark.parametrize(
    ("device", "accelerator", "devices"),
    [("cpu", "cpu", 1), ("cuda", "gpu", [0]), ("cuda:1", "gpu", [1]), ("mps", "mps", 1)],
)
def test_the_trainer_gets_the_device(fakes, tmp_path, device, accelerator, devices):
    from zoo.testing.method_under_test import MethodUnderTest

    words = trainer_arguments(device)
    assert words == {"accelerator": accelerator, "devices": devices}
    subject = MethodUnderTest(fakes.FakeMean, None, words, None, tmp_path)
    trainer = subject.experiment("fit").trainer
    assert trainer["accelerator"] == accelerator
    assert trainer["devices"] in (devices, str(devices))  # lightning takes a number as text
