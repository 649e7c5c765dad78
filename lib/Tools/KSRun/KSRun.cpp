//===- KSRun.cpp - The ks-run program -------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Tools/KSRun.h"

#include "Device.h"
#include "KSRun.h"

#include "ks/Analysis/Target.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Runtime/ThreadPool.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SourceMgr.h"

#include <cmath>

using namespace ks;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

void ks::progress(const llvm::Twine &message) {
  if (llvm::sys::Process::StandardErrIsDisplayed())
    llvm::errs() << message << " ...\n";
}

namespace {

/// One run of the program, step by step.
class Driver {
public:
  explicit Driver(const RunOptions &options)
      : options(options), report(options.json) {}
  /// The exit code.
  llvm::Expected<int> run();

private:
  llvm::Error parse();
  llvm::Expected<std::optional<int>> runWithoutArguments();
  llvm::Error emit();
  llvm::Error compile();
  llvm::Error makeArguments();
  llvm::Error runOnce();
  llvm::Error writeResults();
  llvm::Error measure();
  void reportTiming(const Timing &timing, const Peaks &peaks, double bytes);
  llvm::Expected<bool> check();

  const RunOptions &options;
  Report report;
  mlir::DialectRegistry registry;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<Device> device; ///< Only with --target cuda.
  std::unique_ptr<Program> program;
  std::vector<NpyArray> inputs, outputs;
  Work work;
};

} // namespace

void Report::line(llvm::StringRef label, const llvm::Twine &text) const {
  if (!isJSON && !isQuiet)
    llvm::outs() << llvm::formatv("{0,-12} ", label) << text << "\n";
}

void Report::library(llvm::StringRef name) {
  if (!name.empty())
    line("library", name + ": dense products");
  figures["library"] =
      name.empty() ? llvm::json::Value(nullptr) : llvm::json::Value(name.str());
}

void Report::finish() {
  if (isJSON && !isQuiet)
    llvm::outs() << llvm::formatv("{0:2}",
                                  llvm::json::Value(std::move(figures)))
                 << "\n";
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

llvm::Error ks::pinPlan(mlir::ModuleOp module, llvm::StringRef text) {
  if (text.empty())
    return llvm::Error::success();
  std::string diagnostics;
  mlir::ScopedDiagnosticHandler handler(
      module.getContext(), [&](mlir::Diagnostic &diagnostic) {
        diagnostics += diagnostic.str() + "\n";
        return mlir::success();
      });
  auto plan = llvm::dyn_cast_if_present<PlanAttrInterface>(
      mlir::parseAttribute(text, module.getContext()));
  if (!plan)
    return makeError("--plan is '" + text +
                     "', which is not a plan; expected #ks.gpu_plan<...>, "
                     "#ks.library_plan<...> or #ks.cpu_plan<...>\n" +
                     diagnostics);
  module.walk([&](ProductOpInterface op) {
    if (!op.getPlanAttr())
      op.setPlanAttr(plan);
  });
  if (mlir::failed(mlir::verify(module)))
    return makeError("--plan does not fit:\n" + diagnostics);
  return llvm::Error::success();
}

llvm::Error Driver::parse() {
  std::string text;
  std::string name = "<chain>";
  if (options.file.empty()) {
    auto built = buildChainModule(options);
    if (!built)
      return built.takeError();
    text = std::move(*built);
  } else {
    if (llvm::sys::fs::is_directory(options.file))
      return makeError("cannot read '" + options.file +
                       "': it is a directory; expected an MLIR file");
    auto buffer = llvm::MemoryBuffer::getFile(options.file);
    if (!buffer)
      return makeError("cannot read '" + options.file + "': " +
                       buffer.getError().message() + "; expected an MLIR file");
    text = (*buffer)->getBuffer().str();
    name = options.file;
  }
  registerAllForCompilation(registry);
  context = std::make_unique<mlir::MLIRContext>(
      registry, mlir::MLIRContext::Threading::DISABLED);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, name),
                             llvm::SMLoc());
  std::string diagnostics;
  llvm::raw_string_ostream os(diagnostics);
  mlir::SourceMgrDiagnosticHandler handler(sources, context.get(), os);
  module = mlir::parseSourceFile<mlir::ModuleOp>(sources, context.get());
  if (!module)
    return makeError("'" + name + "' is not a valid program:\n" + diagnostics);
  return pinPlan(*module, options.plan);
}

llvm::Error Driver::emit() {
  auto lowered =
      lowerToRung(*module, getCompileOptions(options), *options.emit);
  if (!lowered)
    return lowered.takeError();
  (*lowered)->print(llvm::outs());
  return llvm::Error::success();
}

llvm::Error Driver::compile() {
  progress("compiling");
  auto compiled = device ? compileForDevice(*module, options, *device, report)
                         : compileForHost(*module, options, report);
  if (!compiled)
    return compiled.takeError();
  program = std::move(*compiled);
  report.figures["entry"] = program->getName().str();
  report.figures["plan"] = program->getPlan().str();
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

llvm::Error Driver::makeArguments() {
  if (options.outs.size() > program->getOutputs().size())
    return makeError(llvm::formatv("got {0} --out; expected at most {1}, as "
                                   "@{2} has results",
                                   options.outs.size(),
                                   program->getOutputs().size(),
                                   program->getName())
                         .str());
  auto made = makeInputs(*program, options);
  if (!made)
    return made.takeError();
  inputs = std::move(*made);
  auto results = makeOutputs(*program, inputs);
  if (!results)
    return results.takeError();
  outputs = std::move(*results);
  return llvm::Error::success();
}

llvm::Error Driver::runOnce() {
  progress("running");
  if (llvm::Error error = program->run(inputs, outputs, report))
    return error;
  work = analyzeWork(*module, program->getName(), options, outputs);
  int64_t batch = getBatch(work, options, outputs);
  report.line("ran", llvm::formatv("{0}, batch {1}, {2}",
                                   work.patterns.empty() ? "no KS products"
                                                         : work.patterns,
                                   batch, program->describeMachine())
                         .str());
  report.figures["patterns"] = work.patterns;
  report.figures["layout"] = work.layout;
  report.figures["batch"] = batch;
  if (!outputs.empty())
    report.figures["type"] = getElementTypeName(outputs.front().type);
  return llvm::Error::success();
}

llvm::Error Driver::writeResults() {
  for (auto [path, array] : llvm::zip(options.outs, outputs)) {
    if (llvm::Error error = writeNpy(path, array))
      return error;
    report.line("wrote", path);
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// --time, --verify
//===----------------------------------------------------------------------===//

llvm::Error Driver::measure() {
  progress("timing");
  auto timing = program->time(inputs, outputs);
  if (!timing)
    return timing.takeError();
  progress("measuring this machine's peaks");
  ElementType type = outputs.empty() ? ElementType::F32 : outputs.front().type;
  auto peaks = program->measurePeaks(options, type, work);
  if (!peaks)
    return peaks.takeError();
  double bytes = work.constantBytes;
  for (const NpyArray &array : llvm::concat<const NpyArray>(inputs, outputs))
    bytes += static_cast<double>(array.sizeInBytes());
  reportTiming(*timing, *peaks, bytes);
  return llvm::Error::success();
}

void Driver::reportTiming(const Timing &timing, const Peaks &peaks,
                          double bytes) {
  double floor = std::max(bytes / peaks.bandwidth, work.flops / peaks.flops);
  report.line(
      "time",
      llvm::formatv(
          "{0:f3} ms, median of {1} {2} (best {3:f3})", timing.median * 1e3,
          timing.runs / timing.perSample,
          timing.perSample == 1
              ? "runs"
              : llvm::formatv("samples of {0} runs", timing.perSample).str(),
          timing.best * 1e3)
          .str());
  report.line("speed",
              llvm::formatv("{0:f1} GFLOP/s ({1:f0} % of the {2} peak), "
                            "{3:f1} GB/s",
                            work.flops / timing.median * 1e-9,
                            100 * work.flops / timing.median / peaks.flops,
                            peaks.name, bytes / timing.median * 1e-9)
                  .str());
  report.line("floor",
              llvm::formatv("{0:f3} ms (copy {1:f1} GB/s, {2} {3:f1} "
                            "GFLOP/s): {4:f2} x the floor",
                            floor * 1e3, peaks.bandwidth * 1e-9, peaks.name,
                            peaks.flops * 1e-9, timing.median / floor)
                  .str());
  if (!peaks.note.empty())
    report.line("peaks", peaks.note);
  report.figures["time"] = llvm::json::Object{
      {"median_ms", timing.median * 1e3},
      {"best_ms", timing.best * 1e3},
      {"runs", timing.runs},
      {"runs_per_sample", timing.perSample},
      {"buffer_sets", timing.bufferSets},
      {"gflops_per_s", work.flops / timing.median * 1e-9},
      {"gbytes_per_s", bytes / timing.median * 1e-9},
      {"times_floor", timing.median / floor},
  };
  llvm::json::Object floorFigures{
      {"ms", floor * 1e3},
      {"bytes", bytes},
      {"flops", work.flops},
      {"copy_gbytes_per_s", peaks.bandwidth * 1e-9},
      {peaks.key, peaks.flops * 1e-9},
  };
  if (!peaks.note.empty())
    floorFigures["measured_by"] = peaks.note;
  report.figures["floor"] = std::move(floorFigures);
}

/// JSON has no infinity and no NaN.
static llvm::json::Value toJSON(double number) {
  return std::isfinite(number) ? llvm::json::Value(number)
                               : llvm::json::Value(nullptr);
}

llvm::Expected<bool> Driver::check() {
  progress("computing the reference in f64");
  auto results = verify(*module, options, work, inputs, outputs);
  if (!results)
    return results.takeError();
  bool isGood = true;
  llvm::json::Array list;
  for (const Verification &result : *results) {
    isGood &= result.isGood();
    report.line("verify",
                llvm::formatv("{0}: max error {1:e2}, relative Frobenius error "
                              "{2:e2} (at most {3:e2}){4}",
                              result.isGood() ? "good" : "WRONG",
                              result.difference.maxAbsolute,
                              result.difference.relativeFrobenius,
                              result.tolerance,
                              result.difference.isFinite ? "" : "; not finite")
                    .str());
    list.push_back(llvm::json::Object{
        {"good", result.isGood()},
        {"max_abs_error", toJSON(result.difference.maxAbsolute)},
        {"rel_frobenius_error", toJSON(result.difference.relativeFrobenius)},
        {"tolerance", result.tolerance},
        {"finite", result.difference.isFinite}});
  }
  report.figures["verify"] = std::move(list);
  return isGood;
}

/// What runs nothing of the program as a whole. The exit code, if that was all.
llvm::Expected<std::optional<int>> Driver::runWithoutArguments() {
  if (options.isOnDevice()) {
    auto opened = openDevice(*options.getDeviceOverrides());
    if (!opened)
      return opened.takeError();
    device = std::move(*opened);
    if (options.plans) {
      auto code = timePlans(*module, options, *device);
      if (!code)
        return code.takeError();
      return *code;
    }
  }
  bool isPrinted = options.emit || options.emitArtifact;
  if (getGPUTarget(options.target) || (device && isPrinted)) {
    std::string target = device ? device->target : options.target;
    if (llvm::Error error = compileForGPU(*module, options, target))
      return std::move(error);
    return 0;
  }
  if (!options.emit)
    return std::nullopt;
  if (llvm::Error error = emit())
    return std::move(error);
  return 0;
}

llvm::Expected<int> Driver::run() {
  ksSetNumThreads(static_cast<int>(options.threads));
  if (llvm::Error error = parse())
    return std::move(error);
  auto code = runWithoutArguments();
  if (!code)
    return code.takeError();
  if (*code)
    return **code;
  if (device)
    describeDevice(*device, report);
  for (auto step : {&Driver::compile, &Driver::makeArguments, &Driver::runOnce,
                    &Driver::writeResults})
    if (llvm::Error error = (this->*step)())
      return std::move(error);
  bool isGood = true;
  if (options.verify) {
    llvm::Expected<bool> checked = check();
    if (!checked)
      return checked.takeError();
    isGood = *checked;
  }
  if (options.time)
    if (llvm::Error error = measure())
      return std::move(error);
  report.figures["schema"] = 1;
  report.figures["target"] = options.target;
  report.finish();
  return isGood ? 0 : 1;
}

int ks::ksRunMain(int argc, char **argv) {
  constexpr int kBadInput = 2;
  auto fail = [&](llvm::Error error) {
    llvm::outs().flush();
    llvm::errs() << "ks-run: error: " << llvm::toString(std::move(error))
                 << "\n";
    return kBadInput;
  };
  llvm::Expected<RunOptions> options = parseCommandLine(argc, argv);
  if (!options)
    return fail(options.takeError());
  llvm::Expected<int> code = Driver(*options).run();
  return code ? *code : fail(code.takeError());
}
