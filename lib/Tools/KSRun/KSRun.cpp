//===- KSRun.cpp - The ks-run program -------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Tools/KSRun.h"

#include "KSRun.h"

#include "ks/Analysis/Problem.h"
#include "ks/Analysis/Target.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"
#include "ks/Runtime/ThreadPool.h"
#include "ks/Support/MachinePeaks.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SourceMgr.h"

#include <chrono>
#include <cmath>

using namespace ks;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Tells a person at a terminal what takes long.
static void progress(const llvm::Twine &message) {
  if (llvm::sys::Process::StandardErrIsDisplayed())
    llvm::errs() << message << " ...\n";
}

namespace {

/// One run of the program, step by step.
class Driver {
public:
  explicit Driver(const RunOptions &options) : options(options) {}
  /// The exit code.
  llvm::Expected<int> run();

private:
  llvm::Error parse();
  llvm::Error emit();
  llvm::Error compile();
  llvm::Error makeArguments();
  llvm::Error runOnce();
  llvm::Error writeResults();
  llvm::Error measure();
  llvm::Expected<bool> check();
  void analyzeWork();
  int64_t getBatch() const;
  void print(llvm::StringRef label, const llvm::Twine &text);

  const RunOptions &options;
  mlir::DialectRegistry registry;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<CompiledFunction> function;
  std::vector<NpyArray> inputs, outputs;
  Work work;
  llvm::json::Object figures;
};

} // namespace

/// A line for people; with --json, nothing but the object goes to stdout.
void Driver::print(llvm::StringRef label, const llvm::Twine &text) {
  if (!options.json)
    llvm::outs() << llvm::formatv("{0,-12} ", label) << text << "\n";
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

/// Gives all products without a plan the one in `text`, if there is one.
static llvm::Error pinPlan(mlir::ModuleOp module, llvm::StringRef text) {
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
                     "', which is not a plan; expected #ks.gpu_plan<...> or "
                     "#ks.cpu_plan<...>\n" +
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

static CompileOptions getCompileOptions(const RunOptions &options) {
  CompileOptions compileOptions;
  compileOptions.entry = options.entry;
  compileOptions.target = options.target;
  compileOptions.threads = options.threads;
  compileOptions.optLevel = options.optLevel;
  return compileOptions;
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
  auto compiled =
      CompiledFunction::compile(*module, getCompileOptions(options));
  if (!compiled)
    return compiled.takeError();
  function = std::move(*compiled);
  const CompileTimes &times = function->getCompileTimes();
  print("compiled", llvm::formatv("@{0} in {1:f1} ms (passes {2:f1}, LLVM "
                                  "{3:f1})",
                                  function->getName(), times.total() * 1e3,
                                  times.passes * 1e3, times.llvm * 1e3)
                        .str());
  figures["entry"] = function->getName().str();
  figures["compile_ms"] = llvm::json::Object{{"total", times.total() * 1e3},
                                             {"passes", times.passes * 1e3},
                                             {"llvm", times.llvm * 1e3}};
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

llvm::Error Driver::makeArguments() {
  size_t expected = function->getInputs().size();
  if (!options.args.empty() && options.args.size() != expected)
    return makeError(llvm::formatv("got {0} --arg; expected {1}, as @{2} takes "
                                   "(or none, for random ones)",
                                   options.args.size(), expected,
                                   function->getName())
                         .str());
  if (options.outs.size() > function->getOutputs().size())
    return makeError(llvm::formatv("got {0} --out; expected at most {1}, as "
                                   "@{2} has results",
                                   options.outs.size(),
                                   function->getOutputs().size(),
                                   function->getName())
                         .str());
  for (auto [index, info] : llvm::enumerate(function->getInputs())) {
    if (!options.args.empty()) {
      auto array = readNpy(options.args[index]);
      if (!array)
        return array.takeError();
      inputs.push_back(std::move(*array));
      continue;
    }
    llvm::SmallVector<int64_t, 4> shape = info.shape;
    for (int64_t &size : shape)
      if (size < 0)
        size = options.batch;
    auto array = NpyArray::create(info.type, shape);
    if (!array)
      return array.takeError();
    // Weights a×b×c×d are scaled so that results stay of the order of 1.
    double scale = shape.size() == 4
                       ? std::sqrt(3.0 / static_cast<double>(
                                             std::max<int64_t>(shape[2], 1)))
                       : 1;
    fillRandom(*array, options.seed * 1000 + index, scale);
    inputs.push_back(std::move(*array));
  }
  llvm::SmallVector<Buffer> buffers;
  for (NpyArray &array : inputs)
    buffers.push_back(Buffer::on(array));
  for (auto [index, info] : llvm::enumerate(function->getOutputs())) {
    auto shape = function->getResultShape(index, buffers);
    if (!shape)
      return shape.takeError();
    auto array = NpyArray::create(info.type, *shape);
    if (!array)
      return array.takeError();
    fillNaN(*array); // what is never written shows
    outputs.push_back(std::move(*array));
  }
  return llvm::Error::success();
}

int64_t Driver::getBatch() const {
  if (outputs.empty() || outputs.front().shape.size() != 2)
    return options.batch;
  return outputs.front().shape[work.layout == "batch_last" ? 1 : 0];
}

/// Sums over the products of the program.
void Driver::analyzeWork() {
  llvm::raw_string_ostream patterns(work.patterns);
  module->walk([&](ProductOpInterface op) {
    Problem problem = getProblem(op);
    work.layout = stringifyLayout(op.getLayout()).str();
    for (const Problem::Factor &factor : problem.factors) {
      const KSPattern &p = factor.pattern;
      patterns << (work.factors++ ? ";" : "") << p.a << "," << p.b << "," << p.c
               << "," << p.d;
      work.maxC = std::max(work.maxC, p.c);
    }
    work.flops += getFlops(problem, problem.batch.value_or(getBatch()));
  });
  CompileOptions compileOptions = getCompileOptions(options);
  if (auto planned = lowerToRung(*module, compileOptions, Rung::Plans)) {
    llvm::raw_string_ostream plan(work.plan);
    (*planned)->walk([&](ProductOpInterface op) {
      if (op.getPlanAttr())
        plan << (work.plan.empty() ? "" : " ") << op.getPlanAttr();
    });
  } else {
    llvm::consumeError(planned.takeError());
  }
}

llvm::Error Driver::runOnce() {
  progress("running");
  llvm::SmallVector<Buffer> in, out;
  for (NpyArray &array : inputs)
    in.push_back(Buffer::on(array));
  for (NpyArray &array : outputs)
    out.push_back(Buffer::on(array));
  auto begin = std::chrono::steady_clock::now();
  if (llvm::Error error = function->pack(in))
    return error;
  double packSeconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  figures["pack_ms"] = packSeconds * 1e3;
  if (llvm::Error error = function->run(in, out))
    return error;
  analyzeWork();
  print("ran",
        llvm::formatv("{0}, batch {1}, {2} threads",
                      work.patterns.empty() ? "no KS products" : work.patterns,
                      getBatch(), ksGetNumThreads())
            .str());
  figures["patterns"] = work.patterns;
  figures["plan"] = work.plan;
  figures["layout"] = work.layout;
  figures["batch"] = getBatch();
  figures["threads"] = ksGetNumThreads();
  if (!outputs.empty())
    figures["type"] = getElementTypeName(outputs.front().type);
  return llvm::Error::success();
}

llvm::Error Driver::writeResults() {
  for (auto [path, array] : llvm::zip(options.outs, outputs)) {
    if (llvm::Error error = writeNpy(path, array))
      return error;
    print("wrote", path);
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// --time, --verify
//===----------------------------------------------------------------------===//

llvm::Error Driver::measure() {
  progress("timing");
  auto timing = timeFunction(*function, inputs, outputs);
  if (!timing)
    return timing.takeError();
  double bytes = 0;
  for (const NpyArray &array : llvm::concat<const NpyArray>(inputs, outputs))
    bytes += static_cast<double>(array.sizeInBytes());
  progress("measuring this machine's peaks");
  ElementType type = outputs.empty() ? ElementType::F32 : outputs.front().type;
  bool isF64 = type == ElementType::F64 || type == ElementType::C128;
  double bandwidth = measureCopyBandwidth(), peak = measureFmaPeak(isF64);
  double floor = std::max(bytes / bandwidth, work.flops / peak);
  print("time",
        llvm::formatv("{0:f3} ms, median of {1} runs (best {2:f3})",
                      timing->median * 1e3, timing->runs, timing->best * 1e3)
            .str());
  print("speed", llvm::formatv("{0:f1} GFLOP/s ({1:f0} % of the FMA peak), "
                               "{2:f1} GB/s",
                               work.flops / timing->median * 1e-9,
                               100 * work.flops / timing->median / peak,
                               bytes / timing->median * 1e-9)
                     .str());
  print("floor", llvm::formatv("{0:f3} ms (copy {1:f1} GB/s, FMA {2:f1} "
                               "GFLOP/s): {3:f2} x the floor",
                               floor * 1e3, bandwidth * 1e-9, peak * 1e-9,
                               timing->median / floor)
                     .str());
  figures["time"] = llvm::json::Object{
      {"median_ms", timing->median * 1e3},
      {"best_ms", timing->best * 1e3},
      {"runs", timing->runs},
      {"buffer_sets", timing->bufferSets},
      {"gflops_per_s", work.flops / timing->median * 1e-9},
      {"gbytes_per_s", bytes / timing->median * 1e-9},
      {"times_floor", timing->median / floor},
  };
  figures["floor"] = llvm::json::Object{
      {"ms", floor * 1e3},
      {"bytes", bytes},
      {"flops", work.flops},
      {"copy_gbytes_per_s", bandwidth * 1e-9},
      {"fma_gflops_per_s", peak * 1e-9},
  };
  return llvm::Error::success();
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
    print("verify",
          llvm::formatv("{0}: max error {1:e2}, relative Frobenius error "
                        "{2:e2} (at most {3:e2}){4}",
                        result.isGood() ? "good" : "WRONG",
                        result.difference.maxAbsolute,
                        result.difference.relativeFrobenius, result.tolerance,
                        result.difference.isFinite ? "" : "; not finite")
              .str());
    list.push_back(llvm::json::Object{
        {"good", result.isGood()},
        {"max_abs_error", result.difference.maxAbsolute},
        {"rel_frobenius_error", result.difference.relativeFrobenius},
        {"tolerance", result.tolerance},
        {"finite", result.difference.isFinite}});
  }
  figures["verify"] = std::move(list);
  return isGood;
}

llvm::Expected<int> Driver::run() {
  if (llvm::Error error = parse())
    return std::move(error);
  if (getGPUTarget(options.target)) {
    if (llvm::Error error = compileForGPU(*module, options))
      return std::move(error);
    return 0;
  }
  ksSetNumThreads(static_cast<int>(options.threads));
  if (options.emit) {
    if (llvm::Error error = emit())
      return std::move(error);
    return 0;
  }
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
  figures["schema"] = 1;
  figures["target"] = options.target;
  if (options.json)
    llvm::outs() << llvm::formatv("{0:2}",
                                  llvm::json::Value(std::move(figures)))
                 << "\n";
  return isGood ? 0 : 1;
}

int ks::ksRunMain(int argc, char **argv) {
  constexpr int kBadInput = 2;
  auto fail = [&](llvm::Error error) {
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
