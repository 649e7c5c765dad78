//===- KSRun.h - Parts of the ks-run program --------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_TOOLS_KSRUN_KSRUN_H
#define KS_LIB_TOOLS_KSRUN_KSRUN_H

#include "ks/Analysis/Target.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/ExecutionEngine/BuildArtifact.h"
#include "ks/ExecutionEngine/CompiledFunction.h"
#include "ks/Support/Convert.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/JSON.h"

#include <optional>
#include <string>
#include <vector>

namespace ks {

/// The command line, parsed and checked.
struct RunOptions {
  std::string file; ///< Empty: build a module from `chain`.
  std::string entry, chain, tied, type, layout, precision, target;
  std::vector<std::string> moreTargets; ///< Of an artefact, behind `target`.
  std::vector<std::string> args, outs;
  int64_t batch = 512;
  bool hasAnyBatch = false; ///< Of the program of --chain.
  bool isFrozen = false;    ///< Weights of --chain do not change.
  std::string kernels;      ///< How --chain shall run; empty: the fastest way.
  bool isReassoc = false;   ///< Factors of --chain may be merged.
  uint64_t seed = 1;
  int64_t threads = 0;
  unsigned optLevel = 2;
  bool verify = false, time = false, json = false;
  std::optional<Rung> emit;
  bool emitArtifact = false;
  bool assemble = true; ///< With ptxas, if it is there.
  std::string output;   ///< Of the artefact.
  std::string plan;     ///< Pinned; empty: the planner's.
  int64_t plans = 0;    ///< To list, or to time.

  /// Whether to run on the GPU of this machine.
  bool isOnDevice() const { return getDeviceOverrides().has_value(); }
  /// What follows "cuda" in the target, as ":library=none"; none if it is
  /// another.
  std::optional<llvm::StringRef> getDeviceOverrides() const {
    llvm::StringRef rest = target;
    if (!rest.consume_front("cuda") || !(rest.empty() || rest[0] == ':'))
      return std::nullopt;
    return rest;
  }
};

/// Parses the command line. Prints help and exits where that is asked for.
llvm::Expected<RunOptions> parseCommandLine(int argc, char **argv);

/// The text of a module whose only function, @chain, applies the chain that
/// the options describe.
llvm::Expected<std::string> buildChainModule(const RunOptions &options);

/// What is printed: lines for people or, with --json, one object.
class Report {
public:
  explicit Report(bool isJSON, bool isQuiet = false)
      : isJSON(isJSON), isQuiet(isQuiet) {}

  /// With --json, nothing but the object goes to stdout.
  void line(llvm::StringRef label, const llvm::Twine &text) const;
  void finish();
  /// What computes dense products; "" if kernels do.
  void library(llvm::StringRef name);

  llvm::json::Object figures;

private:
  bool isJSON;
  bool isQuiet; ///< Says nothing: it is somebody else's turn.
};

/// Compiles `module` for the GPU architecture `target`, and prints a rung,
/// writes an artefact, lists plans, or reports what the assembler says of the
/// kernels.
llvm::Error compileForGPU(mlir::ModuleOp module, const RunOptions &options,
                          llvm::StringRef target);

/// What compilation for a GPU made, and how long it took.
void reportArtifact(const BuiltArtifact &built, llvm::StringRef target,
                    Report &report);

/// A copy of `module` with one product per factor.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
splitIntoFactors(mlir::ModuleOp module);
std::string toText(mlir::Attribute attribute);

/// A plan for one factor, and what it is predicted to take and limited by.
struct RankedPlan {
  PlanAttrInterface plan;
  double seconds = 0;
  std::string limit; ///< "library" if that computes it.
};

/// The best-ranked plans of our own kernel for `op`, as many as the options ask
/// for; in front of them that of the library, if the target may have one.
std::vector<RankedPlan> rankPlans(ProductOpInterface op,
                                  const RunOptions &options,
                                  const GPUTarget &target);

/// Gives all products without a plan the one in `text`, if there is one.
llvm::Error pinPlan(mlir::ModuleOp module, llvm::StringRef text);

/// Tells a person at a terminal what takes long.
void progress(const llvm::Twine &message);

/// Flops and bytes of the products of a module, for `batch` entries where the
/// batch is dynamic.
struct Work {
  double flops = 0;
  int64_t maxC = 0;    ///< Of any factor.
  int64_t factors = 0; ///< In all.
  bool isTF32 = false; ///< Some factor is.
  /// Of weights that are constants: those of arguments are seen there.
  double constantBytes = 0;
  std::string patterns, layout;
};

/// Whether `function` runs when @`entry` of its module does, as far as one can
/// see: private ones are there for somebody, other public ones do not run.
bool runsWith(mlir::FunctionOpInterface function, llvm::StringRef entry);

/// Sums over the products of what runs with @`entry`, which has these results.
Work analyzeWork(mlir::ModuleOp module, llvm::StringRef entry,
                 const RunOptions &options, llvm::ArrayRef<NpyArray> outputs);
int64_t getBatch(const Work &work, const RunOptions &options,
                 llvm::ArrayRef<NpyArray> outputs);

/// What a timed run found.
struct Timing {
  double median = 0, best = 0; ///< Seconds per run.
  int64_t runs = 0, bufferSets = 0;
  int64_t perSample = 1; ///< Runs that were timed together.
};

/// What the machine can do at most, as it was measured.
struct Peaks {
  double bandwidth = 0, flops = 0; ///< Per second.
  /// What reached the flops, for people, and as a key of the JSON object.
  std::string name, key;
  std::string note; ///< How it was measured, where that needs saying.
};

/// A compiled function, and the machine that it runs on.
class Program {
public:
  virtual ~Program() = default;

  llvm::StringRef getName() const { return name; }
  llvm::ArrayRef<ArgumentInfo> getInputs() const { return inputs; }
  llvm::ArrayRef<ArgumentInfo> getOutputs() const { return outputs; }
  llvm::StringRef getPlan() const { return plan; }

  /// The shape of result `index` for these inputs, which are checked.
  virtual llvm::Expected<llvm::SmallVector<int64_t, 4>>
  getResultShape(unsigned index, llvm::MutableArrayRef<NpyArray> arrays) = 0;

  /// Packs and runs once, and says how long that took.
  virtual llvm::Error run(llvm::MutableArrayRef<NpyArray> in,
                          llvm::MutableArrayRef<NpyArray> out,
                          Report &report) = 0;

  /// Times runs, taking turns between enough copies of the arguments that none
  /// is left in a cache.
  virtual llvm::Expected<Timing> time(llvm::ArrayRef<NpyArray> in,
                                      llvm::ArrayRef<NpyArray> out) = 0;

  /// What the machine can do at most with elements of `type`.
  virtual llvm::Expected<Peaks> measurePeaks(const RunOptions &options,
                                             ElementType type,
                                             const Work &work) = 0;

  /// As "8 threads".
  virtual std::string describeMachine() const = 0;

protected:
  std::string name, plan;
  std::vector<ArgumentInfo> inputs, outputs;
};

/// Compiles `module` for the CPU.
llvm::Expected<std::unique_ptr<Program>>
compileForHost(mlir::ModuleOp module, const RunOptions &options,
               Report &report);
CompileOptions getCompileOptions(const RunOptions &options);

/// Reads the arguments, or makes random ones.
llvm::Expected<std::vector<NpyArray>> makeInputs(const Program &program,
                                                 const RunOptions &options);
/// Results for these inputs, full of NaN: what is never written shows.
llvm::Expected<std::vector<NpyArray>>
makeOutputs(Program &program, llvm::MutableArrayRef<NpyArray> inputs);

/// What --verify found for one result.
struct Verification {
  Difference difference;
  double tolerance = 0; ///< Of the relative Frobenius error.
  bool isGood() const {
    return difference.isFinite && difference.relativeFrobenius <= tolerance;
  }
};

/// Computes the results again in f64 through linalg, and compares.
llvm::Expected<std::vector<Verification>>
verify(mlir::ModuleOp module, const RunOptions &options, const Work &work,
       llvm::ArrayRef<NpyArray> inputs, llvm::ArrayRef<NpyArray> outputs);

/// The middle one; sorts.
double takeMedian(std::vector<double> &samples);

} // namespace ks

#endif // KS_LIB_TOOLS_KSRUN_KSRUN_H
