//===- KSDialect.cpp - The KS dialect -------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ks;

#include "ks/Dialect/KS/IR/KSDialect.cpp.inc"
#include "ks/Dialect/KS/IR/KSEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "ks/Dialect/KS/IR/KSAttrs.cpp.inc"

void KSDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "ks/Dialect/KS/IR/KSAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "ks/Dialect/KS/IR/KSOps.cpp.inc"
      >();
}

Type ks::getAccumulatorType(Type elementType) {
  if (elementType.isF16() || elementType.isBF16())
    return Float32Type::get(elementType.getContext());
  return elementType;
}

Type ks::getRealType(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return complex.getElementType();
  return type;
}

Ties ks::getTies(const KSPattern &pattern, ArrayRef<int64_t> shape) {
  Ties ties = Ties::None;
  if (shape[0] != pattern.a)
    ties = ties | Ties::A;
  if (shape[3] != pattern.d)
    ties = ties | Ties::D;
  return ties;
}
