//===- Pipelines.h - Named pipelines ----------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Named pipelines, one per target, each of which can stop at a rung of the
// ladder (see the description of the ks dialect).
//
//===----------------------------------------------------------------------===//

#ifndef KS_PIPELINES_PIPELINES_H
#define KS_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassOptions.h"
#include "mlir/Support/LLVM.h"

#include <optional>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace ks {

/// How far a pipeline goes. Numbers are those of the ladder.
enum class Rung {
  Math,    ///< 1: as written, canonicalized
  Kernels, ///< 2: one product for each kernel
  Plans,   ///< 3: every product has a plan, weights are packed
  Buffers, ///< 3 on memrefs
  Tiles,   ///< 4: parallel loops over vector tiles
  Machine, ///< 5: the llvm or nvvm dialect
  Binary,  ///< 6: PTX (GPUs only)
};

/// "math, kernels, plans, buffers, tiles, machine, binary".
llvm::StringRef getRungNames();
std::optional<Rung> parseRung(llvm::StringRef name);

struct CPUPipelineOptions {
  std::string target = "host"; ///< Row of the target table.
  int64_t threads = 0;         ///< 0: those of the target.
  Rung from = Rung::Math;      ///< What the input is.
  Rung to = Rung::Machine;
};

/// `ks-to-cpu`: from products on tensors to the llvm dialect.
void buildCPUPipeline(mlir::OpPassManager &pm,
                      const CPUPipelineOptions &options);

/// `ks-to-loops`: the same through linalg and scalar loops, in a few lines of
/// IR and without a plan: the reference.
void buildLoopsPipeline(mlir::OpPassManager &pm, Rung from = Rung::Math,
                        Rung to = Rung::Machine);

struct GPUPipelineOptions {
  std::string target = "sm_80"; ///< Row of the GPU target table.
  std::string format = "isa";   ///< Of rung 6: isa, bin or fatbin.
  int64_t batch = 0;            ///< To assume if unknown; 0: the planner's.
  Rung from = Rung::Math;       ///< What the input is.
  Rung to = Rung::Binary;
};

/// `ks-to-nvvm`: from products on tensors to PTX.
void buildGPUPipeline(mlir::OpPassManager &pm,
                      const GPUPipelineOptions &options);

/// Makes all known to `--pass-pipeline` and as flags of ks-opt.
void registerPipelines();

} // namespace ks

#endif // KS_PIPELINES_PIPELINES_H
