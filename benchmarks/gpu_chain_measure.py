# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The process of gpu_chains.py that measures one element type in one layout.

All of it runs on one stream that is not the default one, for the sake of CUDA graphs.
"""

import argparse
import contextlib
import math
import threading
from collections.abc import Callable, Iterator

import gpu_chain_peers as peers
import torch
from cpu_chains import Alarm
from gpu_cases import Kind
from gpu_chain_cases import (
    COLD_WAYS,
    COMPILED_CHAINS,
    ENERGY_WAYS,
    OURS,
    WAY_OF_VARIANT,
    WAYS,
    ChainCase,
    finish_row,
    read_summary,
)
from gpu_energy import EnergyCounter
from gpu_graph_measure import MAX_DENSE_US, Arrays, Chain, ChainTimer, GraphMeasurement
from gpu_graphs import LAUNCHES
from gpu_measure import MAX_DENSE_MS, Buffers, is_ours, ours
from gpu_peers import MAX_DENSE_BYTES, Call, Tensor, choose_entries
from gpu_processes import Marker, is_there
from gpu_timing import Timer

# Ways that multiply factors first have other roundings than the chain as written: twice
# the bound, as between a fused and an unfused program.
SLACK = {"ks_free": 2, "dense": 2}
# What of the weights must go by before they are used again, in L2 caches; and how far
# copies of them may fall short of that, where they are small.
BEYOND_CACHE, AT_LEAST = 2, 1.2
MAX_COPIES = 2000


class ChainArrays(Arrays):
    """Of a chain in a CUDA graph."""

    case: ChainCase

    def can_chain(self) -> bool:
        return peers.can_feed_back(self.case)

    def make_weights(self) -> None:
        self.weights = peers.make_weights(self.case, self.is_chain)

    def solve(self, x: Tensor) -> peers.ChainReference:
        reference = peers.ChainReference(self.case, self.weights, self.entries)
        reference.solve(x)
        return reference


@contextlib.contextmanager
def keep_alive(marker: Marker, way: str) -> Iterator[None]:
    """Signs of life for the parent while one call takes long."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(10):
            marker.enter(way)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def count_copies(size: int, cache: int) -> int:
    """Of weights of so many bytes, for launches that take turns on them to find them in
    memory; 0 if they are too small for that."""
    wanted = -(-BEYOND_CACHE * cache // max(size, 1))
    copies = max(1, min(wanted, MAX_COPIES))
    return copies if copies * size >= AT_LEAST * cache else 0


class ChainMeasurement(GraphMeasurement):
    """Small batches in CUDA graphs, on memory that L2 holds; larger ones launch by launch,
    on more than it holds."""

    def __init__(
        self, args: argparse.Namespace, kind: Kind, cases: list[ChainCase], marker: Marker
    ):
        super().__init__(args, kind, marker)
        device = torch.cuda.get_device_properties(0)
        self.cache = device.L2_cache_size
        large = [case for case in cases if not case.is_graph]
        self.buffers = Buffers(large, kind, int(0.4 * device.total_memory))
        self.energy: EnergyCounter | None = None
        self.why_no_energy = ""
        if args.energy:
            try:
                self.energy = EnergyCounter()
            except (RuntimeError, AttributeError) as error:
                self.why_no_energy = f"energy: {error}"
        self.cublas: peers.Cublas | None = None

    # The row.

    def why_not(self, case: ChainCase) -> str:
        fits = case.is_graph or self.buffers.fit(case)
        return "" if fits else "arrays do not fit the device"

    def start_row(self, case: ChainCase, floor: float) -> None:
        self.variants = [v for v in case.variants if is_there(self.args, case.name_artifact(v))]
        self.row.update(
            mode="graph" if case.is_graph else "launches",
            variants=" ".join(self.variants),
            floor_us=f"{floor * 1e6:.4g}",
            flops=str(case.flops),
            bytes=str(case.bytes),
            weight_bytes=str(case.weight_bytes),
            patterns=case.patterns,
            tied=";".join(case.tied) if any(case.tied) else "",
        )
        for variant in self.variants:
            way = self.name_way(variant)
            found = read_summary(self.args.artifacts / case.name_artifact(variant))
            self.row[f"{way}_kernels"], self.row[f"{way}_grouping"] = found

    def name_way(self, variant: str) -> str:
        return WAY_OF_VARIANT[variant]

    def finish_row(self) -> None:
        finish_row(self.row)

    def set_time(self, way: str, timer: Timer) -> None:
        self.row[f"{way}_us"] = f"{timer.ms * 1e3 / self.launches:.5g}"

    def describe(self) -> str:
        row = self.row
        times = [f"{way} {row[f'{way}_us']}" for way in WAYS if row.get(f"{way}_us")]
        return ", ".join([row["status"], f"floor {row['floor_us']}", *times])

    def record_error(self, way: str, case: ChainCase, error: float) -> None:
        super().record_error(way, case, error / self.slack(way, case))

    def slack(self, way: str, case: ChainCase) -> int:
        return SLACK.get(way, 1)

    # The ways.

    def run_ways(self, case: ChainCase, stack: contextlib.ExitStack) -> None:
        self.marker.enter("the reference")
        self.calls: dict[str, Call] = {}
        if case.is_graph:
            self.launches = LAUNCHES
            self.arrays = arrays = ChainArrays(case)
            self.weights, self.ys = arrays.weights, arrays.ys
            self.inputs = arrays.xs
            self.reference = arrays.solve(arrays.start)
        else:
            self.launches = 1
            self.weights = peers.make_weights(case, False)
            self.inputs, self.ys = self.buffers.take(case)
            entries = choose_entries(case.batch).cuda()
            self.reference = peers.ChainReference(case, self.weights, entries)
            self.reference.solve(self.inputs[0])
        self.row["sets"] = str(len(self.inputs))
        failed = self.add_ours(case, stack)
        # Graphs must go before the layers whose code they run.
        stack.callback(self.calls.clear)
        stack.callback(self.timers.clear)
        self.add_peers(case)
        self.take_turns()
        if not case.is_graph:
            # Once more, after all the others have had the memory.
            for way in filter(is_ours, self.timers):
                self.check(way, self.calls[way], case, self.reference)
        self.measure_cold(case)
        self.measure_energy(case)
        self.finish_ours(case, failed)
        torch.cuda.synchronize()

    def add_ours(self, case: ChainCase, stack: contextlib.ExitStack) -> list[str]:
        """All variants; those that failed."""
        failed = []
        seen: dict[bytes, str] = {}
        self.same: dict[str, str] = {}
        for variant in self.variants:
            way, name = self.name_way(variant), case.name_artifact(variant)
            code = (self.args.artifacts / name).read_bytes()
            if code in seen:
                self.same[way] = seen[code]
                continue
            seen[code] = way

            def make(name: str = name) -> Call:
                arrays = (self.weights, self.xs, self.ys)
                return ours(case, *arrays, self, stack, name)

            if not self.try_way(case, way, make):
                failed.append(variant)
        return failed

    def finish_ours(self, case: ChainCase, failed: list[str]) -> None:
        """Variants of the same code share what was measured; the status is of all."""
        for way, other in self.same.items():
            self.notes.append(f"{way}: the same layer as {other}")
            for field in ("us", "cold_us", "joules", "spread", "error"):
                if f"{other}_{field}" in self.row:
                    self.row[f"{way}_{field}"] = self.row[f"{other}_{field}"]
            if other in self.row["wrong"].split():
                self.record_wrong(way, case, f"as {other}")
        if not self.variants:
            self.row["status"] = "no artefact"
        elif any(is_ours(way) for way in self.row["wrong"].split()):
            self.row["status"] = "wrong"
        elif not failed:
            self.row["status"] = "ok"

    def add_peers(self, case: ChainCase) -> None:
        wanted = self.args.ways

        def add(way: str, make: Callable[..., Call], reason: str = "", *extra: object) -> None:
            if way not in wanted or reason == "none":
                return
            if reason:
                self.notes.append(f"{way}: {reason}")
                return
            arrays = lambda: (case, self.weights, self.xs, list(self.ys))  # noqa: E731
            self.try_way(case, way, lambda: make(*arrays(), *extra))

        add("bmm", peers.bmm)
        add("einsum", peers.einsum)
        add("matmul", peers.matmul, "" if peers.is_kronecker(case) else "none")
        if case.layout == "last" and "cublas_ptr" in wanted:
            reason = peers.why_no_pointers(case)
            add("cublas_ptr", peers.cublas_ptr, reason, None if reason else self.get_cublas())
        add("dense", peers.dense, self.why_not_dense(case))
        which = self.args.compile
        if which == "all" or (which == "some" and case.title in COMPILED_CHAINS):
            with keep_alive(self.marker, "compile"), Alarm(self.args.compile_timeout):
                self.try_way(
                    case,
                    "compile",
                    lambda: peers.compiled(case, self.weights, self.xs, list(self.ys)),
                )
        add("special", peers.special, peers.why_not_special(case))

    def why_not_dense(self, case: ChainCase) -> str:
        size = case.kind.size * case.rows * case.columns
        if size > MAX_DENSE_BYTES:
            return "the matrix is too large"
        best = self.get_best() * 1e3 / self.launches
        flops = 2 * case.batch * case.rows * case.columns
        bound = max(size / self.copy, flops / self.peak) * 1e6
        limit = MAX_DENSE_US if case.is_graph else MAX_DENSE_MS * 1e3
        if best and bound > limit and bound > 2 * best:
            return "slower than others even at the peak"
        return ""

    def get_cublas(self) -> peers.Cublas:
        if self.cublas is None:
            self.cublas = peers.Cublas()
        return self.cublas

    def add_way(self, case: ChainCase, way: str, make: Callable[[], Call]) -> Call:
        if case.is_graph:
            call = super().add_way(case, way, make)
        else:
            self.marker.enter(way)
            self.xs = self.inputs
            call = make()
            self.check(way, call, case, self.reference, self.ys[0])
            timer = Timer(call, len(self.inputs), self.args.ms)
            timer.measure()
            self.timers[way] = timer
        self.calls[way] = call
        return call

    def check(self, way, call, case, reference, output=None) -> None:
        if way == "special" and peers.has_own_matrix(case):
            self.check_hadamard(way, case, call)
        else:
            super().check(way, call, case, reference, output)

    def check_chain(self, way: str, call: Call, case: ChainCase, chain: Chain) -> None:
        if not (way == "special" and peers.has_own_matrix(case)):
            super().check_chain(way, call, case, chain)

    def check_hadamard(self, way: str, case: ChainCase, call: Call) -> None:
        """Rows of the identity must become those of a Hadamard matrix."""
        x = self.xs[0]
        count = min(len(x), case.columns)
        kept = x.clone()
        x[:count] = torch.eye(count, case.columns, dtype=x.dtype, device=x.device)
        good = peers.is_hadamard(call(0)[:count])
        x.copy_(kept)
        self.record_error(way, case, 0.0 if good else math.inf)

    # What is measured behind the rounds.

    def measure_cold(self, case: ChainCase) -> None:
        """In graphs, with weights that come from memory: launches take turns on copies."""
        if not (case.is_graph and self.args.cold):
            return
        for way in COLD_WAYS:
            call = self.calls.get(way)
            if call is None:
                continue
            self.marker.enter(f"{way}, cold")
            copies = count_copies(call.weight_bytes, self.cache)  # type: ignore[attr-defined]
            if not copies:
                self.notes.append(f"{way}: weights are too small to be cold")
                continue
            launches = -(-LAUNCHES // copies) * copies
            # `call` reads the inputs that its way was made with; they are those of the arrays.
            cold = call.copy_weights(copies)  # type: ignore[attr-defined]
            chain = Chain(cold, list(self.arrays.xs), launches)
            timer = ChainTimer(chain, self.arrays, self.args.ms)
            for _ in range(self.args.rounds):
                timer.measure()
            self.row[f"{way}_cold_us"] = f"{timer.ms * 1e3 / launches:.4g}"
            torch.cuda.synchronize()
            del cold, chain, timer

    def measure_energy(self, case: ChainCase) -> None:
        """Of graphs of runs, so that the GPU never waits for the host."""
        if not self.args.energy:
            return
        if self.energy is None:
            self.notes.append(self.why_no_energy)
            return
        for way in ENERGY_WAYS:
            call = self.calls.get(way)
            if call is None:
                continue
            self.marker.enter(f"{way}, energy")
            launches = len(self.inputs) * -(-20 // len(self.inputs))
            if case.is_graph:
                self.arrays.reset()
            chain = Chain(call, self.inputs, launches, feeds_back=False)
            joules = self.energy.measure(chain.run, self.args.energy) / launches
            self.row[f"{way}_joules"] = f"{joules:.4g}"
            del chain


class GroupingMeasurement(ChainMeasurement):
    """One variant of a layer, alone."""

    def name_way(self, variant: str) -> str:
        return OURS[0]

    def start_row(self, case: ChainCase, floor: float) -> None:
        super().start_row(case, floor)
        self.row["chain"], self.row["variant"] = case.title, case.variants[0]
        self.finish_row()

    def finish_row(self) -> None:
        self.row = {key: value for key, value in self.row.items() if key in self.args.fields}

    def slack(self, way: str, case: ChainCase) -> int:
        return 1 if case.variants[0] == "exact" else 2
