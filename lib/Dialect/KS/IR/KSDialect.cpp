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
#include "mlir/Interfaces/FunctionInterfaces.h"
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

//===----------------------------------------------------------------------===//
// Attributes of functions
//===----------------------------------------------------------------------===//

LogicalResult KSDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attribute) {
  // C1
  if (attribute.getName() == kFrozenAttr)
    return op->emitOpError(
        "has attribute ks.frozen; expected it on an argument "
        "of a function, as in %k: tensor<...> {ks.frozen}");
  return success();
}

LogicalResult KSDialect::verifyRegionArgAttribute(Operation *op,
                                                  unsigned region,
                                                  unsigned number,
                                                  NamedAttribute attribute) {
  // C1
  if (attribute.getName() != kFrozenAttr)
    return success();
  if (!isa<UnitAttr>(attribute.getValue()))
    return op->emitOpError("argument ")
           << number << " has ks.frozen = " << attribute.getValue()
           << "; expected a unit attribute, {ks.frozen}";
  auto func = dyn_cast<FunctionOpInterface>(op);
  Type type = func ? func.getArgumentTypes()[number] : Type();
  if (!isa_and_nonnull<RankedTensorType, BaseMemRefType>(type))
    return op->emitOpError("argument ")
           << number << " has ks.frozen and type " << type
           << "; expected a tensor or a memref";
  return success();
}

//===----------------------------------------------------------------------===//
// Types and ties
//===----------------------------------------------------------------------===//

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
