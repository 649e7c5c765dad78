# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of random problems, assembled for every architecture: none spills, with the plan
that the planner ranks first, nor with one of those behind it.

KS_PTXAS_PROBLEMS=500 python -m pytest test/python/test_ptxas.py    # many more

KS_SEED chooses other plans for the same problems.
"""

import json
import math
import os
import random
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ks_stored
import pytest

import ks

ROOT = Path(__file__).resolve().parents[2]
KS_RUN = Path(os.environ.get("KS_BUILD_DIR", ROOT / "build" / "release")) / "bin" / "ks-run"
COUNT = int(os.environ.get("KS_PTXAS_PROBLEMS", "60"))
SEED = os.environ.get("KS_SEED", "")
RANKS = 10  # of plans
SHARED_BYTES = {
    "sm_80": 163 * 1024,
    "sm_86": 99 * 1024,
    "sm_89": 99 * 1024,
    "sm_90": 227 * 1024,
    "sm_100": 227 * 1024,
    "sm_120": 99 * 1024,
}


def has_ptxas() -> bool:
    homes = (os.environ.get(name) for name in ("CUDA_HOME", "CUDA_ROOT", "CUDA_PATH"))
    return bool(shutil.which("ptxas")) or any(h and Path(h, "bin/ptxas").exists() for h in homes)


pytestmark = [
    pytest.mark.skipif(not KS_RUN.exists(), reason="needs ks-run"),
    pytest.mark.skipif(not has_ptxas(), reason="needs ptxas"),
]


def draw(number: int) -> list[str]:
    """A problem, as options of ks-run."""
    rng = random.Random(number)

    def log_uniform(low: int, high: int) -> int:
        return round(low * (high / low) ** rng.random())

    a, d = log_uniform(1, 128), log_uniform(1, 128)
    b, c = log_uniform(4, 1024), log_uniform(4, 1024)
    if rng.random() < 0.6:  # as people choose them
        b, c = max(8, b // 8 * 8), max(8, c // 8 * 8)
        d = 1 << (d.bit_length() - 1)
    kind = rng.choice(["f16", "f16", "bf16", "f32", "f32", "f64", "c64", "c128"])
    batch = rng.choice([1, 7, 64, 512, 4096, 25088])
    options = ["--chain", f"{a},{b},{c},{d}", "--type", kind, "--batch", str(batch)]
    options += ["--layout", rng.choice(["first", "first", "last"])]
    if kind == "f32" and rng.random() < 0.5:
        options += ["--precision", "tf32"]
    if rng.random() < 0.2:
        options += ["--tied", rng.choice(["a", "d"])]
    return options


def draw_chain(number: int) -> list[str]:
    """The same of a few factors, which shall be one kernel."""
    rng = random.Random(f"chain {number}")
    features = math.prod(rng.choice([2, 3, 4, 5, 8, 12, 16]) for _ in range(3))
    patterns = []
    for _ in range(rng.choice([2, 2, 3, 4])):
        d = rng.choice([d for d in range(1, 65) if features % d == 0])
        c = rng.choice([c for c in range(1, 257) if features // d % c == 0])
        b = rng.choice([c, c, rng.randrange(1, 129)])
        patterns.append((features // d // c, b, c, d))
        features = features // c * b
    options = ["--chain", ";".join(",".join(map(str, p)) for p in patterns)]
    options += ["--type", rng.choice(["f16", "f16", "bf16", "f32", "f32", "f64", "c64"])]
    options += ["--batch", str(rng.choice([1, 64, 512, 4096, 25088]))]
    options += ["--layout", rng.choice(["first", "first", "last"])]
    return [*options, "--kernels", "fused"]


def write_stored(number: int, path: Path) -> Path | None:
    """A problem whose result is of another type; None if it is complex."""
    rng = random.Random(f"stored {number}")
    words = draw(number)
    options = dict(zip(words[::2], words[1::2]))
    kind = options["--type"]
    if kind not in ks_stored.WIDTHS:
        return None
    chain = ks.Chain([map(int, options["--chain"].split(","))], [options.get("--tied", "")])
    layout, precision = options["--layout"], options.get("--precision", "ieee")
    text = chain.mlir(kind, f"batch_{layout}", int(options["--batch"]), precision=precision)
    stored = rng.choice([name for name in ks_stored.WIDTHS if name != kind])
    path.write_text(ks_stored.store_as(text, stored))
    return path


class Refused(Exception):
    """ks-run failed."""


def ask(options: list[str]):
    """What ks-run says of the options."""
    done = subprocess.run([KS_RUN, *options, "--json"], capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr.strip())
    return json.loads(done.stdout)


def choose_plan(number: int, options: list[str]) -> list[str]:
    """Half of the problems take what is ranked first, as when nobody asks; the others one of
    the plans behind it. Which half it is alternates between targets."""
    target = options[-1]
    if (number + list(SHARED_BYTES).index(target)) % 2 == 0:
        return []
    others = ask([*options, "--plans", str(RANKS)])[1:]
    if not others:
        return []
    return ["--plan", random.Random(f"{number} {target}{SEED}").choice(others)["plan"]]


def assemble(number: int, target: str) -> str | None:
    """What is wrong, if anything."""
    options = [*draw(number), "--target", target]
    try:
        return check([*options, *choose_plan(number, options)])
    except Refused as error:
        return f"{shlex.join(options)}: {error}"


def assemble_chain(number: int, target: str) -> str | None:
    options = [*draw_chain(number), "--target", target]
    try:
        return check(options)
    except Refused as error:
        return f"{shlex.join(options)}: {error}"


def assemble_stored(number: int, target: str, directory: Path) -> str | None:
    source = write_stored(number, directory / f"{number}.mlir")
    if source is None:
        return None
    options = [str(source), "--target", target]
    try:
        wrong = check([*options, *choose_plan(number, options)])
    except Refused as error:
        wrong = f"{shlex.join(options)}: {error}"
    return wrong and f"{wrong}\n{source.read_text()}"


def check(options: list[str]) -> str | None:
    report, target = ask(options), options[options.index("--target") + 1]
    for kernel in report["kernels"]:
        if kernel["spill_bytes"]:
            return f"{shlex.join(options)}: {kernel} with {report['plan']}"
        if kernel.get("shared_bytes", 0) > SHARED_BYTES[target]:
            return f"{shlex.join(options)}: {kernel}"
    return None


@pytest.mark.parametrize("target", SHARED_BYTES)
@pytest.mark.parametrize("way", [assemble, assemble_chain])
def test_kernels_do_not_spill(way, target):
    count = COUNT if way is assemble else COUNT // 4
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [w for w in pool.map(lambda n: way(n, target), range(count)) if w]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("target", SHARED_BYTES)
def test_kernels_that_convert_results_do_not_spill(tmp_path, target):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        way = lambda number: assemble_stored(number, target, tmp_path)  # noqa: E731
        wrong = [w for w in pool.map(way, range(COUNT // 2)) if w]
    assert not wrong, "\n".join(wrong)
