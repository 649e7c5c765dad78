//===- MergeConstants.cpp - Merging at compile time -----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ks.merge_weights does at run time, for weights that are constants: sums
// in the accumulator type, in the same order, rounded once.
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Matchers.h"

#include <complex>

using namespace mlir;
using namespace ks;

// Products and sums are rounded each, as IEEE says.
#pragma STDC FP_CONTRACT OFF

namespace {

template <typename T> struct RealOf {
  using type = T;
};
template <typename T> struct RealOf<std::complex<T>> {
  using type = T;
};

template <typename Real> Real toReal(APFloat value) {
  bool losesInfo;
  value.convert(sizeof(Real) == 4 ? APFloat::IEEEsingle()
                                  : APFloat::IEEEdouble(),
                APFloat::rmNearestTiesToEven, &losesInfo);
  if constexpr (sizeof(Real) == 4)
    return value.convertToFloat();
  else
    return value.convertToDouble();
}

double multiply(double x, double y) { return x * y; }
float multiply(float x, float y) { return x * y; }
/// As complex.mul; the operator of std::complex looks after infinities.
template <typename Real>
std::complex<Real> multiply(std::complex<Real> x, std::complex<Real> y) {
  return {x.real() * y.real() - x.imag() * y.imag(),
          x.real() * y.imag() + x.imag() * y.real()};
}

/// A weight a×b×c×d in the accumulator type, tied where its sizes are 1.
template <typename T> class Weight {
public:
  Weight(DenseElementsAttr values, const KSPattern &p)
      : Weight(values.getType().getShape(), p) {
    using Real = typename RealOf<T>::type;
    elements.clear();
    elements.reserve(values.getNumElements());
    if constexpr (std::is_same_v<T, Real>)
      for (const APFloat &value : values.getValues<APFloat>())
        elements.push_back(toReal<Real>(value));
    else
      for (const std::complex<APFloat> &value :
           values.getValues<std::complex<APFloat>>())
        elements.emplace_back(toReal<Real>(value.real()),
                              toReal<Real>(value.imag()));
  }
  Weight(ArrayRef<int64_t> shape, const KSPattern &p)
      : p(p), a(shape[0]), d(shape[3]), elements(a * p.b * p.c * d) {}

  T &at(int64_t i, int64_t n, int64_t k, int64_t j) {
    i = a == 1 ? 0 : i;
    j = d == 1 ? 0 : j;
    return elements[((i * p.b + n) * p.c + k) * d + j];
  }

  const KSPattern p;
  const int64_t a, d;
  std::vector<T> elements;
};

/// The weight of the product of a chainable pair; see ks.merge_weights.
template <typename T>
void mergeChainable(Weight<T> &right, Weight<T> &left, Weight<T> &merged) {
  int64_t h = right.p.a / left.p.a, g = left.p.d / right.p.d;
  int64_t r = left.p.c / h;
  for (int64_t i = 0; i < merged.a; ++i)
    for (int64_t n = 0; n < left.p.b; ++n)
      for (int64_t q = 0; q < g; ++q)
        for (int64_t s = 0; s < h; ++s)
          for (int64_t t = 0; t < r; ++t)
            for (int64_t k = 0; k < right.p.c; ++k)
              for (int64_t j = 0; j < merged.d; ++j)
                merged.at(i, n * g + q, s * right.p.c + k, j) +=
                    multiply(left.at(i, n, s * r + t, q * right.p.d + j),
                             right.at(i * h + s, t * g + q, k, j));
}

/// The dense matrix: each non-zero of the left factor meets those of a row of
/// the right one.
template <typename T>
void mergeDense(Weight<T> &right, Weight<T> &left, Weight<T> &merged) {
  const KSPattern &p = left.p, &q = right.p;
  for (int64_t row = 0; row < p.outFeatures(); ++row)
    for (int64_t k = 0; k < p.c; ++k) {
      int64_t i = row / (p.b * p.d), j = row % p.d;
      int64_t middle = (i * p.c + k) * p.d + j;
      int64_t group = middle / (q.b * q.d), column = middle % q.d;
      T weight = left.at(i, row / p.d % p.b, k, j);
      for (int64_t l = 0; l < q.c; ++l)
        merged.at(0, row, (group * q.c + l) * q.d + column, 0) +=
            multiply(weight, right.at(group, middle / q.d % q.b, l, column));
    }
}

template <typename T>
DenseElementsAttr merge(MergeWeightsOp op, DenseElementsAttr rightValues,
                        DenseElementsAttr leftValues) {
  auto type = cast<ShapedType>(op.getInit().getType());
  Weight<T> right(rightValues, op.getRight().getPattern());
  Weight<T> left(leftValues, op.getLeft().getPattern());
  Weight<T> merged(type.getShape(), op.getPattern().getPattern());
  if (op.isChainable())
    mergeChainable(right, left, merged);
  else
    mergeDense(right, left, merged);

  auto tensor = RankedTensorType::get(type.getShape(), type.getElementType());
  const llvm::fltSemantics &semantics =
      cast<FloatType>(getRealType(type.getElementType())).getFloatSemantics();
  auto round = [&](auto number) {
    APFloat value(number);
    bool losesInfo;
    value.convert(semantics, APFloat::rmNearestTiesToEven, &losesInfo);
    return value;
  };
  if constexpr (std::is_floating_point_v<T>)
    return DenseElementsAttr::get(tensor,
                                  llvm::map_to_vector(merged.elements, round));
  else
    return DenseElementsAttr::get(
        tensor, llvm::map_to_vector(merged.elements, [&](T value) {
          return std::complex<APFloat>(round(value.real()),
                                       round(value.imag()));
        }));
}

} // namespace

DenseElementsAttr ks::mergeConstants(MergeWeightsOp op) {
  Attribute rightValue, leftValue;
  if (!matchPattern(op.getRightWeight(), m_Constant(&rightValue)) ||
      !matchPattern(op.getLeftWeight(), m_Constant(&leftValue)))
    return {};
  DenseElementsAttr right = getDenseElements(rightValue);
  DenseElementsAttr left = getDenseElements(leftValue);
  if (!right || !left)
    return {};
  Type element = getElementTypeOrSelf(op.getInit().getType());
  bool isDouble = getRealType(element).isF64();
  if (isa<ComplexType>(element))
    return isDouble ? merge<std::complex<double>>(op, right, left)
                    : merge<std::complex<float>>(op, right, left);
  return isDouble ? merge<double>(op, right, left)
                  : merge<float>(op, right, left);
}
