# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ks-run --target cuda on an emulated GPU: the program runs in this process, and the
fake driver hands its launches to the PTX emulator."""

import ctypes
import dataclasses
import json
from pathlib import Path

import ks_gpu
import ks_stored
import numpy as np
import pytest

import ks

LIBRARY = ks_gpu.BUILD / "lib" / "libKSRunForTests.so"
pytestmark = pytest.mark.skipif(not LIBRARY.exists(), reason="needs the library KSRunForTests")

CHAIN = "2,8,8,2;1,16,32,1"
LAYER = Path(__file__).resolve().parents[1] / "tools" / "ks-run" / "run.mlir"


@pytest.fixture(scope="module")
def library():
    return ctypes.CDLL(str(LIBRARY))


@pytest.fixture
def run(gpu, library, capfd):
    """Runs the program: exit code, standard output, errors."""

    def run(*arguments, target="cuda"):
        command = ["ks-run", "--target", target, "--no-cubin", *map(str, arguments)]
        array = (ctypes.c_char_p * len(command))(*[word.encode() for word in command])
        gpu.failure = None
        code = library.ksRun(len(command), array)
        if gpu.failure:
            raise gpu.failure
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def recording(gpu):
    """A GPU that runs nothing, with memory of its own."""
    gpu.emulates = False
    gpu.driver.fakeSetAllocateCallback(None)
    yield gpu
    gpu.driver.fakeSetAllocateCallback(gpu.allocate_callback)
    gpu.emulates = True


# --- Results -------------------------------------------------------------------


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(
    "options",
    [
        ("--type", "f16"),
        ("--type", "bf16", "--layout", "last"),
        ("--type", "f32"),
        ("--type", "f32", "--precision", "tf32"),
        ("--type", "f64", "--layout", "last"),
        ("--type", "c64"),
        ("--type", "c128", "--tied", "a;d"),
    ],
)
def test_results_are_right(gpu, run, capability, options):
    gpu["capability"] = capability
    modules = gpu["numModules"]
    code, out, err = run("--chain", CHAIN, "--batch", 19, "--verify", *options)
    assert code == 0, out + err
    assert "verify       good" in out
    assert f"loaded       PTX for sm_{capability}" in out
    assert gpu["numModules"] <= modules


@pytest.mark.parametrize("layout", ks.LAYOUTS)
def test_results_of_another_type(run, tmp_path, layout):
    case = dataclasses.replace(
        ks_stored.ks_cases.draw(1, 1),
        chain=ks.Chain([(2, 8, 8, 2), (1, 16, 32, 1)]),
        dtype="f16",
        layout=layout,
        is_dynamic=True,
        epilogue="bias",
    )
    path = tmp_path / "cast.mlir"
    path.write_text(ks_stored.convert(case, "f32", is_cast=True).mlir())
    results = ["--out", tmp_path / "y.npy"]
    code, out, err = run(path, "--batch", 19, *results, "--verify")
    assert code == 0, out + err
    assert "verify       good" in out
    y = np.load(tmp_path / "y.npy")
    assert y.dtype == np.float32
    # The program rounds to f16 first.
    np.testing.assert_array_equal(y, y.astype(np.float16))


def test_nothing_of_a_batch(run):
    code, out, err = run("--chain", CHAIN, "--batch", 0, "--verify")
    assert code == 0, out + err


def test_arrays_of_files(run, tmp_path):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((5, 4)).astype(np.float32)
    w = rng.standard_normal((1, 2, 4, 1)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "w.npy", w)
    code, out, err = run(
        "--chain", "1,2,4,1", "--batch", 5, "--arg", tmp_path / "x.npy", "--arg",
        tmp_path / "w.npy", "--out", tmp_path / "y.npy",
    )  # fmt: skip
    assert code == 0, out + err
    y = np.load(tmp_path / "y.npy")
    np.testing.assert_allclose(y, x @ w[0, :, :, 0].T, rtol=1e-5)


def test_programs_of_files(run, tmp_path):
    """An epilogue, a batch of any size, two results."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    w = np.array([1, 0, 0, 0, 0, 1, 0, 1], np.float32).reshape(1, 2, 4, 1)
    bias = np.array([-5, 0], np.float32)
    for name, array in (("x", x), ("w", w), ("bias", bias)):
        np.save(tmp_path / f"{name}.npy", array)
    arguments = [
        word for name in ("x", "w", "bias") for word in ("--arg", tmp_path / f"{name}.npy")
    ]
    results = ["--out", tmp_path / "y.npy", "--out", tmp_path / "z.npy"]
    code, out, err = run(LAYER, "--entry", "layer", *arguments, *results, "--verify")
    assert code == 0, out + err
    z = x @ w[0, :, :, 0].T
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), z)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), np.maximum(z + bias, 0))


def test_wrong_results_are_found(gpu, run):
    gpu.emulates = False
    code, out, _ = run("--chain", CHAIN, "--verify")
    assert code == 1
    assert "verify       WRONG" in out
    assert "not finite" in out


def test_arguments_that_do_not_fit(run, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 4), np.float32))
    np.save(tmp_path / "d.npy", np.zeros((2, 4)))
    np.save(tmp_path / "w.npy", np.zeros((1, 2, 4, 1), np.float32))
    x, d, w = (tmp_path / f"{name}.npy" for name in "xdw")
    chain = ("--chain", "1,2,4,1", "--batch", 3)
    for arguments, message in (
        ((x, w), "argument 0 has shape (2, 4); expected (3, 4)"),
        ((d, w), "argument 0 has element type float64; expected float32 (convert it)"),
        ((w, x), "argument 0 has shape (1, 2, 4, 1); expected (3, 4)"),
        ((x,), "got 1 --arg; expected 2, as @chain takes"),
    ):
        code, _, err = run(*chain, *[word for path in arguments for word in ("--arg", path)])
        assert code == 2
        assert message in err


def test_two_batches(run, tmp_path):
    source = tmp_path / "two.mlir"
    source.write_text("""
func.func @two(%x: tensor<?x4xf32>, %z: tensor<?x4xf32>, %k: tensor<1x2x4x1xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %init = tensor.empty(%n) : tensor<?x2xf32>
  %y = ks.matmul <1, 2, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x2x4x1xf32>)
      outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %m = tensor.dim %z, %c0 : tensor<?x4xf32>
  %other = tensor.empty(%m) : tensor<?x2xf32>
  %w = ks.matmul <1, 2, 4, 1> ins(%z, %k : tensor<?x4xf32>, tensor<1x2x4x1xf32>)
      outs(%other : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %y, %w : tensor<?x2xf32>, tensor<?x2xf32>
}
""")
    for name, shape in (("x", (3, 4)), ("z", (2, 4)), ("k", (1, 2, 4, 1))):
        np.save(tmp_path / f"{name}.npy", np.zeros(shape, np.float32))
    arguments = [word for name in "xzk" for word in ("--arg", tmp_path / f"{name}.npy")]
    code, _, err = run(source, *arguments)
    assert code == 2
    assert "argument 1 has shape (2, 4); expected (3, 4)" in err


# --- Plans ---------------------------------------------------------------------

PLAN = (
    "#ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 2, warps = [2, 1, 1], stages = 1,"
    " copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 1>,"
    " n = 16, k = 16, j = 2>>"
)


def test_pinned_plan(run):
    code, out, err = run(
        "--chain", "2,8,8,2", "--type", "f16", "--batch", 21, "--verify", "--plan", PLAN
    )
    assert code == 0, out + err
    assert f"plan         {PLAN}" in out


def test_plans_are_timed(recording, run):
    modules = recording["numModules"]
    code, out, err = run(
        "--chain", CHAIN, "--type", "f16", "--plans", 3, "--json", target="cuda:library=none"
    )
    assert code == 0, err
    plans = json.loads(out)
    assert [plan["factor"] for plan in plans] == ["2,8,8,2"] * 3 + ["1,16,32,1"] * 3
    assert len({plan["plan"] for plan in plans}) == 6
    for plan in plans:
        assert plan["batch"] == 512
        assert plan["predicted_us"] > 0
        assert plan["measured_us"] > 0
        assert plan["best_us"] > 0
    assert recording["numModules"] <= modules


def test_plans_as_a_table(recording, run):
    code, out, _ = run("--chain", CHAIN, "--type", "f16", "--plans", 1, "--verify")
    assert code == 1  # nothing ran
    assert out.count("factor ") == 2
    assert out.count("WRONG #ks.gpu_plan<") == 2


def test_plans_of_programs_with_an_epilogue(gpu, recording, run):
    code, out, err = run(
        LAYER, "--entry", "layer", "--plans", 2, "--json", target="cuda:library=none"
    )
    assert code == 0, err
    assert len(json.loads(out)) == 4


# --- Figures -------------------------------------------------------------------


def test_figures(recording, run):
    code, out, err = run(
        "--chain", CHAIN, "--type", "f16", "--batch", 64, "--time", "--verify", "--json"
    )
    assert code == 1, err
    figures = json.loads(out)
    assert figures["schema"] == 1
    assert (figures["target"], figures["architecture"]) == ("cuda", "sm_90a")
    assert figures["load_from"] == "ptx"
    assert figures["device"]["name"] == "Fake GPU"
    assert figures["device"]["capability"] == 90
    for key in ("context_ms", "load_ms", "pack_ms", "run_ms"):
        assert figures[key] >= 0
    assert set(figures["compile_ms"]) == {"total", "passes", "llvm", "ptxas"}
    assert figures["verify"][0]["good"] is False
    assert figures["verify"][0]["rel_frobenius_error"] is None
    time, floor = figures["time"], figures["floor"]
    assert time["runs"] % time["runs_per_sample"] == 0
    assert time["buffer_sets"] > 1
    # The driver says 1.5 ms between any two events.
    assert time["median_ms"] == pytest.approx(1.5 / time["runs_per_sample"])
    assert floor["copy_gbytes_per_s"] == pytest.approx(2 * 4 * (1 << 28) / 1.5e-3 * 1e-9, rel=0.5)
    assert floor["product_gflops_per_s"] > 0
    assert floor["ms"] == pytest.approx(
        max(
            floor["bytes"] / floor["copy_gbytes_per_s"],
            floor["flops"] / floor["product_gflops_per_s"],
        )
        * 1e-6
    )
    assert time["times_floor"] == pytest.approx(time["median_ms"] / floor["ms"])
    assert len(recording.launches()) > time["runs"]
    assert recording.driver.fakeGetAllocatedBytes() == 0


def test_speed_for_people(recording, run):
    code, out, err = run("--chain", CHAIN, "--type", "f16", "--time")
    assert code == 0, err
    assert " samples of " in out
    assert "product: 1,4096,4096,1 at batch 4096 by KS itself" in out


# --- Errors --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capability", "architecture"), [(86, 86), (87, 86), (103, 100), (121, 120)]
)
def test_code_for_the_device(gpu, run, capability, architecture):
    gpu.emulates = False
    gpu["capability"] = capability
    code, out, err = run("--chain", CHAIN, "--type", "f16")
    assert code == 0, err
    # Planned for the multiprocessors that it has, which no row of the table does.
    assert f"@chain for sm_{architecture}:multiprocessors=132 in" in out


def test_no_device(gpu, run):
    gpu["numDevices"] = 0
    code, out, err = run("--chain", CHAIN)
    assert code == 2
    assert not out
    assert "opening GPU 0 failed with CUDA error 101" in err
    assert "check nvidia-smi and CUDA_VISIBLE_DEVICES" in err
    assert "--target host runs on the CPU" in err


def test_driver_without_device(gpu, run):
    gpu["initResult"] = 100
    code, _, err = run("--chain", CHAIN)
    assert code == 2
    assert "starting the NVIDIA driver failed with CUDA error 100" in err


def test_old_device(gpu, run):
    gpu["capability"] = 75
    code, out, err = run("--chain", CHAIN)
    assert code == 2
    assert not out
    assert "the GPU, Fake GPU, has compute capability 7.5; expected 8.0 or later" in err


def test_no_memory(run):
    code, _, err = run("--chain", "1,4096,64,1", "--batch", 8192)
    assert code == 2
    assert "CUDA_ERROR_OUT_OF_MEMORY" in err
    assert "use a smaller batch" in err


def test_no_memory_for_timing(recording, run):
    """The program fits, but not the product that measures the peak, of four times 256 MiB."""
    code, _, err = run("--chain", "1,64,64,1", "--type", "c128", "--time")
    assert code == 2
    assert "measuring the peak by the product 1,4096,4096,1 at batch 4096: allocating" in err
    assert recording.driver.fakeGetAllocatedBytes() == 0


def test_refused_code(gpu, run):
    gpu["ptxResult"] = 218
    code, _, err = run("--chain", CHAIN)
    assert code == 2
    assert "218" in err


def test_failing_launch(gpu, run):
    gpu["launchResult"] = 719
    code, _, err = run("--chain", CHAIN)
    assert code == 2
    assert "719" in err


# --- Libraries -----------------------------------------------------------------


def test_library_is_reported_apart(run, monkeypatch):
    path = ks_gpu.BUILD / "test" / "unit" / "libKSFakeCublasLt.so"
    if not path.exists():
        pytest.skip("needs the library KSFakeCublasLt")
    ctypes.CDLL(str(path)).fakeLtSet(b"computes", 1)
    monkeypatch.setenv("KS_CUBLASLT", str(path))
    plan = (
        "#ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 7, "
        "vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, "
        "packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>>"
    )
    options = ("--chain", "1,24,40,1", "--type", "f16", "--batch", 13, "--verify", "--plan", plan)
    code, out, err = run(*options, target="cuda:library=cublaslt")
    assert (code, err) == (0, "")
    assert "\nlibrary      cublasLt 13.1.0: dense products\n" in out
    monkeypatch.setenv("KS_CUBLASLT", "none")
    code, out, err = run(*options)
    assert (code, err) == (0, "")
    assert "cublasLt 13.1.0" not in out
    assert "KS_CUBLASLT is none" in out
    code, out, err = run(*options, target="cuda:library=blas")
    assert code == 2
    assert "unknown --target 'cuda:library=blas'; expected cuda" in err
