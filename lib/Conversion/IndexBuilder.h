//===- IndexBuilder.h - Index arithmetic ------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_INDEXBUILDER_H
#define KS_LIB_CONVERSION_INDEXBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace ks {

/// Index arithmetic that folds as it is built.
class IndexBuilder {
public:
  using Value = mlir::Value;

  IndexBuilder(mlir::OpBuilder &b, mlir::Location loc) : b(b), loc(loc) {}

  Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(b, loc, value);
  }
  Value add(Value x, Value y) { return fold<mlir::arith::AddIOp>(x, y); }
  Value add(Value x, int64_t y) { return add(x, constant(y)); }
  Value sub(Value x, Value y) { return fold<mlir::arith::SubIOp>(x, y); }
  Value mul(Value x, Value y) { return fold<mlir::arith::MulIOp>(x, y); }
  Value mul(Value x, int64_t y) { return mul(x, constant(y)); }
  Value min(Value x, Value y) { return fold<mlir::arith::MinSIOp>(x, y); }
  Value min(Value x, int64_t y) { return min(x, constant(y)); }
  Value max(Value x, int64_t y) {
    return fold<mlir::arith::MaxSIOp>(x, constant(y));
  }
  /// Of numbers that are not negative.
  Value div(Value x, int64_t y) {
    if (y == 1)
      return x;
    return fold<mlir::arith::DivUIOp>(x, constant(y));
  }
  Value rem(Value x, int64_t y) {
    if (y == 1)
      return constant(0);
    return fold<mlir::arith::RemUIOp>(x, constant(y));
  }
  Value div(Value x, Value y) { return fold<mlir::arith::DivUIOp>(x, y); }
  Value rem(Value x, Value y) { return fold<mlir::arith::RemUIOp>(x, y); }
  Value less(Value x, Value y) {
    return b.createOrFold<mlir::arith::CmpIOp>(
        loc, mlir::arith::CmpIPredicate::slt, x, y);
  }
  Value equal(Value x, Value y) {
    return b.createOrFold<mlir::arith::CmpIOp>(
        loc, mlir::arith::CmpIPredicate::eq, x, y);
  }
  Value less(Value x, int64_t y) { return less(x, constant(y)); }
  Value select(Value condition, Value x, Value y) {
    return b.createOrFold<mlir::arith::SelectOp>(loc, condition, x, y);
  }
  Value both(Value x, Value y) { return fold<mlir::arith::AndIOp>(x, y); }

  /// The row-major indices of `value` in an array of `sizes`, the first of
  /// which does not matter. `value` is not negative.
  llvm::SmallVector<Value> delinearize(Value value,
                                       llvm::ArrayRef<int64_t> sizes) {
    llvm::SmallVector<Value> indices(sizes.size());
    for (size_t dim = sizes.size(); dim-- > 0;) {
      bool isFirst = dim == 0;
      indices[dim] = isFirst ? value : rem(value, sizes[dim]);
      if (!isFirst)
        value = div(value, sizes[dim]);
    }
    return indices;
  }

private:
  template <typename Op> Value fold(Value x, Value y) {
    return b.createOrFold<Op>(loc, x, y);
  }

  mlir::OpBuilder &b;
  mlir::Location loc;
};

} // namespace ks

#endif // KS_LIB_CONVERSION_INDEXBUILDER_H
