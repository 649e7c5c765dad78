//===- Measure.cpp - Timing and checking for ks-run -----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSRun.h"

#include "ks/Runtime/ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <cstring>

using namespace ks;

static llvm::Expected<NpyArray> copy(const NpyArray &array) {
  llvm::Expected<NpyArray> result = NpyArray::create(array.type, array.shape);
  if (result)
    std::memcpy(result->data(), array.data(), array.sizeInBytes());
  return result;
}

static llvm::SmallVector<Buffer> asBuffers(std::vector<NpyArray> &arrays) {
  llvm::SmallVector<Buffer> buffers;
  for (NpyArray &array : arrays)
    buffers.push_back(Buffer::on(array));
  return buffers;
}

llvm::Expected<Timing> ks::timeFunction(CompiledFunction &function,
                                        llvm::ArrayRef<NpyArray> inputs,
                                        llvm::ArrayRef<NpyArray> outputs) {
  using Clock = std::chrono::steady_clock;
  int64_t bytes = 1;
  for (const NpyArray &array : llvm::concat<const NpyArray>(inputs, outputs))
    bytes += array.sizeInBytes();
  // Enough copies to fall out of any last-level cache before a copy's turn
  // comes again, but at least two and at most 1 GiB beyond those.
  constexpr int64_t kBeyondCaches = int64_t{256} << 20;
  Timing timing;
  timing.bufferSets = std::clamp<int64_t>(kBeyondCaches / bytes + 1, 2, 64);

  std::vector<std::vector<NpyArray>> allInputs, allOutputs;
  std::vector<llvm::SmallVector<Buffer>> in, out;
  for (int64_t set = 0; set < timing.bufferSets; ++set) {
    auto copyAll = [](llvm::ArrayRef<NpyArray> arrays)
        -> llvm::Expected<std::vector<NpyArray>> {
      std::vector<NpyArray> copies;
      for (const NpyArray &array : arrays) {
        llvm::Expected<NpyArray> result = copy(array);
        if (!result)
          return result.takeError();
        copies.push_back(std::move(*result));
      }
      return copies;
    };
    auto inputCopy = copyAll(inputs), outputCopy = copyAll(outputs);
    if (!inputCopy)
      return inputCopy.takeError();
    if (!outputCopy)
      return outputCopy.takeError();
    allInputs.push_back(std::move(*inputCopy));
    allOutputs.push_back(std::move(*outputCopy));
  }
  for (int64_t set = 0; set < timing.bufferSets; ++set) {
    in.push_back(asBuffers(allInputs[set]));
    out.push_back(asBuffers(allOutputs[set]));
  }
  if (llvm::Error error = function.pack(in.front()))
    return std::move(error);

  auto runOnce = [&](int64_t run) -> llvm::Expected<double> {
    int64_t set = run % timing.bufferSets;
    Clock::time_point begin = Clock::now();
    if (llvm::Error error = function.run(in[set], out[set]))
      return std::move(error);
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  // Warm up on every copy: first touches cost page faults.
  for (int64_t run = 0; run < timing.bufferSets; ++run)
    if (auto seconds = runOnce(run); !seconds)
      return seconds.takeError();
  std::vector<double> samples;
  constexpr double kSeconds = 0.5;
  constexpr size_t kMinRuns = 7, kMaxRuns = 1000;
  double total = 0;
  while (samples.size() < kMinRuns ||
         (total < kSeconds && samples.size() < kMaxRuns)) {
    auto seconds = runOnce(static_cast<int64_t>(samples.size()));
    if (!seconds)
      return seconds.takeError();
    samples.push_back(*seconds);
    total += *seconds;
  }
  llvm::sort(samples);
  timing.runs = static_cast<int64_t>(samples.size());
  timing.median = samples[samples.size() / 2];
  timing.best = samples.front();
  return timing;
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
    constexpr double kCancellation = 16;
    double perFactor =
        static_cast<double>(work.maxC + 2) * accumulatorUnit + unit;
    if (options.precision == "tf32")
      perFactor += 2 * 0x1p-11;
    result.push_back({*difference, kCancellation * perFactor *
                                       static_cast<double>(std::max<int64_t>(
                                           work.factors, 1))});
  }
  return result;
}
