//===- Rounding.h - Whole pieces of sizes -----------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_ANALYSIS_ROUNDING_H
#define KS_LIB_ANALYSIS_ROUNDING_H

#include <cstdint>

namespace ks {

/// How many pieces of `unit` cover `size`, neither of which is negative; and
/// what they are together.
inline int64_t divideUp(int64_t size, int64_t unit) {
  return (size + unit - 1) / unit;
}
inline int64_t roundUp(int64_t size, int64_t unit) {
  return divideUp(size, unit) * unit;
}

} // namespace ks

#endif // KS_LIB_ANALYSIS_ROUNDING_H
