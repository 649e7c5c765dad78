//===- ModuleSupport.h - Entries and diagnostics of a module ----*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_EXECUTIONENGINE_MODULESUPPORT_H
#define KS_LIB_EXECUTIONENGINE_MODULESUPPORT_H

#include "ks/Support/Npy.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/Error.h"

namespace ks {

llvm::Error makeError(const llvm::Twine &message);

/// The element type of arrays that stands for `type`.
llvm::Expected<ElementType> toElementType(mlir::Type type);

/// The function called `name`, or the only public one.
llvm::Expected<mlir::func::FuncOp> findEntry(mlir::ModuleOp module,
                                             llvm::StringRef name);

/// Collects what is diagnosed while it lives.
class DiagnosticCollector {
public:
  explicit DiagnosticCollector(mlir::MLIRContext *context)
      : handler(context, [this](mlir::Diagnostic &diagnostic) {
          print(diagnostic);
          for (mlir::Diagnostic &note : diagnostic.getNotes())
            print(note);
          return llvm::success();
        }) {}
  llvm::Error asError() const;

private:
  /// "file:line:column: error: message", as the parser does it.
  void print(mlir::Diagnostic &diagnostic);

  std::string text;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace ks

#endif // KS_LIB_EXECUTIONENGINE_MODULESUPPORT_H
