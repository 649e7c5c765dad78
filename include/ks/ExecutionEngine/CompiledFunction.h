//===- CompiledFunction.h - Compile and run on the CPU ----------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From an MLIR module to a function that runs on this machine's CPU.
//
//   auto function = CompiledFunction::compile(module, options);
//   function->pack(inputs);            // once per set of weights
//   function->run(inputs, outputs);    // as often as you like
//
// or, with several sets of weights at once:
//
//   auto packed = function->packWeights(inputs);
//   function->run(inputs, outputs, *packed);
//
// Every argument is checked before compiled code sees it.
//
//===----------------------------------------------------------------------===//

#ifndef KS_EXECUTIONENGINE_COMPILEDFUNCTION_H
#define KS_EXECUTIONENGINE_COMPILEDFUNCTION_H

#include "ks/Pipelines/Pipelines.h"
#include "ks/Support/Npy.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mlir {
class DialectRegistry;
class ExecutionEngine;
} // namespace mlir

namespace ks {

/// Memory that a compiled function reads or writes; not owned.
struct Buffer {
  void *data = nullptr;
  ElementType type = ElementType::F32;
  llvm::SmallVector<int64_t, 4> shape;
  llvm::SmallVector<int64_t, 4> strides; ///< In elements.

  /// A contiguous buffer on an array.
  static Buffer on(NpyArray &array);
  static Buffer contiguous(void *data, ElementType type,
                           llvm::ArrayRef<int64_t> shape);
};

/// What the function expects of an argument, or says of a result.
struct ArgumentInfo {
  ElementType type = ElementType::F32;
  llvm::SmallVector<int64_t, 4> shape; ///< -1 where any size will do.
  /// For results: per dimension the (input, dimension) of the same size, or
  /// (-1, size).
  llvm::SmallVector<std::pair<int64_t, int64_t>, 4> dims;
  /// Whether packing reads it, and whether runs on packed weights read it.
  bool isPacked = false, isRun = true;
};

/// Weights in the order in which a function reads them.
struct PackedWeights {
  std::vector<NpyArray> arrays;
};

/// Which way through the compiler.
enum class Path {
  CPU,      ///< ks-to-cpu.
  Loops,    ///< ks-to-loops: scalar loops, in the types of the program.
  Reference ///< ks-widen-to-f64, then ks-to-loops.
};

struct CompileOptions {
  std::string entry; ///< Empty: the only public function.
  Path path = Path::CPU;
  std::string target = "host"; ///< Row of the CPU target table.
  int64_t threads = 0;         ///< To plan for; 0: those of the runtime.
  unsigned optLevel = 2;       ///< Of LLVM, 0 to 3.
};

/// Where compile time went, in seconds.
struct CompileTimes {
  double passes = 0; ///< MLIR passes.
  double llvm = 0;   ///< LLVM's optimizer, code generation and linking.
  double total() const { return passes + llvm; }
};

/// A copy of `module` taken to rung `to`. Errors carry all diagnostics.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
lowerToRung(mlir::ModuleOp original, const CompileOptions &options, Rung to);

/// Dialects, passes' interfaces and translations that compilation needs.
void registerAllForCompilation(mlir::DialectRegistry &registry);

class CompiledFunction {
public:
  /// Compiles a copy of `module`. Errors carry all diagnostics.
  static llvm::Expected<std::unique_ptr<CompiledFunction>>
  compile(mlir::ModuleOp module, const CompileOptions &options);

  /// Compiles a copy of `module` once, for several of its functions;
  /// `options.entry` is ignored. Each function reports the times of all.
  static llvm::Expected<std::vector<std::unique_ptr<CompiledFunction>>>
  compileAll(mlir::ModuleOp original, const CompileOptions &options,
             llvm::ArrayRef<std::string> entries);

  ~CompiledFunction();

  llvm::ArrayRef<ArgumentInfo> getInputs() const { return inputs; }
  llvm::ArrayRef<ArgumentInfo> getOutputs() const { return outputs; }
  const CompileTimes &getCompileTimes() const { return times; }
  llvm::StringRef getName() const { return name; }
  /// The library that computes dense products, as "OpenBLAS 0.3.21"; "" if
  /// kernels do: the function has none for a library, or there is no BLAS.
  llvm::StringRef getLibraryName() const { return libraryName; }
  /// Why a BLAS that the function could use is not used; "" if that is not so.
  llvm::StringRef getNote() const { return note; }
  /// Whether weights are packed apart from running.
  bool hasPack() const { return packFunction != nullptr; }

  /// The shape of result `index` for these inputs, which are checked; those
  /// that only packing reads do not matter.
  llvm::Expected<llvm::SmallVector<int64_t, 4>>
  getResultShape(unsigned index, llvm::ArrayRef<Buffer> buffers) const;

  /// Checks the arguments of a call that packs and runs.
  llvm::Error check(llvm::ArrayRef<Buffer> inputBuffers,
                    llvm::ArrayRef<Buffer> outputBuffers) const;

  /// Packs the weights among `inputs`. Of these, only those that packing reads
  /// matter. The result is for this function only.
  llvm::Expected<PackedWeights>
  packWeights(llvm::ArrayRef<Buffer> buffers) const;

  /// Runs the function on packed weights; inputs that only packing reads do
  /// not matter. An output must not overlap an input or another output. Safe
  /// to call from several threads at once.
  llvm::Error run(llvm::ArrayRef<Buffer> inputBuffers,
                  llvm::ArrayRef<Buffer> outputBuffers,
                  const PackedWeights &packed) const;

  /// Packs the weights among `inputs`. Later runs without packed weights of
  /// their own use them, until the next call.
  llvm::Error pack(llvm::ArrayRef<Buffer> buffers);

  /// Runs the function on the weights of the last pack(), which is called
  /// first if it never was.
  llvm::Error run(llvm::ArrayRef<Buffer> inputBuffers,
                  llvm::ArrayRef<Buffer> outputBuffers);

private:
  using Packed = void (*)(void **);
  using InputFilter = llvm::function_ref<bool(const ArgumentInfo &)>;
  CompiledFunction();

  llvm::Error readSignature(mlir::ModuleOp module);
  llvm::Error findLibrary(mlir::ModuleOp module);
  llvm::Error findCode();
  llvm::Error checkInputs(llvm::ArrayRef<Buffer> buffers,
                          InputFilter matters) const;
  llvm::Error checkOutputs(llvm::ArrayRef<Buffer> inputBuffers,
                           llvm::ArrayRef<Buffer> outputBuffers,
                           InputFilter matters) const;

  std::string name;
  std::string packName, packedName; ///< Empty without packed weights.
  std::string libraryName, note;
  std::vector<ArgumentInfo> inputs, outputs;
  CompileTimes times;
  std::shared_ptr<mlir::ExecutionEngine> engine;
  // Either the first, or the other two.
  Packed function = nullptr;       ///< Everything in one call.
  Packed packFunction = nullptr;   ///< Packs the weights.
  Packed packedFunction = nullptr; ///< Runs on packed weights.
  /// Arguments of the two, as indices into inputs, then outputs.
  std::vector<int64_t> packArguments, packedArguments;
  std::vector<ArgumentInfo> packedWeights;         ///< What packing makes.
  std::shared_ptr<const PackedWeights> lastPacked; ///< By pack().
  std::mutex mutex;                                ///< Guards lastPacked.
};

} // namespace ks

#endif // KS_EXECUTIONENGINE_COMPILEDFUNCTION_H
