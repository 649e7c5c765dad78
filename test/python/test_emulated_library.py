# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products by a library on an emulated GPU, with the fake cublasLt of the unit tests, which
computes what it is told, and the same artefacts without it: weights are packed for one or the
other."""

import ctypes
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ks

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
import ks_merged
from device_cases import ask_for_kernels, is_tf32, mlir
from library_cases import draw_blocks, make_library_plan
from test_emulated_gpu import BUILD

LIBRARY = BUILD / "test/unit/libKSFakeCublasLt.so"
pytestmark = pytest.mark.skipif(
    not LIBRARY.exists() or not (BUILD / "lib/libKSRuntimeC.so").exists(),
    reason="needs the libraries KSFakeCublasLt and KSRuntimeC",
)
TARGET = ":library=cublaslt"


class FakeLibrary:
    """The fields of the fake are items: library["numProducts"]."""

    def __init__(self):
        self.functions = ctypes.CDLL(str(LIBRARY))

    def __setitem__(self, name: str, value: int) -> None:
        assert self.functions.fakeLtSet(name.encode(), value)

    def __getitem__(self, name: str) -> int:
        return self.functions.fakeLtGet(name.encode())


@pytest.fixture
def library(monkeypatch):
    fake = FakeLibrary()
    monkeypatch.setenv("KS_CUBLASLT", str(LIBRARY))
    fake["computes"], fake["numProducts"], fake["matmulResult"] = 1, 0, 0
    yield fake
    fake["matmulResult"] = 0
    assert fake["numMisuses"] == 0


def make_case(dtype: str, layout: str, batch: int, number: int, pattern=(1, 24, 40, 1)):
    """tf32 if the number is even."""
    return emulate_cases.ks_cases.Case(
        seed=7,
        number=number,
        chain=ks.Chain([pattern]),
        dtype=dtype,
        layout=layout,
        batch=batch,
        is_dynamic=True,
        epilogue=None,
        is_pitched=True,
        is_bound=False,
        is_small=False,
    )


def run(*arguments) -> str:
    command = [str(BUILD / "bin" / "ks-run"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "case.mlir"
    path.write_text(text)
    return path


def get_library_plan(path: Path, target: str) -> str:
    plans = json.loads(run(path, "--target", target + TARGET, "--plans", 1, "--json"))
    assert [plan["limit"] == "library" for plan in plans] == [True, False]
    return plans[0]["plan"]


def get_any_library_plan(path: Path, target: str) -> str:
    return make_library_plan(BUILD / "bin" / "ks-run", path, target)


def compile_with_library(tmp_path: Path, case, target: str, get_plan=get_library_plan) -> Path:
    """An artefact whose only product is a library's, whatever is predicted."""
    source, artifact = write(tmp_path, mlir(case)), tmp_path / "case.ks"
    plan = get_plan(source, target)
    assert plan.startswith("#ks.library_plan<cublaslt, fallback = #ks.gpu_plan<")
    run(
        source, "--target", target, "--plan", plan, "--emit", "artifact", "-o", artifact,
        "--no-cubin",
    )  # fmt: skip
    return artifact


CASES = [
    (target, dtype, layout, number)
    for target, dtype, number in (
        ("sm_90", "f16", 1),
        ("sm_80", "bf16", 1),
        ("sm_80", "f32", 1),
        ("sm_80", "f32", 2),
        ("sm_80", "f64", 1),
    )
    for layout in ("batch_first", "batch_last")
]


@pytest.mark.parametrize(("target", "dtype", "layout", "number"), CASES)
def test_library_and_kernel(
    emulator, library, tmp_path, monkeypatch, target, dtype, layout, number
):
    case = make_case(dtype, layout, 13, number)
    path = compile_with_library(tmp_path, case, target)
    assert emulator.check(case, path) is None
    assert library["numProducts"] == 1
    monkeypatch.setenv("KS_CUBLASLT", "none")
    assert emulator.check(case, path) is None
    assert library["numProducts"] == 1


@pytest.mark.parametrize("batch", [1, 2])
def test_batches(emulator, library, tmp_path, batch):
    case = make_case("f32", "batch_first", batch, 1, pattern=(1, 33, 17, 1))
    path = compile_with_library(tmp_path, case, "sm_90")
    assert emulator.check(case, path) is None
    assert library["numProducts"] == 1


@pytest.mark.parametrize("number", range(24))
def test_blocks(emulator, library, tmp_path, monkeypatch, number):
    """Batches of products, at the distances that the fake library is told."""
    case = draw_blocks(11, number)
    target = ("sm_80", "sm_90")[number % 2]
    path = compile_with_library(tmp_path, case, target, get_any_library_plan)
    assert emulator.check(case, path) is None
    a, _, _, d = case.chain.patterns[0]
    assert library["numProducts"] == min(a, d)
    monkeypatch.setenv("KS_CUBLASLT", "none")
    assert emulator.check(case, path) is None
    assert library["numProducts"] == min(a, d)


def test_library_that_fails(emulator, library, tmp_path):
    case = make_case("f16", "batch_first", 13, 1)
    path = compile_with_library(tmp_path, case, "sm_80")
    library["matmulResult"] = 13
    wrong = emulator.check(case, path)
    assert "dense product with a 24 x 40 matrix of f16: launching it failed with status 13" in wrong


def test_chain_multiplied_out(emulator, library, tmp_path, monkeypatch):
    """@f_pack merges two factors, and copies the matrix for the library."""
    base = make_case("f16", "batch_first", 16, 1)
    chain = ks.Chain([(2, 16, 512, 1), (1, 32, 32, 1)])
    case = dataclasses.replace(base, chain=chain, is_dynamic=False)
    text = ask_for_kernels(ks_merged.permit(mlir(case)), "dense")
    source, path = write(tmp_path, text), tmp_path / "case.ks"
    # So that it is taken although it is small.
    target = "sm_90:multiprocessors=2" + TARGET
    report = json.loads(
        run(source, "--target", target, "--emit", "artifact", "-o", path, "--no-cubin", "--json")
    )
    assert [variant["library"] for variant in report["variants"]] == [True]

    def reference(case, data):
        return ks_merged.reference(case, data, tf32=is_tf32(case))

    assert emulator.check(case, path, reference=reference) is None
    assert library["numProducts"] == 1
    monkeypatch.setenv("KS_CUBLASLT", "none")
    assert emulator.check(case, path, reference=reference) is None
    assert library["numProducts"] == 1


# --- ks.compile ------------------------------------------------------------------


def test_compiled_function_tells_its_library(library, gpu, monkeypatch):
    plan = "#ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 7, \
vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, \
packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>>"
    text = f"""
func.func @f(%x: tensor<?x32xf16>, %k: tensor<1x8x32x1xf16>) -> tensor<?x8xf16> {{
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<?x32xf16>
  %i = tensor.empty(%d) : tensor<?x8xf16>
  %y = ks.matmul <1, 8, 32, 1> ins(%x, %k : tensor<?x32xf16>, tensor<1x8x32x1xf16>)
    outs(%i : tensor<?x8xf16>) plan {plan} -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}}"""
    assert ks.compile(text, target="cuda").library == "cublasLt 13.1.0"
    assert ks.compile(text, target="cuda" + TARGET).library == "cublasLt 13.1.0"
    assert ks.compile(text, target="sm_80").library is None  # not loaded yet
    monkeypatch.setenv("KS_CUBLASLT", "none")
    assert ks.compile(text, target="cuda").library is None
    with pytest.raises(ks.CompileError, match="unknown target"):
        ks.compile(text, target="cuda:library=blas")
