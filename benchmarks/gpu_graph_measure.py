# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The process of gpu_graphs.py that measures one element type in one layout.

All of it runs on one stream that is not the default one. Every way has run there before its
graph is captured, so that libraries have their workspaces and kernels are loaded.
"""

import contextlib
import math
from collections.abc import Callable

import gpu_peers as peers
import torch
from gpu_cases import Case
from gpu_graphs import LAUNCHES, WAYS, finish_row
from gpu_measure import Meter, is_ours, make_weight, ours
from gpu_timing import Timer

Tensor = torch.Tensor
WARM_UPS = 3
MAX_DENSE_US = 1000  # of a launch


def make_orthogonal_weight(
    shape: tuple[int, int, int, int], dtype: torch.dtype, seed: int = 1, device: str = "cuda"
) -> Tensor:
    """Each block is a cosine transform with random signs: results are as large as inputs,
    however many launches there are."""
    a, b, _, d = shape
    generator = torch.Generator(device=device).manual_seed(seed)

    def draw_signs(*shape: int) -> Tensor:
        return torch.randint(2, shape, generator=generator, device=device).mul_(2).sub_(1)

    at = torch.arange(b, device=device, dtype=torch.float64) + 0.5
    block = torch.outer(at, at).mul_(math.pi / b).cos_().mul_(math.sqrt(2 / b)).float()
    weight = block.view(1, b, b, 1) * draw_signs(a, b, 1, d) * draw_signs(a, 1, b, d)
    return weight.to(dtype)


class Arrays:
    """Of a case. Where sizes agree there are two pairs: from the first buffer to the second,
    and back."""

    def __init__(self, case: Case):
        self.case = case
        self.is_chain = self.can_chain()
        dtype = getattr(torch, case.kind.dtype)
        self.start = torch.empty(case.x_shape, dtype=dtype, device="cuda").uniform_(-1, 1)
        x, y = self.start.clone(), torch.empty(case.y_shape, dtype=dtype, device="cuda")
        self.xs, self.ys = ([x, y], [y, x]) if self.is_chain else ([x], [y])
        self.make_weights()
        self.entries = peers.choose_entries(case.batch).cuda()

    def can_chain(self) -> bool:
        """Whether results can be inputs."""
        return self.case.rows == self.case.columns

    def make_weights(self) -> None:
        if self.is_chain:
            dtype = getattr(torch, self.case.kind.dtype)
            self.weight = make_orthogonal_weight(self.case.pattern, dtype)
        else:
            self.weight = make_weight(self.case)

    def solve(self, x: Tensor) -> peers.Reference:
        reference = peers.Reference(self.case, self.weight, self.entries)
        reference.solve(x)
        return reference

    def reset(self) -> None:
        """As before the first launch. Results are NaN."""
        self.ys[0].fill_(math.nan)
        self.xs[0].copy_(self.start)


class Chain:
    """A graph of launches of a way."""

    def __init__(
        self,
        call: peers.Call,
        xs: list[Tensor],
        launches: int = LAUNCHES,
        feeds_back: bool | None = None,
    ):
        """`xs` are the inputs that `call` sees. Where there are two, each result becomes the
        next input, also if the way allocates its results, unless `feeds_back` is false."""
        if feeds_back is None:
            feeds_back = len(xs) > 1
        self.launches = launches
        for run in range(WARM_UPS):
            call(run % len(xs))
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.current_stream()
        # Ours goes to the driver itself: it asks about memory, and launches.
        with torch.cuda.graph(self.graph, stream=stream, capture_error_mode="relaxed"):
            for launch in range(launches):
                at = launch % len(xs)
                self.x, self.y = xs[at], call(at)
                if feeds_back:
                    xs[1 - at] = self.y

    def run(self) -> None:
        self.graph.replay()


class ChainTimer(Timer):
    """A run is a graph. Rounds begin with the same values."""

    def __init__(self, chain: Chain, arrays: Arrays, round_ms: float):
        self.reset = arrays.reset
        self.reset()
        super().__init__(lambda _: chain.run(), 1, round_ms)

    def measure(self) -> None:
        self.reset()
        super().measure()


class GraphMeasurement(Meter):
    """Of gpu_graphs.py: launches that wait for each other, on memory that L2 holds."""

    def start_row(self, case: Case, floor: float) -> None:
        cache = torch.cuda.get_device_properties(0).L2_cache_size
        size = case.kind.size * math.prod(case.pattern)
        self.row.update(
            floor_us=f"{floor * 1e6:.4g}",
            weight_bytes=str(size),
            weights_in_l2="yes" if size <= cache else "no",
            is_chain="yes" if case.rows == case.columns else "no",
        )

    def finish_row(self) -> None:
        finish_row(self.row)

    def set_time(self, way: str, timer: Timer) -> None:
        self.row[f"{way}_us"] = f"{timer.ms * 1e3 / LAUNCHES:.4g}"

    def describe(self) -> str:
        times = [f"{way} {self.row[f'{way}_us']}" for way in WAYS if self.row.get(f"{way}_us")]
        return ", ".join([self.row["status"], f"floor {self.row['floor_us']}", *times])

    def run_ways(self, case: Case, stack: contextlib.ExitStack) -> None:
        self.marker.enter("the reference")
        self.arrays = arrays = Arrays(case)
        self.reference = arrays.solve(arrays.start)
        call = None
        if self.has_layer(case):
            inputs = (case, [arrays.weight], arrays.xs, arrays.ys)
            call = self.try_way(case, "ks", lambda: ours(*inputs, self, stack))
        # Graphs must go before the layers whose code they run.
        stack.callback(self.timers.clear)
        for way in self.args.ways:
            reason = self.why_not_dense(case) if way == "dense" else ""
            if reason:
                self.notes.append(f"dense: {reason}")
            else:
                self.try_way(case, way, lambda: self.make_peer(way, case))  # noqa: B023
        self.take_turns()
        if call:
            self.finish_status()
        torch.cuda.synchronize()

    def make_peer(self, way: str, case: Case) -> peers.Call:
        make: Callable[..., peers.Call] = getattr(peers, way)
        return make(case, self.arrays.weight, self.xs, list(self.arrays.ys))

    def why_not_dense(self, case: Case) -> str:
        size = peers.dense_bytes(case)
        if size > peers.MAX_DENSE_BYTES:
            return "the matrix is too large"
        best = self.get_best() * 1e3 / LAUNCHES
        bound = max(size / self.copy, peers.dense_flops(case) / self.peak) * 1e6
        if best and bound > MAX_DENSE_US and bound > 2 * best:
            return "slower than others even at the peak"
        return ""

    def add_way(self, case: Case, way: str, make: Callable[[], peers.Call]) -> peers.Call:
        self.marker.enter(way)
        self.xs = list(self.arrays.xs)  # the way's own: its graph may change it
        call = make()
        self.arrays.reset()
        self.check(way, call, case, self.reference, self.arrays.ys[0])
        chain = Chain(call, self.xs)
        self.check_chain(way, call, case, chain)
        timer = ChainTimer(chain, self.arrays, self.args.ms)
        timer.measure()
        self.timers[way] = timer
        return call

    def check_chain(self, way: str, call: peers.Call, case: Case, chain: Chain) -> None:
        """The last result must belong to the last input."""
        arrays = self.arrays
        arrays.reset()
        chain.run()
        torch.cuda.synchronize()
        reference = arrays.solve(chain.x) if arrays.is_chain else self.reference
        self.record_error(way, case, reference.error_ratio(chain.y))
        if not is_ours(way):
            return
        # Ours may begin before the launch ahead of it has ended.
        result = chain.y.clone()
        arrays.reset()
        for launch in range(LAUNCHES):
            last = call(launch % len(arrays.xs))
            torch.cuda.synchronize()
        if not torch.equal(last, result):
            self.record_wrong(way, case, "a graph gives other bits than launches one by one")
