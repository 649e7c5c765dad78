//===- PatternTest.cpp - Tests of Kronecker-sparse patterns -----*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The calculus of patterns is compared with supports that are written out as
// matrices and multiplied by the definition.
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/Pattern.h"

#include "gtest/gtest.h"

#include <climits>
#include <cstdint>
#include <optional>
#include <ostream>
#include <random>
#include <vector>

namespace ks {

/// What GoogleTest prints upon failure.
static void PrintTo(const KSPattern &p, std::ostream *os) {
  *os << "(" << p.a << ", " << p.b << ", " << p.c << ", " << p.d << ")";
}

} // namespace ks

using namespace ks;

namespace {

/// A dense matrix of small numbers.
struct Matrix {
  Matrix(int64_t rows, int64_t columns)
      : rows(rows), columns(columns), entries(rows * columns) {}

  int64_t &at(int64_t row, int64_t column) {
    return entries[row * columns + column];
  }
  int64_t at(int64_t row, int64_t column) const {
    return entries[row * columns + column];
  }

  bool operator==(const Matrix &o) const {
    return rows == o.rows && columns == o.columns && entries == o.entries;
  }

  int64_t rows, columns;
  std::vector<int64_t> entries;
};

Matrix kronecker(const Matrix &left, const Matrix &right) {
  Matrix result(left.rows * right.rows, left.columns * right.columns);
  for (int64_t i = 0; i < result.rows; ++i)
    for (int64_t j = 0; j < result.columns; ++j)
      result.at(i, j) = left.at(i / right.rows, j / right.columns) *
                        right.at(i % right.rows, j % right.columns);
  return result;
}

Matrix multiply(const Matrix &left, const Matrix &right) {
  EXPECT_EQ(left.columns, right.rows);
  Matrix result(left.rows, right.columns);
  for (int64_t i = 0; i < left.rows; ++i)
    for (int64_t k = 0; k < left.columns; ++k)
      for (int64_t j = 0; j < right.columns; ++j)
        result.at(i, j) += left.at(i, k) * right.at(k, j);
  return result;
}

Matrix transpose(const Matrix &m) {
  Matrix result(m.columns, m.rows);
  for (int64_t i = 0; i < m.rows; ++i)
    for (int64_t j = 0; j < m.columns; ++j)
      result.at(j, i) = m.at(i, j);
  return result;
}

Matrix identity(int64_t size) {
  Matrix result(size, size);
  for (int64_t i = 0; i < size; ++i)
    result.at(i, i) = 1;
  return result;
}

Matrix ones(int64_t rows, int64_t columns) {
  Matrix result(rows, columns);
  result.entries.assign(rows * columns, 1);
  return result;
}

/// `factor` times I_a (x) 1_{bxc} (x) I_d, by its definition.
Matrix getSupport(const KSPattern &p, int64_t factor = 1) {
  Matrix result =
      kronecker(kronecker(identity(p.a), ones(p.b, p.c)), identity(p.d));
  for (int64_t &entry : result.entries)
    entry *= factor;
  return result;
}

/// All patterns with sizes from 1 to `bound`.
std::vector<KSPattern> getAllPatterns(int64_t bound) {
  std::vector<KSPattern> result;
  for (int64_t a = 1; a <= bound; ++a)
    for (int64_t b = 1; b <= bound; ++b)
      for (int64_t c = 1; c <= bound; ++c)
        for (int64_t d = 1; d <= bound; ++d)
          result.push_back({a, b, c, d});
  return result;
}

//===----------------------------------------------------------------------===//
// One pattern
//===----------------------------------------------------------------------===//

TEST(PatternTest, Sizes) {
  KSPattern p{2, 3, 5, 7};
  EXPECT_EQ(p.outFeatures(), 42);
  EXPECT_EQ(p.inFeatures(), 70);
  EXPECT_EQ(p.numWeights(), 210);
}

TEST(PatternTest, SizesAreThoseOfTheSupport) {
  for (const KSPattern &p : getAllPatterns(3)) {
    Matrix support = getSupport(p);
    int64_t nonZeros = 0;
    for (int64_t entry : support.entries)
      nonZeros += entry != 0;
    EXPECT_EQ(support.rows, p.outFeatures()) << testing::PrintToString(p);
    EXPECT_EQ(support.columns, p.inFeatures()) << testing::PrintToString(p);
    EXPECT_EQ(nonZeros, p.numWeights()) << testing::PrintToString(p);
  }
}

TEST(PatternTest, WeightsSitWhereTheHeaderSays) {
  KSPattern p{2, 3, 4, 5};
  Matrix expected(p.outFeatures(), p.inFeatures());
  for (int64_t i = 0; i < p.a; ++i)
    for (int64_t n = 0; n < p.b; ++n)
      for (int64_t k = 0; k < p.c; ++k)
        for (int64_t j = 0; j < p.d; ++j)
          expected.at((i * p.b + n) * p.d + j, (i * p.c + k) * p.d + j) = 1;
  EXPECT_EQ(getSupport(p), expected);
}

TEST(PatternTest, Equality) {
  EXPECT_EQ((KSPattern{1, 2, 3, 4}), (KSPattern{1, 2, 3, 4}));
  EXPECT_NE((KSPattern{0, 2, 3, 4}), (KSPattern{1, 2, 3, 4}));
  EXPECT_NE((KSPattern{1, 0, 3, 4}), (KSPattern{1, 2, 3, 4}));
  EXPECT_NE((KSPattern{1, 2, 0, 4}), (KSPattern{1, 2, 3, 4}));
  EXPECT_NE((KSPattern{1, 2, 3, 0}), (KSPattern{1, 2, 3, 4}));
  EXPECT_EQ(KSPattern(), (KSPattern{1, 1, 1, 1}));
}

TEST(PatternTest, Transposed) {
  for (const KSPattern &p : getAllPatterns(3)) {
    EXPECT_EQ(getSupport(p.transposed()), transpose(getSupport(p)))
        << testing::PrintToString(p);
    EXPECT_EQ(p.transposed().transposed(), p);
  }
}

TEST(PatternTest, Valid) {
  EXPECT_TRUE(KSPattern().isValid());
  EXPECT_TRUE((KSPattern{6, 64, 64, 1}).isValid());
  for (int64_t size : {int64_t(0), int64_t(-1), INT64_MIN}) {
    EXPECT_FALSE((KSPattern{size, 2, 3, 4}).isValid());
    EXPECT_FALSE((KSPattern{2, size, 3, 4}).isValid());
    EXPECT_FALSE((KSPattern{2, 3, size, 4}).isValid());
    EXPECT_FALSE((KSPattern{2, 3, 4, size}).isValid());
  }
  // Two negative sizes have a positive product.
  EXPECT_FALSE((KSPattern{-2, -3, 4, 5}).isValid());
}

TEST(PatternTest, Overflow) {
  int64_t large = int64_t(1) << 32, half = int64_t(1) << 16;
  // 2^59 - 1 weights of 16 bytes fit in 64 bits, 2^59 do not.
  EXPECT_TRUE((KSPattern{179951, 3203431780337, 1, 1}).isValid());
  EXPECT_TRUE((KSPattern{1, 179951, 3203431780337, 1}).isValid());
  EXPECT_FALSE((KSPattern{1 << 29, 1, 1, 1 << 30}).isValid());
  EXPECT_FALSE((KSPattern{1, int64_t(1) << 59, 1, 1}).isValid());
  // Products that wrap around to 0, or to a small number.
  EXPECT_FALSE((KSPattern{large, 1, 1, large}).isValid());
  EXPECT_FALSE((KSPattern{half, half, half, half}).isValid());
  EXPECT_FALSE((KSPattern{1, 1, large + 1, large}).isValid());
  EXPECT_FALSE(
      (KSPattern{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}).isValid());
  // Each of the four multiplications may be the one that overflows.
  EXPECT_FALSE((KSPattern{INT64_MAX, 2, 1, 1}).isValid());
  EXPECT_FALSE((KSPattern{1, INT64_MAX, 2, 1}).isValid());
  EXPECT_FALSE((KSPattern{1, 1, INT64_MAX, 2}).isValid());
  EXPECT_FALSE((KSPattern{1, 1, 1, INT64_MAX}).isValid());
}

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

TEST(PatternTest, Composable) {
  // The chain of a MiniLM layer, in the order of the product.
  EXPECT_TRUE(isComposable({1, 768, 192, 2}, {6, 64, 64, 1}));
  EXPECT_FALSE(isComposable({6, 64, 64, 1}, {1, 768, 192, 2}));
  for (const KSPattern &left : getAllPatterns(2))
    for (const KSPattern &right : getAllPatterns(2))
      EXPECT_EQ(isComposable(left, right),
                getSupport(left).columns == getSupport(right).rows);
}

TEST(PatternTest, KnownProducts) {
  // Monarch: r = 1, a dense matrix.
  EXPECT_EQ(getRedundancy({1, 4, 4, 4}, {4, 4, 4, 1}), 1);
  EXPECT_EQ(getProduct({1, 4, 4, 4}, {4, 4, 4, 1}), (KSPattern{1, 16, 16, 1}));
  // The square dyadic butterfly of size 8: (2^(2-t), 2, 2, 2^t) for t = 0,
  // 1, 2.
  EXPECT_EQ(getProduct({2, 2, 2, 2}, {4, 2, 2, 1}), (KSPattern{2, 4, 4, 1}));
  EXPECT_EQ(getProduct({1, 2, 2, 4}, {2, 2, 2, 2}), (KSPattern{1, 4, 4, 2}));
  EXPECT_EQ(getProduct({1, 2, 2, 4}, {2, 4, 4, 1}), (KSPattern{1, 8, 8, 1}));
  // A Block-Tensor-Train of rank 3.
  EXPECT_EQ(getRedundancy({1, 5, 3 * 4, 2}, {4, 3 * 2, 7, 1}), 3);
  EXPECT_EQ(getProduct({1, 5, 3 * 4, 2}, {4, 3 * 2, 7, 1}),
            (KSPattern{1, 10, 28, 1}));
  // Two dense matrices: all of the inner size.
  EXPECT_EQ(getRedundancy({1, 2, 5, 1}, {1, 5, 3, 1}), 5);
  EXPECT_EQ(getProduct({1, 2, 5, 1}, {1, 5, 3, 1}), (KSPattern{1, 2, 3, 1}));
}

TEST(PatternTest, NotChainable) {
  // The sizes do not match.
  EXPECT_EQ(getRedundancy({1, 2, 3, 1}, {1, 4, 2, 1}), std::nullopt);
  EXPECT_EQ(getProduct({1, 2, 3, 1}, {1, 4, 2, 1}), std::nullopt);
  // The chain of a ViT layer: 384 features match, but 128/6 is no integer.
  EXPECT_TRUE(isComposable({1, 128, 128, 3}, {6, 64, 256, 1}));
  EXPECT_EQ(getRedundancy({1, 128, 128, 3}, {6, 64, 256, 1}), std::nullopt);
  EXPECT_EQ(getProduct({1, 128, 128, 3}, {6, 64, 256, 1}), std::nullopt);
  // a1 does not divide a2.
  EXPECT_TRUE(isComposable({2, 1, 3, 1}, {3, 2, 1, 1}));
  EXPECT_EQ(getProduct({2, 1, 3, 1}, {3, 2, 1, 1}), std::nullopt);
  // d2 does not divide d1.
  EXPECT_TRUE(isComposable({1, 1, 2, 3}, {1, 3, 1, 2}));
  EXPECT_EQ(getProduct({1, 1, 2, 3}, {1, 3, 1, 2}), std::nullopt);
  // The butterfly in the wrong order.
  EXPECT_EQ(getProduct({4, 2, 2, 1}, {2, 2, 2, 2}), std::nullopt);
}

TEST(PatternTest, KnownOrders) {
  // Monarch: each group that writes is one k of all columns.
  EXPECT_EQ(getOrder({1, 4, 4, 4}, {4, 4, 4, 1}), (FeatureOrder{1, 4, 1, 4}));
  // A Block-Tensor-Train of rank 4.
  EXPECT_EQ(getOrder({1, 172, 256, 64}, {64, 256, 64, 1}),
            (FeatureOrder{1, 64, 4, 64}));
  // The one that reads has groups, too.
  EXPECT_EQ(getOrder({2, 6, 8, 3}, {8, 6, 5, 1}), (FeatureOrder{2, 4, 2, 3}));
}

TEST(PatternTest, NoOrder) {
  // The one that reads has no columns.
  EXPECT_EQ(getOrder({1, 2, 5, 1}, {1, 5, 3, 1}), std::nullopt);
  EXPECT_EQ(getOrder({1, 7, 12, 1}, {4, 3, 5, 1}), std::nullopt);
  // The one that writes has columns.
  EXPECT_EQ(getOrder({1, 2, 2, 4}, {2, 2, 2, 2}), std::nullopt);
  // Its groups are those of the one that reads.
  EXPECT_EQ(getOrder({2, 3, 4, 5}, {2, 20, 6, 1}), std::nullopt);
  // They are not chainable.
  EXPECT_EQ(getOrder({1, 128, 128, 3}, {6, 64, 256, 1}), std::nullopt);
  EXPECT_EQ(getOrder({1, 2, 3, 2}, {4, 2, 2, 1}), std::nullopt);
}

/// All pairs of small patterns: an order has the sizes of both, and two planes
/// or more on either side.
TEST(PatternTest, OrdersFitBothPatterns) {
  int ordered = 0;
  std::vector<KSPattern> patterns = getAllPatterns(4);
  for (const KSPattern &left : patterns)
    for (const KSPattern &right : patterns) {
      std::optional<FeatureOrder> order = getOrder(left, right);
      if (!order)
        continue;
      ++ordered;
      ASSERT_EQ(right.d, 1);
      ASSERT_GE(order->p, 2);
      ASSERT_GE(order->q, 2);
      ASSERT_EQ(order->r, *getRedundancy(left, right));
      ASSERT_EQ(left.a, order->a);
      ASSERT_EQ(left.c, order->p * order->r);
      ASSERT_EQ(left.d, order->q);
      ASSERT_EQ(right.a, order->a * order->p);
      ASSERT_EQ(right.b, order->r * order->q);
    }
  EXPECT_GT(ordered, 100);
}

/// Where features are stored is a permutation, in which both factors find
/// neighbours as the header says.
TEST(PatternTest, OrdersArePermutations) {
  std::mt19937 random(11);
  auto pick = [&] {
    return std::uniform_int_distribution<int64_t>(1, 7)(random);
  };
  for (int trial = 0; trial < 200; ++trial) {
    FeatureOrder o{pick(), pick(), pick(), pick()};
    auto place = [&](int64_t i, int64_t x, int64_t s, int64_t y) {
      return ((i * o.q + y) * o.r + s) * o.p + x;
    };
    std::vector<int64_t> stored(o.a * o.p * o.r * o.q, -1);
    for (int64_t i = 0; i < o.a; ++i)
      for (int64_t x = 0; x < o.p; ++x)
        for (int64_t s = 0; s < o.r; ++s)
          for (int64_t y = 0; y < o.q; ++y) {
            int64_t at = place(i, x, s, y);
            ASSERT_LT(at, static_cast<int64_t>(stored.size()));
            ASSERT_EQ(stored[at], -1);
            stored[at] = ((i * o.p + x) * o.r + s) * o.q + y;
            // To the one that reads: all k of group i and column y.
            ASSERT_EQ(at / (o.p * o.r), i * o.q + y);
            // To the one that writes: groups of row n are neighbours.
            ASSERT_EQ(at - x, place(i, 0, s, y));
          }
    for (int64_t feature : stored)
      ASSERT_GE(feature, 0);
  }
}

/// For all pairs of small patterns: the pair is chainable if the definition
/// says so, and then the product of the supports is r times that of the
/// product.
TEST(PatternTest, ProductOfSupports) {
  int chainable = 0, redundant = 0;
  std::vector<KSPattern> patterns = getAllPatterns(4);
  for (const KSPattern &left : patterns)
    for (const KSPattern &right : patterns) {
      if (left.a * left.c * left.d != right.a * right.b * right.d) {
        ASSERT_FALSE(isComposable(left, right));
        ASSERT_EQ(getRedundancy(left, right), std::nullopt);
        ASSERT_EQ(getProduct(left, right), std::nullopt);
        continue;
      }
      ASSERT_TRUE(isComposable(left, right));
      bool divides = right.a % left.a == 0 && left.d % right.d == 0 &&
                     left.a * left.c % right.a == 0;
      std::optional<int64_t> r = getRedundancy(left, right);
      std::optional<KSPattern> product = getProduct(left, right);
      ASSERT_EQ(r.has_value(), divides);
      ASSERT_EQ(product.has_value(), divides);
      if (!divides)
        continue;
      // Both forms of r.
      ASSERT_EQ(*r * right.a, left.a * left.c);
      ASSERT_EQ(*r * left.d, right.b * right.d);
      ASSERT_TRUE(product->isValid());
      ++chainable;
      redundant += *r > 1;
      // Large ones take long and tell nothing new.
      if (left.outFeatures() * left.inFeatures() * right.inFeatures() > 20000)
        continue;
      ASSERT_EQ(multiply(getSupport(left), getSupport(right)),
                getSupport(*product, *r))
          << testing::PrintToString(left) << " * "
          << testing::PrintToString(right);
    }
  // The sweep has met both kinds.
  EXPECT_GT(chainable, 1000);
  EXPECT_GT(redundant, 100);
}

TEST(PatternTest, TransposeOfProduct) {
  // (L R)^T = R^T L^T, but chainability asks for the other order of a and d:
  // transposing keeps a and d, so the transposed pair is chainable only if all
  // of them agree.
  KSPattern left{2, 3, 4, 5}, right{2, 4, 6, 5};
  std::optional<KSPattern> product = getProduct(left, right);
  ASSERT_TRUE(product);
  EXPECT_EQ(getProduct(right.transposed(), left.transposed()),
            product->transposed());
  EXPECT_EQ(getRedundancy(right.transposed(), left.transposed()),
            getRedundancy(left, right));
  EXPECT_EQ(getProduct(KSPattern{4, 4, 4, 1}.transposed(),
                       KSPattern{1, 4, 4, 4}.transposed()),
            std::nullopt);
}

TEST(PatternTest, IdentitiesAreNeutral) {
  for (const KSPattern &p : getAllPatterns(3)) {
    // I as a pattern whose a and d fit on either side.
    KSPattern before{p.a * p.c, 1, 1, p.d}, after{p.a, 1, 1, p.b * p.d};
    EXPECT_EQ(getProduct(p, before), p) << testing::PrintToString(p);
    EXPECT_EQ(getProduct(after, p), p) << testing::PrintToString(p);
    EXPECT_EQ(getRedundancy(p, before), 1);
    EXPECT_EQ(getRedundancy(after, p), 1);
  }
}

//===----------------------------------------------------------------------===//
// Chains
//===----------------------------------------------------------------------===//

/// A random pattern that is chainable to the right of `left`.
KSPattern getRandomRight(std::mt19937 &random, const KSPattern &left) {
  auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  auto pickDivisor = [&](int64_t n) {
    int64_t divisor = pick(1, n);
    while (n % divisor != 0)
      --divisor;
    return divisor;
  };
  int64_t r = pickDivisor(left.c); // a1*c1/a2, so that a2 = a1*(c1/r)
  int64_t d = pickDivisor(left.d);
  return {left.a * (left.c / r), r * (left.d / d), pick(1, 6), d};
}

TEST(PatternTest, ProductIsAssociative) {
  std::mt19937 random(42);
  auto pick = [&] {
    return std::uniform_int_distribution<int64_t>(1, 12)(random);
  };
  int redundant = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    KSPattern p1{pick(), pick(), pick(), pick()};
    KSPattern p2 = getRandomRight(random, p1), p3 = getRandomRight(random, p2);
    std::optional<KSPattern> p12 = getProduct(p1, p2), p23 = getProduct(p2, p3);
    ASSERT_TRUE(p12 && p23)
        << testing::PrintToString(p1) << " * " << testing::PrintToString(p2)
        << " * " << testing::PrintToString(p3);
    std::optional<KSPattern> leftFirst = getProduct(*p12, p3);
    ASSERT_TRUE(leftFirst);
    EXPECT_EQ(leftFirst, getProduct(p1, *p23));
    // The interval's closed form.
    EXPECT_EQ(*leftFirst,
              (KSPattern{p1.a, p1.b * p1.d / p3.d, p3.a * p3.c / p1.a, p3.d}));
    // Redundancies do not depend on the order either.
    EXPECT_EQ(*getRedundancy(p1, p2), *getRedundancy(p1, *p23));
    EXPECT_EQ(*getRedundancy(p2, p3), *getRedundancy(*p12, p3));
    redundant += *getRedundancy(p1, p2) > 1 && *getRedundancy(p2, p3) > 1;
  }
  EXPECT_GT(redundant, 100);
}

TEST(PatternTest, SupportOfTriples) {
  std::mt19937 random(7);
  auto pick = [&] {
    return std::uniform_int_distribution<int64_t>(1, 3)(random);
  };
  for (int trial = 0; trial < 200; ++trial) {
    KSPattern p1{pick(), pick(), pick(), pick()};
    KSPattern p2 = getRandomRight(random, p1), p3 = getRandomRight(random, p2);
    Matrix product =
        multiply(multiply(getSupport(p1), getSupport(p2)), getSupport(p3));
    int64_t r = *getRedundancy(p1, p2) * *getRedundancy(p2, p3);
    ASSERT_EQ(product, getSupport(*getProduct(*getProduct(p1, p2), p3), r))
        << testing::PrintToString(p1) << " * " << testing::PrintToString(p2)
        << " * " << testing::PrintToString(p3);
  }
}

TEST(PatternTest, ButterflyIsDense) {
  const int64_t levels = 10;
  KSPattern product{int64_t(1) << (levels - 1), 2, 2, 1};
  for (int64_t t = 1; t < levels; ++t) {
    KSPattern factor{int64_t(1) << (levels - 1 - t), 2, 2, int64_t(1) << t};
    ASSERT_EQ(getRedundancy(factor, product), 1);
    product = *getProduct(factor, product);
    ASSERT_EQ(product, (KSPattern{factor.a, 2 << t, 2 << t, 1}));
  }
  EXPECT_EQ(product, (KSPattern{1, 1024, 1024, 1}));
}

/// Sizes whose products come close to 2^63 are multiplied without overflow.
TEST(PatternTest, LargeProducts) {
  int64_t large = int64_t(1) << 29;
  KSPattern left{1, large, large, 1}, right{1, large, large, 1};
  ASSERT_TRUE(left.isValid() && right.isValid());
  EXPECT_EQ(getRedundancy(left, right), large);
  EXPECT_EQ(getProduct(left, right), left);

  KSPattern tall{1, 1, 1, large}, wide{large, 1, 1, 1};
  EXPECT_EQ(getRedundancy(tall, wide), std::nullopt); // r would be 2^-29
  EXPECT_TRUE(isComposable(tall, wide));
}

} // namespace
