//===- PlanCheck.h - What is wrong with a plan ------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_ANALYSIS_PLANCHECK_H
#define KS_LIB_ANALYSIS_PLANCHECK_H

#include "ks/Analysis/FragmentLayout.h"
#include "ks/Analysis/Problem.h"

#include "llvm/Support/FormatVariadic.h"

#include <array>
#include <string>

namespace ks {

/// Collects the first complaint, if one is wanted.
class Check {
public:
  explicit Check(bool explains) : explains(explains) {}
  template <typename... Args>
  void require(bool condition, const char *format, Args &&...args) {
    if (!condition && good && explains)
      message = llvm::formatv(format, std::forward<Args>(args)...).str();
    good &= condition;
  }
  void multiple(const char *name, int64_t size, int64_t unit) {
    require(size % unit == 0, "{0} is {1}; expected a multiple of {2}", name,
            size, unit);
  }
  bool isGood() const { return good; }
  std::string message;

private:
  bool explains, good = true;
};

/// Whether `instruction` multiplies the elements of `problem`, and sums of c
/// products are exact enough.
void checkInstruction(Check &check, const Problem &problem,
                      WarpInstruction instruction, int64_t c);

struct GPUChainPlan;

/// That a chain falls into the slices of `plan`.
void checkSlices(Check &check, const Problem &problem,
                 const GPUChainPlan &plan);
/// That stages of the ring divide what factor `number` reads and computes.
void checkStages(Check &check, const Problem &problem, const GPUChainPlan &plan,
                 size_t number);

/// That a chain falls into planes, and how they are multiplied.
void checkPlanes(Check &check, const Problem &problem,
                 const GPUChainPlan &plan);

/// Registers that a lane of a block of `threads` can have.
int64_t getAvailableRegisters(int64_t threads);

/// Registers of temporaries of the epilogue, and of the conversion of results,
/// of a lane with sums in `sums` registers.
int64_t getEpilogueRegisters(const Problem &problem, int64_t sums);

/// How many of `times` pieces of `elements` each pass through shared memory at
/// a time: the fewest in equal parts that make a line, or all; 0 if those are
/// not whole accesses.
int64_t getStagedRows(int64_t times, int64_t elements, int64_t resultBytes);

/// Bytes of shared memory that `bytes` of activations take.
int64_t getRoomBytes(int64_t bytes);

/// How often shared memory must be asked for a warp's loads of `width` bytes at
/// `addresses`.
int64_t countWavefronts(const std::array<int64_t, 32> &addresses,
                        int64_t width);

} // namespace ks

#endif // KS_LIB_ANALYSIS_PLANCHECK_H
