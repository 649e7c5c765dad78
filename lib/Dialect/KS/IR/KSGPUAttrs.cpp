//===- KSGPUAttrs.cpp - GPU plans of the KS dialect -----------------------===//
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
// FragmentsAttr
//===----------------------------------------------------------------------===//

LogicalResult
FragmentsAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      GPUInstruction, int64_t runK, int64_t runN) {
  // C1
  if (runK != 1 && runK != 2 && runK != 4)
    return emitError() << "run_k is " << runK << "; expected 1, 2 or 4";
  if (runN < 1 || runN > 64)
    return emitError() << "run_n is " << runN << "; expected 1 to 64";
  return success();
}

//===----------------------------------------------------------------------===//
// GPUPackingAttr
//===----------------------------------------------------------------------===//

LogicalResult
GPUPackingAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                       FragmentsAttr fragments, int64_t n, int64_t k, int64_t j,
                       Ties tied, bool folded, int64_t parts, int64_t run,
                       int64_t planes, int64_t redundancy) {
  // C1
  FragmentLayout layout = fragments.getLayout();
  for (auto [name, size, unit] :
       {std::tuple{"n", n, layout.tileN()}, {"k", k, layout.stepK()}})
    if (size < 1 || size > (1 << 20) || size % unit != 0)
      return emitError() << "packing " << name << " is " << size
                         << "; expected a multiple of " << unit << " for "
                         << stringifyGPUInstruction(fragments.getInstruction());
  if (j < 1 || j > (1 << 20))
    return emitError() << "packing j is " << j << "; expected at least 1";
  if (j != 1 && bitEnumContainsAny(tied, Ties::D))
    return emitError() << "packing j is " << j
                       << "; expected 1, as all j share the weight";
  if (folded && (j != 1 || bitEnumContainsAny(tied, Ties::D)))
    return emitError() << "packing is folded with j = " << j
                       << (j == 1 ? " and tied along d" : "")
                       << "; expected j = 1, not tied along d";
  // C2
  for (auto [name, size] : {std::pair{"parts", parts}, {"run", run}})
    if (size < 1)
      return emitError() << "packing " << name << " is " << size
                         << "; expected at least 1";
  if (folded && parts != 1)
    return emitError() << "packing is folded with " << parts
                       << " parts; expected 1";
  // C3
  if (planes < 0 || planes == 1 || planes > (1 << 20))
    return emitError() << "packing has " << planes
                       << " planes; expected at least 2, or none";
  if (planes != 0 && (folded || parts != 1))
    return emitError() << "packing has planes and "
                       << (folded ? "is folded" : "parts")
                       << "; expected neither folded nor parts";
  if (redundancy < 1 || (redundancy != 1 && planes == 0))
    return emitError() << "packing redundancy is " << redundancy << " with "
                       << planes << " planes; expected "
                       << (planes == 0 ? "1" : "at least 1");
  return success();
}

SmallVector<int64_t>
GPUPackingAttr::getPackedShape(const KSPattern &pattern) const {
  KSPattern p = getKernelPattern(pattern);
  FragmentLayout layout = getLayout();
  auto countBlocks = [](int64_t size, int64_t block) {
    return (size + block - 1) / block;
  };
  return {isTied(Ties::A) ? 1 : p.a,
          isTied(Ties::D) ? 1 : countBlocks(p.d, getJ()),
          getParts() * getBlocksOfPart(pattern),
          countBlocks(p.c, getK()),
          getK() / layout.stepK(),
          getJ(),
          getN() / layout.tileN(),
          layout.weightLanes(),
          layout.weightsPerLane()};
}

RankedTensorType GPUPackingAttr::getPackedType(KSPattern p,
                                               Type element) const {
  int64_t size = isa<ComplexType>(element) ? 2 : 1;
  for (int64_t factor : getPackedShape(p))
    if (llvm::MulOverflow(size, factor, size))
      return {};
  if (getLayout().isSplit())
    return RankedTensorType::get({size}, BFloat16Type::get(getContext()));
  return RankedTensorType::get({size}, getRealType(element));
}

//===----------------------------------------------------------------------===//
// GPUPlanAttr
//===----------------------------------------------------------------------===//

LogicalResult GPUPlanAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  int64_t entries, int64_t batchBlocks,
                                  int64_t vector, ArrayRef<int64_t> warps,
                                  int64_t stages, int64_t cluster,
                                  int64_t splits, int64_t sweeps, CopyEngine,
                                  WeightPlacement, GPUPackingAttr) {
  // C1
  if (warps.size() != 3)
    return emitError() << "plan has " << warps.size()
                       << " numbers of warps; expected 3: along the batch, n "
                          "and j";
  for (auto [name, size] : {std::pair{"entries", entries},
                            {"batch_blocks", batchBlocks},
                            {"vector", vector},
                            {"warps along the batch", warps[0]},
                            {"warps along n", warps[1]},
                            {"warps along j", warps[2]},
                            {"stages", stages},
                            {"cluster", cluster},
                            {"splits", splits},
                            {"sweeps", sweeps}})
    if (size < 1 || size > (1 << 20))
      return emitError() << "plan's " << name << " is " << size
                         << "; expected at least 1";
  return success();
}

GPUPlan GPUPlanAttr::getPlan(Layout layout) const {
  GPUPackingAttr packing = getPacking();
  GPUPlan plan;
  plan.fragments = packing.getLayout();
  plan.entries = getEntries();
  plan.batchBlocks = getBatchBlocks();
  plan.n = packing.getN();
  plan.k = packing.getK();
  plan.vector = getVector();
  plan.warpsM = getWarps()[0];
  plan.warpsN = getWarps()[1];
  plan.warpsJ = getWarps()[2];
  plan.j = layout == Layout::BatchFirst ? getVector() * plan.warpsJ : 1;
  // The last warp may begin earlier: GPUPlan::hasOverlappingWarps.
  int64_t packedJ = packing.getJ();
  if (!packing.getFolded() && !packing.isTied(Ties::D) && packedJ < plan.j &&
      packedJ > plan.j - getVector())
    plan.j = packedJ;
  plan.stages = getStages();
  plan.cluster = getCluster();
  plan.splits = getSplits();
  plan.sweeps = getSweeps();
  plan.isBulk = getCopies() == CopyEngine::Bulk;
  plan.isResident = getWeights() == WeightPlacement::Resident;
  plan.tiedA = packing.isTied(Ties::A);
  plan.tiedD = packing.isTied(Ties::D);
  plan.isFolded = packing.getFolded();
  plan.planes = packing.getPlanes();
  return plan;
}

PackingAttrInterface GPUPlanAttr::getPacking(unsigned factor) const {
  if (factor != 0)
    return {};
  return cast<PackingAttrInterface>(getPacking());
}

LogicalResult GPUPlanAttr::verifyPlan(Operation *operation) const {
  auto op = cast<ProductOpInterface>(operation);
  Problem problem = getProblem(op);
  if (problem.factors.size() != 1)
    return op->emitOpError("plan does not fit: a #ks.gpu_plan is for one "
                           "factor, and there are ")
           << problem.factors.size()
           << "; expected ks.matmul (run ks-split-chains)";
  GPUPlan plan = getPlan(op.getLayout());
  int64_t packedJ = plan.tiedD ? 1 : plan.j;
  if (getPacking().getJ() != packedJ)
    return op->emitOpError("plan does not fit: packing j is ")
           << getPacking().getJ() << "; expected " << packedJ;
  if (getPacking().getParts() != 1)
    return op->emitOpError("plan does not fit: packing parts is ")
           << getPacking().getParts() << "; expected 1";
  if (getPacking().getRedundancy() != problem.getRedundancy())
    return op->emitOpError("plan does not fit: packing redundancy is ")
           << getPacking().getRedundancy() << "; expected "
           << problem.getRedundancy() << ", which the order of features says";
  std::string complaint = checkGPUPlan(problem, plan);
  if (!complaint.empty())
    return op->emitOpError("plan does not fit: ") << complaint;
  return success();
}
