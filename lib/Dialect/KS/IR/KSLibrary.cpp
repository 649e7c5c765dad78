//===- KSLibrary.cpp - Products by vendors' libraries ---------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"

#include "ks/Analysis/LibraryCost.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace ks;

std::array<int64_t, 4> ks::getPlainShape(const KSPattern &p, Ties tied) {
  return {bitEnumContainsAny(tied, Ties::A) ? 1 : p.a,
          bitEnumContainsAny(tied, Ties::D) ? 1 : p.d, p.b, p.c};
}

/// Elements of `packedBits` that the plain matrices take, of elements of
/// `bits`; none if they cannot be counted.
static std::optional<int64_t> countPlain(const KSPattern &p, Ties tied,
                                         int64_t bits, unsigned packedBits) {
  for (int64_t size : getPlainShape(p, tied))
    if (llvm::MulOverflow(bits, size, bits))
      return std::nullopt;
  return static_cast<int64_t>(
      llvm::divideCeil(static_cast<uint64_t>(bits), packedBits));
}

//===----------------------------------------------------------------------===//
// LibraryPackingAttr
//===----------------------------------------------------------------------===//

LogicalResult
LibraryPackingAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                           PackingAttrInterface fallback) {
  // C1
  if (isa<LibraryPackingAttr>(fallback))
    return emitError() << "packing's fallback is " << fallback
                       << "; expected that of a kernel";
  return success();
}

RankedTensorType LibraryPackingAttr::getPackedType(KSPattern p,
                                                   Type element) const {
  RankedTensorType packed = getFallback().getPackedType(p, element);
  if (!packed)
    return {};
  int64_t parts = isa<ComplexType>(element) ? 2 : 1;
  int64_t bits = getRealType(element).getIntOrFloatBitWidth();
  Type packedElement = packed.getElementType();
  std::optional<int64_t> plain = countPlain(
      p, getTied(), parts * bits, packedElement.getIntOrFloatBitWidth());
  if (!plain)
    return {};
  return RankedTensorType::get({std::max(*plain, packed.getDimSize(0))},
                               packedElement);
}

Ties LibraryPackingAttr::getTied() const { return getFallback().getTied(); }

//===----------------------------------------------------------------------===//
// LibraryPlanAttr
//===----------------------------------------------------------------------===//

LogicalResult
LibraryPlanAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                        Library library, PlanAttrInterface fallback) {
  // C1
  bool isHost = library == Library::Blas;
  if (isHost ? !isa<CPUPlanAttr>(fallback) : !isa<GPUPlanAttr>(fallback))
    return emitError() << "plan's fallback is " << fallback << "; expected a "
                       << (isHost ? "#ks.cpu_plan" : "#ks.gpu_plan");
  return success();
}

PackingAttrInterface LibraryPlanAttr::getPacking(unsigned factor) const {
  PackingAttrInterface packing = getFallback().getPacking(factor);
  if (!packing)
    return {};
  return cast<PackingAttrInterface>(
      Attribute(LibraryPackingAttr::get(getContext(), packing)));
}

LogicalResult LibraryPlanAttr::verifyPlan(Operation *operation) const {
  auto op = cast<ProductOpInterface>(operation);
  bool isHost = getLibrary() == Library::Blas;
  Problem problem = getProblem(op);
  if (std::string complaint =
          isHost ? checkBlasProblem(problem) : checkLibraryProblem(problem);
      !complaint.empty())
    return op->emitOpError("plan does not fit: ") << complaint;
  return getFallback().verifyPlan(operation);
}

//===----------------------------------------------------------------------===//
// LibraryProductOp
//===----------------------------------------------------------------------===//

LogicalResult LibraryProductOp::verify() {
  // C1
  KSPattern p = getPattern().getPattern();
  bool isBatchFirst = getLayout() == Layout::BatchFirst;
  if (isBatchFirst && p.d != 1)
    return emitOpError("has pattern ")
           << getPattern()
           << ", whose columns a library does not read batch-first; expected "
              "<a, b, c, 1>, or layout(batch_last)";
  // C2
  auto input = cast<MemRefType>(getInput().getType());
  auto result = cast<MemRefType>(getInit().getType());
  if (input.getElementType() != result.getElementType())
    return emitOpError("has an input of ")
           << input.getElementType() << " and a result of "
           << result.getElementType() << "; expected one element type";
  int64_t features = isBatchFirst ? 1 : 0;
  for (auto [name, type, expected] :
       {std::tuple{"input", input, p.inFeatures()},
        {"outs", result, p.outFeatures()}})
    if (type.getDimSize(features) != expected)
      return emitOpError() << name << " is " << type << "; expected "
                           << expected << " features in axis " << features;
  // C3
  auto weight = cast<MemRefType>(getWeight().getType());
  std::optional<int64_t> room =
      countPlain(p, getTied(), input.getElementTypeBitWidth(),
                 weight.getElementTypeBitWidth());
  if (!room)
    return emitOpError("has pattern ")
           << getPattern()
           << ", whose weights cannot be counted; expected fewer";
  if (!weight.isDynamicDim(0) && weight.getDimSize(0) < *room)
    return emitOpError("weight is ")
           << weight << "; expected at least " << *room << " elements";
  return success();
}
