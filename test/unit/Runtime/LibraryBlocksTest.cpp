//===- LibraryBlocksTest.cpp - Tests of products of blocks by cublasLt ----===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LibraryTestUtil.h"

#include <functional>
#include <random>

using namespace ks;

namespace {

using Kind = Operand::Kind;

LibraryProduct makeBlocks(int64_t a, int64_t n, int64_t m, int64_t d,
                          bool isBatchFirst = false) {
  LibraryProduct product;
  product.a = a;
  product.n = n;
  product.m = m;
  product.d = d;
  product.type = KS_F16;
  product.isBatchFirst = isBatchFirst;
  return product;
}

/// Where an array is, in elements of f16 behind `base`.
int64_t getOffset(const FakeMatrix &matrix, uintptr_t base) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(matrix.data) - base) /
         2;
}

class LibraryBlocksTest : public LibraryTest {
protected:
  /// Runs on arrays that are not there, of these pitches.
  Status run(const LibraryProduct &product, int64_t batch, int64_t inPitch,
             int64_t outPitch) {
    std::vector<int64_t> inShape{batch, product.a * product.m * product.d},
        outShape{batch, product.a * product.n * product.d};
    if (!product.isBatchFirst) {
      std::swap(inShape[0], inShape[1]);
      std::swap(outShape[0], outShape[1]);
    }
    TestBuffer x{xPlace, product.type, inShape, {inPitch, 1}};
    TestBuffer y{yPlace, product.type, outShape, {outPitch, 1}};
    size_t bytes = 0;
    expectSuccess(layer->getWorkspaceBytes(batch, bytes));
    KsBuffer arrays[] = {x.buffer, y.buffer};
    return layer->run(reinterpret_cast<void *>(packedAddress), arrays, 2,
                      reinterpret_cast<void *>(workspaceAddress), bytes,
                      stream);
  }

  void loadAndRun(const LibraryProduct &product, int64_t batch, int64_t inPitch,
                  int64_t outPitch) {
    getFakeCublasLt().products.clear();
    load(makeLibraryArtifact(product));
    expectSuccess(run(product, batch, inPitch, outPitch));
  }

  uintptr_t xPlace = xAddress, yPlace = yAddress;
};

void expectMatrix(const FakeMatrix &matrix, uint64_t rows, uint64_t columns,
                  int64_t pitch, int32_t count, int64_t stride) {
  EXPECT_EQ(matrix.rows, rows);
  EXPECT_EQ(matrix.columns, columns);
  EXPECT_EQ(matrix.pitch, pitch);
  EXPECT_EQ(matrix.count, count);
  EXPECT_EQ(matrix.stride, stride);
}

//===----------------------------------------------------------------------===//
// What is called
//===----------------------------------------------------------------------===//

TEST_F(LibraryBlocksTest, TakesAllColumnsOfAGroup) {
  loadAndRun(makeBlocks(2, 4, 6, 3), 10, 12, 11);
  const auto &products = getFakeCublasLt().products;
  ASSERT_EQ(products.size(), 2u);
  for (int64_t i = 0; i < 2; ++i) {
    const FakeMatmul &call = products[i];
    EXPECT_FALSE(call.isTransposedA || call.isTransposedB);
    expectMatrix(call.a, 10, 6, 3 * 12, 3, 12);
    EXPECT_EQ(getOffset(call.a, xAddress), i * 6 * 3 * 12);
    expectMatrix(call.b, 6, 4, 6, 3, 24);
    EXPECT_EQ(getOffset(call.b, packedAddress), i * 3 * 24);
    expectMatrix(call.d, 10, 4, 3 * 11, 3, 11);
    EXPECT_EQ(getOffset(call.d, yAddress), i * 4 * 3 * 11);
    EXPECT_EQ(call.stream, stream);
    EXPECT_EQ(call.workspaceBytes, 16u * 4 * (4 * 3) * 10);
  }
}

TEST_F(LibraryBlocksTest, TakesAllGroupsOfAColumn) {
  loadAndRun(makeBlocks(3, 4, 6, 2), 10, 12, 11);
  const auto &products = getFakeCublasLt().products;
  ASSERT_EQ(products.size(), 2u);
  for (int64_t j = 0; j < 2; ++j) {
    const FakeMatmul &call = products[j];
    expectMatrix(call.a, 10, 6, 2 * 12, 3, 6 * 2 * 12);
    EXPECT_EQ(getOffset(call.a, xAddress), j * 12);
    expectMatrix(call.b, 6, 4, 6, 3, 2 * 24);
    EXPECT_EQ(getOffset(call.b, packedAddress), j * 24);
    expectMatrix(call.d, 10, 4, 2 * 11, 3, 4 * 2 * 11);
    EXPECT_EQ(getOffset(call.d, yAddress), j * 11);
  }
}

TEST_F(LibraryBlocksTest, TakesAllGroupsBatchFirst) {
  loadAndRun(makeBlocks(3, 4, 6, 1, /*isBatchFirst=*/true), 10, 20, 13);
  const auto &products = getFakeCublasLt().products;
  ASSERT_EQ(products.size(), 1u);
  const FakeMatmul &call = products[0];
  EXPECT_TRUE(call.isTransposedA);
  EXPECT_FALSE(call.isTransposedB);
  expectMatrix(call.a, 6, 4, 6, 3, 24);
  expectMatrix(call.b, 6, 10, 20, 3, 6);
  expectMatrix(call.d, 4, 10, 13, 3, 4);
  EXPECT_EQ(getOffset(call.a, packedAddress), 0);
  EXPECT_EQ(getOffset(call.b, xAddress), 0);
  EXPECT_EQ(getOffset(call.d, yAddress), 0);
}

TEST_F(LibraryBlocksTest, SharesTiedWeights) {
  // Matrices from call to call and from product to product, of 24 elements.
  struct {
    int64_t a, d;
    bool isTiedA, isTiedD;
    int64_t call, product;
  } cases[] = {{2, 3, true, false, 0, 1}, {2, 3, false, true, 1, 0},
               {2, 3, true, true, 0, 0},  {3, 2, true, false, 1, 0},
               {3, 2, false, true, 0, 1}, {3, 2, false, false, 1, 2},
               {1, 4, false, true, 0, 0}};
  for (const auto &c : cases) {
    LibraryProduct product = makeBlocks(c.a, 4, 6, c.d);
    product.isTiedA = c.isTiedA;
    product.isTiedD = c.isTiedD;
    loadAndRun(product, 10, 10, 10);
    const auto &products = getFakeCublasLt().products;
    ASSERT_EQ(products.size(), static_cast<size_t>(std::min(c.a, c.d)));
    for (size_t call = 0; call < products.size(); ++call) {
      EXPECT_EQ(products[call].b.stride, c.product * 24) << c.a << c.d;
      EXPECT_EQ(getOffset(products[call].b, packedAddress),
                static_cast<int64_t>(call) * c.call * 24)
          << c.a << c.d;
    }
  }
}

TEST_F(LibraryBlocksTest, TellsHowAllMatricesAreAligned) {
  auto expectAlignments = [&](const LibraryProduct &product, int64_t inPitch,
                              int64_t outPitch, uint32_t input,
                              uint32_t weights, uint32_t result) {
    loadAndRun(product, 16, inPitch, outPitch);
    const FakeSearch &search = getFakeCublasLt().searches.back();
    bool first = product.isBatchFirst;
    EXPECT_EQ(search.alignments[first ? 1 : 0], input);
    EXPECT_EQ(search.alignments[first ? 0 : 1], weights);
    EXPECT_EQ(search.alignments[2], result);
    EXPECT_EQ(search.alignments[3], result);
  };
  // 16 columns begin 16 times as evenly as rows are apart, but each somewhere.
  expectAlignments(makeBlocks(1, 16, 16, 16), 17, 24, 2, 256, 16);
  // From group to group it is 16 rows.
  expectAlignments(makeBlocks(2, 4, 16, 1), 17, 24, 32, 128, 64);
  expectAlignments(makeBlocks(2, 8, 16, 1, true), 32, 17, 32, 256, 16);
  // Pitches matter as the first elements are somewhere else, and only so.
  expectAlignments(makeBlocks(1, 4, 6, 1), 17, 17, 256, 256, 256);
  LibraryProduct tied = makeBlocks(1, 3, 5, 8);
  tied.isTiedD = true;
  expectAlignments(tied, 128, 128, 256, 256, 256);
}

TEST_F(LibraryBlocksTest, CountsBy64Bits) {
  getFakeDriver().knowsAllMemory = true;
  LibraryProduct product = makeBlocks(2, 4, 6, 3);
  load(makeLibraryArtifact(product));
  constexpr int64_t batch = int64_t(1) << 32, pitch = int64_t(1) << 33;
  xPlace = uintptr_t(1) << 50;
  yPlace = uintptr_t(1) << 51;
  expectSuccess(run(product, batch, pitch, pitch));
  const FakeMatmul &call = getFakeCublasLt().products.back();
  expectMatrix(call.a, batch, 6, 3 * pitch, 3, pitch);
  EXPECT_EQ(getOffset(call.a, xPlace), 6 * 3 * pitch);
  EXPECT_EQ(getOffset(call.d, yPlace), 4 * 3 * pitch);
  EXPECT_EQ(call.workspaceBytes, size_t(32) << 20);
}

TEST_F(LibraryBlocksTest, LooksForAnAlgorithmOnceForAllCalls) {
  LibraryProduct product = makeBlocks(4, 4, 6, 5);
  load(makeLibraryArtifact(product));
  int before = getFakeCublasLt().numSearches;
  for (int turn = 0; turn < 3; ++turn)
    expectSuccess(run(product, 10, 10, 10));
  EXPECT_EQ(getFakeCublasLt().numSearches - before, 1);
  EXPECT_EQ(getFakeCublasLt().numProducts, 12);
}

TEST_F(LibraryBlocksTest, DoesNothingForNoBatch) {
  LibraryProduct product = makeBlocks(2, 4, 6, 3);
  load(makeLibraryArtifact(product));
  expectSuccess(run(product, 0, 8, 8));
  EXPECT_EQ(getFakeCublasLt().numProducts, 0);
}

TEST_F(LibraryBlocksTest, SaysWhatFails) {
  LibraryProduct product = makeBlocks(2, 4, 6, 3);
  load(makeLibraryArtifact(product));
  getFakeCublasLt().searchCount = 0;
  expectFailure(run(product, 10, 10, 10), KS_ERROR_CUDA,
                {"products of the pattern (2, 4, 6, 3) with 4 x 6 matrices of "
                 "f16: looking for an algorithm for batch 10 failed",
                 "KS_CUBLASLT=none"});
  getFakeCublasLt().searchCount = 1;
  getFakeCublasLt().layoutResult = 7;
  expectFailure(run(product, 10, 10, 10), KS_ERROR_CUDA,
                {"describing the product failed with status 7"});
  getFakeCublasLt().layoutResult = 0;
  expectSuccess(run(product, 10, 10, 10));
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// A product of random sizes on random arrays in memory, as loops compute it.
struct BlocksCase {
  LibraryProduct product;
  int64_t batch, inPitch, outPitch;
  std::vector<char> input, weights, result, expected;

  explicit BlocksCase(std::mt19937 &random) {
    auto draw = [&](int64_t least, int64_t most) {
      return std::uniform_int_distribution<int64_t>(least, most)(random);
    };
    product = makeBlocks(draw(1, 4), draw(1, 5), draw(1, 5), draw(1, 4),
                         draw(0, 1) == 1);
    constexpr KsElementType types[] = {KS_F16, KS_BF16, KS_F32, KS_F64};
    product.type = types[draw(0, 3)];
    product.isTF32 = product.type == KS_F32 && draw(0, 1) == 1;
    if (product.isBatchFirst)
      product.d = 1;
    product.isTiedA = product.a > 1 && draw(0, 2) == 0;
    product.isTiedD = product.d > 1 && draw(0, 2) == 0;
    batch = draw(1, 6);
    auto [a, n, m, d] = std::tuple(product.a, product.n, product.m, product.d);
    auto width = [&](int64_t rows) {
      return product.isBatchFirst ? a * rows : batch;
    };
    auto height = [&](int64_t rows) {
      return product.isBatchFirst ? batch : a * rows * d;
    };
    inPitch = width(m) + draw(0, 5);
    outPitch = width(n) + draw(0, 5);
    size_t bytes = product.type == KS_F64 ? 8 : product.type == KS_F32 ? 4 : 2;
    input.assign(height(m) * inPitch * bytes, 'x');
    result.assign(height(n) * outPitch * bytes, 'z');
    weights.assign(std::max<int64_t>(64, a * n * m * d) * bytes, 'w');
    expected = result;
    auto place = [&](int64_t entry, int64_t feature, int64_t pitch) {
      return product.isBatchFirst ? entry * pitch + feature
                                  : feature * pitch + entry;
    };
    auto in = [](int64_t e, int64_t feature) {
      return int(e * 3 + feature * 5) % 7 - 3;
    };
    auto weight = [&](int64_t i, int64_t r, int64_t k, int64_t j) {
      i = product.isTiedA ? 0 : i;
      j = product.isTiedD ? 0 : j;
      return int(r + 2 * k + 3 * i + 7 * j) % 5 - 2;
    };
    for (int64_t e = 0; e < batch; ++e)
      for (int64_t feature = 0; feature < a * m * d; ++feature)
        write(input, product.type, place(e, feature, inPitch), in(e, feature));
    size_t position = 0;
    for (int64_t i = 0; i < (product.isTiedA ? 1 : a); ++i)
      for (int64_t j = 0; j < (product.isTiedD ? 1 : d); ++j)
        for (int64_t r = 0; r < n; ++r)
          for (int64_t k = 0; k < m; ++k)
            write(weights, product.type, position++, weight(i, r, k, j));
    for (int64_t e = 0; e < batch; ++e)
      for (int64_t row = 0; row < a * n * d; ++row) {
        int64_t i = row / (n * d), r = row / d % n, j = row % d;
        int sum = 0;
        for (int64_t k = 0; k < m; ++k)
          sum += in(e, (i * m + k) * d + j) * weight(i, r, k, j);
        write(expected, product.type, place(e, row, outPitch), sum);
      }
  }
};

TEST_F(LibraryBlocksTest, ComputesWhatThePatternSays) {
  getFakeDriver().knowsAllMemory = true;
  getFakeCublasLt().computes = true;
  std::mt19937 random(5);
  for (int number = 0; number < 200; ++number) {
    BlocksCase c(random);
    const LibraryProduct &p = c.product;
    load(makeLibraryArtifact(p));
    std::vector<int64_t> inShape{c.batch, p.a * p.m * p.d},
        outShape{c.batch, p.a * p.n * p.d};
    if (!p.isBatchFirst) {
      std::swap(inShape[0], inShape[1]);
      std::swap(outShape[0], outShape[1]);
    }
    alignas(256) static char packed[4096];
    ASSERT_LE(c.weights.size(), sizeof(packed));
    std::memcpy(packed, c.weights.data(), c.weights.size());
    TestBuffer x{reinterpret_cast<uintptr_t>(c.input.data()),
                 p.type,
                 inShape,
                 {c.inPitch, 1}};
    TestBuffer y{reinterpret_cast<uintptr_t>(c.result.data()),
                 p.type,
                 outShape,
                 {c.outPitch, 1}};
    KsBuffer arrays[] = {x.buffer, y.buffer};
    expectSuccess(layer->run(packed, arrays, 2,
                             reinterpret_cast<void *>(workspaceAddress),
                             1 << 20, stream));
    ASSERT_EQ(c.result, c.expected)
        << "(" << p.a << ", " << p.n << ", " << p.m << ", " << p.d << ") batch "
        << c.batch << ", type " << p.type << ", batch-first " << p.isBatchFirst
        << ", tied " << p.isTiedA << p.isTiedD;
  }
}

//===----------------------------------------------------------------------===//
// Artefacts
//===----------------------------------------------------------------------===//

TEST_F(LibraryBlocksTest, IsKeptInArtefacts) {
  LibraryProduct product = makeBlocks(2, 4, 6, 3);
  product.isTiedD = true;
  Artifact artifact = makeLibraryArtifact(product), read;
  EXPECT_EQ(deserialize(serialize(artifact), read), "");
  EXPECT_EQ(read, artifact);
  EXPECT_TRUE(getProduct(read).product->isTiedD);
}

TEST_F(LibraryBlocksTest, RefusesInvalidArtefacts) {
  const std::pair<const char *, std::function<void(Artifact &)>> faults[] = {
      {"its pattern is (0, 4, 6, 3), expected sizes from 1 to 2147483647",
       [](Artifact &a) { getProduct(a).product->a = 0; }},
      {"its pattern is (2, 4, 6, -3), expected sizes",
       [](Artifact &a) { getProduct(a).product->d = -3; }},
      {"its pattern is (2, 4, 6, 2147483648), expected sizes",
       [](Artifact &a) { getProduct(a).product->d = int64_t(1) << 31; }},
      {"its pattern is (2147483647, 4, 6, 2147483647), expected features and "
       "bytes that can be counted",
       [](Artifact &a) {
         getProduct(a).product->a = getProduct(a).product->d = INT32_MAX;
       }},
      {"its pattern is (2147483647, 4, 2147483647, 2147483647), expected "
       "features and bytes",
       [](Artifact &a) {
         LibraryProduct &product = *getProduct(a).product;
         product.a = product.m = product.d = INT32_MAX;
         product.isTiedA = product.isTiedD = true;
       }},
      {"and its layout batch-first, expected 1 as the last size, or batch-last",
       [](Artifact &a) { getProduct(a).product->isBatchFirst = true; }},
      {"array 'x' is no matrix of type f16 with 24 features",
       [](Artifact &a) { getProduct(a).product->d = 2; }},
      {"array 'y' is no matrix of type f16 with 30 features",
       [](Artifact &a) { getProduct(a).product->n = 5; }},
      {"its weights have 286 bytes, expected at least 288",
       [](Artifact &a) { a.targets[0].packed[0].shape[0] = {143, 0}; }},
      {"its weights have 94 bytes, expected at least 96",
       [](Artifact &a) {
         getProduct(a).product->isTiedD = true;
         a.targets[0].packed[0].shape[0] = {47, 0};
       }},
      {"array 'x' has more bytes for batch 4611686018427387904 than can be "
       "counted",
       [](Artifact &a) {
         a.targets[0].variants[0].minBatch = int64_t(1) << 62;
       }}};
  for (const auto &[text, apply] : faults) {
    Artifact artifact = makeLibraryArtifact(makeBlocks(2, 4, 6, 3)), read;
    apply(artifact);
    std::string error = deserialize(serialize(artifact), read);
    EXPECT_NE(error.find(text), std::string::npos)
        << "'" << text << "' is not in: " << error;
  }
}

} // namespace
