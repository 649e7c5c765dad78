//===- LibraryTest.cpp - Tests of dense products by cublasLt --------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LibraryTestUtil.h"

#include <cstring>
#include <functional>
#include <thread>

using namespace ks;

namespace {

using Kind = Operand::Kind;
constexpr int notSupported = 15;

/// x[batch, 6] and y[batch, 4], or, batch-last, x[6, batch] and y[4, batch].
Artifact makeDense(KsElementType type = KS_F16, bool isBatchFirst = true,
                   bool isTF32 = false) {
  return makeLibraryArtifact(
      {1, 4, 6, 1, false, false, type, isBatchFirst, isTF32});
}

class DenseLibraryTest : public LibraryTest {
protected:
  void load(const Artifact &artifact = makeDense()) {
    LibraryTest::load(artifact);
  }

  Status run() {
    size_t bytes = 0;
    expectSuccess(layer->getWorkspaceBytes(x.shape[0], bytes));
    KsBuffer arrays[] = {x.buffer, y.buffer};
    return layer->run(reinterpret_cast<void *>(packedAddress), arrays, 2,
                      reinterpret_cast<void *>(workspaceAddress), bytes,
                      stream);
  }

  void setBatch(int64_t batch) { x.shape[0] = y.shape[0] = batch; }

  std::vector<std::string> getKernels() {
    std::vector<std::string> names;
    for (const FakeLaunch &launch : getFakeDriver().launches)
      names.push_back(launch.kernel);
    return names;
  }

  TestBuffer x{xAddress, KS_F16, {10, 6}, {8, 1}};
  TestBuffer y{yAddress, KS_F16, {10, 4}, {5, 1}};
  TestBuffer w{wAddress, KS_F16, {1, 4, 6, 1}};
};

//===----------------------------------------------------------------------===//
// What is called
//===----------------------------------------------------------------------===//

TEST_F(DenseLibraryTest, ComputesInPlaceOfTheKernel) {
  load();
  EXPECT_EQ(layer->getLibraryName(), "cublasLt 13.1.0");
  EXPECT_EQ(layer->getNote(), "");
  expectSuccess(layer->pack(&w.buffer, 1,
                            reinterpret_cast<void *>(packedAddress),
                            layer->getPackedBytes(), stream));
  EXPECT_EQ(getKernels(), std::vector<std::string>{"copy"});
  expectSuccess(run());
  EXPECT_EQ(getKernels(), std::vector<std::string>{"copy"});

  ASSERT_EQ(getFakeCublasLt().products.size(), 1u);
  const FakeMatmul &call = getFakeCublasLt().products[0];
  EXPECT_EQ(call.computeType, 68); // CUBLAS_COMPUTE_32F
  EXPECT_EQ(call.scaleType, 0);    // CUDA_R_32F
  EXPECT_EQ(call.stream, stream);
  // W, 4 x 6 by rows, is 6 x 4 by columns.
  EXPECT_TRUE(call.isTransposedA);
  EXPECT_FALSE(call.isTransposedB);
  EXPECT_EQ(call.a.rows, 6u);
  EXPECT_EQ(call.a.columns, 4u);
  EXPECT_EQ(call.a.pitch, 6);
  EXPECT_EQ(call.a.data, reinterpret_cast<void *>(packedAddress));
  EXPECT_EQ(call.b.rows, 6u);
  EXPECT_EQ(call.b.columns, 10u);
  EXPECT_EQ(call.b.pitch, 8);
  EXPECT_EQ(call.d.rows, 4u);
  EXPECT_EQ(call.d.columns, 10u);
  EXPECT_EQ(call.d.pitch, 5);
  EXPECT_EQ(call.workspace, reinterpret_cast<void *>(workspaceAddress));
  EXPECT_EQ(call.workspaceBytes, 16u * 4 * 10 * 4);

  // Sums are not rounded to f16 on their way.
  const FakeSearch &search = getFakeCublasLt().searches.back();
  EXPECT_EQ(search.reductions, 2u); // COMPUTE_TYPE
  EXPECT_EQ(search.workspaceBytes, call.workspaceBytes);
}

TEST_F(DenseLibraryTest, WorksBehindTheArraysOfTheWorkspace) {
  Artifact artifact = makeDense();
  Variant &variant = artifact.targets[0].variants[0];
  variant.workspace = {{"t0", KS_F16, {{0, 1}, {4, 0}}}};
  variant.launches[0].operands[2] = descriptor(Kind::Workspace, 0);
  load(artifact);
  size_t bytes = 0;
  expectSuccess(layer->getWorkspaceBytes(100, bytes));
  EXPECT_EQ(bytes, 1024u + 25600u);
  expectSuccess(layer->getWorkspaceBytes(1 << 30, bytes));
  EXPECT_EQ(bytes, (size_t(8) << 30) + (size_t(32) << 20));
  setBatch(100);
  expectSuccess(run());
  const FakeMatmul &call = getFakeCublasLt().products.at(0);
  EXPECT_EQ(call.d.data, reinterpret_cast<void *>(workspaceAddress));
  EXPECT_EQ(call.workspace, reinterpret_cast<void *>(workspaceAddress + 1024));
}

TEST_F(DenseLibraryTest, LooksForAnAlgorithmOncePerShape) {
  load();
  int before = getFakeCublasLt().numSearches;
  auto expectSearches = [&](int count) {
    expectSuccess(run());
    EXPECT_EQ(getFakeCublasLt().numSearches - before, count);
  };
  expectSearches(1);
  expectSearches(1);
  setBatch(11);
  expectSearches(2);
  x.strides[0] = 9;
  expectSearches(3);
  y.buffer.data = reinterpret_cast<void *>(yAddress + 2);
  expectSearches(4);
  const FakeSearch &search = getFakeCublasLt().searches.back();
  EXPECT_EQ(search.alignments[0], 256u);
  EXPECT_EQ(search.alignments[1], 256u);
  EXPECT_EQ(search.alignments[2], 2u);
  EXPECT_EQ(search.alignments[3], 2u);
  setBatch(10);
  x.strides[0] = 8;
  y.buffer.data = reinterpret_cast<void *>(yAddress);
  expectSearches(4);
  // It forgets what was long ago.
  for (int64_t batch = 20; batch < 200; ++batch) {
    setBatch(batch);
    expectSuccess(run());
  }
  EXPECT_EQ(getFakeCublasLt().numSearches - before, 184);
  EXPECT_LE(getFakeCublasLt().numObjects, 4 * 64);
  setBatch(10);
  expectSearches(185);
  expectSearches(185);
}

TEST_F(DenseLibraryTest, DoesNothingForNoBatch) {
  load();
  setBatch(0);
  expectSuccess(run());
  EXPECT_EQ(getFakeCublasLt().numProducts, 0);
}

TEST_F(DenseLibraryTest, CanBeCaptured) {
  load();
  getFakeDriver().capturingStream = stream;
  size_t allocated = getFakeDriver().allocatedBytes;
  int waits = getFakeDriver().numSynchronizations;
  expectSuccess(run());
  expectSuccess(run());
  EXPECT_EQ(getFakeCublasLt().numProducts, 2);
  EXPECT_EQ(getFakeDriver().allocatedBytes, allocated);
  EXPECT_EQ(getFakeDriver().numSynchronizations, waits);
}

TEST_F(DenseLibraryTest, RunsFromSeveralThreads) {
  load();
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number)
    threads.emplace_back([this, number] {
      for (int64_t turn = 0; turn < 200; ++turn) {
        TestBuffer input{xAddress, KS_F16, {1 + turn % 90 + number, 6}};
        TestBuffer result{yAddress, KS_F16, {1 + turn % 90 + number, 4}};
        KsBuffer arrays[] = {input.buffer, result.buffer};
        expectSuccess(layer->run(reinterpret_cast<void *>(packedAddress),
                                 arrays, 2,
                                 reinterpret_cast<void *>(workspaceAddress),
                                 size_t(64) << 20, stream));
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(getFakeCublasLt().numProducts, 800);
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

TEST_F(DenseLibraryTest, ComputesAllTypesAndLayouts) {
  constexpr int64_t batch = 5, m = 6, n = 4, inPitch = 9, outPitch = 8;
  getFakeDriver().knowsAllMemory = true;
  getFakeCublasLt().computes = true;
  for (KsElementType type : {KS_F16, KS_BF16, KS_F32, KS_F64})
    for (bool first : {true, false})
      for (bool isTF32 : {false, true}) {
        if (isTF32 && type != KS_F32)
          continue;
        load(makeDense(type, first, isTF32));
        auto place = [&](int64_t entry, int64_t feature, int64_t pitch) {
          return first ? entry * pitch + feature : feature * pitch + entry;
        };
        auto in = [](int64_t e, int64_t k) {
          return int(e * 3 + k * 5) % 7 - 3;
        };
        auto weight = [](int64_t r, int64_t k) {
          return int(r + 2 * k) % 5 - 2;
        };
        std::vector<char> input(512), result(512, 'z'), expected(512, 'z');
        alignas(256) static char packed[256];
        std::vector<char> matrix(256);
        for (int64_t e = 0; e < batch; ++e)
          for (int64_t k = 0; k < m; ++k)
            write(input, type, place(e, k, inPitch), in(e, k));
        for (int64_t r = 0; r < n; ++r)
          for (int64_t k = 0; k < m; ++k)
            write(matrix, type, r * m + k, weight(r, k));
        std::memcpy(packed, matrix.data(), matrix.size());
        for (int64_t e = 0; e < batch; ++e)
          for (int64_t r = 0; r < n; ++r) {
            int sum = 0;
            for (int64_t k = 0; k < m; ++k)
              sum += in(e, k) * weight(r, k);
            write(expected, type, place(e, r, outPitch), sum);
          }
        auto address = [](std::vector<char> &bytes) {
          return reinterpret_cast<uintptr_t>(bytes.data());
        };
        std::vector<int64_t> inShape{batch, m}, outShape{batch, n};
        if (!first) {
          std::swap(inShape[0], inShape[1]);
          std::swap(outShape[0], outShape[1]);
        }
        TestBuffer source{address(input), type, inShape, {inPitch, 1}};
        TestBuffer target{address(result), type, outShape, {outPitch, 1}};
        KsBuffer arrays[] = {source.buffer, target.buffer};
        expectSuccess(layer->run(packed, arrays, 2,
                                 reinterpret_cast<void *>(workspaceAddress),
                                 1 << 20, stream));
        EXPECT_EQ(result, expected) << type << first << isTF32;
        const FakeMatmul &call = getFakeCublasLt().products.back();
        EXPECT_EQ(call.computeType, type == KS_F64 ? 70 : isTF32 ? 77 : 68);
        EXPECT_EQ(call.scaleType, type == KS_F64 ? 1 : 0);
        constexpr int types[] = {2, 14, 0, 1};
        EXPECT_EQ(call.d.type, types[type]);
      }
}

//===----------------------------------------------------------------------===//
// Where it is not there, and where it fails
//===----------------------------------------------------------------------===//

TEST_F(DenseLibraryTest, IsReplacedByKernelsWhereItIsMissing) {
  setenv("KS_CUBLASLT", "none", /*overwrite=*/1);
  load();
  EXPECT_EQ(layer->getLibraryName(), "");
  EXPECT_NE(layer->getNote().find("KS_CUBLASLT is none"), std::string::npos);
  expectSuccess(layer->pack(&w.buffer, 1,
                            reinterpret_cast<void *>(packedAddress),
                            layer->getPackedBytes(), stream));
  expectSuccess(run());
  EXPECT_EQ(getKernels(), (std::vector<std::string>{"pack", "own"}));
  EXPECT_EQ(getFakeCublasLt().numProducts, 0);
  size_t bytes = 1;
  expectSuccess(layer->getWorkspaceBytes(100, bytes));
  EXPECT_EQ(bytes, 0u);
}

TEST_F(DenseLibraryTest, IsNotOpenedWithoutNeed) {
  setenv("KS_CUBLASLT", "/nowhere.so", /*overwrite=*/1);
  load(makeArtifact());
  EXPECT_EQ(layer->getLibraryName(), "");
  EXPECT_EQ(layer->getNote(), "");
}

TEST_F(DenseLibraryTest, MustBeThereIfItIsAskedFor) {
  std::string bytes = serialize(makeDense());
  setenv("KS_CUBLASLT", "/nowhere.so", /*overwrite=*/1);
  expectFailure(
      Layer::load(bytes, layer), KS_ERROR_NO_DRIVER,
      {"cublasLt could not be opened", "/nowhere.so", "set KS_CUBLASLT"});
  setenv("KS_CUBLASLT", KS_FAKE_BROKEN_CUBLASLT, /*overwrite=*/1);
  expectFailure(Layer::load(bytes, layer), KS_ERROR_NO_DRIVER,
                {"lacks the function cublasLtMatmulPreferenceDestroy"});
  setenv("KS_CUBLASLT", KS_FAKE_CUBLASLT, /*overwrite=*/1);
  getFakeCublasLt().createResult = 1;
  expectFailure(Layer::load(bytes, layer), KS_ERROR_CUDA,
                {"starting cublasLt failed with status 1"});
  getFakeCublasLt().createResult = 0;
  getFakeCublasLt().searchCount = 0;
  expectFailure(Layer::load(bytes, layer), KS_ERROR_CUDA,
                {"looking for an algorithm for batch 1 failed",
                 "CUBLAS_STATUS_NOT_SUPPORTED", "KS_CUBLASLT=none"});
  EXPECT_EQ(layer, nullptr);
}

TEST_F(DenseLibraryTest, SaysWhyItFails) {
  load();
  getFakeCublasLt().searchResult = notSupported;
  expectFailure(run(), KS_ERROR_CUDA,
                {"dense product with a 4 x 6 matrix of f16: looking for an "
                 "algorithm for batch 10 failed with status 15"});
  EXPECT_EQ(getFakeCublasLt().numProducts, 0);
  getFakeCublasLt().searchResult = 0;
  getFakeCublasLt().matmulResult = 13;
  expectFailure(run(), KS_ERROR_CUDA,
                {"launching it failed with status 13 of cublasLt"});
  getFakeCublasLt().matmulResult = 3;
  expectFailure(run(), KS_ERROR_OUT_OF_MEMORY, {"free memory"});
  getFakeCublasLt().matmulResult = 0;
  expectSuccess(run());
}

TEST_F(DenseLibraryTest, NeedsItsWorkspace) {
  load();
  KsBuffer arrays[] = {x.buffer, y.buffer};
  expectFailure(layer->run(reinterpret_cast<void *>(packedAddress), arrays, 2,
                           reinterpret_cast<void *>(workspaceAddress), 100,
                           stream),
                KS_ERROR_ARGUMENT,
                {"the workspace has 100 bytes, expected at least 2560"});
}

//===----------------------------------------------------------------------===//
// Artefacts
//===----------------------------------------------------------------------===//

TEST_F(DenseLibraryTest, IsKeptInArtefacts) {
  Artifact artifact = makeDense(KS_F32, /*isBatchFirst=*/false, true), read;
  EXPECT_EQ(deserialize(serialize(artifact), read), "");
  EXPECT_EQ(read, artifact);
  EXPECT_TRUE(read.targets[0].variants[0].hasLibraryProduct());
}

TEST_F(DenseLibraryTest, RefusesInvalidArtefacts) {
  const std::pair<const char *, std::function<void(Artifact &)>> faults[] = {
      {"launch 0 (library product): it is done without a library",
       [](Artifact &a) { getProduct(a).condition = Condition::Always; }},
      {"launch 0 (library product): it needs a library and is the last",
       [](Artifact &a) { a.targets[0].variants[0].launches.pop_back(); }},
      {"expected what is done without one behind it",
       [](Artifact &a) {
         a.targets[0].variants[0].launches[1].condition = Condition::Always;
       }},
      {"packing, launch 0 (library product): it is packing",
       [](Artifact &a) {
         a.targets[0].pack[0].product = getProduct(a).product;
       }},
      {"its elements are of type complex<f32>",
       [](Artifact &a) { getProduct(a).product->type = KS_C64; }},
      {"rounded to tf32 with elements of type f16, expected f32",
       [](Artifact &a) { getProduct(a).product->isTF32 = true; }},
      {"its pattern is (1, 0, 6, 1), expected sizes from 1 to 2147483647",
       [](Artifact &a) { getProduct(a).product->n = 0; }},
      {"its pattern is (1, 4, 2147483648, 1), expected sizes from 1 to",
       [](Artifact &a) { getProduct(a).product->m = int64_t(1) << 31; }},
      {"it has 2 operands, expected 3",
       [](Artifact &a) { getProduct(a).operands.pop_back(); }},
      {"operand 0: its index is 7",
       [](Artifact &a) { getProduct(a).operands[0].index = 7; }},
      {"array 'x' is no matrix of type f16 with 5 features",
       [](Artifact &a) { getProduct(a).product->m = 5; }},
      {"array 'y' is no matrix of type f16 with 3 features",
       [](Artifact &a) { getProduct(a).product->n = 3; }},
      {"array 'x' is no matrix",
       [](Artifact &a) { getProduct(a).product->isBatchFirst = false; }},
      {"array 'x' is no matrix of type bf16",
       [](Artifact &a) { getProduct(a).product->type = KS_BF16; }},
      {"batches of their own",
       [](Artifact &a) { a.arguments[2].array.shape[0] = {0, 2}; }},
      {"its weights are an argument",
       [](Artifact &a) {
         getProduct(a).operands[1] = descriptor(Kind::Argument, 0);
       }},
      {"its weights have 46 bytes, expected at least 48",
       [](Artifact &a) { a.targets[0].packed[0].shape[0] = {23, 0}; }}};
  for (const auto &[text, apply] : faults) {
    Artifact artifact = makeDense(), read;
    apply(artifact);
    std::string error = deserialize(serialize(artifact), read);
    EXPECT_NE(error.find(text), std::string::npos)
        << "'" << text << "' is not in: " << error;
  }
}

} // namespace
