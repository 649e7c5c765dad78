//===- WidenToF64.cpp - A reference in f64 --------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AttrTypeSubElements.h"

namespace ks {
#define GEN_PASS_DEF_WIDENTOF64
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

static bool isNarrow(Type type) {
  return type.isF16() || type.isBF16() || type.isF32();
}

static APFloat widen(APFloat value) {
  bool losesInfo;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                &losesInfo);
  return value;
}

/// The elements of `dense`, real or complex, in f64.
static DenseElementsAttr widen(DenseElementsAttr dense) {
  Type f64 = Float64Type::get(dense.getContext());
  if (auto complexType = dyn_cast<ComplexType>(dense.getElementType())) {
    SmallVector<std::complex<APFloat>> values;
    for (std::complex<APFloat> value : dense.getValues<std::complex<APFloat>>())
      values.emplace_back(widen(value.real()), widen(value.imag()));
    return DenseElementsAttr::get(dense.getType().clone(ComplexType::get(f64)),
                                  values);
  }
  return dense.mapValues(
      f64, [](const APFloat &value) { return widen(value).bitcastToAPInt(); });
}

namespace {
struct WidenToF64Pass : ks::impl::WidenToF64Base<WidenToF64Pass> {
  void runOnOperation() override {
    Type f64 = Float64Type::get(&getContext());
    AttrTypeReplacer replacer;
    replacer.addReplacement([&](Type type) -> std::optional<Type> {
      if (isNarrow(type))
        return f64;
      return std::nullopt;
    });
    using Replacement = std::optional<std::pair<Attribute, WalkResult>>;
    replacer.addReplacement([&](FloatAttr attr) -> Replacement {
      if (!isNarrow(attr.getType()))
        return std::nullopt;
      return {
          {FloatAttr::get(f64, widen(attr.getValue())), WalkResult::skip()}};
    });
    replacer.addReplacement([&](DenseElementsAttr attr) -> Replacement {
      if (!isNarrow(getRealType(attr.getElementType())))
        return std::nullopt;
      return {{widen(attr), WalkResult::skip()}};
    });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);

    SmallVector<Operation *> conversions;
    getOperation().walk([&](Operation *op) {
      if (auto product = dyn_cast<ProductOpInterface>(op)) {
        product.setPlanAttr({});
        op->setAttr("precision",
                    PrecisionAttr::get(&getContext(), Precision::IEEE));
      } else if (isa<arith::ExtFOp, arith::TruncFOp>(op) &&
                 op->getOperandTypes() == op->getResultTypes()) {
        conversions.push_back(op);
      }
    });
    for (Operation *op : conversions) {
      op->replaceAllUsesWith(op->getOperands());
      op->erase();
    }
  }
};
} // namespace
