//===- FuseFactors.cpp - One op per kernel --------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Collects products that feed each other, lets FactorGrouping.h divide their
// factors into kernels, and writes these down.
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/FactorGrouping.h"
#include "ks/Analysis/Target.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace ks {
#define GEN_PASS_DEF_FUSEFACTORS
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// What can be joined
//===----------------------------------------------------------------------===//

static bool isFree(ProductOpInterface op) {
  return op.isOnTensors() && !op.getPlanAttr() && op.getBatch() != 0 &&
         getProblem(op).getPlanes() == 0 &&
         llvm::all_of(op.getWeightOperands(), [](Value weight) {
           return cast<ShapedType>(weight.getType()).getRank() == 4;
         });
}

/// The product that `op` can join: the only user of its result.
static ProductOpInterface getNext(ProductOpInterface op) {
  Value result = op->getResult(0);
  if (op.hasEpilogue() || !result.hasOneUse())
    return {};
  auto next = dyn_cast<ProductOpInterface>(*result.user_begin());
  if (!next || !isFree(next) || next.getInput() != result ||
      next->getBlock() != op->getBlock() || next.getLoadAsAttr() ||
      op.getResultElementType() != op.getElementType() ||
      next.getLayout() != op.getLayout() ||
      next.getPrecision() != op.getPrecision() ||
      next.getBatch() != op.getBatch())
    return {};
  return next;
}

namespace {

/// Products, each of which reads what the one before it wrote, as one chain.
struct Sequence {
  SmallVector<ProductOpInterface> ops;
  // Of all factors, in order of application.
  SmallVector<KSPattern> patterns;
  SmallVector<Value> weights;
  SmallVector<bool> isMergeable;
  Problem problem;

  explicit Sequence(ProductOpInterface first);
  ProductOpInterface last() { return ops.back(); }
  /// Whether all weights are part of the program, and packed with it.
  bool isConstant() {
    return llvm::all_of(weights, [](Value weight) {
      return matchPattern(weight, m_Constant());
    });
  }
  /// Whether there are neighbours that may be multiplied with each other.
  bool canMerge() const {
    for (size_t t = 1; t < isMergeable.size(); ++t)
      if (isMergeable[t - 1] && isMergeable[t])
        return true;
    return false;
  }
};

} // namespace

/// Whether `weight` is what it was when it was packed.
static bool isFrozen(Value weight) {
  if (matchPattern(weight, m_Constant()))
    return true;
  auto argument = dyn_cast<BlockArgument>(weight);
  auto func =
      argument
          ? dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp())
          : FunctionOpInterface();
  return func && argument.getOwner()->isEntryBlock() &&
         func.getArgAttr(argument.getArgNumber(), kFrozenAttr);
}

Sequence::Sequence(ProductOpInterface first) {
  for (ProductOpInterface op = first; op; op = getNext(op))
    ops.push_back(op);
  problem = getProblem(last());
  problem.convertedBytes = getProblem(first).convertedBytes;
  problem.factors.clear();
  for (ProductOpInterface op : ops) {
    bool isPermitted =
        bitEnumContainsAny(op.getFastmath(), arith::FastMathFlags::reassoc);
    llvm::append_range(patterns, op.getPatternList());
    llvm::append_range(problem.factors, getProblem(op).factors);
    for (Value weight : op.getWeightOperands()) {
      weights.push_back(weight);
      isMergeable.push_back(isPermitted && isFrozen(weight));
    }
  }
}

//===----------------------------------------------------------------------===//
// Kernels as ops
//===----------------------------------------------------------------------===//

/// The weight of a group, by one `ks.merge_weights` after another. All but the
/// last stay in the accumulator type.
static Value createMerged(OpBuilder &b, Sequence &sequence,
                          const FactorGroup &group) {
  Location loc = sequence.last()->getLoc();
  MLIRContext *context = b.getContext();
  Value weight = sequence.weights[group.first];
  KSPattern right = sequence.patterns[group.first];
  KSPattern in = right;
  for (unsigned t = group.first + 1; t < group.end(); ++t) {
    bool isLast = t + 1 == group.end();
    KSPattern left = sequence.patterns[t];
    KSPattern dense{1, left.outFeatures(), in.inFeatures(), 1};
    KSPattern merged = isLast && group.isDense
                           ? dense
                           : getProduct(left, right).value_or(dense);
    auto shapeOf = [](Value value) {
      return cast<ShapedType>(value.getType()).getShape();
    };
    ArrayRef<int64_t> leftShape = shapeOf(sequence.weights[t]);
    SmallVector<int64_t> shape{merged.a, merged.b, merged.c, merged.d};
    for (int64_t axis : {0, 3})
      if (leftShape[axis] == 1 && shapeOf(weight)[axis] == 1)
        shape[axis] = 1;
    Type element = getElementTypeOrSelf(sequence.weights[t].getType());
    Value init = tensor::EmptyOp::create(
        b, loc, shape, isLast ? element : getAccumulatorType(element));
    weight = MergeWeightsOp::create(b, loc, init.getType(),
                                    PatternAttr::get(context, right),
                                    PatternAttr::get(context, left),
                                    PatternAttr::get(context, merged), weight,
                                    sequence.weights[t], init)
                 ->getResult(0);
    right = merged;
  }
  return weight;
}

/// The op of one kernel, which may read or write features in an order.
static ProductOpInterface createKernel(RewriterBase &b, Sequence &sequence,
                                       ArrayRef<FactorGroup> kernel,
                                       Value input, FeatureOrderAttr reads = {},
                                       FeatureOrderAttr writes = {}) {
  ProductOpInterface last = sequence.last();
  bool isLast = kernel.back().end() == sequence.patterns.size();
  SmallVector<Value> weights;
  SmallVector<Attribute> patterns;
  for (const FactorGroup &group : kernel) {
    weights.push_back(createMerged(b, sequence, group));
    patterns.push_back(PatternAttr::get(b.getContext(), group.factor.pattern));
  }
  Value init =
      isLast ? last.getInit()
             : createIntermediate(b, last,
                                  kernel.back().factor.pattern.outFeatures());
  ValueRange extras = isLast ? ValueRange(last.getExtras()) : ValueRange();
  unsigned epilogues = isLast && last.hasEpilogue() ? 1 : 0;
  // What all permit.
  arith::FastMathFlags flags = last.getFastmath();
  for (ProductOpInterface op : sequence.ops)
    flags = flags & op.getFastmath();
  auto fastmath = arith::FastMathFlagsAttr::get(b.getContext(), flags);
  auto layout = LayoutAttr::get(b.getContext(), last.getLayout());
  auto precision = PrecisionAttr::get(b.getContext(), last.getPrecision());
  TypeAttr loadAs;
  if (input == sequence.ops.front().getInput())
    loadAs = sequence.ops.front().getLoadAsAttr();
  Location loc = last->getLoc();
  Operation *op;
  if (kernel.size() == 1)
    op = MatmulOp::create(
        b, loc, init.getType(), cast<PatternAttr>(patterns.front()), input,
        weights.front(), extras, init, layout, precision, fastmath, loadAs,
        reads, writes, /*plan=*/{}, epilogues);
  else
    op = ChainOp::create(b, loc, init.getType(), b.getArrayAttr(patterns),
                         input, weights, extras, init, layout, precision,
                         fastmath, loadAs, /*plan=*/{}, epilogues);
  auto product = cast<ProductOpInterface>(op);
  if (isLast)
    moveEpilogue(b, last, product);
  return product;
}

/// The ops of two kernels with an order of features between them.
static ProductOpInterface createOrderedPair(RewriterBase &b, Sequence &sequence,
                                            ArrayRef<FactorGroup> pair,
                                            Value input) {
  std::optional<FeatureOrder> order =
      getOrder(pair[1].factor.pattern, pair[0].factor.pattern);
  auto attr = FeatureOrderAttr::get(b.getContext(), *order);
  ProductOpInterface writer = createKernel(
      b, sequence, pair.take_front(), input, /*reads=*/{}, /*writes=*/attr);
  return createKernel(b, sequence, pair.drop_front(), writer->getResult(0),
                      /*reads=*/attr);
}

static void rewrite(RewriterBase &b, Sequence &sequence,
                    const Grouping &grouping) {
  bool isThere = grouping.kernels.size() == 1 && sequence.ops.size() == 1 &&
                 !grouping.hasMerged() &&
                 !isOrderedPair(grouping.kernels.front());
  if (isThere)
    return;
  ProductOpInterface last = sequence.last();
  b.setInsertionPoint(last);
  Value value = sequence.ops.front().getInput();
  for (const FactorKernel &kernel : grouping.kernels) {
    if (isOrderedPair(kernel)) {
      value = createOrderedPair(b, sequence, kernel, value)->getResult(0);
      continue;
    }
    ProductOpInterface op = createKernel(b, sequence, kernel, value);
    if (grouping.kernels.size() > 1 && kernel.size() > 1)
      op->setAttr(kKernelAttr, b.getUnitAttr());
    value = op->getResult(0);
  }
  b.replaceOp(last, value);
  for (ProductOpInterface op :
       llvm::reverse(ArrayRef(sequence.ops).drop_back()))
    b.eraseOp(op);
}

//===----------------------------------------------------------------------===//
// Choice
//===----------------------------------------------------------------------===//

/// One kernel for all factors, as they are.
static Grouping groupAll(const Sequence &sequence) {
  Grouping grouping;
  FactorKernel &kernel = grouping.kernels.emplace_back();
  for (auto [t, factor] : llvm::enumerate(sequence.problem.factors))
    kernel.push_back({static_cast<unsigned>(t), 1, false, factor});
  return grouping;
}

/// What the function of `op` asks for, if anything.
static StringAttr getWay(ProductOpInterface op) {
  auto func = op->getParentOfType<FunctionOpInterface>();
  return func ? func->getAttrOfType<StringAttr>(kKernelsAttr) : StringAttr();
}

static LogicalResult checkWay(FunctionOpInterface func) {
  Attribute way = func->getAttr(kKernelsAttr);
  auto name = dyn_cast_or_null<StringAttr>(way);
  if (!way || (name && llvm::is_contained(
                           {"apart", "ordered", "fused", "dense"}, name)))
    return success();
  return func->emitOpError("has ")
         << kKernelsAttr << " = " << way
         << "; expected \"apart\", \"ordered\", \"fused\" or \"dense\"";
}

/// Makes the way that was asked for the best one, if there is such a way.
static void prefer(GroupingResult &result, StringRef way) {
  for (Alternative &other : result.rejected) {
    // Where the product of all factors has no zeros, it is the dense matrix.
    const KSPattern &p = other.grouping.kernels[0][0].factor.pattern;
    bool isDense = other.name == kDenseWay ||
                   (other.name == kMergedWay && p.a == 1 && p.d == 1);
    bool isAsked = way == "apart"     ? other.name == kApartWay
                   : way == "ordered" ? other.name == kOrderedWay
                   : way == "fused"   ? other.name == kFusedWay
                                      : isDense;
    if (isAsked) {
      std::swap(result.best, other.grouping);
      other.name = kFastestWay;
      return;
    }
  }
}

/// "factors 0 to 4 merged into <32, 32, 32, 1>, factor 5"
static std::string describe(const FactorKernel &kernel) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (isOrderedPair(kernel))
    os << "two kernels, with an order between them: ";
  llvm::interleaveComma(kernel, os, [&](const FactorGroup &group) {
    const KSPattern &p = group.factor.pattern;
    if (group.count == 1) {
      os << "factor " << group.first;
      return;
    }
    os << "factors " << group.first << (group.count == 2 ? " and " : " to ")
       << group.end() - 1;
    if (p.a == 1 && p.d == 1)
      os << " multiplied out to the dense matrix ";
    else
      os << " merged into ";
    os << llvm::formatv("<{0}, {1}, {2}, {3}>", p.a, p.b, p.c, p.d);
  });
  return text;
}

static std::string countKernels(const Grouping &grouping) {
  size_t count =
      grouping.kernels.size() + llvm::count_if(grouping.kernels, isOrderedPair);
  return llvm::formatv("{0} kernel{1}", count, count == 1 ? "" : "s");
}

static remark::RemarkOpts getRemark() {
  return remark::RemarkOpts::name("kernels").category("ks-fuse-factors");
}

/// Tells what was chosen and what lost, in the planner's own figures.
/// `library` is what computes the kernels that a library does.
static void explain(Sequence &sequence, bool isAssumed, StringRef target,
                    StringRef library, const GroupingResult &result,
                    KernelCosts &costs) {
  Location loc = sequence.last()->getLoc();
  remark::analysis(loc, getRemark())
      << llvm::formatv("target {0}, batch {1}{2}: {3} factors in {4}; "
                       "predicted {5:f1} us",
                       target, *sequence.problem.batch,
                       isAssumed ? " (assumed)" : "", sequence.patterns.size(),
                       countKernels(result.best), result.best.seconds * 1e6)
             .str();
  for (auto [number, kernel] : llvm::enumerate(result.best.kernels))
    remark::analysis(loc, getRemark())
        << llvm::formatv(
               "kernel {0}: {1}{2}: {3:f1} us", number, describe(kernel),
               costs.usesLibrary(kernel) ? " by " + library.str() : "",
               *costs.predict(kernel) * 1e6)
               .str();
  for (const Alternative &other : result.rejected)
    remark::analysis(loc, getRemark())
        << llvm::formatv("rejected {0}: {1}, {2:f1} us", other.name,
                         countKernels(other.grouping),
                         other.grouping.seconds * 1e6)
               .str();
}

/// Tells that there was no choice.
static void explainUnmerged(Sequence &sequence, const Grouping &grouping) {
  remark::analysis(sequence.last()->getLoc(), getRemark())
      << llvm::formatv("{0} factors in {1}, none merged: that needs "
                       "fastmath<reassoc>, and neighbours whose weights are "
                       "constants or ks.frozen arguments",
                       sequence.patterns.size(), countKernels(grouping))
             .str();
}

namespace {

/// A CPU or a GPU.
struct Machine {
  std::optional<CPUTarget> cpu;
  std::optional<GPUTarget> gpu;

  StringRef getName() const { return cpu ? cpu->name : gpu->name; }
  StringRef getLibraryName() const { return cpu ? "BLAS" : "cublasLt"; }
  int64_t getAssumedBatch() const {
    return cpu ? kAssumedBatch : kAssumedGPUBatch;
  }
  std::unique_ptr<KernelCosts> createCosts(Sequence &sequence) const {
    // Libraries as ks-select-plan has them.
    if (cpu) {
      CPUTarget target = *cpu;
      target.hasLibrary &= !sequence.isConstant();
      return createCPUCosts(sequence.problem, target);
    }
    GPUTarget target = *gpu;
    target.hasLibrary &= !sequence.isConstant();
    return createGPUCosts(sequence.problem, target);
  }
};

struct FuseFactorsPass : ks::impl::FuseFactorsBase<FuseFactorsPass> {
  using FuseFactorsBase::FuseFactorsBase;

  /// The machine that the options name.
  FailureOr<Machine> getMachine() {
    for (auto [name, value] :
         {std::pair<StringRef, int64_t>("batch", batch), {"threads", threads}})
      if (value < 0)
        return getOperation()->emitError("got ")
               << name << " = " << value << "; expected 0 or more";
    Machine machine{getCPUTarget(target), getGPUTarget(target)};
    if (!machine.cpu && !machine.gpu)
      return getOperation()->emitError("unknown target '")
             << target << "'; expected one of " << getCPUTargetNames() << ", "
             << getGPUTargetNames();
    if (machine.cpu && threads != 0)
      machine.cpu->threads = threads;
    return machine;
  }

  Grouping choose(Sequence &sequence, const Machine &machine) {
    if (!sequence.canMerge() && machine.cpu && !machine.cpu->hasLibrary) {
      // On a CPU one kernel is never slower than several of our own.
      Grouping only = groupAll(sequence);
      explainUnmerged(sequence, only);
      return only;
    }
    bool isAssumed = !sequence.problem.batch;
    if (isAssumed)
      sequence.problem.batch = batch ? batch : machine.getAssumedBatch();
    std::unique_ptr<KernelCosts> costs = machine.createCosts(sequence);
    StringAttr way = getWay(sequence.last());
    bool isExplained = way || getContext().getRemarkEngine() != nullptr;
    GroupingResult result = groupFactors(
        {sequence.problem.factors, sequence.isMergeable}, *costs, isExplained);
    if (way)
      prefer(result, way);
    explain(sequence, isAssumed, machine.getName(), machine.getLibraryName(),
            result, *costs);
    return std::move(result.best);
  }

  void runOnOperation() override {
    FailureOr<Machine> machine = getMachine();
    if (failed(machine))
      return signalPassFailure();
    WalkResult checked = getOperation()->walk(
        [](FunctionOpInterface func) { return WalkResult(checkWay(func)); });
    if (checked.wasInterrupted())
      return signalPassFailure();
    SmallVector<ProductOpInterface> products;
    llvm::DenseSet<Operation *> isJoined; // What some other product joins.
    getOperation()->walk([&](ProductOpInterface op) {
      if (!isFree(op))
        return;
      products.push_back(op);
      if (ProductOpInterface next = getNext(op))
        isJoined.insert(next);
    });
    IRRewriter rewriter(&getContext());
    for (ProductOpInterface op : products) {
      if (isJoined.contains(op))
        continue;
      Sequence sequence(op);
      if (sequence.patterns.size() > 1)
        rewrite(rewriter, sequence, choose(sequence, *machine));
    }
  }
};

} // namespace
