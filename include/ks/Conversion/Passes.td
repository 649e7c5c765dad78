//===- Passes.td - Conversions of the KS dialect -----------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_CONVERSION_PASSES_TD
#define KS_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertKSToLinalg : Pass<"convert-ks-to-linalg"> {
  let summary = "state KS products as linalg.generic ops: their meaning";
  let description = [{
    Input: `ks.matmul`, `ks.chain`, `ks.to_dense`, `ks.merge_weights` on tensors
    or memrefs.
    Output: for each factor, the feature axis is expanded to (a, c, d), one
    `linalg.generic` accumulates over k into (batch, a, b, d), and, where there
    is an epilogue or a rounding to do, a second one does it.

    This is the definition every other path is tested against, and the door for
    compilers that only know linalg. Plans are ignored. Packed weights are
    refused: convert before `ks-pack-weights`.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::complex::ComplexDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def ConvertKSToVector : Pass<"convert-ks-to-vector", "::mlir::ModuleOp"> {
  let summary = "realize CPU plans as parallel loops over vector tiles";
  let description = [{
    Input: products on memrefs, with a `#ks.cpu_plan` and packed weights, and
    `ks.pack_weights` and `ks.merge_weights` on memrefs; the latter become linalg
    ops, as in `convert-ks-to-linalg`. A `#ks.library_plan<blas, ...>` becomes
    `ks.with_library`: the library's product, or else our own kernel; so does the
    packing of its weight.
    Output: `scf.parallel` over what the plan shares out, `scf.for` over panels
    and register tiles, and in them vector loads, multiply-adds (contracted to
    FMA where the target has it) and stores on the native layout. Activations
    are never copied or transposed.

    The pass realizes the plan and decides nothing. It refuses a product
    without a plan (run `ks-select-plan`) or with unpacked weights (run
    `ks-pack-weights`).
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::complex::ComplexDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
}

def ConvertKSToGPU : Pass<"convert-ks-to-gpu", "::mlir::ModuleOp"> {
  let summary = "realize GPU plans as kernels of tile ops";
  let description = [{
    Input: `ks.matmul` on memrefs, with a `#ks.gpu_plan` and packed weights, and
    `ks.pack_weights` on memrefs with a `#ks.gpu_packing`, and
    `ks.merge_weights` on memrefs.
    Output: a `gpu.func` for each in the gpu.module `@ks_kernels`, and a
    `gpu.launch_func` in its place. A product's kernel is loops, asynchronous
    copies to shared memory and tile ops on fragments (`ks.load_weights`,
    `ks.load_activations`, `ks.warp_mma`, `ks.store_fragment`); the epilogue is
    inlined once, on the accumulator. The grid is an `affine.apply` of the batch.
    Of a `#ks.library_plan` it makes `ks.with_library`: the library's product, or
    else the kernel; so it does of the packing of its weight.

    The pass realizes the plan and decides nothing. It refuses a product without
    a GPU plan (run `ks-select-plan`) or with unpacked weights (run
    `ks-pack-weights`).

    With `overlap-launches` (sm_90 and later) a product's kernel may be launched
    while earlier ones of the stream are still running: it prepares its barriers,
    waits until all they wrote is visible, and lets the next kernel do the same
    (PTX ISA, `griddepcontrol`).
  }];
  let options = [
    Option<"overlapLaunches", "overlap-launches", "bool", "false",
           "Kernels begin while earlier ones of the stream end">
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::complex::ComplexDialect", "::mlir::gpu::GPUDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::nvgpu::NVGPUDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
}

def ConvertKSTilesToNVGPU
    : Pass<"convert-ks-tiles-to-nvgpu", "::mlir::gpu::GPUModuleOp"> {
  let summary = "expand tile ops to asynchronous copies, loads and mma";
  let description = [{
    Input: the tile ops of `convert-ks-to-gpu`.
    Output: `nvgpu.device_async_copy`, vector loads and stores, `nvvm.mma.sync`
    and FMAs. Copies and stores take 16 bytes at a time wherever the pattern
    allows it and, asked once per kernel, pointers and row pitches do; single
    elements otherwise. Edges are masked there, never in the inner loop.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::nvgpu::NVGPUDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
}

def ConvertLibraryToRuntime
    : Pass<"convert-library-to-runtime", "::mlir::ModuleOp"> {
  let summary = "have the host's BLAS compute dense products";
  let description = [{
    Input: `ks.with_library blas`, and `ks.library_product` on f32 or f64.
    Output: `scf.if` on `ksHasBlas`, and calls of `ksBlasProductF32` and
    `ksBlasProductF64` (ks/Runtime/Blas.h), which the program is to be linked
    with: as for `ksParallelFor`, the linker names what is missing.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"
  ];
}

def ConvertParallelToRuntime
    : Pass<"convert-parallel-to-runtime", "::mlir::ModuleOp"> {
  let summary = "run scf.parallel loops on the runtime's thread pool";
  let description = [{
    Input: `scf.parallel` without reductions.
    Output: the body outlined to a function over a range of iterations, and a
    call of `ksParallelFor` (ks/Runtime/ThreadPool.h). Values the body uses
    travel in a struct on the caller's stack. Loops inside an outlined body
    become sequential.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect"
  ];
}

def FinishKernels : Pass<"ks-finish-kernels", "::mlir::gpu::GPUModuleOp"> {
  let summary = "what convert-gpu-to-nvvm cannot say of kernels";
  let description = [{
    Input: kernels in the llvm dialect. Output:
    * A parameter whose pointer copies by the copy engine take as a tensor map is
      128 bytes, by value, in constant memory (`llvm.byval`,
      `nvvm.grid_constant`).
    * Dynamic shared memory is an external symbol, so that it begins behind all
      static shared memory, barriers for example; a symbol of the module would
      lie anywhere among it.
    * One block per SM is enough (`nvvm.minctasm`): without that ptxas now and
      then spares registers, and spills.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::NVVM::NVVMDialect"];
}

def KernelsToPTX : Pass<"ks-kernels-to-ptx", "::mlir::ModuleOp"> {
  let summary = "compile kernels to PTX";
  let description = [{
    Input: `gpu.module` ops in the llvm dialect, with `#nvvm.target`s.
    Output: a `gpu.binary` for each, with PTX: as `gpu-module-to-binary` with
    `format=isa`, but with the few passes of LLVM that these kernels gain from.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect",
                           "::mlir::NVVM::NVVMDialect"];
}

def ConvertKSToLLVM : Pass<"convert-ks-to-llvm"> {
  let summary = "lower the views that remain of the ks dialect to llvm";
  let description = [{
    Input: `ks.real_view`. Output: arithmetic on the memref's descriptor.
    Refuses any other op of the dialect.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // KS_CONVERSION_PASSES_TD
