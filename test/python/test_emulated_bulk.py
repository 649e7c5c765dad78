# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels that use the copy engine, on the emulator: one plan of each kind of box."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
import ptx_bulk
import ptx_emulator
import ptx_parser
from device_cases import mlir
from plan_kinds import find_plans
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

import ks

# Flat boxes (pieces of several k), rows of j, and rows of some of the j.
CHAINS = [
    ((2, 24, 40, 1), "f16"),
    ((3, 17, 20, 2), "bf16"),
    ((1, 40, 56, 3), "f16"),
    ((2, 16, 48, 4), "f16"),
    ((2, 33, 12, 4), "f32"),  # tf32
    ((1, 20, 24, 6), "bf16"),
    ((2, 16, 20, 8), "f16"),
    ((1, 24, 36, 16), "f16"),  # swizzled by 32 bytes
    ((1, 18, 20, 32), "bf16"),  # 64 bytes, or part of the columns
    ((1, 16, 20, 24), "f16"),
]


def get_plans(chain: tuple[int, ...], case, count: int) -> list[str]:
    """Plans with bulk copies that differ in what is copied."""
    options = ["--chain", ",".join(map(str, chain)), "--target", "sm_90"]
    options += ["--type", case.dtype, "--batch", str(case.batch)]
    options += ["--precision", "tf32"] if case.dtype == "f32" else []

    def get_kind(plan: str, fields: dict[str, str]):
        if "copies = bulk" not in plan:
            return None
        return fields["j"], fields["vector"], fields["weights"], "run_k = 4" in plan

    return find_plans(BUILD / "bin" / "ks-run", options, get_kind)[:count]


@pytest.mark.parametrize(("chain", "dtype"), CHAINS)
@pytest.mark.parametrize("is_aligned", [True, False], ids=["aligned", "unaligned"])
def test_plans(emulator, tmp_path, chain, dtype, is_aligned):
    number = 2  # even: f32 is tf32
    case = dataclasses.replace(
        emulate_cases.ks_cases.draw(1, number),
        chain=ks.Chain([chain]),
        dtype=dtype,
        layout="batch_first",
        batch=53,
        is_dynamic=True,
        epilogue=None,
        is_pitched=not is_aligned,
        is_small=False,
    )
    plans = get_plans(chain, case, 4 if is_aligned else 2)
    assert plans
    for plan in plans:
        source, path = tmp_path / "layer.mlir", tmp_path / "layer.ks"
        source.write_text(mlir(case))
        command = [BUILD / "bin" / "ks-run", source, "--target", "sm_90", "--plan", plan]
        command += ["--emit", "artifact", "-o", path, "--no-cubin"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        assert emulator.check(case, path) is None, plan


KERNEL = """
.visible .entry k(.param .b64 k_param_0) {
  .shared .align 8 .b8 barriers[8];
  .reg .b64 %rd<9>;
  ld.param.b64 %rd1, [k_param_0];
  mov.b64 %rd2, barriers;
  mov.b32 %r1, 1;
  mbarrier.init.shared.b64 [barriers], %r1;
  mov.b64 %rd3, __dynamic_shmem__0;
  mov.b32 %r2, 16;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%rd3], [%rd1], %r2, [barriers];
  ARRIVE
  WAIT
  ld.shared.b32 %r3, [%rd3];
  st.global.b32 [%rd1+16], %r3;
  ret;
}
"""
ARRIVE = "mbarrier.arrive.expect_tx.shared.b64 %rd8, [barriers], %r2;"
WAIT = """{
 .reg .pred P1;
 LAB_WAIT:
 mbarrier.try_wait.parity.shared.b64 P1, [%rd2], 0, %r2;
 @P1 bra.uni DONE;
 bra.uni LAB_WAIT;
 DONE:
 }"""


def run(arrive: str, wait: str) -> int:
    import numpy as np

    raw = np.zeros(64, np.uint8)
    data = raw[-raw.ctypes.data % 16 :][:32]
    data[:16] = 7
    memory = ptx_emulator.Memory(data.ctypes.data, data, np.ones(32, bool))
    kernel = ptx_parser.parse(KERNEL.replace("ARRIVE", arrive).replace("WAIT", wait, 1))["k"]
    ptx_emulator.launch(kernel, [data.ctypes.data.to_bytes(8, "little")], 1, 1, 64, memory)
    return int(data[16])


def test_bulk_copies_arrive_when_they_were_waited_for():
    assert run(ARRIVE, WAIT) == 7
    assert run(ARRIVE, "") == 0xFF


def test_a_barrier_that_nobody_serves_is_an_error():
    with pytest.raises(ptx_emulator.EmulationError, match="wait at an mbarrier for ever"):
        run("", WAIT)


def test_too_many_arrivals_are_an_error():
    with pytest.raises(ptx_bulk.BulkError, match="more threads arrive"):
        run(ARRIVE.replace("16", "0") * 3, "")
