//===- KSToLinalg.cpp - The meaning of the KS dialect ---------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSToLinalg.h"
#include "ks/Conversion/Passes.h"

#include "../Scalars.h"

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace ks {
#define GEN_PASS_DEF_CONVERTKSTOLINALG
#include "ks/Conversion/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

namespace {

constexpr auto kParallel = utils::IteratorType::parallel;
constexpr auto kReduction = utils::IteratorType::reduction;

//===----------------------------------------------------------------------===//
// Lowering of one product
//===----------------------------------------------------------------------===//

/// Lowers one product. Activations are seen as (batch, a, b or c, d), or as
/// (a, b or c, d, batch) when the batch is last; weights as (a, b, c, d).
class ProductLowering {
public:
  ProductLowering(RewriterBase &b, ProductOpInterface op)
      : b(b), op(op), loc(op->getLoc()), batchLast(op.getBatchDim() == 1) {
    bindDims(b.getContext(), m, i, n, j, k);
    Value init = op.getInit();
    auto type = cast<ShapedType>(init.getType());
    int64_t dim = op.getBatchDim();
    if (!type.isDynamicDim(dim))
      batch = b.getIndexAttr(type.getDimSize(dim));
    else if (op.isOnTensors())
      batch = tensor::DimOp::create(b, loc, init, dim).getResult();
    else
      batch = memref::DimOp::create(b, loc, init, dim).getResult();
  }

  /// The result, or null on memrefs.
  Value lower() {
    Value x = op.getInput();
    SmallVector<KSPattern> patterns = op.getPatternList();
    Problem problem = getProblem(op);
    writes = problem.writes;
    if (problem.reads)
      x = reorder(x, *problem.reads);
    for (auto [t, p, weight] :
         llvm::enumerate(patterns, op.getWeightOperands())) {
      bool isLast = t + 1 == patterns.size();
      x = lowerFactor(p, x, weight, isLast);
    }
    if (writes)
      x = store(x, *writes);
    for (Value buffer : buffers)
      memref::DeallocOp::create(b, loc, buffer);
    return op.isOnTensors() ? x : nullptr;
  }

private:
  /// y[m,i,n,j] = sum over k of w[i,n,k,j] * x[m,i,k,j]
  Value lowerFactor(const KSPattern &p, Value x, Value weight, bool isLast) {
    Type element = op.getElementType(), accumulator = op.getAccumulatorType();
    SmallVector<int64_t> outShape{p.a, p.b, p.d};
    Value destination = isLast && !writes ? expand(op.getInit(), outShape)
                                          : createEmpty(outShape, element);
    Type stored = isLast ? op.getResultElementType() : element;
    bool needsFinish = accumulator != stored || (isLast && op.hasEpilogue());
    Value sum = needsFinish ? createEmpty(outShape, accumulator) : destination;
    sum = first(
        linalg::FillOp::create(b, loc, createZero(b, loc, accumulator), sum),
        sum);
    sum =
        createGeneric({expand(x, {p.a, p.c, p.d}), weight}, sum,
                      {activationMap({i, k, j}), weightMap(p, weight)},
                      {kParallel, kParallel, kParallel, kParallel, kReduction},
                      [&](OpBuilder &b, Location loc, ValueRange args) {
                        Value x = createRounded(b, loc, args[0], element);
                        return createMultiplyAdd(b, loc, args[2], args[1], x);
                      });
    if (needsFinish)
      sum = finish(sum, destination, outShape, isLast);
    if (!isLast || writes || op.isOnTensors())
      return collapse(sum, outShape);
    return {};
  }

  /// Features that are stored in `order`, in their natural order.
  Value reorder(Value stored, const FeatureOrder &order) {
    SmallVector<int64_t> natural{order.a, order.p, order.r, order.q};
    return collapse(
        copyFeatures(expand(stored, {order.a, order.q, order.r, order.p}),
                     createEmpty(natural, op.getElementType()), {0, 3, 2, 1},
                     {0, 1, 2, 3}),
        natural);
  }

  /// The result of op, whose features it writes in `order`.
  Value store(Value natural, const FeatureOrder &order) {
    SmallVector<int64_t> stored{order.a, order.q, order.r, order.p};
    Value value =
        copyFeatures(expand(natural, {order.a, order.p, order.r, order.q}),
                     expand(op.getInit(), stored), {0, 1, 2, 3}, {0, 3, 2, 1});
    return op.isOnTensors() ? collapse(value, stored) : Value();
  }

  /// `to`, with what is in `from`; which of (i, x, s, y) their axes are.
  Value copyFeatures(Value from, Value to, ArrayRef<unsigned> fromAxes,
                     ArrayRef<unsigned> toAxes) {
    auto getMap = [&](ArrayRef<unsigned> axes) {
      SmallVector<AffineExpr> features = llvm::map_to_vector(
          axes, [&](unsigned axis) { return b.getAffineDimExpr(axis + 1); });
      return activationMap(features);
    };
    auto generic = linalg::GenericOp::create(
        b, loc, op.isOnTensors() ? TypeRange(to.getType()) : TypeRange(), from,
        to, ArrayRef{getMap(fromAxes), getMap(toAxes)},
        SmallVector<utils::IteratorType>(5, kParallel),
        [](OpBuilder &b, Location loc, ValueRange args) {
          linalg::YieldOp::create(b, loc, args.front());
        });
    return first(generic, to);
  }

  /// Epilogue (of the last factor) and rounding to the type of `destination`.
  Value finish(Value sum, Value destination, ArrayRef<int64_t> outShape,
               bool isLast) {
    bool hasEpilogue = isLast && op.hasEpilogue();
    SmallVector<Value> inputs{sum};
    SmallVector<AffineMap> maps{activationMap({i, n, j}, /*numDims=*/4)};
    for (Value extra :
         hasEpilogue ? ValueRange(op.getExtras()) : ValueRange()) {
      bool isPerFeature = cast<ShapedType>(extra.getType()).getRank() == 1;
      inputs.push_back(expand(extra, outShape));
      maps.push_back(isPerFeature
                         ? AffineMap::get(4, 0, {i, n, j}, b.getContext())
                         : maps.front());
    }
    return createGeneric(inputs, destination, maps,
                         SmallVector<utils::IteratorType>(4, kParallel),
                         [&](OpBuilder &b, Location loc, ValueRange args) {
                           Value value = args.front();
                           if (hasEpilogue)
                             value = inlineEpilogue(b, args.drop_back());
                           return createRounded(b, loc, value,
                                                args.back().getType());
                         });
  }

  Value inlineEpilogue(OpBuilder &b, ValueRange args) {
    Block &body = op.getEpilogue()->front();
    IRMapping mapping;
    mapping.map(body.getArguments(), args);
    for (Operation &inner : body.without_terminator())
      b.clone(inner, mapping);
    return mapping.lookupOrDefault(
        cast<YieldOp>(body.getTerminator()).getValue());
  }

  //===--------------------------------------------------------------------===//
  // Shapes and maps
  //===--------------------------------------------------------------------===//

  /// The map of activations with the given feature dimensions; the result is
  /// (m, ...) or (..., m). The finishing op has no k.
  AffineMap activationMap(ArrayRef<AffineExpr> features, unsigned numDims = 5) {
    SmallVector<AffineExpr> results(features);
    results.insert(batchLast ? results.end() : results.begin(), m);
    return AffineMap::get(numDims, 0, results, b.getContext());
  }

  AffineMap weightMap(const KSPattern &p, Value weight) {
    ArrayRef<int64_t> shape = cast<ShapedType>(weight.getType()).getShape();
    AffineExpr zero = b.getAffineConstantExpr(0);
    return AffineMap::get(
        5, 0, {shape[0] == 1 ? zero : i, n, k, shape[3] == 1 ? zero : j},
        b.getContext());
  }

  /// `features` with the batch before or after it.
  SmallVector<OpFoldResult> withBatch(ArrayRef<int64_t> features) {
    SmallVector<OpFoldResult> shape =
        getAsIndexOpFoldResult(b.getContext(), features);
    shape.insert(batchLast ? shape.end() : shape.begin(), batch);
    return shape;
  }

  SmallVector<ReassociationIndices> getReassociation(int64_t rank,
                                                     int64_t numFeatures) {
    int64_t first = rank == 2 && !batchLast ? 1 : 0;
    ReassociationIndices features(
        llvm::to_vector<2>(llvm::seq(first, first + numFeatures)));
    if (rank == 1)
      return {features};
    if (batchLast)
      return {features, {numFeatures}};
    return {{0}, features};
  }

  /// Splits the feature axis of `value`, of rank 1 or 2, into `features`.
  Value expand(Value value, ArrayRef<int64_t> features) {
    auto type = cast<ShapedType>(value.getType());
    SmallVector<ReassociationIndices> reassociation =
        getReassociation(type.getRank(), features.size());
    SmallVector<int64_t> shape(features);
    SmallVector<OpFoldResult> sizes =
        getAsIndexOpFoldResult(b.getContext(), features);
    if (type.getRank() == 2) {
      auto *at = batchLast ? shape.end() : shape.begin();
      shape.insert(at, type.getDimSize(op.getBatchDim()));
      sizes = withBatch(features);
    }
    if (isa<TensorType>(type)) {
      // The batch of inputs may be known where that of outs is not.
      if (type.getRank() == 2 && !type.isDynamicDim(op.getBatchDim()))
        sizes[batchLast ? features.size() : 0] =
            b.getIndexAttr(type.getDimSize(op.getBatchDim()));
      return tensor::ExpandShapeOp::create(
          b, loc, RankedTensorType::get(shape, type.getElementType()), value,
          reassociation, sizes);
    }
    if (type.getRank() == 2 && !type.isDynamicDim(op.getBatchDim()))
      sizes[batchLast ? features.size() : 0] =
          b.getIndexAttr(type.getDimSize(op.getBatchDim()));
    return memref::ExpandShapeOp::create(b, loc, shape, value, reassociation,
                                         sizes);
  }

  /// The inverse of `expand`; the identity where `value` is no view to undo.
  Value collapse(Value value, ArrayRef<int64_t> features) {
    SmallVector<ReassociationIndices> reassociation =
        getReassociation(2, features.size());
    if (isa<TensorType>(value.getType()))
      return tensor::CollapseShapeOp::create(b, loc, value, reassociation);
    return memref::CollapseShapeOp::create(b, loc, value, reassociation);
  }

  Value createEmpty(ArrayRef<int64_t> features, Type element) {
    SmallVector<OpFoldResult> sizes = withBatch(features);
    if (op.isOnTensors())
      return tensor::EmptyOp::create(b, loc, sizes, element);
    SmallVector<int64_t> shape;
    SmallVector<Value> dynamic;
    dispatchIndexOpFoldResults(sizes, dynamic, shape);
    buffers.push_back(memref::AllocOp::create(
        b, loc, MemRefType::get(shape, element), dynamic));
    return buffers.back();
  }

  //===--------------------------------------------------------------------===//
  // linalg
  //===--------------------------------------------------------------------===//

  /// The op's result, or `buffer` if it has none.
  static Value first(Operation *operation, Value buffer) {
    return operation->getNumResults() ? operation->getResult(0) : buffer;
  }

  Value
  createGeneric(ArrayRef<Value> inputs, Value output,
                ArrayRef<AffineMap> inputMaps,
                ArrayRef<utils::IteratorType> iterators,
                function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
    SmallVector<AffineMap> maps(inputMaps);
    maps.push_back(activationMap({i, n, j}, iterators.size()));
    auto generic = linalg::GenericOp::create(
        b, loc, op.isOnTensors() ? TypeRange(output.getType()) : TypeRange(),
        inputs, output, maps, iterators,
        [&](OpBuilder &b, Location loc, ValueRange args) {
          linalg::YieldOp::create(b, loc, body(b, loc, args));
        });
    return first(generic, output);
  }

  RewriterBase &b;
  ProductOpInterface op;
  Location loc;
  bool batchLast;
  OpFoldResult batch;
  AffineExpr m, i, n, j, k;
  std::optional<FeatureOrder> writes;
  SmallVector<Value> buffers; // allocated here, freed at the end
};

struct LowerProduct : OpInterfaceRewritePattern<ProductOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(ProductOpInterface op,
                                PatternRewriter &rewriter) const override {
    for (Value weight : op.getWeightOperands())
      if (cast<ShapedType>(weight.getType()).getRank() == 1)
        return op->emitOpError("has packed weights, whose order linalg cannot "
                               "express; expected unpacked weights (run "
                               "convert-ks-to-linalg before ks-pack-weights)");
    if (Value result = ProductLowering(rewriter, op).lower())
      rewriter.replaceOp(op, result);
    else
      rewriter.eraseOp(op);
    return success();
  }
};

struct LowerMerge : OpRewritePattern<MergeWeightsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MergeWeightsOp op,
                                PatternRewriter &rewriter) const override {
    lowerMergeWeightsToLinalg(rewriter, op);
    return success();
  }
};

struct ConvertKSToLinalgPass
    : ks::impl::ConvertKSToLinalgBase<ConvertKSToLinalgPass> {
  void runOnOperation() override {
    RewritePatternSet decompose(&getContext());
    populateDecomposeToDensePatterns(decompose);
    walkAndApplyPatterns(getOperation(), std::move(decompose));
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerMerge, LowerProduct>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
    // What could not be lowered has said why.
    WalkResult left = getOperation()->walk([](Operation *op) {
      return isa<ProductOpInterface, ToDenseOp>(op) ? WalkResult::interrupt()
                                                    : WalkResult::advance();
    });
    if (left.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
