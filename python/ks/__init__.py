# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A compiler for Kronecker-sparse matrices.

chain = ks.Chain([(6, 64, 64, 1), (1, 768, 192, 2)])
f = ks.compile(chain, epilogue="bias")
y = f(x, w0, w1, bias)  # x: (batch, 384), y: (batch, 1536)
layer = f.bind(w0, w1, bias)  # packs the weights once
y = layer(x)

ks.compile(chain, target="cuda") runs on the GPU, on arrays of PyTorch, CuPy, JAX, ...
"""

from ks._chain import LAYOUTS, Chain
from ks._compiler import (
    BoundFunction,
    CompiledFunction,
    compile,
    compile_all,
    emit,
    get_num_threads,
    set_num_threads,
)
from ks._cuda import BoundCUDAFunction, CUDAFunction
from ks._epilogue import Epilogue
from ks._frameworks import DeviceArray
from ks._info import ArgumentInfo, CompileTimes
from ks._native import CompileError, DeviceError
from ks._pattern import Pattern
from ks._streams import free_workspaces

CompileError.__module__ = "ks"
DeviceError.__module__ = "ks"

__all__ = [
    "LAYOUTS",
    "ArgumentInfo",
    "BoundCUDAFunction",
    "BoundFunction",
    "CUDAFunction",
    "Chain",
    "CompileError",
    "CompileTimes",
    "CompiledFunction",
    "DeviceArray",
    "DeviceError",
    "Epilogue",
    "Pattern",
    "compile",
    "compile_all",
    "emit",
    "free_workspaces",
    "get_num_threads",
    "set_num_threads",
]
