//===- Pattern.cpp - Kronecker-sparse patterns ----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/Pattern.h"

#include "llvm/Support/MathExtras.h"

using namespace ks;

bool KSPattern::isValid() const {
  if (a < 1 || b < 1 || c < 1 || d < 1)
    return false;
  // Complex kernels count reals, hence the spare factor of 16 (bytes).
  int64_t weights = 0;
  return !llvm::MulOverflow(a, b, weights) &&
         !llvm::MulOverflow(weights, c, weights) &&
         !llvm::MulOverflow(weights, d, weights) &&
         !llvm::MulOverflow(weights, int64_t{16}, weights);
}

bool ks::isComposable(const KSPattern &left, const KSPattern &right) {
  return left.inFeatures() == right.outFeatures();
}

std::optional<int64_t> ks::getRedundancy(const KSPattern &left,
                                         const KSPattern &right) {
  if (!isComposable(left, right) || right.a % left.a != 0 ||
      left.d % right.d != 0 || (left.a * left.c) % right.a != 0)
    return std::nullopt;
  return left.a * left.c / right.a;
}

std::optional<KSPattern> ks::getProduct(const KSPattern &left,
                                        const KSPattern &right) {
  if (!getRedundancy(left, right))
    return std::nullopt;
  KSPattern product{left.a, left.b * left.d / right.d,
                    right.a * right.c / left.a, right.d};
  return product.isValid() ? std::optional<KSPattern>(product) : std::nullopt;
}

std::optional<FeatureOrder> ks::getOrder(const KSPattern &left,
                                         const KSPattern &right) {
  std::optional<int64_t> r = getRedundancy(left, right);
  if (!r || right.d != 1 || left.d == 1 || right.a == left.a)
    return std::nullopt;
  return FeatureOrder{left.a, right.a / left.a, *r, left.d};
}
