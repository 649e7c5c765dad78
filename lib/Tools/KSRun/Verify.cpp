//===- Verify.cpp - Checking results for ks-run ---------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSRun.h"

using namespace ks;

static llvm::SmallVector<Buffer> asBuffers(std::vector<NpyArray> &arrays) {
  llvm::SmallVector<Buffer> buffers;
  for (NpyArray &array : arrays)
    buffers.push_back(Buffer::on(array));
  return buffers;
}

/// Unit roundoff of the element type, and of the type it accumulates in.
static std::pair<double, double> getRoundoff(ElementType type) {
  constexpr double kF32 = 0x1p-24, kF64 = 0x1p-53;
  switch (type) {
  case ElementType::F16:
    return {0x1p-11, kF32};
  case ElementType::BF16:
    return {0x1p-8, kF32};
  case ElementType::F32:
  case ElementType::C64:
    return {kF32, kF32};
  case ElementType::F64:
  case ElementType::C128:
    return {kF64, kF64};
  }
  llvm_unreachable("all element types are handled");
}

llvm::Expected<std::vector<Verification>>
ks::verify(mlir::ModuleOp module, const RunOptions &options, const Work &work,
           llvm::ArrayRef<NpyArray> inputs, llvm::ArrayRef<NpyArray> outputs) {
  CompileOptions compileOptions;
  compileOptions.entry = options.entry;
  compileOptions.path = Path::Reference;
  auto reference = CompiledFunction::compile(module, compileOptions);
  if (!reference)
    return reference.takeError();

  std::vector<NpyArray> wideInputs, wideOutputs;
  for (const NpyArray &array : inputs) {
    auto wide = widenToF64(array);
    if (!wide)
      return wide.takeError();
    wideInputs.push_back(std::move(*wide));
  }
  for (const NpyArray &array : outputs) {
    auto wide = widenToF64(array); // for its type and shape
    if (!wide)
      return wide.takeError();
    fillNaN(*wide);
    wideOutputs.push_back(std::move(*wide));
  }
  if (llvm::Error error =
          (*reference)->run(asBuffers(wideInputs), asBuffers(wideOutputs)))
    return std::move(error);

  std::vector<Verification> result;
  for (auto [array, wide] : llvm::zip_equal(outputs, wideOutputs)) {
    auto difference = compare(array, wide);
    if (!difference)
      return difference.takeError();
    // Each factor may lose (c + 2) u_acc + u_type; sums that cancel lose more
    // relative to what is left, hence a factor to spare.
    auto [unit, accumulatorUnit] = getRoundoff(array.type);
    // Roundings to the types of weights happen, too, where a result is of
    // another type.
    for (const NpyArray &input : inputs) {
      auto [inputUnit, inputAccumulatorUnit] = getRoundoff(input.type);
      unit = std::max(unit, inputUnit);
      accumulatorUnit = std::max(accumulatorUnit, inputAccumulatorUnit);
    }
    constexpr double kCancellation = 16;
    double perFactor =
        static_cast<double>(work.maxC + 2) * accumulatorUnit + unit;
    if (work.isTF32)
      perFactor += 2 * 0x1p-11;
    result.push_back({*difference, kCancellation * perFactor *
                                       static_cast<double>(std::max<int64_t>(
                                           work.factors, 1))});
  }
  return result;
}
