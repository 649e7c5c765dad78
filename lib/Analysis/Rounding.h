//===- Rounding.h - Whole pieces of sizes -----------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_ANALYSIS_ROUNDING_H
#define KS_LIB_ANALYSIS_ROUNDING_H

#include <algorithm>
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

/// The largest divisor of `number` that is at most `most`; 1 at least.
inline int64_t getLargestDivisor(int64_t number, int64_t most) {
  int64_t divisor = std::min(number, std::max<int64_t>(1, most));
  while (number % divisor != 0)
    --divisor;
  return divisor;
}

} // namespace ks

#endif // KS_LIB_ANALYSIS_ROUNDING_H
