//===- Host.cpp - ks-run on the CPU ---------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSRun.h"

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Runtime/ThreadPool.h"
#include "ks/Support/MachinePeaks.h"

#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <chrono>
#include <cstring>

using namespace ks;

namespace {
class HostProgram : public Program {
public:
  HostProgram(std::unique_ptr<CompiledFunction> compiled, std::string plans)
      : function(std::move(compiled)) {
    name = function->getName().str();
    plan = std::move(plans);
    inputs = function->getInputs().vec();
    outputs = function->getOutputs().vec();
  }

  llvm::Expected<llvm::SmallVector<int64_t, 4>>
  getResultShape(unsigned index,
                 llvm::MutableArrayRef<NpyArray> arrays) override;
  llvm::Error run(llvm::MutableArrayRef<NpyArray> in,
                  llvm::MutableArrayRef<NpyArray> out, Report &report) override;
  llvm::Expected<Timing> time(llvm::ArrayRef<NpyArray> inputs,
                              llvm::ArrayRef<NpyArray> outputs) override;
  llvm::Expected<Peaks> measurePeaks(const RunOptions &options,
                                     ElementType type,
                                     const Work &work) override;
  std::string describeMachine() const override {
    return llvm::formatv("{0} threads", ksGetNumThreads());
  }

private:
  std::unique_ptr<CompiledFunction> function;
};
} // namespace

static llvm::SmallVector<Buffer>
asBuffers(llvm::MutableArrayRef<NpyArray> arrays) {
  llvm::SmallVector<Buffer> buffers;
  for (NpyArray &array : arrays)
    buffers.push_back(Buffer::on(array));
  return buffers;
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

CompileOptions ks::getCompileOptions(const RunOptions &options) {
  CompileOptions compileOptions;
  compileOptions.entry = options.entry;
  compileOptions.target = options.target;
  compileOptions.threads = options.threads;
  compileOptions.optLevel = options.optLevel;
  return compileOptions;
}

/// The plans of all products that run with @`entry`, as attributes.
static std::string getPlans(mlir::ModuleOp module, llvm::StringRef entry,
                            const RunOptions &options) {
  mlir::OwningOpRef<mlir::ModuleOp> alone(
      mlir::cast<mlir::ModuleOp>(module->clone()));
  for (auto function :
       llvm::make_early_inc_range(alone->getOps<mlir::FunctionOpInterface>()))
    if (!runsWith(function, entry))
      function->erase();
  auto planned = lowerToRung(*alone, getCompileOptions(options), Rung::Plans);
  if (!planned) {
    llvm::consumeError(planned.takeError());
    return "";
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  (*planned)->walk([&](ProductOpInterface op) {
    if (op.getPlanAttr())
      os << (text.empty() ? "" : " ") << op.getPlanAttr();
  });
  return text;
}

llvm::Expected<std::unique_ptr<Program>>
ks::compileForHost(mlir::ModuleOp module, const RunOptions &options,
                   Report &report) {
  auto compiled = CompiledFunction::compile(module, getCompileOptions(options));
  if (!compiled)
    return compiled.takeError();
  const CompileTimes &times = (*compiled)->getCompileTimes();
  report.line("compiled",
              llvm::formatv("@{0} in {1:f1} ms (passes {2:f1}, LLVM {3:f1})",
                            (*compiled)->getName(), times.total() * 1e3,
                            times.passes * 1e3, times.llvm * 1e3)
                  .str());
  report.figures["compile_ms"] =
      llvm::json::Object{{"total", times.total() * 1e3},
                         {"passes", times.passes * 1e3},
                         {"llvm", times.llvm * 1e3}};
  report.library((*compiled)->getLibraryName());
  if (llvm::StringRef note = (*compiled)->getNote(); !note.empty())
    report.line("note", note);
  report.figures["threads"] = ksGetNumThreads();
  std::string plans = getPlans(module, (*compiled)->getName(), options);
  return std::make_unique<HostProgram>(std::move(*compiled), std::move(plans));
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

llvm::Expected<llvm::SmallVector<int64_t, 4>>
HostProgram::getResultShape(unsigned index,
                            llvm::MutableArrayRef<NpyArray> arrays) {
  return function->getResultShape(index, asBuffers(arrays));
}

llvm::Error HostProgram::run(llvm::MutableArrayRef<NpyArray> in,
                             llvm::MutableArrayRef<NpyArray> out,
                             Report &report) {
  llvm::SmallVector<Buffer> buffers = asBuffers(in);
  auto begin = std::chrono::steady_clock::now();
  if (llvm::Error error = function->pack(buffers))
    return error;
  std::chrono::duration<double> packed =
      std::chrono::steady_clock::now() - begin;
  report.figures["pack_ms"] = packed.count() * 1e3;
  return function->run(buffers, asBuffers(out));
}

//===----------------------------------------------------------------------===//
// Timing
//===----------------------------------------------------------------------===//

llvm::Expected<Peaks>
HostProgram::measurePeaks(const RunOptions &, ElementType type, const Work &) {
  bool isF64 = type == ElementType::F64 || type == ElementType::C128;
  Peaks peaks;
  peaks.bandwidth = measureCopyBandwidth();
  peaks.flops = measureFmaPeak(isF64);
  peaks.name = "FMA";
  peaks.key = "fma_gflops_per_s";
  return peaks;
}

static llvm::Expected<NpyArray> copy(const NpyArray &array) {
  llvm::Expected<NpyArray> result = NpyArray::create(array.type, array.shape);
  if (result)
    std::memcpy(result->data(), array.data(), array.sizeInBytes());
  return result;
}

llvm::Expected<Timing> HostProgram::time(llvm::ArrayRef<NpyArray> inputs,
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
  if (llvm::Error error = function->pack(in.front()))
    return std::move(error);

  auto runOnce = [&](int64_t run) -> llvm::Expected<double> {
    int64_t set = run % timing.bufferSets;
    Clock::time_point begin = Clock::now();
    if (llvm::Error error = function->run(in[set], out[set]))
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
  timing.runs = static_cast<int64_t>(samples.size());
  timing.median = takeMedian(samples);
  timing.best = samples.front();
  return timing;
}
