//===- Problem.cpp - What is to be computed -------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/Problem.h"

using namespace ks;

double ks::getMinimumBytes(const Problem &problem, int64_t batch) {
  double inputs =
      static_cast<double>(batch) *
      static_cast<double>(problem.factors.front().pattern.inFeatures());
  double results =
      static_cast<double>(batch) *
      static_cast<double>(problem.factors.back().pattern.outFeatures());
  double weights = 0;
  for (const Problem::Factor &factor : problem.factors)
    weights += static_cast<double>(factor.storedWeights());
  return inputs * static_cast<double>(problem.inputBytes()) +
         results * static_cast<double>(problem.resultBytes()) +
         weights * static_cast<double>(problem.elementBytes());
}

double ks::getFlops(const Problem &problem, int64_t batch) {
  double weights = 0;
  for (const Problem::Factor &factor : problem.factors)
    weights += static_cast<double>(factor.pattern.numWeights());
  return weights * static_cast<double>(batch) * (problem.isComplex ? 8 : 2);
}
