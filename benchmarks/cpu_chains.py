#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times Kronecker-sparse chains on the CPU: this compiler against PyTorch.

    pip install torch numpy
    python benchmarks/cpu_chains.py --quick                  # a few cases, a minute
    python benchmarks/cpu_chains.py                          # everything; resumes
    python benchmarks/cpu_chains.py --table docs/cpu_benchmark.md   # from the CSV, no runs

All in f32 on all cores. A case is measured in rounds: in each round ks-run (a process of
its own) and then every PyTorch way has its turn, so that all see the same machine. A
round yields the median over its runs, a case the median over its rounds. Buffers rotate
beyond the caches, for all alike. PyTorch gets an allocator that keeps its memory, so its
times hold no page faults. The results of a case are checked against f64.

The CSV grows by a row per case; cases it already holds are skipped.
"""

import argparse
import datetime
import json
import os
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cpu_cases import (
    COMPILED,
    PEERS,
    SMALL_BLOCK,
    append_row,
    make_cases,
    read_rows,
)
from machine import NOISY, Others, get_cores, get_cpu_name, get_ks_version, warn_of_load

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

# Read when a process starts. A PyTorch that gives freed memory back pays page faults on
# every large result. Compiling in this process counts as ours, not as load by others.
ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
}


def say(*words):
    print(*words, file=sys.stderr, flush=True)


# ----------------------------------------------------------------------------------------
# Measuring
# ----------------------------------------------------------------------------------------


class Mismatch(Exception):
    pass


def run_ks(args, chain, tied, batch, arrays=(), out=None):
    command = [args.ks_run, "--chain", ";".join(",".join(map(str, p)) for p in chain)]
    command += ["--batch", str(batch), "--type", "f32", "--time", "--json"]
    if any(tied):
        command += ["--tied", ";".join(axes or "-" for axes in tied)]
    for array in arrays:
        command += ["--arg", str(array)]
    if out:
        command += ["--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=args.ks_timeout)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip()[-300:])
    return json.loads(done.stdout)


class Peer:
    """One way in PyTorch, with rotating inputs and outputs."""

    def __init__(self, name, function, inputs, outputs, budget):
        self.name, self.function, self.budget = name, function, budget
        self.inputs, self.outputs = inputs, outputs
        self.medians = []

    def call(self, run):
        at = run % len(self.inputs)
        begin = time.perf_counter()
        result = self.function(self.inputs[at])
        seconds = time.perf_counter() - begin
        self.outputs[at] = result  # frees the one of a turn ago
        return seconds

    def warm_up(self, reference):
        from torch_peers import relative_error

        self.call(0)
        if reference is not None:
            error = relative_error(self.outputs[0], reference)
            if error > 1e-5:
                raise Mismatch(f"{self.name} differs by {error:.1e}")
        begin, run = time.perf_counter(), 1
        while run < len(self.inputs) + 1 and time.perf_counter() - begin < 4 * self.budget:
            self.call(run)
            run += 1

    def measure(self):
        samples, total = [], 0.0
        while len(samples) < 1000:
            samples.append(self.call(len(samples)))
            total += samples[-1]
            if total > self.budget and (len(samples) >= 5 or total > 8 * self.budget):
                break
        self.medians.append(statistics.median(samples) * 1e3)

    @property
    def ms(self):
        return statistics.median(self.medians)


class Alarm:
    """Raises TimeoutError in what runs for too long."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        def ring(*_):
            raise TimeoutError(f"more than {self.seconds} s")

        self.old = signal.signal(signal.SIGALRM, ring)
        signal.alarm(self.seconds)

    def __exit__(self, *_):
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self.old)


def check(chain, weights, x, out, reference):
    """Ours, all rows against torch's f32 and some rows against f64."""
    import numpy as np
    import torch
    import torch_peers

    y = torch.from_numpy(np.load(out))
    if y.shape != reference.shape:
        raise Mismatch(f"shape {tuple(y.shape)}, expected {tuple(reference.shape)}")
    error = torch_peers.relative_error(y, reference)
    if error > 1e-5:
        raise Mismatch(f"differs from torch by {error:.1e}")
    rows = torch.linspace(0, len(x) - 1, min(64, len(x))).long()
    ratio = torch_peers.error_ratio(chain, weights, x[rows], y[rows])
    if ratio > 1:
        raise Mismatch(f"error is {ratio:.2f} of the bound against f64")
    return ratio


def measure_case(args, case):
    import numpy as np
    import torch
    import torch_peers as peers

    kind, name, chain, tied, batch = case
    row = {"kind": kind, "name": name, "batch": batch, "tied": ";".join(tied)}
    row["chain"] = ";".join(",".join(map(str, p)) for p in chain)
    notes = []
    weights = peers.make_weights(chain, tied, seed=1)
    columns, rows = peers.features(chain)
    # As many buffers as ks-run takes.
    size = 4 * (batch * (columns + rows) + sum(w.numel() for w in weights))
    sets = min(max((256 << 20) // size + 1, 2), 64)
    x = torch.rand(batch, columns, generator=torch.Generator().manual_seed(2)) * 2 - 1
    inputs = [x] + [x.clone() for _ in range(sets - 1)]
    outputs = [None] * sets
    bmm = peers.bmm(chain, weights)
    reference = bmm(x)
    others = Others()

    # The first turn of ours comes with the check.
    ours, copies, peaks = [], [], []

    def take(result):
        ours.append(result["time"]["median_ms"])
        copies.append(result["floor"]["copy_gbytes_per_s"])
        peaks.append(result["floor"]["fma_gflops_per_s"])

    with tempfile.TemporaryDirectory() as folder:
        arrays = [Path(folder) / f"{at}.npy" for at in range(len(weights) + 1)]
        out = Path(folder) / "y.npy"
        for path, array in zip(arrays, [x, *weights]):
            np.save(path, array.numpy())
        result = run_ks(args, chain, tied, batch, arrays, out)
        row["error_ratio"] = f"{check(chain, weights, x, out, reference):.3f}"
    take(result)
    row.update(flops=result["floor"]["flops"], bytes=result["floor"]["bytes"])
    row["plan"] = result.get("plan", "")

    running = []

    def add(label, make, limit=args.peer_timeout):
        """Its first turn; a way that fails is noted and left out."""
        begin = time.perf_counter()
        try:
            with Alarm(limit):
                peer = Peer(label, make(), inputs, outputs, args.seconds)
                peer.warm_up(reference)
                peer.measure()
            running.append(peer)
        except Mismatch as error:
            say(f"  PEER MISMATCH: {name}, batch {batch}: {error}")
            notes.append(f"{label}: {error}")
        except Exception as error:  # also what torch.compile raises
            text = f"{type(error).__name__}: {error}".splitlines()[0][:120]
            say(f"  {label} failed after {time.perf_counter() - begin:.0f} s: {text}")
            notes.append(f"{label}: {type(error).__name__}")

    add("bmm", lambda: bmm)
    add("einsum", lambda: peers.einsum(chain, weights))
    if any(tied):
        add("matmul", lambda: peers.matmul(chain, weights))
    if all(c <= SMALL_BLOCK for _, _, c, _ in chain):
        add("addcmul", lambda: peers.addcmul(chain, weights))
    best = min((peer.ms for peer in running), default=float("inf"))
    args.peak = max(args.peak, *peaks)
    bound = 2 * batch * columns * rows / (args.peak * 1e9) * 1e3
    matrix = None
    if not peers.dense_fits(chain):
        notes.append("dense: more than 1 GiB")
    elif bound > 1.5 * best and bound > 300:
        # At the FMA peak it would still be slower than another peer.
        row["dense_bound_ms"] = f"{bound:.4g}"
    else:
        matrix = peers.multiply_out(chain, weights)
        add("linear", lambda: peers.linear(matrix))
        if args.has_onednn:
            add("onednn", lambda: peers.onednn_linear(matrix, batch))
    wants = args.compile == "all" or name.startswith(COMPILED)
    if wants and args.compile != "none" and args.compiler:
        add("compile", lambda: peers.compiled_einsum(chain, weights), args.compile_timeout)

    # Ways that are out of the race need no further turns, nor has bmm when it is hopeless.
    best = min((peer.ms for peer in running), default=0)
    turns = [p for p in running if p.ms < (10 if p.name == "bmm" else 3) * best]
    for _ in range(args.rounds - 1):
        take(run_ks(args, chain, tied, batch))
        for peer in turns:
            peer.measure()

    row["ks_ms"] = f"{statistics.median(ours):.5g}"
    row["ks_spread"] = f"{max(ours) / min(ours):.3f}"
    row["copy_gbps"] = f"{max(copies):.4g}"
    row["fma_gflops"] = f"{max(peaks):.5g}"
    for peer in running:
        row[f"{peer.name}_ms"] = f"{peer.ms:.5g}"
    row["others_cpu"] = f"{others.share():.3f}"
    row["notes"] = "; ".join(notes)
    row["status"] = "ok"
    return row


def measure_gemm(has_onednn):
    """GFLOP/s of the two matrix libraries in PyTorch: what a dense layer can reach."""
    import torch
    import torch_peers as peers

    n = 2048
    x, matrix = torch.rand(n, n), torch.rand(n, n)
    rates = {}
    for name in ["linear"] + ["onednn"] * has_onednn:
        function = peers.linear(matrix) if name == "linear" else peers.onednn_linear(matrix, n)
        peer = Peer(name, function, [x], [None], 0.3)
        peer.warm_up(None)
        peer.measure()
        rates[name] = 2 * n**3 / peer.ms * 1e-6
    return rates


def has_onednn():
    import torch
    import torch_peers as peers

    try:
        x = torch.rand(4, 4)
        return torch.allclose(peers.onednn_linear(x, 4)(x), peers.linear(x)(x), atol=1e-5)
    except Exception:  # an internal operator: any version may lack it
        return False


def run_all(args):
    import torch

    cores = get_cores()
    torch.set_num_threads(cores)
    torch.set_grad_enabled(False)
    args.has_onednn = has_onednn()
    args.compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if not args.compiler and args.compile != "none":
        say("no C++ compiler: torch.compile is left out")
    warn_of_load(say)
    gemm = measure_gemm(args.has_onednn)
    say("dense product in PyTorch:", ", ".join(f"{k} {v:.0f} GFLOP/s" for k, v in gemm.items()))
    args.peak = max(gemm.values())
    constants = {f"{name}_gflops": f"{rate:.4g}" for name, rate in gemm.items()}
    constants.update(cpu=get_cpu_name(), cores=cores, torch=torch.__version__)
    constants.update(ks=get_ks_version(ROOT), command=args.command)

    done = read_rows(args.csv)

    def is_done(case):
        row = done.get((case[0], case[1], case[4]))
        if not row or row["status"] != "ok" or args.redo:
            return False
        return not (args.redo_noisy and float(row["others_cpu"]) > NOISY)

    cases = make_cases(args)
    todo = [case for case in cases if not is_done(case)]
    say(f"{len(cases)} cases, {len(cases) - len(todo)} of them done already")
    start, bad = time.perf_counter(), []
    for at, case in enumerate(todo):
        minutes = (time.perf_counter() - start) / 60
        if args.max_minutes and minutes > args.max_minutes:
            say(f"stopped after {minutes:.0f} minutes; run again to go on")
            break
        kind, name, chain, tied, batch = case
        label = f"{name}, batch {batch}"
        begin = time.perf_counter()
        try:
            row = measure_case(args, case)
        except (Mismatch, RuntimeError, subprocess.TimeoutExpired, MemoryError) as error:
            what = "MISMATCH" if isinstance(error, Mismatch) else "FAILED"
            bad.append(f"{label}: {what}: {error}")
            say(f"\n*** {what}: {label}: {error}\n")
            row = {"kind": kind, "name": name, "batch": batch, "status": what}
            row.update(chain=";".join(",".join(map(str, p)) for p in chain))
            row.update(tied=";".join(tied), notes=str(error).replace("\n", " ")[:200])
        row.update(constants, load=f"{os.getloadavg()[0]:.2f}")
        row["date"] = datetime.date.today().isoformat()
        append_row(args.csv, row)
        if row["status"] == "ok":
            times = {p: float(row[f"{p}_ms"]) for p in PEERS if row.get(f"{p}_ms")}
            ks = float(row["ks_ms"])
            text = ", ".join(f"{p} {ms:.3g} ({ms / ks:.2f}x)" for p, ms in times.items())
            noise = float(row["others_cpu"])
            flag = f"; NOISY: others took {100 * noise:.0f} %" if noise > NOISY else ""
            say(
                f"[{at + 1}/{len(todo)}, {time.perf_counter() - begin:.0f} s] {label}: "
                f"ks {ks:.3g} ms; {text}{flag}"
            )
    say(f"{(time.perf_counter() - start) / 60:.1f} minutes")
    for line in bad:
        say("***", line)
    return 1 if bad else 0


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--chains", type=Path, default=HERE / "chains.json")
    add(
        "--csv",
        type=Path,
        help="where rows go (default docs/cpu_benchmark.csv; with --quick a temporary file)",
    )
    add("--ks-run", default=str(ROOT / "build/release/bin/ks-run"), help="the program to time")
    add("--quick", action="store_true", help="few cases")
    add("--only", nargs="+", metavar="WORD", help="cases with one of these in their name")
    add("--kind", choices=["chain", "factor"], help="only chains, or only single factors")
    add("--batch", type=int, nargs="+", help="default: 512 4096")
    add("--rounds", type=int, default=3, help="turns of each way per case (default 3)")
    add("--seconds", type=float, default=0.3, help="of each turn in PyTorch (default 0.3)")
    add(
        "--compile",
        choices=["none", "some", "all"],
        default="some",
        help="torch.compile for which cases (default some)",
    )
    add("--compile-timeout", type=int, default=180, help="seconds (default 180)")
    add("--peer-timeout", type=int, default=120, help="seconds (default 120)")
    add("--ks-timeout", type=int, default=300, help="seconds (default 300)")
    add("--max-minutes", type=float, help="stop after the case that passes this")
    add("--redo", action="store_true", help="measure also what the CSV holds")
    add("--redo-noisy", action="store_true", help="measure again where others took CPU time")
    add("--table", type=Path, metavar="FILE.md", help="only write the table, from the CSV")
    args = parser.parse_args()
    if args.quick and not args.csv:
        args.redo = not args.table
    if not args.csv:
        quick = Path(tempfile.gettempdir()) / "ks_cpu_quick.csv"
        args.csv = quick if args.quick else ROOT / "docs/cpu_benchmark.csv"
    # What a reader types: without paths of this machine.
    hidden = {"--csv", "--ks-run", "--chains", "--max-minutes", "--redo", "--redo-noisy"}
    words, skip = ["python benchmarks/cpu_chains.py"], False
    for word in sys.argv[1:]:
        name = word.split("=")[0]
        if name in hidden:
            skip = "=" not in word and not name.startswith("--redo")
        elif not skip:
            words.append(word)
        else:
            skip = False
    args.command = " ".join([words[0], shlex.join(words[1:])]).strip()
    return args


def main():
    args = parse_arguments()
    if args.table:
        from cpu_table import write_table

        write_table(read_rows(args.csv), args.table)
        return 0
    if not shutil.which(args.ks_run):
        say(f"cannot run '{args.ks_run}'; build ks-run, or name it with --ks-run")
        return 2
    if not ENVIRONMENT.items() <= os.environ.items():
        os.environ.update(ENVIRONMENT)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    return run_all(args)


if __name__ == "__main__":
    sys.exit(main())
