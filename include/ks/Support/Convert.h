//===- Convert.h - Numbers in arrays ----------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_SUPPORT_CONVERT_H
#define KS_SUPPORT_CONVERT_H

#include "ks/Support/Npy.h"

namespace ks {

/// A copy of `array` in f64 or complex<f64>: exact.
llvm::Expected<NpyArray> widenToF64(const NpyArray &array);

/// Fills `array` with numbers uniform in [-scale, scale], rounded to its type;
/// the same for the same seed on every machine.
void fillRandom(NpyArray &array, uint64_t seed, double scale);

/// Fills `array` with NaN, so that what is never written shows.
void fillNaN(NpyArray &array);

/// How far an array is from a reference.
struct Difference {
  double maxAbsolute = 0;       ///< max |x - reference|
  double relativeFrobenius = 0; ///< ||x - reference|| / ||reference||
  bool isFinite = true;         ///< False if x is NaN or infinite where the
                                ///< reference is not.
};
/// `reference` has as many elements and is of type f64 or complex<f64>.
llvm::Expected<Difference> compare(const NpyArray &array,
                                   const NpyArray &reference);

} // namespace ks

#endif // KS_SUPPORT_CONVERT_H
