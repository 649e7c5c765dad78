//===- Arguments.cpp - What ks-run gives to programs ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSRun.h"

#include "ks/Analysis/Problem.h"
#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace ks;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static llvm::Expected<NpyArray>
makeRandom(const ArgumentInfo &info, const RunOptions &options, size_t index) {
  llvm::SmallVector<int64_t, 4> shape = info.shape;
  for (int64_t &size : shape)
    if (size < 0)
      size = options.batch;
  auto array = NpyArray::create(info.type, shape);
  if (!array)
    return array.takeError();
  // Weights a×b×c×d are scaled so that results stay of the order of 1.
  double scale =
      shape.size() == 4
          ? std::sqrt(3.0 / static_cast<double>(std::max<int64_t>(shape[2], 1)))
          : 1;
  fillRandom(*array, options.seed * 1000 + index, scale);
  return array;
}

llvm::Expected<std::vector<NpyArray>>
ks::makeInputs(const Program &program, const RunOptions &options) {
  size_t expected = program.getInputs().size();
  if (!options.args.empty() && options.args.size() != expected)
    return makeError(llvm::formatv("got {0} --arg; expected {1}, as @{2} takes "
                                   "(or none, for random ones)",
                                   options.args.size(), expected,
                                   program.getName())
                         .str());
  std::vector<NpyArray> inputs;
  for (auto [index, info] : llvm::enumerate(program.getInputs())) {
    auto array = options.args.empty() ? makeRandom(info, options, index)
                                      : readNpy(options.args[index]);
    if (!array)
      return array.takeError();
    inputs.push_back(std::move(*array));
  }
  return inputs;
}

llvm::Expected<std::vector<NpyArray>>
ks::makeOutputs(Program &program, llvm::MutableArrayRef<NpyArray> inputs) {
  std::vector<NpyArray> outputs;
  for (auto [index, info] : llvm::enumerate(program.getOutputs())) {
    auto shape = program.getResultShape(index, inputs);
    if (!shape)
      return shape.takeError();
    auto array = NpyArray::create(info.type, *shape);
    if (!array)
      return array.takeError();
    fillNaN(*array);
    outputs.push_back(std::move(*array));
  }
  return outputs;
}

int64_t ks::getBatch(const Work &work, const RunOptions &options,
                     llvm::ArrayRef<NpyArray> outputs) {
  if (outputs.empty() || outputs.front().shape.size() != 2)
    return options.batch;
  return outputs.front().shape[work.layout == "batch_last" ? 1 : 0];
}

/// Bytes of the constants that products of `function` take as weights, each of
/// them once.
static double countConstantBytes(mlir::Operation *function) {
  llvm::SmallPtrSet<mlir::Value, 4> constants;
  function->walk([&](ProductOpInterface op) {
    for (mlir::Value weight : op.getWeightOperands())
      if (mlir::matchPattern(weight, mlir::m_Constant()))
        constants.insert(weight);
  });
  double bytes = 0;
  for (mlir::Value weight : constants) {
    auto type = mlir::cast<mlir::ShapedType>(weight.getType());
    auto complex = mlir::dyn_cast<mlir::ComplexType>(type.getElementType());
    unsigned bits = complex
                        ? 2 * complex.getElementType().getIntOrFloatBitWidth()
                        : type.getElementTypeBitWidth();
    bytes += static_cast<double>(type.getNumElements()) * (bits / 8.0);
  }
  return bytes;
}

/// Adds what the products of `function` take.
static void addWork(mlir::Operation *function, const RunOptions &options,
                    llvm::ArrayRef<NpyArray> outputs, Work &work) {
  llvm::raw_string_ostream patterns(work.patterns);
  work.constantBytes += countConstantBytes(function);
  function->walk([&](ProductOpInterface op) {
    Problem problem = getProblem(op);
    work.layout = stringifyLayout(op.getLayout()).str();
    work.isTF32 |= op.getPrecision() == Precision::TF32;
    for (const Problem::Factor &factor : problem.factors) {
      const KSPattern &p = factor.pattern;
      patterns << (work.factors++ ? ";" : "") << p.a << "," << p.b << "," << p.c
               << "," << p.d;
      work.maxC = std::max(work.maxC, p.c);
    }
    int64_t batch = problem.batch.value_or(getBatch(work, options, outputs));
    work.flops += getFlops(problem, batch);
  });
}

Work ks::analyzeWork(mlir::ModuleOp module, llvm::StringRef entry,
                     const RunOptions &options,
                     llvm::ArrayRef<NpyArray> outputs) {
  Work work;
  for (auto function : module.getOps<mlir::FunctionOpInterface>())
    if (runsWith(function, entry))
      addWork(function, options, outputs, work);
  return work;
}

bool ks::runsWith(mlir::FunctionOpInterface function, llvm::StringRef entry) {
  return !function.isPublic() || function.getName() == entry;
}

double ks::takeMedian(std::vector<double> &samples) {
  llvm::sort(samples);
  return samples[samples.size() / 2];
}
