//===- BlasTest.cpp - Tests of dense products by a BLAS -------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlasFunctions.h"

#include "ks/Runtime/Blas.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include <dlfcn.h>
#include <sys/mman.h>

using namespace ks;
using namespace ks::blas;

namespace {

class BlasTest : public testing::Test {
protected:
  void TearDown() override { unsetenv("KS_BLAS"); }

  /// What is wrong with the library at `path`, or "".
  std::string openAt(const char *path) {
    setenv("KS_BLAS", path, /*overwrite=*/1);
    return open(functions, isAsked);
  }
  void openFake() { ASSERT_EQ(openAt(KS_FAKE_BLAS), ""); }

  static int ask(const char *name) {
    void *library = dlopen(KS_FAKE_BLAS, RTLD_NOW | RTLD_LOCAL);
    return reinterpret_cast<int (*)()>(dlsym(library, name))();
  }

  /// Multiplies by the library and, in f64, by hand. Results are full of NaN
  /// before, and what lies between their rows has to stay so.
  template <typename T>
  void check(int64_t batch, int64_t b, int64_t c, bool isBatchFirst,
             int64_t xPad = 0, int64_t yPad = 0) {
    SCOPED_TRACE(testing::Message()
                 << batch << " entries, " << b << "x" << c << ", "
                 << (isBatchFirst ? "first" : "last") << ", " << sizeof(T));
    int64_t xRows = isBatchFirst ? batch : c, yRows = isBatchFirst ? batch : b;
    int64_t xPitch = (isBatchFirst ? c : batch) + xPad;
    int64_t yWidth = isBatchFirst ? b : batch, yPitch = yWidth + yPad;
    std::vector<T> x(xRows * std::max<int64_t>(xPitch, c) + batch + 1);
    std::vector<T> w(b * c);
    std::vector<T> y(yRows * yPitch + 1, std::numeric_limits<T>::quiet_NaN());
    for (size_t at = 0; at < x.size(); ++at)
      x[at] = static_cast<T>(static_cast<int>(at * 7 % 11) - 5) / 4;
    for (size_t at = 0; at < w.size(); ++at)
      w[at] = static_cast<T>(static_cast<int>(at * 5 % 13) - 6) / 8;
    multiply(functions, Product<T>{x.data(), xPitch, w.data(), y.data(), yPitch,
                                   batch, b, c, isBatchFirst});
    for (int64_t row = 0; row < yRows; ++row)
      for (int64_t at = 0; at < yPitch; ++at) {
        T got = y[row * yPitch + at];
        if (at >= yWidth) {
          ASSERT_TRUE(std::isnan(got));
          continue;
        }
        int64_t m = isBatchFirst ? row : at, n = isBatchFirst ? at : row;
        double expected = 0;
        for (int64_t k = 0; k < c; ++k)
          expected +=
              double(w[n * c + k]) *
              double(isBatchFirst ? x[m * xPitch + k] : x[k * xPitch + m]);
        ASSERT_NEAR(got, expected, 1e-4) << m << ", " << n;
      }
    ASSERT_TRUE(std::isnan(y.back()));
  }

  void checkAll() {
    for (bool isBatchFirst : {true, false})
      for (int64_t batch : {0, 1, 2, 37})
        for (int64_t pad : {0, 3}) {
          check<float>(batch, 5, 19, isBatchFirst, pad, 2 * pad);
          check<double>(batch, 17, 3, isBatchFirst, pad, pad);
          check<float>(batch, 1, 1, isBatchFirst, pad, pad);
        }
  }

  Functions functions;
  bool isAsked = false;
};

TEST_F(BlasTest, Multiplies) {
  openFake();
  EXPECT_TRUE(isAsked);
  EXPECT_EQ(functions.name, "OpenBLAS 9.8.7");
  int before = ask("fakeBlasCalls");
  checkAll();
  // Two layouts, three batches that are not empty, two pitches, three products.
  EXPECT_EQ(ask("fakeBlasCalls"), before + 2 * 3 * 2 * 3);
  EXPECT_EQ(ask("fakeBlasMisuses"), 0);
}

TEST_F(BlasTest, MultipliesByRealOnes) {
  unsigned count = 0;
  for (const char *name :
       {"libopenblas.so.0", "libblis.so.4", "libmkl_rt.so.2", "libblas.so.3"}) {
    SCOPED_TRACE(name);
    if (!openAt(name).empty())
      continue;
    ++count;
    checkAll();
    check<float>(130, 260, 515, true, 1, 0);
    check<double>(130, 260, 515, false, 1, 0);
  }
  if (count == 0)
    GTEST_SKIP() << "no BLAS is installed";
}

// One row for all entries, and rows that overlap: no BLAS takes these.
TEST_F(BlasTest, MultipliesRowsThatOverlap) {
  openFake();
  int before = ask("fakeBlasCalls");
  for (int64_t pitch : {0, 2}) {
    check<float>(6, 4, 5, true, pitch - 5);
    check<double>(6, 4, 5, false, pitch - 6);
  }
  EXPECT_EQ(ask("fakeBlasCalls"), before);
  // The pitch of a single row does not matter.
  check<float>(1, 4, 5, true, -5);
  EXPECT_EQ(ask("fakeBlasCalls"), before + 1);
  EXPECT_EQ(ask("fakeBlasMisuses"), 0);
}

TEST_F(BlasTest, MultipliesRowsThatAreFarApart) {
  openFake();
  constexpr int64_t pitch = (int64_t{1} << 31) + 5;
  size_t bytes = (pitch + 16) * sizeof(float);
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    GTEST_SKIP() << "no address space for 8 GiB";
  auto *x = static_cast<float *>(memory);
  x[0] = 1, x[1] = 2, x[pitch] = 3, x[pitch + 1] = 4;
  const float w[] = {10, 1};
  float y[2];
  multiply(functions, Product<float>{x, pitch, w, y, 1, 2, 1, 2, true});
  EXPECT_EQ(y[0], 12);
  EXPECT_EQ(y[1], 34);
  munmap(memory, bytes);
}

TEST_F(BlasTest, SaysWhyThereIsNone) {
  EXPECT_EQ(openAt("none"), "no BLAS is used: KS_BLAS is none");
  EXPECT_FALSE(isAsked);
  EXPECT_NE(openAt("/nowhere/libblas.so").find("no BLAS could be opened"),
            std::string::npos);
  EXPECT_TRUE(isAsked);
  EXPECT_NE(openAt(KS_FAKE_BROKEN_BLAS).find("lacks the function dgemm_"),
            std::string::npos);
  EXPECT_NE(openAt(KS_FAKE_WRONG_BLAS)
                .find("multiplies two small matrices "
                      "wrongly"),
            std::string::npos);
  // Slow as it may be: it was asked for.
  EXPECT_EQ(openAt(KS_FAKE_OLD_BLAS), "");
}

TEST_F(BlasTest, EndsTheProcessWithoutTheOneThatIsAskedFor) {
  // The answer of a process is kept: each has one of its own.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  setenv("KS_BLAS", "/nowhere/libblas.so", 1);
  EXPECT_DEATH(ksHasBlas(), "ks: error: no BLAS could be opened");
  setenv("KS_BLAS", "none", 1);
  EXPECT_EXIT(std::exit(ksHasBlas()), testing::ExitedWithCode(0), "");
  setenv("KS_BLAS", KS_FAKE_BLAS, 1);
  EXPECT_EXIT(std::exit(ksHasBlas() && getBlas().name == "OpenBLAS 9.8.7"),
              testing::ExitedWithCode(1), "");
}

} // namespace
