//===- PackWeights.cpp - Packing of weights -------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Packing leaves the hot path in two steps: next to each product, where a
// constant folds; then out of the function, where the weight is an argument. So
// does what makes a weight out of others (ks.merge_weights).
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"

namespace ks {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// Packing in place
//===----------------------------------------------------------------------===//

/// A packed form of `weight` right before its use.
static Value createPacked(OpBuilder &b, Location loc, Value weight,
                          const KSPattern &pattern,
                          PackingAttrInterface packing) {
  RankedTensorType type =
      packing.getPackedType(pattern, getElementTypeOrSelf(weight.getType()));
  Attribute constant;
  if (matchPattern(weight, m_Constant(&constant)))
    if (DenseElementsAttr values = getDenseElements(constant))
      return arith::ConstantOp::create(b, loc,
                                       packConstant(values, pattern, packing));
  Value init =
      tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
  return PackWeightsOp::create(b, loc, type,
                               PatternAttr::get(b.getContext(), pattern),
                               packing, weight, init)
      ->getResult(0);
}

/// The same on memrefs, in a buffer that upstream's ownership-based
/// deallocation (part of ks-bufferize) frees.
static Value createPackedBuffer(OpBuilder &b, ProductOpInterface op,
                                Value weight, const KSPattern &pattern,
                                PackingAttrInterface packing) {
  Location loc = op->getLoc();
  RankedTensorType type =
      packing.getPackedType(pattern, getElementTypeOrSelf(weight.getType()));
  Value buffer = memref::AllocOp::create(
      b, loc, MemRefType::get(type.getShape(), type.getElementType()));
  PackWeightsOp::create(b, loc, TypeRange(),
                        PatternAttr::get(b.getContext(), pattern), packing,
                        weight, buffer);
  return buffer;
}

static LogicalResult packOperands(ProductOpInterface op) {
  PlanAttrInterface plan = op.getPlanAttr();
  if (!plan)
    return success();
  OpBuilder b(op);
  SmallVector<KSPattern> patterns = op.getPatternList();
  unsigned first = op.getWeightOperands().getBeginOperandIndex();
  for (auto [t, pattern] : llvm::enumerate(patterns)) {
    OpOperand &weight = op->getOpOperand(first + t);
    if (cast<ShapedType>(weight.get().getType()).getRank() != 4)
      continue;
    PackingAttrInterface packing = plan.getPacking(t);
    if (isa<LibraryPackingAttr>(packing) &&
        matchPattern(weight.get(), m_Constant()))
      return op->emitOpError("has a constant weight and the plan of a library; "
                             "expected an argument, or a plan without: what is "
                             "packed now cannot know whether the library will "
                             "be there");
    Operation *source = weight.get().getDefiningOp();
    weight.set(
        op.isOnTensors()
            ? createPacked(b, op->getLoc(), weight.get(), pattern, packing)
            : createPackedBuffer(b, op, weight.get(), pattern, packing));
    // What was folded would become a global that nobody reads.
    if (source && isOpTriviallyDead(source))
      source->erase();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Hoisting out of the function
//===----------------------------------------------------------------------===//

namespace {
/// Splits `@f(args)` into `@f_pack(weights, destinations)` and
/// `@f_packed(rest, packed)`.
class FunctionSplitter {
public:
  FunctionSplitter(func::FuncOp func, SymbolTable &symbols)
      : func(func), symbols(symbols), b(func.getContext()) {}

  void split();

private:
  func::FuncOp createFunction(StringRef suffix, TypeRange inputs,
                              TypeRange results) {
    auto created =
        func::FuncOp::create(func.getLoc(), (func.getName() + suffix).str(),
                             b.getFunctionType(inputs, results));
    symbols.insert(created, std::next(Block::iterator(func)));
    created.addEntryBlock();
    b.setInsertionPointToStart(&created.front());
    return created;
  }
  func::FuncOp createPack();
  func::FuncOp createPacked();
  void createCalls(func::FuncOp pack, func::FuncOp packed);
  void findSlice();

  func::FuncOp func;
  SymbolTable &symbols;
  OpBuilder b;
  /// What makes packed weights out of arguments, in order: packs, and what is
  /// in front of them.
  SetVector<Operation *> slice;
  llvm::SmallDenseSet<Operation *>
      leaving;                        // of the slice: nothing else uses it
  SmallVector<PackWeightsOp> packs;   // of the slice
  SmallVector<int64_t> packArguments; // arguments that packing needs
  SmallVector<int64_t> hotArguments;  // arguments that the rest needs
  SmallVector<RankedTensorType> packedTypes;
};
} // namespace

func::FuncOp FunctionSplitter::createPack() {
  SmallVector<Type> inputs, results;
  for (int64_t number : packArguments)
    inputs.push_back(func.getArgument(number).getType());
  for (PackWeightsOp pack : packs)
    results.push_back(pack->getResult(0).getType());
  llvm::append_range(inputs, results); // the destinations
  func::FuncOp created = createFunction("_pack", inputs, results);
  ValueRange arguments = created.getArguments();
  IRMapping mapping;
  for (auto [number, argument] : llvm::zip_equal(
           packArguments, arguments.take_front(packArguments.size())))
    mapping.map(func.getArgument(number), argument);
  ValueRange destinations = arguments.take_back(packs.size());
  SmallVector<Value> values;
  for (Operation *op : slice) {
    if (auto pack = dyn_cast<PackWeightsOp>(op)) {
      mapping.map(pack.getInit(), destinations[values.size()]);
      values.push_back(b.clone(*pack, mapping)->getResult(0));
    } else {
      b.clone(*op, mapping);
    }
  }
  func::ReturnOp::create(b, func.getLoc(), values);
  return created;
}

func::FuncOp FunctionSplitter::createPacked() {
  SmallVector<Type> inputs;
  for (int64_t number : hotArguments)
    inputs.push_back(func.getArgument(number).getType());
  for (PackWeightsOp pack : packs)
    inputs.push_back(pack->getResult(0).getType());
  func::FuncOp created =
      createFunction("_packed", inputs, func.getResultTypes());
  for (auto [pack, argument] :
       llvm::zip_equal(packs, created.getArguments().take_back(packs.size()))) {
    pack->getResult(0).replaceAllUsesWith(argument);
    packedTypes.push_back(cast<RankedTensorType>(argument.getType()));
  }
  for (Operation *op : llvm::reverse(slice))
    if (leaving.contains(op))
      op->erase();
  for (auto [number, argument] :
       llvm::zip_equal(hotArguments,
                       created.getArguments().take_front(hotArguments.size())))
    func.getArgument(number).replaceAllUsesWith(argument);
  created.front().getOperations().splice(created.front().end(),
                                         func.front().getOperations());
  return created;
}

void FunctionSplitter::createCalls(func::FuncOp pack, func::FuncOp packed) {
  b.setInsertionPointToEnd(&func.front());
  auto select = [&](ArrayRef<int64_t> numbers) {
    return llvm::map_to_vector(numbers, [&](int64_t number) -> Value {
      return func.getArgument(number);
    });
  };
  SmallVector<Value> operands = select(packArguments);
  for (RankedTensorType type : packedTypes)
    operands.push_back(tensor::EmptyOp::create(
        b, func.getLoc(), type.getShape(), type.getElementType()));
  auto packCall = func::CallOp::create(b, func.getLoc(), pack, operands);
  operands = select(hotArguments);
  llvm::append_range(operands, packCall.getResults());
  auto call = func::CallOp::create(b, func.getLoc(), packed, operands);
  func::ReturnOp::create(b, func.getLoc(), call.getResults());
  func->setAttr("ks.pack", FlatSymbolRefAttr::get(pack));
  func->setAttr("ks.pack_args", b.getDenseI64ArrayAttr(packArguments));
  func->setAttr("ks.packed", FlatSymbolRefAttr::get(packed));
  func->setAttr("ks.packed_args", b.getDenseI64ArrayAttr(hotArguments));
}

/// Adds the ops that make `weight`, in order, and the arguments they need.
/// False if it is made of something else than weights.
static bool collectWeightOps(Value weight, SetVector<Operation *> &ops,
                             SetVector<Value> &arguments) {
  Operation *op = weight.getDefiningOp();
  if (!op) {
    arguments.insert(weight);
    return isa<func::FuncOp>(
        cast<BlockArgument>(weight).getOwner()->getParentOp());
  }
  bool makesWeight = isa<MergeWeightsOp, tensor::EmptyOp>(op) ||
                     op->hasTrait<OpTrait::ConstantLike>();
  if (!makesWeight)
    return false;
  for (Value operand : op->getOperands())
    if (!collectWeightOps(operand, ops, arguments))
      return false;
  ops.insert(op);
  return true;
}

void FunctionSplitter::findSlice() {
  SetVector<Value> needed; // of the function's arguments
  for (auto pack : func.front().getOps<PackWeightsOp>()) {
    SetVector<Operation *> ops;
    SetVector<Value> arguments;
    // A constant that was not folded stays where it is.
    if (pack->getNumResults() == 0 ||
        !collectWeightOps(pack.getWeight(), ops, arguments) ||
        arguments.empty())
      continue;
    slice.insert_range(ops);
    slice.insert(pack);
    packs.push_back(pack);
    needed.insert_range(arguments);
  }
  for (Operation *op : llvm::reverse(slice))
    if (isa<PackWeightsOp>(op) ||
        llvm::all_of(op->getUsers(),
                     [&](Operation *user) { return leaving.contains(user); }))
      leaving.insert(op);
  for (BlockArgument argument : func.getArguments()) {
    if (needed.contains(argument))
      packArguments.push_back(argument.getArgNumber());
    bool isOnlyPacked = needed.contains(argument) &&
                        llvm::all_of(argument.getUsers(), [&](Operation *user) {
                          return leaving.contains(user);
                        });
    if (!isOnlyPacked)
      hotArguments.push_back(argument.getArgNumber());
  }
}

void FunctionSplitter::split() {
  if (func.isDeclaration() || !func.getFunctionBody().hasOneBlock())
    return;
  findSlice();
  if (packs.empty())
    return;
  func::FuncOp pack = createPack();
  func::FuncOp packed = createPacked();
  createCalls(pack, packed);
}

/// Replaces merges of constants, from the first on, by constants.
static void foldMerges(ModuleOp module) {
  SmallVector<MergeWeightsOp> merges;
  module.walk([&](MergeWeightsOp op) { merges.push_back(op); });
  for (MergeWeightsOp op : merges) {
    DenseElementsAttr merged =
        op->getNumResults() ? mergeConstants(op) : DenseElementsAttr();
    if (!merged)
      continue;
    OpBuilder b(op);
    op->getResult(0).replaceAllUsesWith(
        arith::ConstantOp::create(b, op.getLoc(), merged));
    // What was folded would become a global that nobody reads.
    llvm::SmallSetVector<Operation *, 3> sources;
    for (Value operand : op->getOperands())
      if (Operation *source = operand.getDefiningOp())
        sources.insert(source);
    op.erase();
    for (Operation *source : sources)
      if (isOpTriviallyDead(source))
        source->erase();
  }
}

namespace {
struct PackWeightsPass : ks::impl::PackWeightsBase<PackWeightsPass> {
  void runOnOperation() override {
    foldMerges(getOperation());
    WalkResult packed = getOperation().walk(
        [](ProductOpInterface op) { return WalkResult(packOperands(op)); });
    if (packed.wasInterrupted())
      return signalPassFailure();
    SymbolTable symbols(getOperation());
    for (auto func : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      FunctionSplitter(func, symbols).split();
  }
};
} // namespace
