//===- KSRun.h - Parts of the ks-run program --------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_TOOLS_KSRUN_KSRUN_H
#define KS_LIB_TOOLS_KSRUN_KSRUN_H

#include "ks/ExecutionEngine/CompiledFunction.h"
#include "ks/Support/Convert.h"

#include "llvm/Support/JSON.h"

#include <optional>
#include <string>
#include <vector>

namespace ks {

/// The command line, parsed and checked.
struct RunOptions {
  std::string file; ///< Empty: build a module from `chain`.
  std::string entry, chain, tied, type, layout, precision, target;
  std::vector<std::string> args, outs;
  int64_t batch = 512;
  uint64_t seed = 1;
  int64_t threads = 0;
  unsigned optLevel = 2;
  bool verify = false, time = false, json = false;
  std::optional<Rung> emit;
  bool emitArtifact = false;
  bool assemble = true; ///< With ptxas, if it is there.
  std::string output;   ///< Of the artefact.
  std::string plan;     ///< Pinned; empty: the planner's.
  int64_t plans = 0;    ///< To list.
};

/// Parses the command line. Prints help and exits where that is asked for.
llvm::Expected<RunOptions> parseCommandLine(int argc, char **argv);

/// The text of a module whose only function, @chain, applies the chain that
/// the options describe.
llvm::Expected<std::string> buildChainModule(const RunOptions &options);

/// Compiles `module` for the GPU architecture of `options`, and prints a rung,
/// writes an artefact, or reports what the assembler says of the kernels.
llvm::Error compileForGPU(mlir::ModuleOp module, const RunOptions &options);

/// Flops and bytes of the products of a module, for `batch` entries where the
/// batch is dynamic.
struct Work {
  double flops = 0;
  int64_t maxC = 0;    ///< Of any factor.
  int64_t factors = 0; ///< In all.
  std::string patterns, plan, layout;
};

/// What a timed run found.
struct Timing {
  double median = 0, best = 0; ///< Seconds per run.
  int64_t runs = 0, bufferSets = 0;
};

/// Times `function`, taking turns between enough copies of its arguments that
/// none is left in a cache.
llvm::Expected<Timing> timeFunction(CompiledFunction &function,
                                    llvm::ArrayRef<NpyArray> inputs,
                                    llvm::ArrayRef<NpyArray> outputs);

/// What --verify found for one result.
struct Verification {
  Difference difference;
  double tolerance = 0; ///< Of the relative Frobenius error.
  bool isGood() const {
    return difference.isFinite && difference.relativeFrobenius <= tolerance;
  }
};

/// Computes the results again in f64 through linalg, and compares.
llvm::Expected<std::vector<Verification>>
verify(mlir::ModuleOp module, const RunOptions &options, const Work &work,
       llvm::ArrayRef<NpyArray> inputs, llvm::ArrayRef<NpyArray> outputs);

} // namespace ks

#endif // KS_LIB_TOOLS_KSRUN_KSRUN_H
