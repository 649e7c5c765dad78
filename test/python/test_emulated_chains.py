# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chains as one kernel without a GPU: random chains, with plans of different kinds whether
or not a kernel of their own would be faster for some factors, through the runtime and the
PTX emulator (test/gpu), against float64. KS_CHAIN_CASES sets how many, KS_SEED which."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
from device_cases import mlir
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

COUNT = int(os.environ.get("KS_CHAIN_CASES", "60"))
# Where plans compute the intermediate several times, emulation takes as long.
MOST_ENTRIES = 100
GROUP = 10
SEED = int(os.environ.get("KS_SEED", "5"))
# What a plan must say, if one of these ranks of the planner does.
WANTED = ("", "slices", "stages", "shares", "slices = [0-9]*,.*stages", "cluster", "")
RANKS = (0, 2, 5, 12, 30, 80, 200)


def select_plan(path: Path, target: str, number: int) -> str | None:
    """The program with plans; None if its chain does not fit a kernel."""
    wanted, batch = WANTED[number % len(WANTED)], (16, 64, 4096)[number % 3]
    planned = None
    for rank in RANKS:
        option = f"--ks-select-plan=target={target} batch={batch} rank={rank}"
        done = subprocess.run([BUILD / "bin/ks-opt", option, path], capture_output=True, text=True)
        if done.returncode and "do not fit one kernel" in done.stderr:
            return planned
        assert done.returncode == 0, done.stderr
        planned = done.stdout
        if re.search(wanted, planned):
            return planned
    return planned


@pytest.mark.parametrize("first", range(0, COUNT, GROUP))
def test_fused_chains(emulator, tmp_path, first):
    target = ("sm_80", "sm_90", "sm_90")[first // GROUP % 3]
    failures, checked = [], 0
    for number in range(first, first + GROUP):
        case = emulate_cases.ks_cases.draw(SEED, number)
        if len(case.chain.patterns) < 2 or not emulate_cases.is_emulated(case):
            continue
        if case.is_dynamic:
            case = dataclasses.replace(case, batch=min(case.batch, MOST_ENTRIES))
        source = tmp_path / f"{number}.mlir"
        source.write_text(mlir(case))
        planned = select_plan(source, target, number)
        if planned is None:
            continue
        path = tmp_path / f"{number}.ks"
        try:
            emulate_cases.compile_text(planned, path, target, BUILD / "bin" / "ks-run")
        except RuntimeError as error:
            if "libdevice" in str(error):  # no CUDA toolkit on this machine
                continue
            raise
        wrong = emulator.check(case, path)
        checked += 1
        if wrong:
            failures.append(f"{wrong}\n  {case} for {target}")
    assert not failures, "\n".join(failures)
    assert checked
