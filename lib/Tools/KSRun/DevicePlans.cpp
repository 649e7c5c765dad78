//===- DevicePlans.cpp - Plans, predicted and measured --------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"

#include "ks/Analysis/GPUPlanner.h"
#include "ks/Analysis/Target.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/FormatVariadic.h"

using namespace ks;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static constexpr llvm::StringLiteral kIsolated = "product";

/// A module that is `op` alone, on arguments of its own: @product.
static mlir::OwningOpRef<mlir::ModuleOp> isolate(ProductOpInterface op) {
  mlir::Location loc = op.getLoc();
  mlir::OpBuilder b(op.getContext());
  auto module = mlir::ModuleOp::create(b, loc);
  b.setInsertionPointToEnd(module.getBody());
  llvm::SmallVector<mlir::Value> operands{op.getInput()};
  llvm::append_range(operands, op.getWeightOperands());
  llvm::append_range(operands, op.getExtras());
  auto type = b.getFunctionType(mlir::ValueRange(operands).getTypes(),
                                op->getResultTypes());
  auto func = mlir::func::FuncOp::create(b, loc, kIsolated, type);
  mlir::Block *body = func.addEntryBlock();
  b.setInsertionPointToStart(body);

  mlir::IRMapping mapping;
  mapping.map(operands, body->getArguments());
  auto result = mlir::cast<mlir::RankedTensorType>(op.getInit().getType());
  llvm::SmallVector<mlir::Value> sizes;
  if (!result.hasStaticShape())
    sizes.push_back(mlir::tensor::DimOp::create(b, loc, body->getArgument(0),
                                                op.getBatchDim()));
  mapping.map(op.getInit(),
              mlir::tensor::EmptyOp::create(b, loc, result.getShape(),
                                            result.getElementType(), sizes)
                  .getResult());
  mlir::Operation *product = b.clone(*op, mapping);
  mlir::func::ReturnOp::create(b, loc, product->getResults());
  return module;
}

static std::string describeFactor(ProductOpInterface op) {
  KSPattern p = op.getPatternList().front();
  return llvm::formatv("{0},{1},{2},{3}", p.a, p.b, p.c, p.d).str();
}

namespace {

/// Runs one factor after the other, with one plan after the other.
class PlanTimer {
public:
  PlanTimer(const RunOptions &original, const Device &device)
      : options(original), device(device),
        target(*getGPUTarget(device.target)) {
    options.entry.clear();
    options.args.clear();
  }

  llvm::Error timeFactor(ProductOpInterface op);
  llvm::json::Array list;
  bool isGood = true;

private:
  llvm::Error timePlan(ProductOpInterface original, const RankedPlan &ranked);
  RankedPlan predictFor(ProductOpInterface op, const RankedPlan &ranked,
                        int64_t batch) const;
  llvm::Expected<bool> check(mlir::ModuleOp module,
                             llvm::ArrayRef<NpyArray> inputs,
                             llvm::ArrayRef<NpyArray> outputs);

  RunOptions options;
  const Device &device;
  const GPUTarget target;
};

} // namespace

llvm::Expected<bool> PlanTimer::check(mlir::ModuleOp module,
                                      llvm::ArrayRef<NpyArray> inputs,
                                      llvm::ArrayRef<NpyArray> outputs) {
  if (!options.verify)
    return true;
  Work work = analyzeWork(module, kIsolated, options, outputs);
  auto results = verify(module, options, work, inputs, outputs);
  if (!results)
    return results.takeError();
  return llvm::all_of(
      *results, [](const Verification &result) { return result.isGood(); });
}

/// The same with the cost for the batch that was run.
RankedPlan PlanTimer::predictFor(ProductOpInterface op,
                                 const RankedPlan &ranked,
                                 int64_t batch) const {
  Problem problem = getProblem(op);
  auto kernel = mlir::dyn_cast<GPUPlanAttr>(ranked.plan);
  if (!kernel) {
    problem.batch = batch;
    return {ranked.plan, *predictLibrary(problem, target), ranked.limit};
  }
  GPUCost cost =
      predictGPU(problem, kernel.getPlan(op.getLayout()), target, batch);
  return {ranked.plan, cost.seconds, cost.limit};
}

llvm::Error PlanTimer::timePlan(ProductOpInterface original,
                                const RankedPlan &ranked) {
  auto module = isolate(original);
  PlanAttrInterface plan = ranked.plan;
  module->walk([&](ProductOpInterface op) { op.setPlanAttr(plan); });
  std::string text = toText(plan);
  progress("timing " + text);
  Report figures(/*isJSON=*/true, /*isQuiet=*/true);
  auto program = compileForDevice(*module, options, device, figures);
  if (!program)
    return program.takeError();
  auto inputs = makeInputs(**program, options);
  if (!inputs)
    return inputs.takeError();
  auto outputs = makeOutputs(**program, *inputs);
  if (!outputs)
    return outputs.takeError();
  if (llvm::Error error = (*program)->run(*inputs, *outputs, figures))
    return error;
  auto good = check(*module, *inputs, *outputs);
  if (!good)
    return good.takeError();
  auto timing = (*program)->time(*inputs, *outputs);
  if (!timing)
    return timing.takeError();
  isGood &= *good;

  int64_t batch = getProblem(original).batch.value_or(options.batch);
  RankedPlan cost = predictFor(original, ranked, batch);
  if (!options.json)
    llvm::outs() << llvm::formatv("{0,10:f1} us {1,10:f1} us  {2,-15} {3}{4}\n",
                                  cost.seconds * 1e6, timing->median * 1e6,
                                  cost.limit, *good ? "" : "WRONG ", text);
  llvm::json::Object entry{
      {"factor", describeFactor(original)},
      {"batch", batch},
      {"plan", text},
      {"predicted_us", cost.seconds * 1e6},
      {"limit", cost.limit},
      {"measured_us", timing->median * 1e6},
      {"best_us", timing->best * 1e6},
      {"library", std::move(*figures.figures.get("library"))},
      {"kernels", std::move(*figures.figures.get("kernels"))}};
  if (options.verify)
    entry["good"] = *good;
  list.push_back(std::move(entry));
  return llvm::Error::success();
}

llvm::Error PlanTimer::timeFactor(ProductOpInterface op) {
  Problem problem = getProblem(op);
  if (problem.factors.size() != 1 || !op.isOnTensors())
    return makeError("--plans takes products of tensors that have no plan; "
                     "expected the program without plans");
  if (!options.json)
    llvm::outs() << llvm::formatv("factor {0}\n{1,13} {2,13}  {3,-15} {4}\n",
                                  describeFactor(op), "predicted", "measured",
                                  "limit", "plan");
  for (const RankedPlan &ranked : rankPlans(op, options, target))
    if (llvm::Error error = timePlan(op, ranked))
      return makeError("with " + toText(ranked.plan) + ": " +
                       llvm::toString(std::move(error)));
  return llvm::Error::success();
}

llvm::Expected<int> ks::timePlans(mlir::ModuleOp module,
                                  const RunOptions &options,
                                  const Device &device) {
  auto split = splitIntoFactors(module);
  if (!split)
    return split.takeError();
  llvm::SmallVector<ProductOpInterface> products;
  (*split)->walk([&](ProductOpInterface op) {
    auto func = op->getParentOfType<mlir::func::FuncOp>();
    if (options.entry.empty() || (func && func.getName() == options.entry))
      products.push_back(op);
  });
  PlanTimer timer(options, device);
  for (ProductOpInterface op : products)
    if (llvm::Error error = timer.timeFactor(op))
      return std::move(error);
  if (options.json)
    llvm::outs() << llvm::formatv("{0:2}",
                                  llvm::json::Value(std::move(timer.list)))
                 << "\n";
  return timer.isGood ? 0 : 1;
}
