//===- ElementwiseCone.h - Elementwise ops behind a product -----*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From a product one walks down the block, over the elementwise ops that read
// its result or each other's. As long as all of them but the last are read by
// each other alone, they can be one epilogue:
//
//   %y = ks.matmul ...           one op reads %y twice, or several do (SiLU):
//   %e = linalg.exp ins(%n)      what counts is that one value remains in the
//   %r = linalg.div ins(%y, %d)  end that others read
//
// All linalg ops, named ones too, have their scalar code in their bodies, so
// that there is no table of ops here.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_DIALECT_KS_TRANSFORMS_ELEMENTWISECONE_H
#define KS_LIB_DIALECT_KS_TRANSFORMS_ELEMENTWISECONE_H

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace ks {

/// The constant that all elements of `value` are; null if there is none.
mlir::Attribute getUniformConstant(mlir::Value value);

/// What an argument of an elementwise op's body stands for.
struct ElementwiseOperand {
  enum Kind {
    Unused,
    Absorbed, ///< The result of the product, or of an op that is absorbed.
    Extra,    ///< An operand of the epilogue.
    Constant, ///< The same for all elements.
  };
  Kind kind = Unused;
  mlir::Value value;
  mlir::Attribute constant;
};

/// An elementwise op that goes into the epilogue.
struct ElementwiseStep {
  mlir::linalg::LinalgOp op;
  /// For each argument of the body.
  mlir::SmallVector<ElementwiseOperand> operands;

  mlir::Value getResult() { return op->getResult(0); }
};

/// The elementwise ops behind a product that can go into its epilogue.
class ElementwiseCone {
public:
  explicit ElementwiseCone(ProductOpInterface product);

  ProductOpInterface product;
  /// What is absorbed, in order: only the result of the last is read by others.
  mlir::SmallVector<ElementwiseStep> steps;
  /// The op that ended the cone, and why, if that is worth to be told.
  mlir::Operation *refused = nullptr;
  std::string reason;

private:
  /// A value as it is read at each element of the result: at `map` of its
  /// place.
  struct View {
    mlir::Value value;
    mlir::AffineMap map;
  };

  void grow();
  mlir::Operation *getNextUser();
  bool isClosed();
  bool isOutside(mlir::Operation *user);
  bool isElementType(mlir::Type element);
  int64_t getNumFeatures(mlir::Value value);
  std::optional<ElementwiseStep> match(mlir::Operation *user);
  bool matchBody(mlir::linalg::LinalgOp op);
  static View lookThroughMoves(View view);
  std::optional<ElementwiseOperand> read(mlir::linalg::LinalgOp op,
                                         mlir::OpOperand &operand);
  std::optional<ElementwiseOperand> readExtra(View view);
  /// Notes why, and returns what stands for a refusal.
  std::nullopt_t refuse(const mlir::Twine &why);

  /// The product's result and those of all steps.
  mlir::SmallVector<mlir::Value> values;
};

} // namespace ks

#endif // KS_LIB_DIALECT_KS_TRANSFORMS_ELEMENTWISECONE_H
