# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C APIs (include/ks-c) with GIL and ownership taken care of."""

from collections.abc import Sequence

_Array = tuple[int, int, Sequence[int], Sequence[int]]
_Info = tuple[int, list[int], bool, bool]

class CompileError(RuntimeError):
    """The compiler refused a module; the message holds its diagnostics."""

class DeviceError(RuntimeError):
    """A GPU or its driver is missing, or cannot do what was asked of it."""

class DeviceMemoryError(MemoryError):
    """The memory of a GPU does not suffice."""

class Options:
    def __init__(self, path: int, target: str, threads: int, opt_level: int) -> None: ...

class Packed: ...

class Function:
    @property
    def name(self) -> str: ...
    @property
    def inputs(self) -> list[_Info]: ...
    @property
    def outputs(self) -> list[_Info]: ...
    @property
    def compile_times(self) -> tuple[float, float]: ...
    @property
    def library(self) -> str: ...
    def result_shape(self, index: int, inputs: Sequence[_Array]) -> list[int]: ...
    def pack(self, inputs: Sequence[_Array]) -> Packed: ...
    def run(
        self, packed: Packed | None, inputs: Sequence[_Array], outputs: Sequence[_Array]
    ) -> None: ...

def compile(text: str, entries: Sequence[str] | None, options: Options) -> list[Function]: ...
def emit(text: str, rung: int, options: Options) -> str: ...
def set_num_threads(threads: int) -> None: ...
def get_num_threads() -> int: ...

# --- GPUs: streams are CUstream as numbers, sizes are in bytes ---

class Artifact:
    @property
    def entry(self) -> str: ...
    @property
    def arguments(self) -> list[_Info]:
        """Element type, shape, whether it is a weight, whether it is a result."""
    @property
    def times(self) -> tuple[float, float, float]:
        """Passes, LLVM, ptxas; in seconds."""
    def to_bytes(self) -> bytes: ...

class Tensor:
    """An array, and what keeps its memory."""
    @property
    def address(self) -> int: ...
    @property
    def type(self) -> int:
        """The KsElementType; -1 if it is none."""
    @property
    def type_name(self) -> str: ...
    @property
    def device(self) -> tuple[int, int]: ...
    @property
    def is_read_only(self) -> bool: ...
    @property
    def shape(self) -> list[int]: ...
    @property
    def strides(self) -> list[int]:
        """In elements."""
    def set_type(self, type: int) -> None: ...
    def to_capsule(self, versioned: bool) -> object: ...

class Memory:
    @property
    def address(self) -> int: ...

class Event:
    def wait(self, stream: int) -> None:
        """Lets the stream wait."""

class Layer:
    @property
    def target(self) -> str: ...
    @property
    def library(self) -> str:
        """As "cublasLt 13.1.0"; "" if kernels compute everything."""
    @property
    def packed_bytes(self) -> int: ...
    def workspace_bytes(self, batch: int) -> int: ...
    def pack(
        self, weights: Sequence[Tensor], packed: int, packed_bytes: int, stream: int
    ) -> None: ...
    def run(
        self,
        packed: int,
        arrays: Sequence[Tensor],
        workspace: int,
        workspace_bytes: int,
        stream: int,
    ) -> None: ...

class Device:
    @property
    def ordinal(self) -> int: ...
    @property
    def capability(self) -> int:
        """10 * major + minor."""
    @property
    def name(self) -> str: ...
    def synchronize(self) -> None: ...
    def stream_info(self, stream: int) -> tuple[int, bool]:
        """A number that no other stream ever has, and whether a graph is captured."""
    def allocate(self, size: int) -> Memory: ...
    def copy(self, to: int, source: int, size: int, stream: int) -> None: ...
    def record(self, stream: int) -> Event: ...
    def load(self, artifact: Artifact) -> Layer: ...

def open_device(ordinal: int) -> Device: ...
def build_artifact(text: str, entry: str | None, targets: str, assemble: bool) -> Artifact: ...
def find_gpu_target(device: Device) -> str:
    """As "sm_90", or "sm_90:multiprocessors=114"; "" if it is too old."""

def read_capsule(capsule: object) -> Tensor: ...
def make_tensor(
    address: int,
    type: int,
    shape: Sequence[int],
    strides: Sequence[int],
    device: int,
    owner: object,
) -> Tensor: ...
