//===- SplitFloat.h - f32 as three bf16 -------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tensor cores multiply bf16, which has 8 significant bits of the 24 of f32,
// and all of its exponents. So a number of f32 is three of them, exactly,
//
//   x = x0 + x1 / 2^7 + x2 / 2^16
//
// x0 is x cut off, x1 what is left, rounded, and x2 the rest. The scales are
// the largest with which none overflows; with them no bit is lost, not even of
// denormal numbers. Of the nine products of parts six are computed, and summed
// by scale:
//
//   high = Σ w0 x0
//   low  = Σ (w0 x1 + w1 x0) + w1 x1 / 2^7 + (w0 x2 + w2 x0) / 2^9
//   w x  ~ high + low / 2^7
//
// The error, in units of u = 2^-24. What is left out, w1 x2, w2 x1 and w2 x2,
// is at most 4u |w x|, and a quarter of it on average; of denormal x at most
// 2^-149 |w|. Tensor cores do not round sums but cut them off, and their terms
// where the largest one ends; that is biased, and grows with the sum. So high
// products of 16 k are summed alone, by one instruction, which costs at most
// 10u of their Σ|w x|, and an FADD adds them to the others, which costs u
// Σ|w x| for each 16 k. Low sums are so small that theirs, some hundredths of
// u, do not matter. Together that is (14 + c/16) u Σ|w x|, less than c u Σ|w x|
// from c = 16 on, and on average less than what FMAs one after the other make
// of it, but for denormal numbers, where it is so from kMinSplitDepth on.
//
// Infinities and NaNs. They are in x0, and the sum of high products is what a
// sum in f32 would be. Low products give NaNs then, so they are left out where
// the sum of high ones is not finite.
//
// Source: Henry, Tang and Heinecke, Leveraging the bfloat16 Artificial
// Intelligence Datatype For Higher-Precision Computations, 2019 (arXiv
// 1904.06376); Ootomo and Yokota, Recovering single precision accuracy from
// Tensor Cores, 2022 (arXiv 2203.03341).
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_SPLITFLOAT_H
#define KS_ANALYSIS_SPLITFLOAT_H

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace ks {

/// What the second part is multiplied by, and the third one.
constexpr float kSecondScale = 1 << 7, kThirdScale = 1 << 16;

/// Of f32, the bits that bf16 has.
constexpr uint32_t kPartBits = 0xffff0000;

/// Sums of as many products are exact enough; see above.
constexpr int64_t kMinSplitDepth = 32;

inline uint32_t getBits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

inline float fromBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

/// The parts, as f32; those behind the first are 0 where it is not finite.
inline std::array<float, 3> splitFloat(float x) {
  float first = fromBits(getBits(x) & kPartBits);
  if (!std::isfinite(first))
    return {std::isnan(x) ? fromBits(0x7fff0000) : first, 0, 0};
  float rest = (x - first) * kSecondScale;
  // Halfway cases away from zero.
  float second = fromBits((getBits(rest) + 0x8000) & kPartBits);
  return {first, second, (rest - second) * (kThirdScale / kSecondScale)};
}

/// cvt.rna.tf32.f32: 10 bits of fraction, halfway cases away from zero.
inline float roundToTF32(float x) {
  constexpr uint32_t kDropped = 0x1fff;
  if (std::isnan(x))
    return fromBits(0x7fffffff);
  if (std::isinf(x))
    return x;
  return fromBits((getBits(x) + (kDropped + 1) / 2) & ~kDropped);
}

} // namespace ks

#endif // KS_ANALYSIS_SPLITFLOAT_H
