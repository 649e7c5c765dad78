//===- Scalars.h - Sums of products, as code --------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_SCALARS_H
#define KS_LIB_CONVERSION_SCALARS_H

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/IR/Builders.h"

namespace ks {

/// Zero of `type`, real or complex.
inline mlir::Value createZero(mlir::OpBuilder &b, mlir::Location loc,
                              mlir::Type type) {
  if (auto complexType = llvm::dyn_cast<mlir::ComplexType>(type)) {
    mlir::Attribute zero = b.getZeroAttr(complexType.getElementType());
    return mlir::complex::ConstantOp::create(b, loc, type,
                                             b.getArrayAttr({zero, zero}));
  }
  return mlir::arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
}

/// acc + k * x, in the type of `acc`.
inline mlir::Value createMultiplyAdd(mlir::OpBuilder &b, mlir::Location loc,
                                     mlir::Value acc, mlir::Value k,
                                     mlir::Value x) {
  mlir::Type type = acc.getType();
  if (llvm::isa<mlir::ComplexType>(type))
    return mlir::complex::AddOp::create(
        b, loc, acc, mlir::complex::MulOp::create(b, loc, k, x));
  if (k.getType() != type)
    k = mlir::arith::ExtFOp::create(b, loc, type, k);
  if (x.getType() != type)
    x = mlir::arith::ExtFOp::create(b, loc, type, x);
  return mlir::arith::AddFOp::create(b, loc, acc,
                                     mlir::arith::MulFOp::create(b, loc, k, x));
}

} // namespace ks

#endif // KS_LIB_CONVERSION_SCALARS_H
