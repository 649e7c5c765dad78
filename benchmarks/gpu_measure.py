# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measuring cases of one element type in one layout: what every benchmark for GPUs shares,
and how gpu_factors.py does it."""

import argparse
import contextlib
import datetime
import itertools
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import gpu_peers as peers
import torch
from gpu_cases import TRITON_PATTERNS, WAYS, Case, Kind, Row, finish_row, number
from gpu_processes import Fatal, Marker, has_artifact, say
from gpu_timing import (
    Timer,
    get_device_info,
    get_fma_peak,
    measure_copy,
    measure_peak,
    set_precision,
    time_runs,
)
from ks_runtime import Layer, Runtime
from machine import get_ks_version

Tensor = torch.Tensor
HERE = Path(__file__).resolve().parent
BEYOND_CACHE = 4  # times L2: what rotating buffers fill at least
MAX_SETS = 64
OUT_OF_RACE = 3  # times the best: a way so slow gets one round
MAX_DENSE_MS = 50


# ----------------------------------------------------------------------------------------
# Buffers
# ----------------------------------------------------------------------------------------


def round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


class Buffers:
    """Memory for inputs and outputs that all cases share; inputs are random in [-1, 1]."""

    def __init__(self, cases: list[Case], kind: Kind, limit: int):
        """`limit` is in bytes. Cases beyond it do not fit."""
        self.cache = torch.cuda.get_device_properties(0).L2_cache_size
        self.kind = kind
        sizes = [(0, 0)]
        for case in cases:
            x, y = (self.count_sets(case) * step for step in self.steps(case))
            if (x + y) * kind.size <= limit:
                sizes.append((x, y))
        dtype = getattr(torch, kind.dtype)
        self.x = torch.empty(max(x for x, _ in sizes), dtype=dtype, device="cuda")
        self.y = torch.empty(max(y for _, y in sizes), dtype=dtype, device="cuda")
        self.x.uniform_(-1, 1)

    def count_sets(self, case: Case) -> int:
        if case.batch == 0:
            return 1
        return min(MAX_SETS, max(1, -(-BEYOND_CACHE * self.cache // case.array_bytes)))

    @staticmethod
    def steps(case: Case) -> tuple[int, int]:
        """Elements from an input to the next, and from an output to the next."""
        multiple = 256 // case.kind.size
        return (
            round_up(math.prod(case.x_shape), multiple),
            round_up(math.prod(case.y_shape), multiple),
        )

    def fit(self, case: Case) -> bool:
        sets = self.count_sets(case)
        x, y = self.steps(case)
        return sets * x <= self.x.numel() and sets * y <= self.y.numel()

    def take(self, case: Case) -> tuple[list[Tensor], list[Tensor]]:
        def cut(arena: Tensor, shape: tuple[int, int], step: int) -> list[Tensor]:
            starts = range(0, self.count_sets(case) * max(step, 1), max(step, 1))
            return [arena[at : at + math.prod(shape)].view(shape) for at in starts]

        x, y = self.steps(case)
        return cut(self.x, case.x_shape, x), cut(self.y, case.y_shape, y)


def make_weight(case: Case) -> Tensor:
    """Uniform, scaled so that results stay of the order of 1."""
    generator = torch.Generator(device="cuda").manual_seed(1)
    weight = torch.rand(case.pattern, generator=generator, device="cuda")
    weight.mul_(2).sub_(1).mul_(math.sqrt(3 / case.pattern[2]))
    return weight.to(getattr(torch, case.kind.dtype))


# ----------------------------------------------------------------------------------------
# Ours
# ----------------------------------------------------------------------------------------


def with_pitch(array: Tensor, alignment: int) -> Tensor:
    """The array itself, or a copy with a gap after each row where rows must be aligned."""
    size = array.element_size()
    if array.shape[0] <= 1 or array.stride(0) * size % alignment == 0:
        return array
    pitch = round_up(array.shape[1] * size, alignment) // size
    copy = torch.empty(array.shape[0], pitch, dtype=array.dtype, device=array.device)
    copy[:, : array.shape[1]] = array
    return copy[:, : array.shape[1]]


def pack_layer(layer: Layer, weights: list[Tensor]) -> Tensor:
    packed = torch.empty(layer.packed_bytes, dtype=torch.uint8, device="cuda")
    layer.pack(weights, packed, torch.cuda.current_stream().cuda_stream)
    return packed


def make_workspace(layer: Layer, batch: int) -> Tensor:
    """NaN in every type: what the layer reads there it must have written."""
    return torch.full((layer.workspace_bytes(batch),), 255, dtype=torch.uint8, device="cuda")


def bind_layer(layer: Layer, packed: Tensor, workspace: Tensor, xs: list[Tensor], ys: list[Tensor]):
    """Calls of a compiled layer on each input and output, one at a time."""
    order = [a for a in layer.arguments if not a.is_weight]
    return [
        layer.bind(packed, [y if a.is_result else x for a in order], workspace)
        for x, y in zip(xs, ys)
    ]


def ours(
    case: Case,
    weights: list[Tensor],
    xs: list[Tensor],
    ys: list[Tensor],
    meter: "Meter",
    stack: contextlib.ExitStack,
    artifact: str = "",
) -> peers.Call:
    """A compiled layer, with its weights packed: that of the case, unless one is named."""
    stream = torch.cuda.current_stream().cuda_stream
    layer = stack.enter_context(
        meter.runtime.load(meter.args.artifacts / (artifact or case.artifact))
    )
    meter.row["target"] = layer.target
    wanted = [argument for argument in layer.arguments if argument.is_weight]
    results = [argument for argument in layer.arguments if argument.is_result]
    inputs = [a for a in layer.arguments if not a.is_weight and not a.is_result]
    if (len(wanted), len(results), len(inputs)) != (len(weights), 1, 1):
        names = ", ".join(argument.name for argument in layer.arguments)
        raise RuntimeError(
            f"expected an input, a result and weights ({len(weights)}); it has {names}"
        )
    wide_xs = [with_pitch(x, inputs[0].alignment) for x in xs]
    wide_ys = [with_pitch(y, results[0].alignment) for y in ys]
    if wide_xs[0] is not xs[0] or wide_ys[0] is not ys[0]:
        meter.notes.append("ks: rows with a gap, for alignment")
    packed, workspace = pack_layer(layer, weights), make_workspace(layer, case.batch)
    calls = bind_layer(layer, packed, workspace, wide_xs, wide_ys)

    def run(at: int) -> Tensor:
        calls[at](stream)
        return wide_ys[at]

    def copy_weights(count: int) -> peers.Call:
        """The same, but runs take turns on so many copies of the packed weights."""
        copies = [packed.clone() for _ in range(count)]
        bound = [bind_layer(layer, copy, workspace, wide_xs, wide_ys) for copy in copies]
        turns = itertools.cycle(bound)

        def run(at: int) -> Tensor:
            next(turns)[at](stream)
            return wide_ys[at]

        return run

    run.outputs = wide_ys  # type: ignore[attr-defined]
    run.weight_bytes = packed.numel()  # type: ignore[attr-defined]
    run.copy_weights = copy_weights  # type: ignore[attr-defined]
    return run


# ----------------------------------------------------------------------------------------
# Measuring
# ----------------------------------------------------------------------------------------


def time_briefly(call: Callable[[], object]) -> float:
    """Good enough to choose by; the first call may compile."""
    call()
    torch.cuda.synchronize()
    ms = time_runs(lambda _: call(), 1)
    return ms if ms > 5 else time_runs(lambda _: call(), 5, 0.3)


def is_ours(way: str) -> bool:
    return way.startswith("ks")


class Meter:
    """Of one type and layout: what the GPU can do, the row of the case at hand, and its ways
    with their times so far. A benchmark says what a row begins and ends with, how the ways
    run, and how they are timed."""

    def __init__(self, args: argparse.Namespace, kind: Kind, marker: Marker):
        self.args, self.kind, self.marker = args, kind, marker
        self.row: Row = {}
        self.notes: list[str] = []
        self.timers: dict[str, Timer] = {}
        warnings.filterwarnings("ignore", category=UserWarning)
        torch.set_grad_enabled(False)
        torch.manual_seed(2)
        torch.cuda.init()
        set_precision(kind)
        device, driver, clock = get_device_info()
        self.copy, self.peak = measure_copy(), measure_peak(kind)
        fma = get_fma_peak(clock)
        torch.cuda.empty_cache()
        say(
            f"{device}, driver {driver}, {kind.name}: copy {self.copy / 1e9:.0f} GB/s, "
            f"matrix product {self.peak / 1e12:.1f} TFLOP/s, f32 FMA {fma / 1e12:.1f} TFLOP/s"
        )
        self.constants = {
            "copy_gbps": f"{self.copy / 1e9:.5g}",
            "peak_tflops": f"{self.peak / 1e12:.5g}",
            "fma_tflops": f"{fma / 1e12:.4g}" if fma else "",
            "device": device,
            "driver": driver,
            "date": datetime.date.today().isoformat(),
            "torch": torch.__version__,
            "ks": args.ks_version or get_ks_version(HERE.parent),
        }
        self.runtime = Runtime(args.runtime) if args.runtime else None

    # What a benchmark says of itself.

    def why_not(self, case: Case) -> str:
        """Why the case cannot be measured, or ''."""
        return ""

    def start_row(self, case: Case, floor: float) -> None:
        """What the row says of the case; the floor is in seconds."""
        raise NotImplementedError

    def finish_row(self) -> None:
        """What follows from the times."""
        raise NotImplementedError

    def set_time(self, way: str, timer: Timer) -> None:
        """The time of a way, in the row."""
        raise NotImplementedError

    def run_ways(self, case: Case, stack: contextlib.ExitStack) -> None:
        raise NotImplementedError

    def describe(self) -> str:
        """The row, as a line of the log."""
        raise NotImplementedError

    # What they share.

    def begin_row(self, case: Case) -> Row:
        floor = max(case.bytes / self.copy, case.flops / self.peak) if case.batch else 0
        self.notes, self.timers = [], {}
        self.row = {case.name_field: case.name, "batch": str(case.batch), "type": case.kind.name}
        self.row.update(self.constants, layout=case.layout, status="failed", wrong="")
        self.start_row(case, floor)
        return self.row

    def run_case(self, case: Case) -> Row:
        """Fills self.row, which holds what there is also when this raises."""
        self.begin_row(case)
        reason = self.why_not(case)
        if reason:
            self.row.update(status="skipped", notes=reason)
            return self.row
        try:
            with contextlib.ExitStack() as stack:
                try:
                    self.run_ways(case, stack)
                    torch.cuda.synchronize()
                except Exception:
                    stack.pop_all()  # freeing a layer may need a GPU that works
                    raise
        finally:
            self.row["notes"] = "; ".join(self.notes)
            self.finish_row()
            self.timers = {}
        torch.cuda.empty_cache()
        return self.row

    def has_layer(self, case: Case) -> bool:
        """Notes it where there is none."""
        if has_artifact(self.args, case):
            return True
        self.row["status"] = "no artefact"
        return False

    def try_way(self, case: Case, way: str, make: Callable[[], peers.Call]) -> peers.Call | None:
        """Adds the way; one that fails is noted."""
        try:
            return self.add_way(case, way, make)
        except Exception as error:
            text = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        say(f"  {way} failed: {case.name}, batch {case.batch}: {text}")
        self.notes.append(f"{way}: {text}")
        self.finish_times()
        try:
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        except RuntimeError as error:
            raise Fatal(f"{way}: {text}") from error
        return None

    def add_way(self, case: Case, way: str, make: Callable[[], peers.Call]) -> peers.Call:
        """Checks the way, makes its timer, and gives it its first round."""
        raise NotImplementedError

    def get_best(self) -> float:
        """Of the ways so far, by their timers."""
        return min((timer.ms for timer in self.timers.values()), default=0.0)

    def take_turns(self) -> None:
        """All rounds but the first."""
        best, timers = self.get_best(), self.timers
        turns = [way for way, t in timers.items() if t.ms <= OUT_OF_RACE * best or is_ours(way)]
        for at in range(1, self.args.rounds):
            first = at % max(len(turns), 1)
            for way in turns[first:] + turns[:first]:
                self.marker.enter(way)
                timers[way].measure()
        self.finish_times()

    def finish_times(self) -> None:
        for way, timer in self.timers.items():
            if timer.rounds:
                self.set_time(way, timer)
                self.row[f"{way}_spread"] = f"{timer.spread:.3f}"

    def check(
        self,
        way: str,
        call: peers.Call,
        case: Case,
        reference: peers.Reference,
        output: Tensor | None = None,
    ) -> None:
        """Poisons the output, runs, and compares with f64. A wrong result is recorded."""
        outputs = getattr(call, "outputs", None)
        target = outputs[0] if outputs else output
        if target is not None and target.numel():
            target.fill_(math.nan)
        result = call(0)
        torch.cuda.synchronize()
        self.record_error(way, case, reference.error_ratio(result))

    def record_error(self, way: str, case: Case, error: float) -> None:
        """The greatest one counts. Above 1 the way is wrong."""
        field = f"{way}_error"
        self.row[field] = f"{max(error, number(self.row, field), 0.0):.3f}"
        if error > 1:
            self.record_wrong(way, case, f"error is {error:.3g} of the bound")

    def record_wrong(self, way: str, case: Case, what: str) -> None:
        if way in self.row["wrong"].split():
            return
        self.row["wrong"] = f"{self.row['wrong']} {way}".strip()
        text = f"{way}: WRONG: {what}"
        self.notes.append(text)
        say(f"\n*** {case.name}, batch {case.batch}: {text}\n")

    def finish_status(self) -> None:
        self.row["status"] = "wrong" if "ks" in self.row["wrong"].split() else "ok"


class Measurement(Meter):
    """Of gpu_factors.py: launches one by one, on more memory than L2 holds."""

    def __init__(self, args: argparse.Namespace, kind: Kind, cases: list[Case], marker: Marker):
        super().__init__(args, kind, marker)
        with contextlib.suppress(ImportError):
            import triton

            self.constants["triton"] = triton.__version__
        total = torch.cuda.get_device_properties(0).total_memory
        self.buffers = Buffers(cases, kind, int(0.4 * total))
        self.cublas: peers.Cublas | None = None

    def why_not(self, case: Case) -> str:
        return "" if self.buffers.fit(case) else "arrays do not fit the device"

    def start_row(self, case: Case, floor: float) -> None:
        self.row.update(flops=str(case.flops), bytes=str(case.bytes))
        if floor:
            self.row["floor_ms"] = f"{floor * 1e3:.5g}"

    def finish_row(self) -> None:
        finish_row(self.row)

    def set_time(self, way: str, timer: Timer) -> None:
        self.row[f"{way}_ms"] = f"{timer.ms:.5g}"

    def describe(self) -> str:
        row = self.row
        times = [f"{way} {row[f'{way}_ms']}" for way in WAYS if row.get(f"{way}_ms")]
        words = [row["status"], f"floor {row.get('floor_ms') or '-'}", *times]
        if row.get("ks_over_floor"):
            words.append(f"{row['ks_over_floor']}x floor")
        if row.get("speedup"):
            words.append(f"{row['speedup']}x {row['best_peer']}")
        return ", ".join(words)

    def run_ways(self, case: Case, stack: contextlib.ExitStack) -> None:
        self.marker.enter("the reference")
        weight = make_weight(case)
        xs, self.ys = self.buffers.take(case)
        self.row["sets"] = str(len(xs))
        entries = peers.choose_entries(case.batch).cuda()
        self.reference = peers.Reference(case, weight, entries)
        self.reference.solve(xs[0])
        if case.batch > 0:
            self.add_peers(case, weight, xs, self.ys)
        call = None
        if self.has_layer(case):
            call = self.try_way(case, "ks", lambda: ours(case, [weight], xs, self.ys, self, stack))
        self.take_turns()
        if call:
            # Once more, after all the others have had the memory.
            self.check("ks", call, case, self.reference)
            self.finish_status()

    def add_way(self, case: Case, way: str, make: Callable[[], peers.Call]) -> peers.Call:
        self.marker.enter(way)
        call = make()
        self.check(way, call, case, self.reference, self.ys[0])
        timer = Timer(call, int(self.row["sets"]), self.args.ms)
        timer.measure()
        self.timers[way] = timer
        return call

    def add_peers(self, case: Case, weight: Tensor, xs: list[Tensor], ys: list[Tensor]) -> None:
        arrays = (case, weight, xs, ys)
        wanted = self.args.ways

        def add(way: str, make: Callable[[], peers.Call]) -> None:
            self.try_way(case, way, make)

        if "bmm" in wanted:
            add("bmm", lambda: peers.bmm(*arrays))
        if "einsum" in wanted:
            add("einsum", lambda: peers.einsum(*arrays))
        if "cublas_ptr" in wanted and case.layout == "last":
            reason = peers.why_no_pointers(case)
            if reason:
                self.notes.append(f"cublas_ptr: {reason}")
            else:
                add("cublas_ptr", lambda: peers.cublas_ptr(*arrays, self.get_cublas()))
        if "triton" in wanted and case.pattern in TRITON_PATTERNS:
            add("triton", lambda: peers.triton(*arrays, time_briefly))
        if "dense" in wanted:
            best = self.get_best() or math.inf
            bound = peers.dense_flops(case) / self.peak * 1e3
            self.row["dense_bound_ms"] = f"{bound:.4g}"
            if peers.dense_bytes(case) > peers.MAX_DENSE_BYTES:
                self.notes.append("dense: the matrix is too large")
            elif bound > MAX_DENSE_MS and bound > 2 * best:
                self.notes.append("dense: slower than others even at the peak")
            else:
                add("dense", lambda: peers.dense(*arrays))

    def get_cublas(self) -> peers.Cublas:
        if self.cublas is None:
            self.cublas = peers.Cublas()
        return self.cublas
