//===- TargetBuilder.h - The code of an artefact for one target -*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function whose batch is known at run time only is planned for several
// ranges of batches. Where the planner wants something else than in the main
// range, the function gets another version: the artefact's variants. Versions
// share whatever they can: kernels, packed weights and constants.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_EXECUTIONENGINE_TARGETBUILDER_H
#define KS_LIB_EXECUTIONENGINE_TARGETBUILDER_H

#include "ModuleSupport.h"

#include "ks/Analysis/Target.h"
#include "ks/ExecutionEngine/BuildArtifact.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace ks {

/// Takes a module from one rung to another; `batch` as in GPUPipelineOptions.
llvm::LogicalResult runGPUPipeline(mlir::ModuleOp module,
                                   llvm::StringRef target, Rung from, Rung to,
                                   int64_t batch = 0);

class TargetBuilder {
public:
  /// Compiles copies of `original`.
  TargetBuilder(mlir::ModuleOp original, std::string entry,
                const GPUTarget &target, const ArtifactOptions &options,
                BuiltArtifact &result)
      : diagnostics(original.getContext()), original(original),
        entryName(std::move(entry)), target(target), options(options),
        result(result) {}

  llvm::Error build();

  /// The function, on memrefs.
  mlir::func::FuncOp getEntry() { return getEntry(versions.front()); }

private:
  /// Batches, both included.
  struct Range {
    int64_t first, last;
  };
  /// The function, as planned for some ranges of batches.
  struct Version {
    mlir::OwningOpRef<mlir::ModuleOp> module;
    mlir::ArrayAttr plans; ///< Of its products, in order.
    std::vector<Range> ranges;
    std::string suffix; ///< Of its kernels' names.
    /// What tells packed weights apart: where they come from, and their order.
    std::vector<std::string> packedKeys;
  };

  mlir::func::FuncOp getEntry(Version &version) {
    return version.module->lookupSymbol<mlir::func::FuncOp>(entryName);
  }
  llvm::Error run(mlir::ModuleOp module, Rung from, Rung to, int64_t batch = 0);
  llvm::Error planVersions();
  llvm::Expected<Version> planVersion(int64_t batch, mlir::ArrayAttr main);
  llvm::Error lowerVersion(Version &version);
  llvm::Error readHost(Version &version, Variant &variant);
  llvm::Error readPacking(mlir::func::FuncOp pack, Version &version);
  void takeKernels(Version &version, llvm::MutableArrayRef<Launch> launches);
  llvm::Error lowerKernels();
  llvm::Error addPTX(std::string ptx);

  DiagnosticCollector diagnostics;
  mlir::ModuleOp original;
  std::string entryName;
  const GPUTarget &target;
  const ArtifactOptions &options;
  BuiltArtifact &result;
  std::vector<Version> versions; ///< The main one first; it has all kernels.
  std::vector<std::string> packedKeys; ///< Of all versions.
  TargetCode code;
};

} // namespace ks

#endif // KS_LIB_EXECUTIONENGINE_TARGETBUILDER_H
