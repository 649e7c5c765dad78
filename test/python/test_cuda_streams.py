# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ks.compile(target="cuda"): streams, memory, devices, threads. The fake driver records
launches, and what waits for what; there is no GPU."""

import gc
import threading

import numpy as np
import pytest
from ks_arrays import CHAIN, dense, random_arrays
from ks_gpu import OTHER, STREAM, arrays_on, ask_for_kernels, place

import ks
from ks import _streams

# --- Streams -------------------------------------------------------------------


class StreamObject:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class ProtocolStream:
    def __cuda_stream__(self):
        return (0, OTHER)


@pytest.mark.parametrize(
    ("stream", "handle"),
    [
        (None, STREAM),
        (0, 0),
        (1, 0),
        (OTHER, OTHER),
        (np.int64(OTHER), OTHER),
        (ProtocolStream(), OTHER),
        (StreamObject(__cuda_stream__=(0, OTHER)), OTHER),
        (StreamObject(cuda_stream=OTHER), OTHER),
        (StreamObject(ptr=OTHER), OTHER),
    ],
)
def test_streams(gpu, torch, compiled, stream, handle):
    gpu.emulates = False
    x, w0, w1, _ = arrays_on(gpu, torch.Tensor)
    torch.state.stream = STREAM
    compiled(x, w0, w1, stream=stream)
    assert gpu.streams() == [handle]
    # What is allocated belongs to the stream, and PyTorch's work comes before.
    assert {used for _, used in torch.allocations} == {handle}
    assert x.streams == [-1 if handle == STREAM else handle or 1]
    assert gpu["numSynchronizations"] == 0
    assert torch.state.stream == STREAM


def test_current_streams_of_cupy_and_others(gpu, cupy, compiled):
    gpu.emulates = False
    cupy.state.stream = STREAM
    x, w0, w1, _ = arrays_on(gpu, cupy.ndarray)
    compiled(x, w0, w1)
    compiled(x, w0, w1, stream=OTHER)
    assert gpu.streams() == [STREAM, OTHER]
    assert [used for _, used in cupy.allocations] == [STREAM, STREAM, OTHER, OTHER]
    gpu.clear()
    compiled(*arrays_on(gpu)[:3])
    assert gpu.streams() == [0]


@pytest.mark.parametrize(
    ("stream", "error", "message"),
    [
        ("s", TypeError, "stream is 's'; expected None"),
        (True, TypeError, "stream is True; expected None"),
        (1.5, TypeError, "stream is 1.5; expected None"),
        (-1, ValueError, "stream is -1; expected a CUstream"),
        (StreamObject(__cuda_stream__=7), TypeError, "gives 7; expected"),
    ],
)
def test_wrong_streams(gpu, compiled, stream, error, message):
    with pytest.raises(error, match=message):
        compiled(*arrays_on(gpu)[:3], stream=stream)


def test_other_streams_wait_for_packing(gpu, torch, compiled):
    gpu.emulates = False
    x, w0, w1, _ = arrays_on(gpu, torch.Tensor)
    g = compiled.bind(w0, w1, stream=STREAM)
    assert gpu.streams() == [STREAM]
    assert gpu.records() == [STREAM]
    g(x, stream=STREAM)
    assert gpu.waits() == []
    g(x, stream=OTHER)
    g(x, stream=OTHER)
    assert gpu.waits() == [OTHER]  # once
    assert g._packed.memory.used_on == [OTHER]  # PyTorch's allocator knows
    assert gpu["numSynchronizations"] == 0


# --- Memory --------------------------------------------------------------------


def compile_apart():
    """CHAIN in two kernels, with an intermediate in the workspace."""
    return ks.compile(ask_for_kernels(CHAIN.mlir("f32"), "apart"), target="sm_80")


def test_workspaces_are_kept_per_stream(gpu, torch):
    gpu.emulates = False
    x, w0, w1, _ = arrays_on(gpu, torch.Tensor, batch=64)
    g = compile_apart().bind(w0, w1)
    out = torch.Tensor(gpu.put(np.zeros((64, 36), np.float32)))
    torch.allocations.clear()

    def allocated(*arguments, **options):
        torch.allocations.clear()
        g(*arguments, **options)
        return [size for size, _ in torch.allocations]

    (size,) = allocated(x, out=out)
    assert size >= 64 * 48 * 4
    assert allocated(x, out=out) == []
    small = torch.Tensor(x.array[:7]), torch.Tensor(out.array[:7])
    assert allocated(small[0], out=small[1]) == []
    assert allocated(x, out=out, stream=OTHER) == [size]
    assert allocated(x, out=out, stream=OTHER) == []
    # Another function shares it.
    other = compile_apart().bind(w0, w1)
    torch.allocations.clear()
    other(x, out=out)
    assert torch.allocations == []
    assert len(allocated(x)) == 1  # the result alone
    ks.free_workspaces()
    assert allocated(x, out=out) == [size]


def test_workspaces_are_limited(gpu):
    limited = _streams.Workspaces(limit=2)
    first = limited.get("torch", 0, 1)
    limited.get("torch", 0, 2)
    assert limited.get("torch", 0, 1) is first
    limited.get("torch", 0, 3)
    assert len(limited) == 2
    assert limited.get("torch", 0, 1) is first


def test_graphs_have_memory_of_their_own(gpu, torch, cupy):
    gpu.emulates = False
    f = compile_apart()
    for kind, framework in ((torch.Tensor, torch), (cupy.ndarray, cupy)):
        x, w0, w1, _ = arrays_on(gpu, kind)
        g = f.bind(w0, w1)
        g(x, stream=STREAM)
        framework.allocations.clear()
        gpu.clear()
        with gpu.capturing(STREAM):
            g(x, stream=STREAM)
            g(x, stream=STREAM)
        assert len(framework.allocations) == 4  # workspace and result, twice
        assert gpu.waits() == []
    # Graphs of PyTorch own what is allocated during capture; the rest is kept with f,
    assert len(f._loaded.captured) == 2
    kept = len(_streams.LoadedLayers._kept)
    modules = gpu["numModules"]
    del f, g
    gc.collect()
    _streams.LoadedLayers.free_buried()
    # and f's code for as long as the process lives.
    assert len(_streams.LoadedLayers._kept) == kept + 1
    assert gpu["numModules"] == modules


def test_code_stays_until_it_has_run(gpu):
    gpu.emulates = False
    before = gpu["numModules"]
    ks.compile(CHAIN, target="sm_80")(*arrays_on(gpu)[:3])
    gc.collect()
    assert gpu["numModules"] == before + 1
    gpu.clear()
    f = ks.compile(CHAIN, target="cuda")  # loading waits for the GPU anyway
    assert gpu["numSynchronizations"] == 1
    assert gpu["numModules"] == before + 1
    del f


# --- Devices and threads -------------------------------------------------------


def test_several_devices(gpu, torch, compiled):
    gpu.emulates = False
    gpu["numDevices"] = 2
    x, w0, w1, _ = arrays_on(gpu, torch.Tensor, ordinal=1)
    y = compiled(x, w0, w1)
    assert y.ordinal == 1
    assert {device for _, device in gpu.launches()} == {1}
    g = compiled.bind(w0, w1)
    there = torch.Tensor(x.array)
    with pytest.raises(ValueError, match="argument 1 is on cuda:1; expected cuda:0, where the oth"):
        compiled(there, w0, w1)
    with pytest.raises(ValueError, match="result 0 is on cuda:0; expected cuda:1"):
        compiled(x, w0, w1, out=torch.Tensor(y.array))
    with pytest.raises(ValueError, match="argument 0 is on cuda:0; expected cuda:1, where the wei"):
        g(there)
    with gpu.context_of(1):
        assert _streams.current_device().ordinal == 1
    assert _streams.current_device().ordinal == 0


def test_threads(gpu, torch):
    """Launches of one call stay together on a stream; results are those of each thread."""
    f = ks.compile(CHAIN, target="cuda")
    _, w0, w1, _ = arrays_on(gpu, torch.Tensor)
    g = f.bind(w0, w1)
    weights = [w0.array, w1.array]
    xs = [random_arrays(seed=seed)[0] for seed in range(4)]
    placed = place(gpu, xs, torch.Tensor)
    outs = place(gpu, [np.zeros((5, 36), np.float32)] * 4, torch.Tensor)
    failures = []

    def work(number):
        try:
            for _ in range(3):
                g(placed[number], out=outs[number])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for x, out in zip(xs, outs):
        np.testing.assert_allclose(out.array, dense(x, weights), rtol=1e-5, atol=1e-5)


def test_threads_load_code_once(gpu, torch):
    gpu.emulates = False
    f = ks.compile(CHAIN, target="sm_80")
    arrays = arrays_on(gpu, torch.Tensor)[:3]
    before = gpu["numModules"]
    threads = [threading.Thread(target=f, args=arrays) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gpu["numModules"] == before + 1
