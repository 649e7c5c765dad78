//===- CompilerSupport.cpp - What the compiler's C API shares -------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompilerSupport.h"

#include "ks/ExecutionEngine/CompiledFunction.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

#include <cstring>

using namespace ks;

char *capi::toCString(llvm::StringRef text) {
  auto *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (!copy)
    return nullptr;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}

char *capi::toCString(llvm::Error error) {
  return error ? toCString(llvm::toString(std::move(error))) : nullptr;
}

llvm::Error capi::makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

llvm::Error capi::makeNullError(const char *what) {
  return makeError(llvm::Twine(what) + " is NULL; expected a valid pointer");
}

llvm::Error capi::Source::parse(const char *text, size_t length,
                                const char *name) {
  static const mlir::DialectRegistry registry = [] {
    mlir::DialectRegistry created;
    registerAllForCompilation(created);
    return created;
  }();
  if (!text)
    return makeNullError("text");
  if (!name)
    name = "<mlir>";
  context = std::make_unique<mlir::MLIRContext>(
      registry, mlir::MLIRContext::Threading::DISABLED);
  context->printOpOnDiagnostic(false); // messages quote the source instead
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBufferCopy(llvm::StringRef(text, length), name),
      llvm::SMLoc());
  std::string diagnostics;
  llvm::raw_string_ostream os(diagnostics);
  mlir::SourceMgrDiagnosticHandler handler(sources, context.get(), os);
  module = mlir::parseSourceFile<mlir::ModuleOp>(sources, context.get());
  if (!module)
    return makeError(llvm::Twine("'") + name + "' is not a valid program:\n" +
                     diagnostics);
  return llvm::Error::success();
}
