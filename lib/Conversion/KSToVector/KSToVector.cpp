//===- KSToVector.cpp - CPU plans as vector code --------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loops around the register tiles. A product becomes
//
//   parallel for each block of the batch            (or not, see #ks.cpu_plan)
//     for each factor                               (results in a scratch)
//       for each group i, j block, n block          (one panel of weights)
//         for each tile of the block's batch
//           emitTile
//
// Blocks along n and j that would run over the edge are shifted back; entries
// they share with their neighbour are computed twice, with the same result.
//
//===----------------------------------------------------------------------===//

#include "TileEmitter.h"

#include "../KSToLinalg/KSToLinalg.h"
#include "../LibraryChoice.h"
#include "../Scalars.h"

#include "ks/Conversion/Passes.h"
#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"

namespace ks {
#define GEN_PASS_DEF_CONVERTKSTOVECTOR
#include "ks/Conversion/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

namespace {

class ProductLowering {
public:
  ProductLowering(RewriterBase &b, ProductOpInterface op, CPUPlanAttr plan)
      : b(b), loc(op->getLoc()), index(b, loc), op(op), plan(plan) {}

  void lower();

private:
  using LoopBody = function_ref<void(ValueRange)>;

  bool isParallel(ParallelDims dim) const {
    return bitEnumContainsAny(plan.getParallel(), dim);
  }
  /// for i in [0, count); no loop if there is one iteration.
  void createLoop(Value begin, Value end, int64_t step, bool parallel,
                  function_ref<void(Value)> body);
  Value asReals(Value memref);
  Value createScratch(Value batch, int64_t width);
  void copyRows(Value input, Value begin, Value batch, Value scratch);
  void emitChain(Value begin, Value batch);
  void emitFactor(const FactorContext &context, Value batch);
  void emitPanels(const FactorContext &context,
                  function_ref<void(TilePosition)> body);
  void emitBatch(const FactorContext &context, Value batch,
                 function_ref<void(Value, bool isWhole)> body);

  RewriterBase &b;
  Location loc;
  IndexBuilder index;
  ProductOpInterface op;
  CPUPlanAttr plan;
};

void ProductLowering::createLoop(Value begin, Value end, int64_t step,
                                 bool parallel,
                                 function_ref<void(Value)> body) {
  auto first = getConstantIntValue(begin), last = getConstantIntValue(end);
  if (first && last && *last <= *first)
    return;
  if (first && last && *last - *first <= step)
    return body(begin);
  OpBuilder::InsertionGuard guard(b);
  if (parallel) {
    auto loop = scf::ParallelOp::create(b, loc, begin, end,
                                        ValueRange{index.constant(step)});
    b.setInsertionPointToStart(loop.getBody());
    return body(loop.getInductionVars().front());
  }
  auto loop = scf::ForOp::create(b, loc, begin, end, index.constant(step));
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

Value ProductLowering::asReals(Value memref) {
  if (isa<ComplexType>(getElementTypeOrSelf(memref.getType())))
    return RealViewOp::create(b, loc, memref);
  return memref;
}

/// A buffer for `width` features of the block.
Value ProductLowering::createScratch(Value batch, int64_t width) {
  constexpr int64_t kCacheLine = 64;
  // An odd number of cache lines: rows a power of two apart would all compete
  // for the same few sets of the cache.
  if (op.getLayout() == Layout::BatchFirst) {
    Type element = op.getElementType();
    int64_t bytes = getRealType(element).getIntOrFloatBitWidth() / 8 *
                    (isa<ComplexType>(element) ? 2 : 1);
    int64_t perLine = kCacheLine / bytes;
    if (width > perLine)
      width = (llvm::divideCeil(width, perLine) | 1) * perLine;
  }
  auto staticBatch = getConstantIntValue(batch);
  SmallVector<int64_t> shape{width, width};
  shape[op.getBatchDim()] = staticBatch.value_or(ShapedType::kDynamic);
  SmallVector<Value> dynamic;
  if (!staticBatch)
    dynamic.push_back(batch);
  return memref::AllocOp::create(b, loc,
                                 MemRefType::get(shape, op.getElementType()),
                                 dynamic, b.getI64IntegerAttr(kCacheLine));
}

/// Copies rows [begin, begin + batch) of the input, as reals, to `scratch`,
/// converted to its type. Where blocks of the batch are not shared out to
/// threads, the rows are.
void ProductLowering::copyRows(Value input, Value begin, Value batch,
                               Value scratch) {
  int64_t width = cast<MemRefType>(input.getType()).getDimSize(1);
  int64_t lanes = std::min(width, plan.getTiles().front().getLanes());
  auto getType = [&](Value memref) {
    return VectorType::get({lanes}, getElementTypeOrSelf(memref.getType()));
  };
  bool isShared = plan.getParallel() != ParallelDims::None &&
                  !isParallel(ParallelDims::Batch);
  createLoop(index.constant(0), batch, 1, isShared, [&](Value row) {
    createLoop(
        index.constant(0), index.constant(width), lanes, false, [&](Value at) {
          // The last step is shifted back to the end of the row.
          if (width % lanes != 0)
            at = index.min(at, index.constant(width - lanes));
          Value value =
              vector::LoadOp::create(b, loc, getType(input), input,
                                     ValueRange{index.add(row, begin), at});
          value = createRounded(b, loc, value, getType(scratch));
          vector::StoreOp::create(b, loc, value, scratch, ValueRange{row, at});
        });
  });
}

/// The entries [begin, begin + batch) through all factors.
void ProductLowering::emitChain(Value begin, Value batch) {
  SmallVector<KSPattern> patterns = op.getPatternList();
  size_t last = patterns.size() - 1;
  // Two buffers take turns; each holds the result of any factor but the last.
  int64_t width = 0;
  for (const KSPattern &p : ArrayRef(patterns).drop_back())
    width = std::max(width, p.outFeatures());
  SmallVector<Value> scratch;
  for (size_t t = 0; t < std::min<size_t>(last, 2); ++t)
    scratch.push_back(createScratch(batch, width));
  SmallVector<Value> views = llvm::map_to_vector(
      scratch, [&](Value memref) { return asReals(memref); });

  Value zero = index.constant(0);
  Activations source{asReals(op.getInput()), begin};
  // What is converted is also staged, so that each element is converted once.
  bool isConverted = op.getInputElementType() != op.getElementType() &&
                     op.getLayout() == Layout::BatchFirst;
  if (plan.getStageInput() || isConverted) {
    scratch.push_back(createScratch(batch, patterns.front().inFeatures()));
    Value staged = asReals(scratch.back());
    copyRows(source.memref, begin, batch, staged);
    source = {staged, zero};
  }
  for (auto [t, p, weight, tile] :
       llvm::enumerate(patterns, op.getWeightOperands(), plan.getTiles())) {
    FactorContext context;
    context.pattern = p;
    context.tile = tile;
    context.layout = op.getLayout();
    context.elementType = op.getElementType();
    context.input = source;
    context.output = t == last ? Activations{asReals(op.getInit()), begin}
                               : Activations{views[t % 2], zero};
    context.weight = weight;
    if (t == last && op.hasEpilogue()) {
      context.epilogue = &op.getEpilogue()->front();
      for (Value extra : op.getExtras())
        context.extras.push_back({asReals(extra), begin});
    }
    emitFactor(context, batch);
    source = context.output;
  }
  for (Value buffer : scratch)
    memref::DeallocOp::create(b, loc, buffer);
}

/// All tiles of a factor.
void ProductLowering::emitFactor(const FactorContext &context, Value batch) {
  CPUTileAttr tile = context.tile;
  bool batchFirst = context.layout == Layout::BatchFirst;
  auto emit = [&](TilePosition at, Value m, bool isWhole) {
    at.m = m;
    if (isWhole)
      emitTile(b, loc, context, at, tile.getRows(), tile.getVectors());
    else if (batchFirst)
      emitTile(b, loc, context, at, /*rows=*/1, tile.getVectors());
    else
      emitTile(b, loc, context, at, tile.getRows(), /*vectors=*/1,
               index.sub(batch, m));
  };
  if (tile.getStationary() == Stationary::Weights)
    emitPanels(context, [&](TilePosition at) {
      emitBatch(context, batch,
                [&](Value m, bool isWhole) { emit(at, m, isWhole); });
    });
  else
    emitBatch(context, batch, [&](Value m, bool isWhole) {
      emitPanels(context, [&](TilePosition at) { emit(at, m, isWhole); });
    });
}

/// Loops over groups and panels.
void ProductLowering::emitPanels(const FactorContext &context,
                                 function_ref<void(TilePosition)> body) {
  const KSPattern &p = context.pattern;
  CPUPackingAttr packing = context.tile.getPacking();
  int64_t blocksN = packing.getNumBlocksN(p),
          blocksJ = packing.getNumBlocksJ(p);
  int64_t panelSize = p.c * packing.getVectors() * packing.getLanes() *
                      context.getReals() * context.getReals();
  /// The first index of block `block`, shifted back at the edge.
  auto getStart = [&](Value block, int64_t blockSize, int64_t size) {
    Value start = index.mul(block, blockSize);
    if (size % blockSize == 0)
      return start;
    return index.min(start, index.constant(size - blockSize));
  };
  Value zero = index.constant(0);
  auto loop = [&](int64_t count, ParallelDims dim,
                  function_ref<void(Value)> f) {
    createLoop(zero, index.constant(count), 1, isParallel(dim), f);
  };
  loop(p.a, ParallelDims::Group, [&](Value i) {
    loop(blocksJ, ParallelDims::Panel, [&](Value blockJ) {
      loop(blocksN, ParallelDims::Panel, [&](Value blockN) {
        // packed[i][j block][n block], without tied axes.
        Value panel = packing.isTied(Ties::A) ? zero : i;
        if (!packing.isTied(Ties::D))
          panel = index.add(index.mul(panel, blocksJ), blockJ);
        panel = index.add(index.mul(panel, blocksN), blockN);
        TilePosition at;
        at.i = i;
        at.n0 = getStart(blockN, packing.getBlockN(), p.b);
        at.j0 = getStart(blockJ, packing.getJ(), p.d);
        at.panel = index.mul(panel, panelSize);
        body(at);
      });
    });
  });
}

/// Loops over the batch: whole tiles, then what is left.
void ProductLowering::emitBatch(const FactorContext &context, Value batch,
                                function_ref<void(Value, bool isWhole)> body) {
  CPUTileAttr tile = context.tile;
  bool batchFirst = context.layout == Layout::BatchFirst;
  int64_t lanes = tile.getLanes();
  int64_t step = batchFirst ? tile.getRows() : tile.getVectors() * lanes;
  Value whole = step == 1 ? batch : index.sub(batch, index.rem(batch, step));
  createLoop(index.constant(0), whole, step, false,
             [&](Value m) { body(m, /*isWhole=*/true); });
  if (step != 1)
    createLoop(whole, batch, batchFirst ? 1 : lanes, false,
               [&](Value m) { body(m, /*isWhole=*/false); });
}

void ProductLowering::lower() {
  b.setInsertionPoint(op);
  int64_t staticBatch = op.getBatch();
  Value batch =
      ShapedType::isDynamic(staticBatch)
          ? memref::DimOp::create(b, loc, op.getInit(), op.getBatchDim())
                .getResult()
          : index.constant(staticBatch);
  if (!isParallel(ParallelDims::Batch)) {
    emitChain(index.constant(0), batch);
  } else {
    int64_t block = plan.getBatchBlock();
    createLoop(index.constant(0), batch, block, true, [&](Value begin) {
      Value size = index.sub(batch, begin);
      if (ShapedType::isDynamic(staticBatch) || staticBatch % block != 0)
        size = index.min(size, index.constant(block));
      else
        size = index.constant(block);
      emitChain(begin, size);
    });
  }
  b.eraseOp(op);
}

/// What the verifier of the op cannot know to be required.
LogicalResult checkLowerable(ProductOpInterface op) {
  if (op.isOnTensors())
    return op->emitOpError("is on tensors; expected memrefs (run ks-bufferize "
                           "first)");
  if (!op.getPlanAttr())
    return op->emitOpError("has no plan; expected a #ks.cpu_plan (run "
                           "ks-select-plan first)");
  auto library = dyn_cast<LibraryPlanAttr>(op.getPlanAttr());
  if (!isa<CPUPlanAttr>(library ? library.getFallback() : op.getPlanAttr()))
    return op->emitOpError("has plan ")
           << op.getPlanAttr()
           << "; expected a #ks.cpu_plan or #ks.library_plan<blas, ...>";
  for (Value weight : op.getWeightOperands())
    if (cast<ShapedType>(weight.getType()).getRank() != 1)
      return op->emitOpError("has an unpacked weight of type ")
             << weight.getType()
             << "; expected a packed one (run ks-pack-weights first)";
  for (Value operand : op->getOperands()) {
    SmallVector<int64_t> strides;
    int64_t offset;
    auto type = cast<MemRefType>(operand.getType());
    if (failed(type.getStridesAndOffset(strides, offset)) ||
        strides.back() != 1)
      return op->emitOpError("has an operand of type ")
             << type
             << ", whose inner stride is not known to be 1; expected "
                "strided<[?, 1], offset: ?> (use ks-bufferize, or "
                "function-boundary-type-conversion=identity-layout-map)";
  }
  return success();
}

struct ConvertKSToVectorPass
    : ks::impl::ConvertKSToVectorBase<ConvertKSToVectorPass> {
  void runOnOperation() override {
    SmallVector<ProductOpInterface> products;
    SmallVector<PackWeightsOp> packs;
    SmallVector<MergeWeightsOp> merges;
    getOperation().walk([&](Operation *op) {
      if (auto product = dyn_cast<ProductOpInterface>(op))
        products.push_back(product);
      else if (auto pack = dyn_cast<PackWeightsOp>(op))
        packs.push_back(pack);
      else if (auto merge = dyn_cast<MergeWeightsOp>(op))
        merges.push_back(merge);
    });
    IRRewriter rewriter(&getContext());
    for (ProductOpInterface product : products) {
      if (failed(checkLowerable(product)))
        return signalPassFailure();
      if (auto library = dyn_cast<LibraryPlanAttr>(product.getPlanAttr()))
        moveToLibraryChoice(rewriter, product, library);
      ProductLowering(rewriter, product,
                      cast<CPUPlanAttr>(product.getPlanAttr()))
          .lower();
    }
    // Once per weight: as linalg says it is.
    for (MergeWeightsOp merge : merges)
      lowerMergeWeightsToLinalg(rewriter, merge);
    for (PackWeightsOp pack : packs) {
      auto library = dyn_cast<LibraryPackingAttr>(pack.getPacking());
      if (pack->getNumResults() != 0 ||
          !isa<CPUPackingAttr>(library ? library.getFallback()
                                       : pack.getPacking())) {
        pack.emitOpError("cannot be lowered for a CPU; expected memrefs and a "
                         "#ks.cpu_packing, or a #ks.library_packing of one");
        return signalPassFailure();
      }
      KSPattern pattern = pack.getPattern().getPattern();
      if (library && (pattern.a != 1 || pattern.d != 1)) {
        pack.emitOpError("packs weights of pattern ")
            << pack.getPattern()
            << " for a library; expected a dense one, <1, b, c, 1>, for a "
               "BLAS";
        return signalPassFailure();
      }
      if (library)
        lowerLibraryPacking(rewriter, pack);
      lowerPackWeights(rewriter, pack);
    }
  }
};

} // namespace
