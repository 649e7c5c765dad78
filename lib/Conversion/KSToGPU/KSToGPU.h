//===- KSToGPU.h - Kernels for GPUs -----------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTOGPU_KSTOGPU_H
#define KS_LIB_CONVERSION_KSTOGPU_KSTOGPU_H

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace ks {

/// The gpu.module that all kernels of a module go to.
struct KernelModule {
  mlir::ModuleOp module;
  mlir::gpu::GPUModuleOp kernels; ///< Created with the first kernel.
  /// Whether kernels wait for earlier ones themselves.
  bool overlapsLaunches = false;

  /// A kernel for blocks of `threads`, in clusters, with an empty body.
  mlir::gpu::GPUFuncOp createKernel(mlir::Location loc, llvm::StringRef name,
                                    mlir::TypeRange arguments, int64_t threads,
                                    int64_t cluster = 1);
};

/// Launches `kernel` on `blocks` blocks.
void createLaunch(mlir::OpBuilder &b, mlir::gpu::GPUFuncOp kernel,
                  mlir::Value blocks, int64_t threads, int64_t sharedBytes,
                  mlir::ValueRange operands);

/// Replaces a `ks.merge_weights` on memrefs by a kernel of one thread per
/// element of the result.
llvm::LogicalResult lowerMergeWeightsToGPU(mlir::RewriterBase &b,
                                           MergeWeightsOp op,
                                           KernelModule &kernels,
                                           llvm::StringRef name);

/// Replaces a `ks.pack_weights` on memrefs, with a #ks.gpu_packing, by a kernel
/// of one thread per packed element.
llvm::LogicalResult lowerPackWeightsToGPU(mlir::RewriterBase &b,
                                          PackWeightsOp op,
                                          KernelModule &kernels,
                                          llvm::StringRef name);

/// Puts `op`, whose packing is a #ks.library_packing, where no library is
/// there, next to a kernel that copies the plain matrix. What is returned is
/// yet to be lowered.
PackWeightsOp lowerLibraryPackingToGPU(mlir::RewriterBase &b, PackWeightsOp op,
                                       KernelModule &kernels,
                                       llvm::StringRef name);

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTOGPU_KSTOGPU_H
