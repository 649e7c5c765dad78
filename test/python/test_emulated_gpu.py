# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""GPU kernels without a GPU: random cases through ks-run, the runtime and the PTX
emulator (test/gpu), against float64. KS_GPU_CASES sets how many, KS_SEED which."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
import ptx_emulator
import ptx_parser
from device_cases import mlir

COUNT = int(os.environ.get("KS_GPU_CASES", "48"))
GROUP = 8
SEED = int(os.environ.get("KS_SEED", "2"))

BUILD = Path(os.environ.get("KS_BUILD_DIR", emulate_cases.BUILD))
pytestmark = pytest.mark.skipif(
    not (BUILD / "test/unit/libKSFakeDriver.so").exists()
    or not (BUILD / "lib/libKSRuntimeC.so").exists(),
    reason="needs the libraries KSFakeDriver and KSRuntimeC",
)


@pytest.mark.parametrize("first", range(0, COUNT, GROUP))
def test_random_cases(emulator, tmp_path, first):
    target = ("sm_80", "sm_90")[first // GROUP % 2]
    failures = []
    for number in range(first, first + GROUP):
        case = emulate_cases.ks_cases.draw(SEED, number)
        if not emulate_cases.is_emulated(case):
            continue
        path = tmp_path / f"{number}.ks"
        try:
            emulate_cases.compile_text(mlir(case), path, target, BUILD / "bin" / "ks-run")
        except RuntimeError as error:
            if "libdevice" in str(error):  # no CUDA toolkit on this machine
                continue
            raise
        wrong = emulator.check(case, path)
        if wrong:
            failures.append(f"{wrong}\n  {case} for {target}")
    assert not failures, "\n".join(failures)


# --- The emulator itself -------------------------------------------------------

PTX = """
.visible .entry k(.param .b64 k_param_0) {
  .reg .b32 %r<9>;
  .reg .b64 %rd<9>;
  ld.param.b64 %rd1, [k_param_0];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  CODE
  ret;
}
"""


def run(code: str, threads: int = 32, shared: int = 0):
    import numpy as np

    kernels = ptx_parser.parse(PTX.replace("CODE", code))
    data = np.zeros(4 * 32, np.uint8)
    memory = ptx_emulator.Memory(data.ctypes.data, data, np.ones(len(data), bool))
    address = data.ctypes.data.to_bytes(8, "little")
    ptx_emulator.launch(kernels["k"], [address], 1, threads, shared, memory)
    return data.view(np.uint32)


def test_emulator_runs_code():
    assert (run("st.global.b32 [%rd3], %r1;") == range(32)).all()


def test_emulator_parts_and_joins_threads():
    code = """setp.lt.u32 %p1, %r1, 7;
    mov.b32 %r2, 5;
    @%p1 bra $L1;
    add.s32 %r2, %r2, %r1;
    $L1: st.global.b32 [%rd3], %r2;"""
    assert list(run(code)) == [5] * 7 + [5 + n for n in range(7, 32)]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("st.global.b32 [%rd3+4], %r1;", "outside of the arrays"),
        ("st.global.b32 [%rd3+2], %r1;", "misaligned"),
        ("cvt.u64.u32 %rd4, %r1; st.shared.b32 [%rd4], %r1;", "misaligned"),
        ("st.shared.b32 [%rd2], %r1;", "outside of 64 shared bytes"),
        ("frobnicate.b32 %r1, %r1;", "unknown instruction"),
    ],
)
def test_emulator_finds(code, message):
    with pytest.raises(ptx_emulator.EmulationError, match=message):
        run(code, shared=64)


def test_emulator_hides_copies_until_they_were_waited_for():
    copy = """st.global.b32 [%rd3], %r1;
    cp.async.ca.shared.global [%rd2], [%rd3], 4;
    cp.async.commit_group;
    WAIT
    ld.shared.b32 %r3, [%rd2];
    st.global.b32 [%rd3], %r3;"""
    waited = run(copy.replace("WAIT", "cp.async.wait_group 0;"), shared=128)
    assert (waited == range(32)).all()
    assert (run(copy.replace("WAIT", ""), shared=128) == 0xFFFFFFFF).all()
