# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What several test files share."""

import gc
import sys

import pytest
from ks_arrays import CHAIN

import ks


@pytest.fixture(scope="module")
def function():
    """CHAIN in f32, compiled once per file."""
    return ks.compile(CHAIN)


# --- Emulated GPUs (ks_gpu.py) ---------------------------------------------------


@pytest.fixture(scope="module")
def emulator():
    """Runs artefacts on an emulated GPU and compares them with float64."""
    import ks_gpu

    return ks_gpu.emulate_cases.Emulator(ks_gpu.BUILD)


@pytest.fixture(scope="module")
def gpu_device():
    import ks_gpu

    if not ks_gpu.DRIVER.exists():
        pytest.skip("needs the library KSFakeDriver")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("KS_CUDA_DRIVER", "")  # and put back in the end
        device = ks_gpu.GPU()
        yield device
        device.close()


@pytest.fixture
def gpu(gpu_device, monkeypatch):
    """An emulated GPU that has just been switched on."""
    from ks import _cuda, _streams

    device = gpu_device
    monkeypatch.setenv("KS_CUDA_DRIVER", str(device.path))
    monkeypatch.setattr(_cuda, "ASSEMBLE", False)  # PTX is what is emulated
    _streams.workspaces.clear()
    gc.collect()
    _streams.LoadedLayers.free_buried()
    _streams._devices.clear()
    device.reset()
    device.clear()
    device.emulates = True
    device["numDevices"], device["capability"] = 1, 90
    device["initResult"] = device["ptxResult"] = device["launchResult"] = 0
    yield device
    assert device["numMisuses"] == 0


@pytest.fixture
def torch(gpu, monkeypatch):
    import ks_gpu

    torch = ks_gpu.make_torch(gpu)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return torch


@pytest.fixture
def cupy(gpu, monkeypatch):
    import ks_gpu

    cupy = ks_gpu.make_cupy(gpu)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy


@pytest.fixture
def compiled(gpu):
    """CHAIN for sm_80, which needs no GPU until it is called."""
    return ks.compile(CHAIN, target="sm_80")
