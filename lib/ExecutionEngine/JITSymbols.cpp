//===- JITSymbols.cpp - What compiled code calls --------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "JITSymbols.h"

#include "ks/Runtime/Blas.h"
#include "ks/Runtime/Scratch.h"
#include "ks/Runtime/ThreadPool.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace ks;

namespace {

/// Picks one overload of an overloaded function.
template <typename Function> void *address(Function *function) {
  return reinterpret_cast<void *>(function);
}

struct Symbol {
  const char *name;
  void *address;
};

#define KS_UNARY(name)                                                         \
  {#name, address<double(double)>(::name)}, {                                  \
    #name "f", address<float(float)>(::name##f)                                \
  }
#define KS_BINARY(name)                                                        \
  {#name, address<double(double, double)>(::name)}, {                          \
    #name "f", address<float(float, float)>(::name##f)                         \
  }

const Symbol kSymbols[] = {
    {"ksParallelFor", address(ksParallelFor)},
    {"ksHasBlas", address(ksHasBlas)},
    {"ksBlasProductF32", address(ksBlasProductF32)},
    {"ksBlasProductF64", address(ksBlasProductF64)},
    // Memory; the first two are what memref.alloc and memref.dealloc call.
    {"_mlir_memref_to_llvm_alloc", address(ksScratchAlloc)},
    {"_mlir_memref_to_llvm_free", address(ksScratchFree)},
    {"memcpy", address<void *(void *, const void *, size_t)>(::memcpy)},
    {"memmove", address<void *(void *, const void *, size_t)>(::memmove)},
    {"memset", address<void *(void *, int, size_t)>(::memset)},
    // What math ops in epilogues become.
    KS_UNARY(acos),
    KS_UNARY(acosh),
    KS_UNARY(asin),
    KS_UNARY(asinh),
    KS_UNARY(atan),
    KS_UNARY(atanh),
    KS_UNARY(cbrt),
    KS_UNARY(ceil),
    KS_UNARY(cos),
    KS_UNARY(cosh),
    KS_UNARY(erf),
    KS_UNARY(erfc),
    KS_UNARY(exp),
    KS_UNARY(exp2),
    KS_UNARY(expm1),
    KS_UNARY(floor),
    KS_UNARY(log),
    KS_UNARY(log10),
    KS_UNARY(log1p),
    KS_UNARY(log2),
    KS_UNARY(rint),
    KS_UNARY(round),
    KS_UNARY(roundeven),
    KS_UNARY(sin),
    KS_UNARY(sinh),
    KS_UNARY(sqrt),
    KS_UNARY(tan),
    KS_UNARY(tanh),
    KS_UNARY(trunc),
    KS_BINARY(atan2),
    KS_BINARY(fmod),
    KS_BINARY(pow),
    KS_BINARY(fmin),
    KS_BINARY(fmax),
    KS_BINARY(copysign),
    {"fma", address<double(double, double, double)>(::fma)},
    {"fmaf", address<float(float, float, float)>(::fmaf)},
};

#undef KS_UNARY
#undef KS_BINARY

} // namespace

llvm::orc::SymbolMap ks::getJITSymbols(llvm::orc::MangleAndInterner interner) {
  llvm::orc::SymbolMap map;
  for (const Symbol &symbol : kSymbols)
    map[interner(symbol.name)] = {
        llvm::orc::ExecutorAddr::fromPtr(symbol.address),
        llvm::JITSymbolFlags::Exported};
  return map;
}
