//===- FuseElementwise.cpp - Elementwise ops as epilogues -----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From each product the pass walks down the block, over the elementwise ops
// that read its result or each other's. As long as all of them but the last are
// read by each other alone, they can be one epilogue:
//
//   %y = ks.matmul ...           one op reads %y twice, or several do (SiLU):
//   %e = linalg.exp ins(%n)      what counts is that one value remains in the
//   %r = linalg.div ins(%y, %d)  end that others read
//
// All linalg ops, named ones too, have their scalar code in their bodies, so
// that there is no table of ops here.
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"

namespace ks {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// What is read
//===----------------------------------------------------------------------===//

namespace {

/// What an argument of an elementwise op's body stands for.
struct Operand {
  enum Kind {
    Unused,
    Absorbed, ///< The result of the product, or of an op that is absorbed.
    Extra,    ///< An operand of the epilogue.
    Constant, ///< The same for all elements.
  };
  Kind kind = Unused;
  Value value;
  Attribute constant;
};

/// An elementwise op that goes into the epilogue.
struct Step {
  linalg::LinalgOp op;
  SmallVector<Operand> operands; // for each argument of the body

  Value getResult() { return op->getResult(0); }
};

/// A value as it is read at each element of the result: at `map` of its place.
struct View {
  Value value;
  AffineMap map;
};

/// Why an op is not absorbed.
using Reason = std::string;

} // namespace

/// The constant that all elements of `value` are; null if there is none.
static Attribute getUniformConstant(Value value) {
  Attribute constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return {};
  auto elements = dyn_cast<ElementsAttr>(constant);
  if (!elements)
    return isa<ShapedType>(value.getType()) ? Attribute() : constant;
  return elements.isSplat() ? elements.getSplatValue<Attribute>() : Attribute();
}

/// The operand that `op` moves and does not change, as linalg.broadcast, fill,
/// transpose and copy do; null if it computes something.
static OpOperand *getMovedOperand(linalg::LinalgOp op) {
  if (!op || !op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !llvm::hasSingleElement(*op.getBlock()))
    return nullptr;
  auto yielded =
      dyn_cast<BlockArgument>(op.getBlock()->getTerminator()->getOperand(0));
  if (!yielded || yielded.getOwner() != op.getBlock())
    return nullptr;
  OpOperand &operand = op->getOpOperand(yielded.getArgNumber());
  return op.isDpsInit(&operand) ? nullptr : &operand;
}

/// From places in the result of `op` to those in its operand; null if the
/// result is not written place by place.
static AffineMap getMapFromResult(linalg::LinalgOp op, OpOperand &operand) {
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!result.isPermutation())
    return {};
  return op.getMatchingIndexingMap(&operand).compose(
      inversePermutation(result));
}

/// What is behind ops that move elements only.
static View lookThroughMoves(View view) {
  while (auto op = view.value.getDefiningOp<linalg::LinalgOp>()) {
    OpOperand *moved = getMovedOperand(op);
    AffineMap map = moved ? getMapFromResult(op, *moved) : AffineMap();
    if (!map)
      break;
    view = {moved->get(), map.compose(view.map)};
  }
  return view;
}

//===----------------------------------------------------------------------===//
// What can be absorbed
//===----------------------------------------------------------------------===//

namespace {

/// The elementwise ops behind a product that can go into its epilogue.
class Cone {
public:
  explicit Cone(ProductOpInterface product)
      : product(product), values{product->getResult(0)} {
    grow();
  }

  ProductOpInterface product;
  /// What is absorbed, in order: only the result of the last is read by others.
  SmallVector<Step> steps;
  /// The op that ended the cone, and why, if that is worth to be told.
  Operation *refused = nullptr;
  Reason reason;

private:
  void grow();
  Operation *getNextUser();
  bool isClosed();
  bool isOutside(Operation *user);
  std::optional<Step> match(Operation *user);
  bool matchBody(linalg::LinalgOp op);
  std::optional<Operand> read(linalg::LinalgOp op, OpOperand &operand);
  std::optional<Operand> readExtra(View view);
  /// Notes why, and returns what stands for a refusal.
  std::nullopt_t refuse(const Twine &why) {
    reason = why.str();
    return std::nullopt;
  }

  /// The product's result and those of all steps.
  SmallVector<Value> values;
};

} // namespace

/// Whether `user` is no step. Who asks for sizes reads no elements.
bool Cone::isOutside(Operation *user) {
  return !isa<tensor::DimOp>(user) &&
         llvm::none_of(steps, [&](Step &step) { return step.op == user; });
}

/// Whether nothing but the last value is read from outside.
bool Cone::isClosed() {
  return llvm::all_of(ArrayRef(values).drop_back(), [&](Value value) {
    return llvm::none_of(value.getUsers(),
                         [&](Operation *user) { return isOutside(user); });
  });
}

/// The first op in the block, behind the product, that reads a value and is no
/// step; an op of another block if there is one.
Operation *Cone::getNextUser() {
  Operation *next = nullptr;
  for (Value value : values)
    for (Operation *user : value.getUsers()) {
      if (!isOutside(user))
        continue;
      if (user->getBlock() != product->getBlock())
        return user;
      if (!next || user->isBeforeInBlock(next))
        next = user;
    }
  return next;
}

void Cone::grow() {
  size_t count = 0; // of steps that are closed
  while (Operation *user = getNextUser()) {
    std::optional<Step> step = match(user);
    if (!step) {
      bool isOpen = steps.size() > count;
      if (isOpen) {
        reason = llvm::formatv("what it reads is also read by {0}",
                               user->getName().getStringRef());
        refused = steps[count].op;
      } else if (isa<linalg::LinalgOp>(user)) {
        refused = user;
      }
      break;
    }
    values.push_back(step->getResult());
    steps.push_back(std::move(*step));
    Type element = getElementTypeOrSelf(values.back().getType());
    if (!isClosed())
      continue;
    if (element == product.getElementType()) {
      count = steps.size();
      continue;
    }
    refused = steps[count].op;
    reason = llvm::formatv("its result is of type {0}; expected {1}, as the "
                           "product has",
                           element, product.getElementType());
  }
  steps.resize(count);
  values.resize(count + 1);
}

std::optional<Step> Cone::match(Operation *user) {
  auto op = dyn_cast<linalg::LinalgOp>(user);
  if (!op)
    return refuse("it is no op of linalg");
  if (op->getBlock() != product->getBlock())
    return refuse("it is in another block than the product");
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1)
    return refuse("it has not one tensor as its result");
  if (op.getNumParallelLoops() != op.getNumLoops())
    return refuse("it is not elementwise: it reduces");
  if (!op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isPermutation())
    return refuse("it is not elementwise: its result has another shape");
  if (!matchBody(op))
    return std::nullopt;
  Step step{op, {}};
  for (BlockArgument argument : op.getBlock()->getArguments()) {
    std::optional<Operand> operand = Operand();
    if (!argument.use_empty())
      operand = read(op, op->getOpOperand(argument.getArgNumber()));
    if (!operand)
      return std::nullopt;
    step.operands.push_back(*operand);
  }
  if (llvm::none_of(step.operands, [](const Operand &operand) {
        return operand.kind == Operand::Absorbed;
      }))
    return refuse("it overwrites the product's result without reading it");
  return step;
}

/// Whether an epilogue may hold the body of `op`.
bool Cone::matchBody(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  auto isAvailable = [&](Value value) {
    return value.getParentBlock() == body || getUniformConstant(value);
  };
  for (Operation &inner : *body) {
    if (!inner.hasTrait<OpTrait::IsTerminator>() &&
        !isAllowedInEpilogue(&inner)) {
      refuse("epilogues may not hold " + inner.getName().getStringRef());
      return false;
    }
    if (!llvm::all_of(inner.getOperands(), isAvailable)) {
      refuse("it uses a value from outside that is not a constant");
      return false;
    }
  }
  return true;
}

std::optional<Operand> Cone::read(linalg::LinalgOp op, OpOperand &operand) {
  View view{operand.get(), getMapFromResult(op, operand)};
  if (!llvm::is_contained(values, view.value))
    view = lookThroughMoves(view);
  if (Attribute constant = getUniformConstant(view.value))
    return Operand{Operand::Constant, {}, constant};
  if (!llvm::is_contained(values, view.value))
    return readExtra(view);
  if (!view.map.isIdentity())
    return refuse("it reads the product's result at other places: " +
                  llvm::formatv("{0}", view.map).str());
  return Operand{Operand::Absorbed, view.value, {}};
}

/// Whether `view` can be an operand of the epilogue (C7, C15).
std::optional<Operand> Cone::readExtra(View view) {
  auto type = dyn_cast<RankedTensorType>(view.value.getType());
  if (!type)
    return refuse("it reads a scalar that is not a constant");
  auto refuseType = [&](StringRef why) {
    return refuse(
        llvm::formatv("it reads {0} at {1}, {2}", type, view.map, why).str());
  };
  if (type.getElementType() != product.getElementType())
    return refuseType("which is of another type than the product");
  auto feature =
      getAffineDimExpr(product.getFeatureDim(), product->getContext());
  bool isPerFeature =
      view.map.getNumResults() == 1 && view.map.getResult(0) == feature;
  if (!isPerFeature && !view.map.isIdentity()) {
    bool isPerEntry = view.map.isFunctionOfDim(product.getBatchDim()) &&
                      !view.map.isFunctionOfDim(product.getFeatureDim());
    return refuseType(isPerEntry
                          ? "which differs along the batch only"
                          : "which is neither one per feature nor one per "
                            "element of the result");
  }
  int64_t features = cast<ShapedType>(product.getInit().getType())
                         .getDimSize(product.getFeatureDim());
  if (type.getDimSize(isPerFeature ? 0 : product.getFeatureDim()) != features)
    return refuseType("whose number of features is not known");
  return Operand{Operand::Extra, view.value, {}};
}

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
        matmul.getFastmathAttr(), /*plan=*/{}, /*epilogueRegionsCount=*/1);
  } else {
    auto chain = cast<ChainOp>(*op);
    created = ChainOp::create(
        b, op->getLoc(), init.getType(), chain.getPatternsAttr(),
        chain.getInput(), chain.getWeights(), extras, init,
        chain.getLayoutAttr(), chain.getPrecisionAttr(),
        chain.getFastmathAttr(), /*plan=*/{}, /*epilogueRegionsCount=*/1);
  }
  created->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  return cast<ProductOpInterface>(created);
}

/// Where the result goes: to where the last op wrote, unless the product reads
/// that; it cannot run in place.
static Value getDestination(Cone &cone, ArrayRef<Value> extras) {
  ProductOpInterface product = cone.product;
  Value init = cone.steps.back().op.getDpsInits().front();
  // An absorbed value is no memory; what it was written to is.
  for (Step &step : llvm::reverse(cone.steps))
    if (init == step.getResult())
      init = step.op.getDpsInits().front();
  if (init == product->getResult(0))
    return product.getInit();
  bool isRead = init == product.getInput() || llvm::is_contained(extras, init);
  bool isFree = product.getInit().getType() == init.getType() &&
                !llvm::is_contained(extras, product.getInit());
  return isRead && isFree ? product.getInit() : init;
}

/// `value` in another real type.
static Value convert(OpBuilder &b, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (value.getType().getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(b, loc, type, value);
  return arith::TruncFOp::create(b, loc, type, value);
}

static Value createConstant(OpBuilder &b, Location loc, Type type,
                            Attribute constant) {
  if (isa<ComplexType>(type))
    return complex::ConstantOp::create(b, loc, type, cast<ArrayAttr>(constant));
  return arith::ConstantOp::create(b, loc, type, cast<TypedAttr>(constant));
}

/// What the body of `step` makes of `scalars`.
static Value inlineStep(OpBuilder &b, Step &step,
                        const DenseMap<Value, Value> &scalars) {
  Location loc = step.op->getLoc();
  Block *body = step.op.getBlock();
  IRMapping mapping;
  for (auto [argument, operand] :
       llvm::zip_equal(body->getArguments(), step.operands)) {
    if (operand.kind == Operand::Constant)
      mapping.map(argument,
                  createConstant(b, loc, argument.getType(), operand.constant));
    else if (operand.kind != Operand::Unused)
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

/// Ends the epilogue with `value`, which the product rounds to its element
/// type.
static void createYield(RewriterBase &b, Location loc, Value value,
                        Type accumulator) {
  // The product rounds in the same way.
  auto rounding = value.getDefiningOp<arith::TruncFOp>();
  if (rounding && rounding.getIn().getType() == accumulator &&
      !rounding.getRoundingmode()) {
    YieldOp::create(b, loc, rounding.getIn());
    if (rounding->use_empty())
      b.eraseOp(rounding);
    return;
  }
  YieldOp::create(b, loc, convert(b, loc, value, accumulator));
}

/// Fills the epilogue of `fused`: that of the product, then all steps.
static void buildEpilogue(RewriterBase &b, Cone &cone,
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
      convert(b, loc, value, product.getElementType());
  for (Step &step : cone.steps)
    scalars[step.getResult()] = inlineStep(b, step, scalars);
  createYield(b, loc, scalars.lookup(cone.steps.back().getResult()),
              product.getAccumulatorType());
}

static void absorb(RewriterBase &b, Cone &cone) {
  ProductOpInterface product = cone.product;
  SmallVector<Value> extras(product.getExtras());
  for (Step &step : cone.steps)
    for (Operand &operand : step.operands)
      if (operand.kind == Operand::Extra &&
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
  for (Step &step : llvm::reverse(MutableArrayRef(cone.steps).drop_back()))
    erase(step.op);
  erase(product);
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

static remark::RemarkOpts getRemark() {
  return remark::RemarkOpts::name("epilogue").category("ks-fuse-elementwise");
}

static void explain(Cone &cone) {
  StringRef product = cone.product->getName().getStringRef();
  for (Step &step : cone.steps)
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
  void runOnOperation() override {
    SmallVector<ProductOpInterface> products;
    getOperation()->walk([&](ProductOpInterface op) {
      if (op.isOnTensors())
        products.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (ProductOpInterface product : products) {
      Cone cone(product);
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
