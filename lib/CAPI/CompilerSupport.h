//===- CompilerSupport.h - What the compiler's C API shares -----*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CAPI_COMPILERSUPPORT_H
#define KS_LIB_CAPI_COMPILERSUPPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

#include <memory>

namespace ks::capi {

/// For the caller to free; null if there is no memory.
char *toCString(llvm::StringRef text);

/// An error as a C string, null on success.
char *toCString(llvm::Error error);

llvm::Error makeError(const llvm::Twine &message);
llvm::Error makeNullError(const char *what);

/// A parsed module and what it lives in. Contexts are not shared, so that
/// threads compile independently.
class Source {
public:
  /// `name` may be null.
  llvm::Error parse(const char *text, size_t length, const char *name);
  mlir::ModuleOp get() { return *module; }

private:
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace ks::capi

#endif // KS_LIB_CAPI_COMPILERSUPPORT_H
