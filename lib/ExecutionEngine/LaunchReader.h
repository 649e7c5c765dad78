//===- LaunchReader.h - From host code to launches --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_EXECUTIONENGINE_LAUNCHREADER_H
#define KS_LIB_EXECUTIONENGINE_LAUNCHREADER_H

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Runtime/Artifact.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

namespace ks {

/// What stands behind the memrefs of a host function.
using OperandMap = llvm::DenseMap<mlir::Value, Operand>;

/// An array as the runtime sees a memref. A dimension that is only known at run
/// time is the batch.
llvm::Expected<ArrayInfo> getArrayInfo(mlir::Type type, llvm::Twine name);

/// Reads the launches of a host function, which consists of nothing else but
/// memory for intermediates and constants.
class LaunchReader {
public:
  /// Adds constants to `code` and intermediates to `workspace`, a list of
  /// arrays of the given kind.
  LaunchReader(OperandMap operands, TargetCode &code,
               std::vector<ArrayInfo> &workspace,
               Operand::Kind kind = Operand::Kind::Workspace)
      : operands(std::move(operands)), code(code), workspace(workspace),
        kind(kind) {}

  llvm::Error read(mlir::func::FuncOp func, std::vector<Launch> &launches);

private:
  llvm::Error read(mlir::Block &block, llvm::StringRef function,
                   Condition condition, std::vector<Launch> &launches);
  llvm::Error readProduct(LibraryProductOp op, std::vector<Launch> &launches);
  llvm::Error readOperand(mlir::Value value, llvm::Twine what, Launch &launch);
  llvm::Error readLaunch(mlir::gpu::LaunchFuncOp op,
                         std::vector<Launch> &launches);
  llvm::Error readGrid(mlir::Value blocks, Launch &launch);
  llvm::Error readAlloc(mlir::memref::AllocOp op);
  llvm::Error readConstant(mlir::memref::GetGlobalOp op);

  OperandMap operands;
  TargetCode &code;
  std::vector<ArrayInfo> &workspace;
  Operand::Kind kind;
};

} // namespace ks

#endif // KS_LIB_EXECUTIONENGINE_LAUNCHREADER_H
