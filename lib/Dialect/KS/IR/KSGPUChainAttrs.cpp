//===- KSGPUChainAttrs.cpp - Plans for chains on GPUs ---------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// ChainBufferAttr
//===----------------------------------------------------------------------===//

LogicalResult
ChainBufferAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t a,
                        int64_t c, int64_t d, int64_t blocks, bool alongJ,
                        int64_t depth, int64_t slab, int64_t rows,
                        int64_t pitch) {
  // C1
  for (auto [name, size] : {std::pair{"a", a},
                            {"c", c},
                            {"d", d},
                            {"blocks", blocks},
                            {"depth", depth},
                            {"slab", slab},
                            {"rows", rows},
                            {"pitch", pitch}})
    if (size < 1)
      return emitError() << "buffer's " << name << " is " << size
                         << "; expected at least 1";
  if ((alongJ ? d : a) % blocks != 0)
    return emitError() << "buffer's blocks is " << blocks
                       << "; expected a divisor of " << (alongJ ? "d" : "a")
                       << " = " << (alongJ ? d : a);
  return success();
}

ChainBufferAttr ChainBufferAttr::get(MLIRContext *context,
                                     const ChainBuffer &buffer) {
  return get(context, buffer.a, buffer.c, buffer.d, buffer.blocks,
             buffer.isAlongJ, buffer.depth, buffer.slab, buffer.rows,
             buffer.pitch);
}

ChainBuffer ChainBufferAttr::getBuffer() const {
  return {getA(),     getC(),    getD(),    getBlocks(), getAlongJ(),
          getDepth(), getSlab(), getRows(), getPitch()};
}

//===----------------------------------------------------------------------===//
// GPUChainFactorAttr
//===----------------------------------------------------------------------===//

LogicalResult
GPUChainFactorAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                           int64_t entries, int64_t vector, int64_t, int64_t,
                           GPUPackingAttr) {
  // C1
  if (entries < 1 || entries > 512)
    return emitError() << "factor's entries is " << entries
                       << "; expected 1 to 512";
  if (vector < 1 || vector > 16)
    return emitError() << "factor's vector is " << vector
                       << "; expected 1 to 16";
  return success();
}

//===----------------------------------------------------------------------===//
// GPUChainPlanAttr
//===----------------------------------------------------------------------===//

LogicalResult
GPUChainPlanAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t,
                         int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                         bool, ArrayRef<GPUChainFactorAttr> factors) {
  // C1
  if (factors.empty())
    return emitError() << "plan has no factors; expected at least one";
  return success();
}

GPUChainPlan GPUChainPlanAttr::getPlan() const {
  GPUChainPlan plan;
  plan.entries = getEntries();
  plan.slices = getSlices();
  plan.shares = getShares();
  plan.cluster = getCluster();
  plan.warps = getWarps();
  plan.stages = getStages();
  plan.batchBlocks = getBatchBlocks();
  plan.isStaged = getStaged();
  for (GPUChainFactorAttr attr : getFactors()) {
    GPUPackingAttr packing = attr.getPacking();
    GPUChainFactor &factor = plan.factors.emplace_back();
    factor.fragments = packing.getLayout();
    factor.entries = attr.getEntries();
    factor.vector = attr.getVector();
    factor.n = packing.getN();
    factor.groups = attr.getGroups();
    factor.blocksN = attr.getBlocksN();
    factor.k = plan.isStreamed() ? packing.getK() : 0;
    factor.tiedA = packing.isTied(Ties::A);
    factor.tiedD = packing.isTied(Ties::D);
  }
  return plan;
}

PackingAttrInterface GPUChainPlanAttr::getPacking(unsigned factor) const {
  if (factor >= getFactors().size())
    return {};
  return cast<PackingAttrInterface>(getFactors()[factor].getPacking());
}

LogicalResult GPUChainPlanAttr::verifyPlan(Operation *operation) const {
  auto op = cast<ProductOpInterface>(operation);
  Problem problem = getProblem(op);
  GPUChainPlan plan = getPlan();
  std::string complaint = checkGPUChainPlan(problem, plan);
  if (!complaint.empty())
    return op->emitOpError("plan does not fit: ") << complaint;
  for (auto [number, factor] : llvm::enumerate(plan.factors)) {
    GPUPackingAttr packing = getFactors()[number].getPacking();
    ChainSlice slice = plan.getSlice(problem, number);
    int64_t j = factor.tiedD ? 1 : factor.getColumns(problem.batchFirst);
    for (auto [name, got, expected] :
         {std::tuple{"k", packing.getK(), plan.getChunk(problem, number)},
          {"j", packing.getJ(), j},
          {"parts", packing.getParts(), slice.parts},
          {"run", packing.getRun(), slice.run}})
      if (got != expected)
        return op->emitOpError("plan does not fit: packing ")
               << name << " of factor " << number << " is " << got
               << "; expected " << expected;
    if (packing.getFolded())
      return op->emitOpError("plan does not fit: packing of factor ")
             << number << " is folded; expected it not to be";
  }
  return success();
}
