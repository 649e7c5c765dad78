//===- ModuleSupport.cpp - Entries and diagnostics of a module ------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModuleSupport.h"

using namespace mlir;
using namespace ks;

llvm::Error ks::makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

llvm::Expected<ElementType> ks::toElementType(Type type) {
  if (type.isF16())
    return ElementType::F16;
  if (type.isBF16())
    return ElementType::BF16;
  if (type.isF32())
    return ElementType::F32;
  if (type.isF64())
    return ElementType::F64;
  if (auto complex = dyn_cast<ComplexType>(type)) {
    if (complex.getElementType().isF32())
      return ElementType::C64;
    if (complex.getElementType().isF64())
      return ElementType::C128;
  }
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return makeError("entry has an argument with elements of type " + text +
                   "; expected f16, bf16, f32, f64, complex<f32> or "
                   "complex<f64>");
}

/// The function called `name`, or the only public one.
llvm::Expected<func::FuncOp> ks::findEntry(ModuleOp module, StringRef name) {
  SmallVector<func::FuncOp> candidates;
  std::string names;
  for (auto func : module.getOps<func::FuncOp>())
    if (func.isPublic() && !func.isDeclaration()) {
      candidates.push_back(func);
      names += (names.empty() ? "@" : ", @") + func.getName().str();
    }
  if (candidates.empty())
    return makeError("module has no public function; expected an entry");
  if (name.empty()) {
    if (candidates.size() == 1)
      return candidates.front();
    return makeError("module has several public functions (" + names +
                     "); expected an entry to be named");
  }
  for (func::FuncOp func : candidates)
    if (func.getName() == name)
      return func;
  return makeError("module has no public function @" + name +
                   "; expected one of " + names);
}

llvm::Error DiagnosticCollector::asError() const {
  return makeError("compilation failed:\n" + text);
}

void DiagnosticCollector::print(Diagnostic &diagnostic) {
  llvm::raw_string_ostream os(text);
  Location location = diagnostic.getLocation();
  if (auto place = location->findInstanceOf<FileLineColLoc>())
    os << place.getFilename().getValue() << ":" << place.getLine() << ":"
       << place.getColumn();
  else
    os << location;
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    os << ": error: ";
    break;
  case DiagnosticSeverity::Warning:
    os << ": warning: ";
    break;
  case DiagnosticSeverity::Note:
    os << ": note: ";
    break;
  case DiagnosticSeverity::Remark:
    os << ": remark: ";
    break;
  }
  os << diagnostic << "\n";
}
