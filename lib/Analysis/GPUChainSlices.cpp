//===- GPUChainSlices.cpp - Chains that a chain falls into ----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlanCheck.h"

#include "ks/Analysis/GPUChain.h"

using namespace ks;

/// A chainable pair, left = (a1, b1, c1, d1) and right = (a2, b2, c2, d2) with
/// g = d1 / d2: output columns [s J, (s + 1) J) of group i of the left one need
/// those features of its input. The right one has them in groups i a2/a1 on, as
/// rows n and columns j with n d2 + j mod d1 in that range: some n and all j,
/// or of every g-th n some j.
ChainSlice GPUChainPlan::getSlice(const Problem &problem, size_t number) const {
  const KSPattern &p = problem.factors[number].pattern;
  const KSPattern &left = problem.factors.back().pattern;
  ChainSlice slice;
  slice.pattern = p;
  if (slices <= left.a) {
    slice.pattern.a = p.a / slices;
    return slice;
  }
  slice.columnSlices = slices / left.a;
  slice.pattern.a = p.a / left.a;
  int64_t columns = left.d / slice.columnSlices;
  slice.parts = std::min(slice.columnSlices, left.d / p.d);
  slice.run = left.d / p.d / slice.parts;
  slice.slicesOfPart = slice.columnSlices / slice.parts;
  slice.pattern.b = p.b / slice.parts;
  slice.pattern.d = std::min(p.d, columns);
  return slice;
}

void ks::checkSlices(Check &check, const Problem &problem,
                     const GPUChainPlan &plan) {
  check.require(plan.slices >= 1, "slices is {0}; expected at least 1",
                plan.slices);
  if (!check.isGood())
    return;
  const KSPattern &left = problem.factors.back().pattern;
  if (plan.slices <= left.a) {
    for (const Problem::Factor &factor : problem.factors)
      check.require(factor.pattern.a % plan.slices == 0,
                    "slices is {0}; expected a divisor of the {1} groups of "
                    "each factor, or a multiple of the last one's",
                    plan.slices, factor.pattern.a);
    return;
  }
  const KSPattern &right = problem.factors.front().pattern;
  check.require(problem.factors.size() == 2 && getRedundancy(left, right),
                "slices is {0}; expected at most {1}, the groups of the last "
                "factor, unless there are two that are chainable",
                plan.slices, left.a);
  int64_t columnSlices = plan.slices / left.a;
  check.require(plan.slices % left.a == 0 && left.d % columnSlices == 0,
                "slices is {0}; expected the {1} groups of the last factor "
                "times a divisor of its {2} columns j",
                plan.slices, left.a, left.d);
  if (!check.isGood())
    return;
  int64_t columns = left.d / columnSlices;
  check.require(columns % right.d == 0 || right.d % columns == 0,
                "a slice has {0} columns j; expected a multiple or a divisor "
                "of the first factor's {1}",
                columns, right.d);
}
