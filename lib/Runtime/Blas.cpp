//===- Blas.cpp - Dense products by the host's BLAS -----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Runtime/Blas.h"

#include "BlasFunctions.h"
#include "SharedLibraries.h"
#include "Text.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include <dlfcn.h>

using namespace ks;
using namespace ks::blas;

static_assert(std::endian::native == std::endian::little,
              "integers of 64 bits are read as 32 bits; see Gemm");

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

Gemm<float> getGemm(const Functions &functions, float) {
  return functions.sgemm;
}
Gemm<double> getGemm(const Functions &functions, double) {
  return functions.dgemm;
}

/// The pitch of a matrix of `rows` rows of `width` elements; where there is
/// one row it does not matter, and may be anything. 0 if a BLAS has no room.
int64_t getPitch(int64_t pitch, int64_t rows, int64_t width) {
  if (rows == 1)
    pitch = width;
  return pitch >= width && pitch <= kMost ? pitch : 0;
}

/// Without a BLAS: for pitches that it cannot be told.
template <typename T> void multiplyPlainly(const Product<T> &p) {
  int64_t xEntry = p.isBatchFirst ? p.xPitch : 1;
  int64_t xFeature = p.isBatchFirst ? 1 : p.xPitch;
  int64_t yEntry = p.isBatchFirst ? p.yPitch : 1;
  int64_t yFeature = p.isBatchFirst ? 1 : p.yPitch;
  for (int64_t m = 0; m < p.batch; ++m)
    for (int64_t n = 0; n < p.b; ++n) {
      T sum = 0;
      for (int64_t k = 0; k < p.c; ++k)
        sum += p.w[n * p.c + k] * p.x[m * xEntry + k * xFeature];
      p.y[m * yEntry + n * yFeature] = sum;
    }
}

/// At most 2^31 - 1 entries of the batch. Row-major matrices are the transposes
/// of column-major ones: yᵀ = w xᵀ, and batch-last yᵀ = xᵀ wᵀ.
template <typename T>
void multiplyPart(const Functions &functions, const Product<T> &p) {
  int64_t xRows = p.isBatchFirst ? p.batch : p.c;
  int64_t yRows = p.isBatchFirst ? p.batch : p.b;
  int64_t xPitch = getPitch(p.xPitch, xRows, p.isBatchFirst ? p.c : p.batch);
  int64_t yPitch = getPitch(p.yPitch, yRows, p.isBatchFirst ? p.b : p.batch);
  if (xPitch == 0 || yPitch == 0 || std::max(p.b, p.c) > kMost)
    return multiplyPlainly(p);
  T one = 1, zero = 0;
  Gemm<T> gemm = getGemm(functions, T());
  if (p.isBatchFirst)
    gemm("T", "N", &p.b, &p.batch, &p.c, &one, p.w, &p.c, p.x, &xPitch, &zero,
         p.y, &yPitch, 1, 1);
  else
    gemm("N", "N", &p.batch, &p.b, &p.c, &one, p.x, &xPitch, p.w, &p.c, &zero,
         p.y, &yPitch, 1, 1);
}

template <typename T>
void multiplyAll(const Functions &functions, Product<T> p) {
  constexpr int64_t kPart = int64_t{1} << 30;
  int64_t xEntry = p.isBatchFirst ? p.xPitch : 1;
  int64_t yEntry = p.isBatchFirst ? p.yPitch : 1;
  for (int64_t rest = p.batch; rest > 0; rest -= p.batch) {
    p.batch = std::min(rest, kPart);
    multiplyPart(functions, p);
    p.x += p.batch * xEntry;
    p.y += p.batch * yEntry;
  }
}

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

/// Whether the library multiplies as it should: one with other conventions, or
/// one that reads what it is to overwrite, is none of ours.
template <typename T> bool multipliesRight(const Functions &functions) {
  const T x[] = {1, 2, 3, 0, 4, 5, 6, 0}, w[] = {1, 0, 2, 0, 3, 1};
  constexpr T nan = std::numeric_limits<T>::quiet_NaN();
  T first[] = {nan, nan, nan, nan, nan}, last[] = {nan, nan, nan, nan, nan};
  multiplyPart<T>(functions, {x, 4, w, first, 3, 2, 2, 3, true});
  // The same numbers as w (2×3) by x (3×2).
  const T columns[] = {1, 4, 0, 2, 5, 0, 3, 6};
  multiplyPart<T>(functions, {columns, 3, w, last, 3, 2, 2, 3, false});
  bool isFirstRight = first[0] == 7 && first[1] == 9 && std::isnan(first[2]) &&
                      first[3] == 16 && first[4] == 21;
  bool isLastRight = last[0] == 7 && last[1] == 16 && std::isnan(last[2]) &&
                     last[3] == 9 && last[4] == 21;
  return isFirstRight && isLastRight;
}

/// "OpenBLAS 0.3.21" of an OpenBLAS; else the path.
std::string findName(void *library, const char *path) {
  using GetConfig = const char *(*)();
  auto getConfig =
      reinterpret_cast<GetConfig>(dlsym(library, "openblas_get_config"));
  const char *config = getConfig ? getConfig() : nullptr;
  if (!config)
    return concat("BLAS ", path);
  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
  std::string_view text = config;
  size_t end = text.find(' ', std::min(text.size(), text.find(' ') + 1));
  return std::string(text.substr(0, end));
}

/// The kernels for an old machine that an OpenBLAS fell back to as it does not
/// know this one; "" if it did not. They are several times slower than ours.
std::string findOldKernels([[maybe_unused]] void *library) {
#if defined(__x86_64__)
  using GetCore = const char *(*)();
  auto getCore =
      reinterpret_cast<GetCore>(dlsym(library, "openblas_get_corename"));
  const char *core = getCore ? getCore() : nullptr;
  if (core && __builtin_cpu_supports("avx2"))
    for (std::string_view old :
         {"Prescott", "Core2", "Nehalem", "Barcelona", "Opteron", "Generic"})
      if (old == core)
        return core;
#endif
  return "";
}

/// What is wrong with the library at `path`; "" if nothing is.
std::string openAt(const char *path, bool isAsked, Functions &functions) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    return concat("no BLAS could be opened: ", reason ? reason : path,
                  "; install OpenBLAS (Debian: libopenblas0), or set KS_BLAS "
                  "to the path of a BLAS");
  }
  std::string complaint;
  functions.sgemm = reinterpret_cast<Gemm<float>>(dlsym(library, "sgemm_"));
  functions.dgemm = reinterpret_cast<Gemm<double>>(dlsym(library, "dgemm_"));
  functions.name = findName(library, path);
  std::string oldKernels = findOldKernels(library);
  if (!functions.sgemm || !functions.dgemm)
    complaint = concat("the BLAS '", path, "' lacks the function ",
                       functions.sgemm ? "dgemm_" : "sgemm_",
                       "; expected a library with those of Fortran");
  else if (!multipliesRight<float>(functions) ||
           !multipliesRight<double>(functions))
    complaint = concat("the BLAS '", path,
                       "' multiplies two small matrices wrongly; "
                       "expected sgemm_ and dgemm_ as Fortran calls them");
  else if (!isAsked && !oldKernels.empty())
    complaint = concat(functions.name,
                       " does not know this processor and has "
                       "its kernels for ",
                       oldKernels,
                       "; install a newer one, set OPENBLAS_CORETYPE, or set "
                       "KS_BLAS to its path to use it all the same");
  if (!complaint.empty())
    dlclose(library);
  return complaint;
}

} // namespace

std::string ks::blas::open(Functions &functions, bool &isAsked) {
  AskedLibrary asked("KS_BLAS");
  isAsked = asked.path;
  if (asked.isNone)
    return "no BLAS is used: KS_BLAS is none";
  if (isAsked)
    return openAt(asked.path, isAsked, functions);
  std::string first;
  for (const char *name :
       {"libopenblas.so.0", "libblis.so.4", "libmkl_rt.so.2"}) {
    std::string complaint = openAt(name, isAsked, functions);
    if (complaint.empty())
      return "";
    if (first.empty())
      first = complaint;
  }
  return first;
}

void ks::blas::multiply(const Functions &functions, Product<float> product) {
  multiplyAll(functions, product);
}

void ks::blas::multiply(const Functions &functions, Product<double> product) {
  multiplyAll(functions, product);
}

//===----------------------------------------------------------------------===//
// The BLAS of this process
//===----------------------------------------------------------------------===//

namespace {
struct Opened {
  Functions functions;
  Blas blas;

  Opened() {
    blas.note = open(functions, blas.isAsked);
    if (blas.note.empty())
      blas.name = functions.name;
  }
};

/// Never destroyed: compiled code may run in the destructors of a program.
const Opened &getOpened() {
  static const auto *opened = new Opened;
  return *opened;
}
} // namespace

const Blas &ks::getBlas() { return getOpened().blas; }

extern "C" int32_t ksHasBlas(void) {
  const Blas &blas = getBlas();
  if (blas.isAsked && !blas.note.empty()) {
    std::fprintf(stderr, "ks: error: %s\n", blas.note.c_str());
    std::abort();
  }
  return blas.note.empty();
}

extern "C" void ksBlasProductF32(const float *x, int64_t xPitch, const float *w,
                                 float *y, int64_t yPitch, int64_t batch,
                                 int64_t b, int64_t c, int32_t isBatchFirst) {
  multiply(getOpened().functions, Product<float>{x, xPitch, w, y, yPitch, batch,
                                                 b, c, isBatchFirst != 0});
}

extern "C" void ksBlasProductF64(const double *x, int64_t xPitch,
                                 const double *w, double *y, int64_t yPitch,
                                 int64_t batch, int64_t b, int64_t c,
                                 int32_t isBatchFirst) {
  multiply(
      getOpened().functions,
      Product<double>{x, xPitch, w, y, yPitch, batch, b, c, isBatchFirst != 0});
}
