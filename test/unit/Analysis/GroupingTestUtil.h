//===- GroupingTestUtil.h - Factors, and what groupings are of --*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_TEST_UNIT_ANALYSIS_GROUPINGTESTUTIL_H
#define KS_TEST_UNIT_ANALYSIS_GROUPINGTESTUTIL_H

#include "ks/Analysis/FactorGrouping.h"

#include "gtest/gtest.h"

namespace ks {

inline Problem::Factor factor(int64_t a, int64_t b, int64_t c, int64_t d) {
  return {{a, b, c, d}, false, false};
}

inline GroupingProblem makeProblem(llvm::ArrayRef<Problem::Factor> factors,
                                   bool isMergeable = true) {
  GroupingProblem problem;
  problem.factors.assign(factors.begin(), factors.end());
  problem.isMergeable.assign(factors.size(), isMergeable);
  return problem;
}

/// That `grouping` has each factor once, in order.
inline void checkCovers(const GroupingProblem &problem,
                        const Grouping &grouping) {
  unsigned next = 0;
  for (const FactorKernel &kernel : grouping.kernels)
    for (const FactorGroup &group : kernel) {
      EXPECT_EQ(group.first, next);
      next = group.end();
    }
  EXPECT_EQ(next, problem.factors.size());
}

} // namespace ks

#endif // KS_TEST_UNIT_ANALYSIS_GROUPINGTESTUTIL_H
