//===- LibraryTestUtil.h - What tests of libraries share --------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_TEST_UNIT_RUNTIME_LIBRARYTESTUTIL_H
#define KS_TEST_UNIT_RUNTIME_LIBRARYTESTUTIL_H

#include "FakeCublasLt.h"
#include "LayerTestUtil.h"

#include <cstring>

namespace ks {

/// A layer with inputs x and y, whose only launch is a library's product, or
/// kernel `own`; weights are packed by `copy` or by `pack`.
inline Artifact makeLibraryArtifact(const LibraryProduct &product) {
  using Kind = Operand::Kind;
  KsElementType type = product.type;
  auto shape = [&](int64_t rows) {
    std::vector<Size> sizes = {{0, 1}, {product.a * rows * product.d, 0}};
    if (!product.isBatchFirst)
      std::swap(sizes[0], sizes[1]);
    return sizes;
  };
  int64_t i = product.isTiedA ? 1 : product.a,
          j = product.isTiedD ? 1 : product.d;
  int64_t elements = i * j * product.n * product.m;
  Artifact artifact;
  artifact.entry = "dense";
  artifact.arguments = {
      {{"x", type, shape(product.m)}, Role::Input},
      {{"w", type, {{i, 0}, {product.n, 0}, {product.m, 0}, {j, 0}}},
       Role::Weight},
      {{"y", type, shape(product.n)}, Role::Result}};
  TargetCode target;
  target.ptx = "ptx copy pack own";
  target.packed = {{"p0", type, {{std::max<int64_t>(64, elements), 0}}}};
  Launch copy{"copy", 0, 1, 256, 1, 0, {}};
  copy.operands = {descriptor(Kind::Argument, 1), descriptor(Kind::Packed, 0)};
  copy.condition = Condition::WithLibrary;
  Launch pack = copy;
  pack.kernel = "pack";
  pack.condition = Condition::WithoutLibrary;
  target.pack = {copy, pack};

  Launch launch;
  launch.operands = {descriptor(Kind::Argument, 0), descriptor(Kind::Packed, 0),
                     descriptor(Kind::Argument, 2)};
  launch.condition = Condition::WithLibrary;
  launch.product = product;
  Launch own{"own", 0, 3, 64, 1, 0, launch.operands};
  own.condition = Condition::WithoutLibrary;
  target.variants = {{0, INT64_MAX, "plan", {}, {launch, own}}};
  artifact.targets = {target};
  return artifact;
}

inline Launch &getProduct(Artifact &artifact) {
  return artifact.targets[0].variants[0].launches[0];
}

class LibraryTest : public FakeDriverTest {
protected:
  void SetUp() override {
    FakeDriverTest::SetUp();
    getFakeCublasLt() = FakeCublasLt();
    setenv("KS_CUBLASLT", KS_FAKE_CUBLASLT, /*overwrite=*/1);
  }
  void TearDown() override {
    layer.reset();
    EXPECT_EQ(getFakeCublasLt().numHandles, 0);
    EXPECT_EQ(getFakeCublasLt().numObjects, 0);
    EXPECT_EQ(getFakeCublasLt().numMisuses, 0);
    unsetenv("KS_CUBLASLT");
    FakeDriverTest::TearDown();
  }

  void load(const Artifact &artifact) {
    expectSuccess(Layer::load(serialize(artifact), layer));
  }

  std::unique_ptr<Layer> layer;
  KsStream stream = reinterpret_cast<KsStream>(0x77);
};

/// Small whole numbers as elements, exact in all types.
inline void write(std::vector<char> &bytes, KsElementType type, size_t place,
                  int value) {
  auto put = [&](auto bits) {
    std::memcpy(bytes.data() + place * sizeof(bits), &bits, sizeof(bits));
  };
  auto number = static_cast<float>(value);
  uint32_t single = 0;
  std::memcpy(&single, &number, sizeof(single));
  if (type == KS_F64)
    return put(double(value));
  if (type == KS_F32)
    return put(number);
  if (type == KS_BF16)
    return put(uint16_t(single >> 16));
  uint32_t exponent = single >> 23 & 255;
  put(uint16_t(value == 0 ? 0
                          : single >> 31 << 15 | (exponent - 112) << 10 |
                                (single >> 13 & 1023)));
}

} // namespace ks

#endif // KS_TEST_UNIT_RUNTIME_LIBRARYTESTUTIL_H
