//===- InputConversion.h - A cast in front of a product ---------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product converts what it loads if it says `load_as`:
//
//   %c = linalg.generic ...  arith.truncf : f32 to f16
//   %y = ks.matmul ... ins(%c, ...)          ->   %y = ks.matmul ...
//                                                        load_as(f16)
//                                                        ins(%x, ...)
//
// Several products that read %c convert it each.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_DIALECT_KS_TRANSFORMS_INPUTCONVERSION_H
#define KS_LIB_DIALECT_KS_TRANSFORMS_INPUTCONVERSION_H

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace ks {

/// The elementwise op that makes the input of a product, and whether it is a
/// conversion that the product can do as it loads.
class InputConversion {
public:
  explicit InputConversion(ProductOpInterface product);

  ProductOpInterface product;
  /// All products that read what is converted; `product` is one of them.
  llvm::SmallVector<ProductOpInterface> readers;
  /// Null if there is none that is worth to be told of.
  mlir::linalg::LinalgOp producer;
  /// What the product can read instead; null if the producer stays.
  mlir::Value source;
  /// Why it stays.
  std::string reason;

private:
  mlir::Value match();
  bool canConvert(ProductOpInterface reader);
  /// Notes why, and returns what stands for a refusal.
  mlir::Value refuse(const mlir::Twine &why);
};

} // namespace ks

#endif // KS_LIB_DIALECT_KS_TRANSFORMS_INPUTCONVERSION_H
