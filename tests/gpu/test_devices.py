"""Every registered method on CUDA; skipped without a device, as on the machines we test on."""

import pytest
import torch

from zoo.methods import registry
from zoo.testing import compare_devices

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.parametrize("name", registry.methods())
def test_a_method_does_on_cuda_what_it_does_on_the_cpu(name):
    compared = compare_devices(name)
    assert compared.ok, compared
    assert compared.peak_mb > 0
