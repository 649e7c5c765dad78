//===- Pattern.h - Kronecker-sparse patterns --------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The mathematics of Kronecker-sparse patterns, with no IR in sight.
//
// A pattern (a, b, c, d) is the support I_a (x) 1_{bxc} (x) I_d of a matrix
// with a*b*d rows and a*c*d columns. Weight K[i,n,k,j] (i<a, n<b, k<c, j<d)
// sits at row (i*b+n)*d+j and column (i*c+k)*d+j.
//
// The calculus (products, chains) follows arXiv 2411.04506. In it, pi1 is the
// *left* factor of a product, which is applied *last*.
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_PATTERN_H
#define KS_ANALYSIS_PATTERN_H

#include <cstdint>
#include <optional>

namespace ks {

/// A Kronecker-sparse pattern; all four sizes are at least 1.
struct KSPattern {
  int64_t a = 1, b = 1, c = 1, d = 1;

  /// Rows of the matrix: features of the output.
  int64_t outFeatures() const { return a * b * d; }
  /// Columns of the matrix: features of the input.
  int64_t inFeatures() const { return a * c * d; }
  /// Non-zeros of the matrix: elements of an untied weight.
  int64_t numWeights() const { return a * b * c * d; }

  /// The pattern of the transposed matrix.
  KSPattern transposed() const { return {a, c, b, d}; }

  /// True if all sizes are positive and a*b*c*d, which bounds all derived
  /// sizes, fits in 64 bits.
  bool isValid() const;

  bool operator==(const KSPattern &o) const {
    return a == o.a && b == o.b && c == o.c && d == o.d;
  }
  bool operator!=(const KSPattern &o) const { return !(*this == o); }
};

/// True if the product of a `left` matrix and a `right` matrix exists:
/// the columns of `left` are the rows of `right`.
bool isComposable(const KSPattern &left, const KSPattern &right);

/// The redundancy r of a chainable pair: how many times the product of the
/// supports covers each entry of the product's support. None if the pair is
/// not chainable (a1 | a2, d2 | d1 and r = a1*c1/a2 = b2*d2/d1 an integer).
std::optional<int64_t> getRedundancy(const KSPattern &left,
                                     const KSPattern &right);

/// The pattern (a1, b1*d1/d2, a2*c2/a1, d2) of the product of a chainable
/// pair; none if the pair is not chainable, or the product is not valid.
std::optional<KSPattern> getProduct(const KSPattern &left,
                                    const KSPattern &right);

/// An order of the features between two factors that are kernels of their own,
/// in which the second one finds k contiguous. Features (i, x, s, y) of sizes
/// a × p × r × q, whose natural order has y innermost, are stored with x
/// innermost:
///
///   ((i·p + x)·r + s)·q + y  is at  ((i·q + y)·r + s)·p + x.
///
/// To the factor that reads them, (a, ·, p·r, q), they are i, k = x·r + s, and
/// column j = y; so i and j have p·r neighbours k. To the one that writes them,
/// (a·p, r·q, ·, 1), they are group i·p + x and row n = s·q + y; so n has p
/// neighbouring groups. Both see other orders of k and n only, which packed
/// weights make up for.
struct FeatureOrder {
  int64_t a = 1, p = 1, r = 1, q = 1;

  bool operator==(const FeatureOrder &o) const {
    return a == o.a && p == o.p && r == o.r && q == o.q;
  }
};

/// The order between `right` and `left`, which reads what that one writes; none
/// if they are not chainable, or one of them is d = 1 on the wrong side.
std::optional<FeatureOrder> getOrder(const KSPattern &left,
                                     const KSPattern &right);

} // namespace ks

#endif // KS_ANALYSIS_PATTERN_H
