//===- FuseElementwise.cpp - Elementwise ops as epilogues -----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ElementwiseCone.h"
#include "InputConversion.h"

#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"

namespace ks {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// Absorption
//===----------------------------------------------------------------------===//

/// `op` with other extra operands and another destination, and an epilogue that
/// is still empty.
static ProductOpInterface createWithEpilogue(OpBuilder &b,
                                             ProductOpInterface op,
                                             ValueRange extras, Value init) {
  Operation *created;
  if (auto matmul = dyn_cast<MatmulOp>(*op)) {
    created = MatmulOp::create(
        b, op->getLoc(), init.getType(), matmul.getPatternAttr(),
        matmul.getInput(), matmul.getWeight(), extras, init,
        matmul.getLayoutAttr(), matmul.getPrecisionAttr(),
        matmul.getFastmathAttr(), matmul.getLoadAsAttr(), matmul.getReadsAttr(),
        matmul.getWritesAttr(), /*plan=*/{},
        /*epilogueRegionsCount=*/1);
  } else {
    auto chain = cast<ChainOp>(*op);
    created = ChainOp::create(b, op->getLoc(), init.getType(),
                              chain.getPatternsAttr(), chain.getInput(),
                              chain.getWeights(), extras, init,
                              chain.getLayoutAttr(), chain.getPrecisionAttr(),
                              chain.getFastmathAttr(), chain.getLoadAsAttr(),
                              /*plan=*/{}, /*epilogueRegionsCount=*/1);
  }
  created->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  return cast<ProductOpInterface>(created);
}

/// Where the result goes: to where the last op wrote, unless the product reads
/// that; it cannot run in place.
static Value getDestination(ElementwiseCone &cone, ArrayRef<Value> extras) {
  ProductOpInterface product = cone.product;
  Value init = cone.steps.back().op.getDpsInits().front();
  // An absorbed value is no memory; what it was written to is.
  for (ElementwiseStep &step : llvm::reverse(cone.steps))
    if (init == step.getResult())
      init = step.op.getDpsInits().front();
  if (init == product->getResult(0))
    return product.getInit();
  bool isRead = init == product.getInput() || llvm::is_contained(extras, init);
  bool isFree = product.getInit().getType() == init.getType() &&
                !llvm::is_contained(extras, product.getInit());
  return isRead && isFree ? product.getInit() : init;
}

static Value createConstant(OpBuilder &b, Location loc, Type type,
                            Attribute constant) {
  if (isa<ComplexType>(type))
    return complex::ConstantOp::create(b, loc, type, cast<ArrayAttr>(constant));
  return arith::ConstantOp::create(b, loc, type, cast<TypedAttr>(constant));
}

/// What the body of `step` makes of `scalars`.
static Value inlineStep(OpBuilder &b, ElementwiseStep &step,
                        const DenseMap<Value, Value> &scalars) {
  Location loc = step.op->getLoc();
  Block *body = step.op.getBlock();
  IRMapping mapping;
  for (auto [argument, operand] :
       llvm::zip_equal(body->getArguments(), step.operands)) {
    if (operand.kind == ElementwiseOperand::Constant)
      mapping.map(argument,
                  createConstant(b, loc, argument.getType(), operand.constant));
    else if (operand.kind != ElementwiseOperand::Unused)
      mapping.map(argument, scalars.lookup(operand.value));
  }
  // Constants from outside, which matchBody() found.
  for (Operation &inner : *body)
    for (Value used : inner.getOperands())
      if (used.getParentBlock() != body && !mapping.contains(used))
        mapping.map(used, createConstant(b, loc, used.getType(),
                                         getUniformConstant(used)));
  for (Operation &inner : body->without_terminator())
    b.clone(inner, mapping);
  return mapping.lookup(body->getTerminator()->getOperand(0));
}

/// Ends the epilogue of `fused` with `value`, which is of the type of `outs`.
static void createYield(RewriterBase &b, ProductOpInterface fused,
                        Value value) {
  Location loc = fused->getLoc();
  // The product rounds in the same way.
  auto rounding = value.getDefiningOp<arith::TruncFOp>();
  if (rounding && rounding.getIn().getType() == fused.getYieldType() &&
      !rounding.getRoundingmode()) {
    YieldOp::create(b, loc, rounding.getIn());
    if (rounding->use_empty())
      b.eraseOp(rounding);
    return;
  }
  YieldOp::create(b, loc, createRounded(b, loc, value, fused.getYieldType()));
}

/// Fills the epilogue of `fused`: that of the product, then all steps.
static void buildEpilogue(RewriterBase &b, ElementwiseCone &cone,
                          ProductOpInterface fused) {
  ProductOpInterface product = cone.product;
  Location loc = product->getLoc();
  Region &region = *fused.getEpilogue();
  Value value;
  if (product.hasEpilogue()) {
    moveEpilogue(b, product, fused);
    Operation *yield = region.front().getTerminator();
    value = yield->getOperand(0);
    b.eraseOp(yield);
  } else {
    b.createBlock(&region);
    value = region.addArgument(product.getAccumulatorType(), loc);
  }
  for (Value extra : fused.getExtras().drop_front(product.getExtras().size()))
    region.addArgument(getElementTypeOrSelf(extra.getType()), loc);

  b.setInsertionPointToEnd(&region.front());
  DenseMap<Value, Value> scalars;
  for (auto [extra, argument] :
       llvm::zip_equal(fused.getExtras(), region.getArguments().drop_front()))
    scalars[extra] = argument;
  // What the program stored is what it went on with.
  scalars[product->getResult(0)] =
      createRounded(b, loc, value, product.getResultElementType());
  for (ElementwiseStep &step : cone.steps)
    scalars[step.getResult()] = inlineStep(b, step, scalars);
  createYield(b, fused, scalars.lookup(cone.steps.back().getResult()));
}

static void absorb(RewriterBase &b, ElementwiseCone &cone) {
  ProductOpInterface product = cone.product;
  SmallVector<Value> extras(product.getExtras());
  for (ElementwiseStep &step : cone.steps)
    for (ElementwiseOperand &operand : step.operands)
      if (operand.kind == ElementwiseOperand::Extra &&
          !llvm::is_contained(extras, operand.value))
        extras.push_back(operand.value);
  // Only here are all operands there.
  b.setInsertionPoint(cone.steps.back().op);
  ProductOpInterface fused =
      createWithEpilogue(b, product, extras, getDestination(cone, extras));
  buildEpilogue(b, cone, fused);

  b.replaceOp(cone.steps.back().op, fused->getResults());
  auto erase = [&](Operation *op) {
    // Sizes are left, and those of all values are the same.
    for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
      b.modifyOpInPlace(user, [&] { user->setOperand(0, product.getInit()); });
    b.eraseOp(op);
  };
  for (ElementwiseStep &step :
       llvm::reverse(MutableArrayRef(cone.steps).drop_back()))
    erase(step.op);
  erase(product);
}

/// Products load what `conversion` reads, and convert it themselves.
static void absorb(RewriterBase &b, InputConversion &conversion) {
  Value converted = conversion.product.getInput();
  TypeAttr loadAs = TypeAttr::get(conversion.product.getElementType());
  for (ProductOpInterface reader : conversion.readers)
    b.modifyOpInPlace(reader, [&] { reader.setLoadAsAttr(loadAs); });
  // Also for who asks for sizes.
  b.replaceAllUsesWith(converted, conversion.source);
  b.eraseOp(conversion.producer);
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

static remark::RemarkOpts getRemark() {
  return remark::RemarkOpts::name("epilogue").category("ks-fuse-elementwise");
}

static void explain(InputConversion &conversion) {
  if (!conversion.producer)
    return;
  StringRef name = conversion.producer->getName().getStringRef(),
            product = conversion.product->getName().getStringRef();
  if (!conversion.source) {
    remark::analysis(conversion.producer->getLoc(), getRemark())
        << llvm::formatv("{0} not absorbed into what {1} loads: {2}", name,
                         product, conversion.reason)
               .str();
    return;
  }
  for (ProductOpInterface reader : conversion.readers)
    remark::analysis(conversion.producer->getLoc(), getRemark())
        << llvm::formatv("{0} absorbed into what {1} loads", name,
                         reader->getName().getStringRef())
               .str();
}

static void explain(ElementwiseCone &cone) {
  StringRef product = cone.product->getName().getStringRef();
  for (ElementwiseStep &step : cone.steps)
    remark::analysis(step.op->getLoc(), getRemark())
        << llvm::formatv("{0} absorbed into {1}",
                         step.op->getName().getStringRef(), product)
               .str();
  if (cone.refused)
    remark::analysis(cone.refused->getLoc(), getRemark())
        << llvm::formatv("{0} not absorbed into {1}: {2}",
                         cone.refused->getName().getStringRef(), product,
                         cone.reason)
               .str();
}

namespace {
struct FuseElementwisePass
    : ks::impl::FuseElementwiseBase<FuseElementwisePass> {
  using FuseElementwiseBase::FuseElementwiseBase;

  void runOnOperation() override {
    SmallVector<ProductOpInterface> products;
    getOperation()->walk([&](ProductOpInterface op) {
      if (op.isOnTensors())
        products.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (ProductOpInterface product : products) {
      InputConversion conversion(product);
      explain(conversion);
      if (conversion.source)
        absorb(rewriter, conversion);
      ElementwiseCone cone(product);
      if (product.getPlanAttr() && !cone.steps.empty()) {
        cone.refused = cone.steps.front().op;
        cone.reason = "the product has a plan";
        cone.steps.clear();
      }
      explain(cone);
      if (!cone.steps.empty())
        absorb(rewriter, cone);
    }
  }
};
} // namespace
