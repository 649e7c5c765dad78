//===- KSToGPU.cpp - GPU plans as kernels ---------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A planned ks.matmul becomes a kernel and its launch. The kernel, for one
// slab:
//
//   copy_weights of all chunks, if they are resident
//   for each tile of the batch that is this block's
//     for each chunk of k         (a ring of stages in shared memory)
//       copy_activations (and copy_weights) of a chunk that comes `stages - 1`
//         later, maybe in the next tile
//       for each step of the chunk
//         accumulator = warp_mma(load_weights, load_activations)
//     epilogue, rounding
//     store_fragment
//
//===----------------------------------------------------------------------===//

#include "KSToGPU.h"

#include "../IndexBuilder.h"
#include "../KSToVector/TileEmitter.h"

#include "ks/Conversion/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"

#include <numeric>

namespace ks {
#define GEN_PASS_DEF_CONVERTKSTOGPU
#include "ks/Conversion/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// Kernels and launches
//===----------------------------------------------------------------------===//

gpu::GPUFuncOp KernelModule::createKernel(Location loc, StringRef name,
                                          TypeRange arguments,
                                          int64_t threads) {
  OpBuilder b(module.getContext());
  if (!kernels) {
    b.setInsertionPointToEnd(module.getBody());
    kernels = gpu::GPUModuleOp::create(b, module.getLoc(), "ks_kernels");
    SymbolTable(module).insert(kernels);
    module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                    b.getUnitAttr());
  }
  b.setInsertionPointToEnd(&kernels.getBodyRegion().front());
  auto kernel = gpu::GPUFuncOp::create(
      b, loc, name, FunctionType::get(b.getContext(), arguments, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  kernel.setKnownBlockSize(
      ArrayRef<int32_t>{static_cast<int32_t>(threads), 1, 1});
  SymbolTable(kernels).insert(kernel);
  b.setInsertionPointToEnd(&kernel.getBody().front());
  gpu::ReturnOp::create(b, loc);
  return kernel;
}

void ks::createLaunch(OpBuilder &b, gpu::GPUFuncOp kernel, Value blocks,
                      int64_t threads, int64_t sharedBytes,
                      ValueRange operands) {
  Location loc = kernel.getLoc();
  IndexBuilder index(b, loc);
  Value one = index.constant(1);
  Value shared;
  if (sharedBytes != 0)
    shared = arith::ConstantIntOp::create(b, loc, sharedBytes, 32);
  gpu::LaunchFuncOp::create(b, loc, kernel, gpu::KernelDim3{blocks, one, one},
                            gpu::KernelDim3{index.constant(threads), one, one},
                            shared, operands);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {

/// The kernel of one product.
class ProductKernel {
public:
  ProductKernel(RewriterBase &b, ProductOpInterface op, GPUPlanAttr attr)
      : b(b), loc(op->getLoc()), index(b, loc), op(op), attr(attr),
        plan(attr.getPlan(op.getLayout())), p(op.getPatternList().front()),
        batchFirst(op.getLayout() == Layout::BatchFirst),
        parts(isa<ComplexType>(op.getElementType()) ? 2 : 1),
        real(getRealType(op.getElementType())),
        accumulatorReal(getRealType(op.getAccumulatorType())),
        fragments(attr.getPacking().getFragments()) {}

  void lower(KernelModule &kernels, StringRef name);

private:
  int64_t getElementBytes() const {
    return parts * real.getIntOrFloatBitWidth() / 8;
  }
  int64_t getSharedBytes() const {
    return plan.getSharedBytes(p, batchFirst, getElementBytes());
  }
  Value asReals(Value memref);
  void createShared();
  void findSlab();
  void emitBody(Block &block);
  /// One chunk of one tile of the batch.
  struct Chunk {
    Value m, k;
  };
  void emitTile(Value m, Value &stage);
  Value emitProduct(Value m, Value &stage);
  Value emitChunk(const Chunk &chunk, Value &stage, Value accumulator);
  struct Operands {
    Value weights, activations;
  };
  Operands loadStep(Value chunk, Value stage, Value step);
  Value multiplySteps(Value chunk, Value stage, Value first, int64_t count,
                      Value accumulator);
  Value multiplyChunk(Value chunk, Value stage, Value accumulator);
  Chunk getLater(const Chunk &chunk, Value distance);
  void fillRing();
  void copyWeights(Value chunk, Value stage);
  void copyChunk(const Chunk &chunk, Value stage);
  void copyIfThere(const Chunk &chunk, Value stage);
  void closeGroup();
  void waitFor(int64_t pendingGroups);
  /// First of the warp along the batch, n and j.
  struct Place {
    Value m, n, j;
  };
  Value finish(Value accumulator, const Place &place);

  RewriterBase &b;
  Location loc;
  IndexBuilder index;
  ProductOpInterface op;
  GPUPlanAttr attr;
  GPUPlan plan;
  KSPattern p;
  bool batchFirst;
  int64_t parts; // Reals of an element.
  Type real, accumulatorReal;
  FragmentsAttr fragments;

  // Arguments of the kernel; complex ones as reals.
  Value input, weight, output;
  SmallVector<Value> extras;
  Value batch;
  // Rings of stages in shared memory.
  Value inputStages, weightStages;
  // First entry of the block's first tile, and the distance to its next one.
  Value firstM, strideM;
  // First of the block; and of the warp, counted in the block.
  Value i, blockJ, blockN;
  Value warpM, warpTile, warpJ;
};

Value ProductKernel::asReals(Value memref) {
  return parts == 2 ? RealViewOp::create(b, loc, memref).getResult() : memref;
}

void ProductKernel::createShared() {
  auto workgroup =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  Value bytes = gpu::DynamicSharedMemoryOp::create(
      b, loc,
      MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                      MemRefLayoutAttrInterface(), workgroup));
  auto view = [&](ArrayRef<int64_t> shape, int64_t offset) -> Value {
    return memref::ViewOp::create(
        b, loc,
        MemRefType::get(shape, real, MemRefLayoutAttrInterface(), workgroup),
        bytes, index.constant(offset), ValueRange{});
  };
  int64_t pitch = plan.getRowPitch(batchFirst, getElementBytes());
  inputStages =
      view({plan.stages, plan.getNumRows(batchFirst), pitch * parts}, 0);
  // [stage][step][j][tile][lane][position]
  SmallVector<int64_t> shape = attr.getPacking().getPackedShape(p);
  shape.erase(shape.begin(), shape.begin() + 3);
  shape.front() = plan.getWeightStages(p);
  shape.back() *= parts;
  weightStages =
      view(shape, plan.getInputBytes(batchFirst, getElementBytes()));
}

/// Which slab the block computes, and which part of it the warp.
void ProductKernel::findSlab() {
  // Slabs are fastest.
  SmallVector<Value> slab =
      index.delinearize(gpu::BlockIdOp::create(b, loc, gpu::Dimension::x),
                        {1, p.a, plan.getNumBlocksJ(p), plan.getNumBlocksN(p)});
  firstM = index.mul(slab[0], plan.entries);
  Value blocks = gpu::GridDimOp::create(b, loc, gpu::Dimension::x);
  strideM =
      index.mul(index.div(blocks, plan.getNumSlabs(p)), plan.entries);
  i = slab[1];
  blockJ = slab[2];
  blockN = slab[3];
  Value warp =
      index.div(gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x), 32);
  SmallVector<Value> part =
      index.delinearize(warp, {plan.warpsM, plan.warpsN, plan.warpsJ});
  warpM = index.mul(part[0], plan.entries / plan.warpsM);
  warpTile = index.mul(part[1], plan.getTilesN());
  warpJ = index.mul(part[2], batchFirst ? plan.vector : 0);
}

//===----------------------------------------------------------------------===//
// The ring of copies
//===----------------------------------------------------------------------===//

void ProductKernel::copyWeights(Value chunk, Value stage) {
  // packed[i][j block][n block][chunk]
  SmallVector<int64_t> shape = attr.getPacking().getPackedShape(p);
  Value offset = plan.tiedA ? index.constant(0) : i;
  offset = index.mul(offset, shape[1]);
  if (!plan.tiedD)
    offset = index.add(offset, blockJ);
  offset = index.add(index.mul(offset, shape[2]), blockN);
  offset = index.add(index.mul(offset, shape[3]), chunk);
  CopyWeightsOp::create(
      b, loc, weight, index.mul(offset, plan.getStageWeights() * parts),
      weightStages, stage, b.getI64IntegerAttr(plan.getThreads()));
}

/// Copies what changes from chunk to chunk to a stage of the ring.
void ProductKernel::copyChunk(const Chunk &chunk, Value stage) {
  CopyActivationsOp::create(
      b, loc, PatternAttr::get(b.getContext(), p), input, chunk.m, i,
      index.mul(chunk.k, plan.k), index.mul(blockJ, plan.j), inputStages, stage,
      b.getI64IntegerAttr(plan.k), b.getI64IntegerAttr(plan.j),
      b.getI64IntegerAttr(plan.getNumRows(batchFirst)),
      b.getI64IntegerAttr(plan.getRowElements(batchFirst) * parts),
      b.getI64IntegerAttr(plan.getThreads()), b.getI64IntegerAttr(parts),
      LayoutAttr::get(b.getContext(), op.getLayout()));
  if (!plan.isResident)
    copyWeights(chunk.k, stage);
}

/// The chunk `distance` later: beyond the last one comes the next tile.
ProductKernel::Chunk ProductKernel::getLater(const Chunk &chunk,
                                             Value distance) {
  int64_t chunks = plan.getNumChunks(p);
  Value k = index.add(chunk.k, distance);
  return {index.add(chunk.m, index.mul(strideM, index.div(k, chunks))),
          index.rem(k, chunks)};
}

void ProductKernel::copyIfThere(const Chunk &chunk, Value stage) {
  auto isThere =
      scf::IfOp::create(b, loc, index.less(chunk.m, batch), /*else=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(isThere.thenBlock());
  copyChunk(chunk, stage);
}

/// Starts the copies that come before the loop.
void ProductKernel::fillRing() {
  Value zero = index.constant(0);
  if (plan.isResident) {
    auto loop = scf::ForOp::create(
        b, loc, zero, index.constant(plan.getNumChunks(p)), index.constant(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    copyWeights(loop.getInductionVar(), loop.getInductionVar());
  }
  int64_t ahead = plan.stages - 1;
  if (ahead == 0)
    return;
  auto loop = scf::ForOp::create(b, loc, zero, index.constant(ahead),
                                 index.constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value stage = loop.getInductionVar();
  copyIfThere(getLater({firstM, zero}, stage), stage);
  closeGroup();
}

void ProductKernel::closeGroup() { NVVM::CpAsyncCommitGroupOp::create(b, loc); }

/// Until all threads' copies have arrived, but for the last few groups.
void ProductKernel::waitFor(int64_t pendingGroups) {
  NVVM::CpAsyncWaitGroupOp::create(b, loc, b.getI32IntegerAttr(pendingGroups));
  gpu::BarrierOp::create(b, loc);
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

/// The operands of one step of a chunk, which lies in `stage`.
ProductKernel::Operands ProductKernel::loadStep(Value chunk, Value stage,
                                                Value step) {
  int64_t columns = plan.vector;
  // Columns that are entries of the batch share their weights.
  bool isShared = plan.tiedD || !batchFirst;
  auto weightType = VectorType::get({isShared ? 1 : columns, plan.getTilesN(),
                                     plan.fragments.weightsPerLane() * parts},
                                    real);
  auto inputType = VectorType::get(
      {columns, plan.getTilesM(batchFirst), FragmentLayout::slotsK * parts},
      real);
  Value weights =
      LoadWeightsOp::create(b, loc, weightType, weightStages,
                            plan.isResident ? chunk : stage, step,
                            plan.tiedD ? index.constant(0) : warpJ, warpTile);
  Value k = index.mul(step, plan.fragments.stepK());
  Value row = batchFirst ? warpM : k;
  Value column = batchFirst ? index.add(index.mul(k, plan.j), warpJ) : warpM;
  Value activations = LoadActivationsOp::create(
      b, loc, inputType, fragments, inputStages, stage, row, column,
      b.getI64IntegerAttr(plan.j),
      LayoutAttr::get(b.getContext(), op.getLayout()));
  return {weights, activations};
}

/// `count` steps from `first` on, of which each is loaded before the one before
/// is multiplied.
Value ProductKernel::multiplySteps(Value chunk, Value stage, Value first,
                                   int64_t count, Value accumulator) {
  Operands operands = loadStep(chunk, stage, first);
  for (int64_t step = 1; step <= count; ++step) {
    Operands next;
    if (step < count)
      next = loadStep(chunk, stage, index.add(first, step));
    accumulator =
        WarpMmaOp::create(b, loc, accumulator.getType(), fragments,
                          operands.weights, operands.activations, accumulator);
    operands = next;
  }
  return accumulator;
}

/// All steps of a chunk, a few at a time.
Value ProductKernel::multiplyChunk(Value chunk, Value stage,
                                   Value accumulator) {
  constexpr int64_t kMaxUnrolled = 4;
  int64_t steps = plan.k / plan.fragments.stepK();
  int64_t unrolled = std::gcd(steps, kMaxUnrolled);
  if (steps == unrolled)
    return multiplySteps(chunk, stage, index.constant(0), steps, accumulator);
  auto loop = scf::ForOp::create(
      b, loc, index.constant(0), index.constant(steps),
      index.constant(unrolled), accumulator,
      [&](OpBuilder &, Location, Value step, ValueRange carried) {
        scf::YieldOp::create(b, loc,
                             multiplySteps(chunk, stage, step, unrolled,
                                           carried.front()));
      });
  return loop.getResult(0);
}

/// Waits for a chunk, starts the copy of a later one, and multiplies. `stage`
/// becomes the one of the next chunk.
Value ProductKernel::emitChunk(const Chunk &chunk, Value &stage,
                               Value accumulator) {
  int64_t ahead = plan.stages - 1;
  Value zero = index.constant(0);
  if (ahead == 0) {
    // Nothing overlaps, and all must have read the stage before it is written.
    gpu::BarrierOp::create(b, loc);
    copyChunk(chunk, zero);
    closeGroup();
    waitFor(0);
    return multiplyChunk(chunk.k, zero, accumulator);
  }
  // Behind the barrier, all have read the stage that is the last of the ring.
  waitFor(ahead - 1);
  Value last = index.select(index.less(stage, 1), index.constant(ahead),
                            index.add(stage, -1));
  copyIfThere(getLater(chunk, index.constant(ahead)), last);
  closeGroup();
  Value sum = multiplyChunk(chunk.k, stage, accumulator);
  stage = index.select(index.less(stage, ahead), index.add(stage, 1), zero);
  return sum;
}

/// The product of one tile of the batch, before the epilogue.
Value ProductKernel::emitProduct(Value m, Value &stage) {
  auto type = VectorType::get(
      {plan.vector, plan.getTilesN(), plan.getTilesM(batchFirst),
       plan.fragments.slotsN() * plan.fragments.slotsM() * parts},
      accumulatorReal);
  Value accumulator = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  Value zero = index.constant(0);
  int64_t chunks = plan.getNumChunks(p);
  if (chunks == 1)
    return emitChunk({m, zero}, stage, accumulator);
  auto loop =
      scf::ForOp::create(b, loc, zero, index.constant(chunks),
                         index.constant(1), ValueRange{accumulator, stage});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value inner = loop.getRegionIterArgs()[1];
  Value sum = emitChunk({m, loop.getInductionVar()}, inner,
                        loop.getRegionIterArgs()[0]);
  scf::YieldOp::create(b, loc, ValueRange{sum, inner});
  stage = loop.getResult(1);
  return loop.getResult(0);
}

/// The epilogue on the accumulator, and the rounding to the element type.
Value ProductKernel::finish(Value accumulator, const Place &place) {
  auto type = cast<VectorType>(accumulator.getType());
  MLIRContext *context = b.getContext();
  if (op.hasEpilogue()) {
    auto flat = [&](Value value) -> Value {
      auto shaped = cast<VectorType>(value.getType());
      return vector::ShapeCastOp::create(
          b, loc,
          VectorType::get({shaped.getNumElements()}, shaped.getElementType()),
          value);
    };
    SmallVector<Value> arguments{flat(accumulator)};
    for (Value extra : extras)
      arguments.push_back(flat(LoadFragmentOp::create(
          b, loc, VectorType::get(type.getShape(), real),
          PatternAttr::get(context, p), fragments, extra, place.m, i, place.n,
          place.j, batch, LayoutAttr::get(context, op.getLayout()))));
    Value result = emitVectorEpilogue(b, loc, op.getEpilogue()->front(),
                                      arguments, parts == 2);
    accumulator = vector::ShapeCastOp::create(b, loc, type, result);
  }
  if (real == accumulatorReal)
    return accumulator;
  return arith::TruncFOp::create(b, loc, VectorType::get(type.getShape(), real),
                                 accumulator);
}

/// One tile of the batch, from `m` on.
void ProductKernel::emitTile(Value m, Value &stage) {
  Value accumulator = emitProduct(m, stage);
  int64_t tileN = plan.fragments.tileN();
  Place place{index.add(m, warpM),
              index.add(index.mul(blockN, plan.n), index.mul(warpTile, tileN)),
              index.add(index.mul(blockJ, plan.j), warpJ)};
  Value rounded = finish(accumulator, place);
  StoreFragmentOp::create(b, loc, PatternAttr::get(b.getContext(), p),
                          fragments, rounded, output, place.m, i, place.n,
                          place.j,
                          LayoutAttr::get(b.getContext(), op.getLayout()));
}

void ProductKernel::emitBody(Block &block) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&block);
  ValueRange arguments = block.getArguments();
  Value result = arguments[2];
  input = asReals(arguments[0]);
  weight = arguments[1];
  output = asReals(result);
  for (Value extra : arguments.drop_front(3))
    extras.push_back(asReals(extra));
  batch = memref::DimOp::create(b, loc, result, op.getBatchDim());
  findSlab();
  createShared();
  fillRing();
  auto loop = scf::ForOp::create(b, loc, firstM, batch, strideM,
                                 ValueRange{index.constant(0)});
  b.setInsertionPointToStart(loop.getBody());
  Value stage = loop.getRegionIterArgs().front();
  emitTile(loop.getInductionVar(), stage);
  scf::YieldOp::create(b, loc, stage);
}

void ProductKernel::lower(KernelModule &kernels, StringRef name) {
  SmallVector<Value> operands{op.getInput(), op.getWeightOperands().front(),
                              op.getInit()};
  llvm::append_range(operands, op.getExtras());
  gpu::GPUFuncOp kernel = kernels.createKernel(
      loc, name, TypeRange(ValueRange(operands)), plan.getThreads());
  emitBody(kernel.getBody().front());

  b.setInsertionPoint(op);
  Value entries = memref::DimOp::create(b, loc, op.getInit(), op.getBatchDim());
  AffineExpr s0 = b.getAffineSymbolExpr(0);
  Value tiles = affine::AffineMinOp::create(
      b, loc,
      AffineMap::get(0, 1,
                     {s0.ceilDiv(plan.entries),
                      b.getAffineConstantExpr(plan.batchBlocks)},
                     b.getContext()),
      ValueRange{entries});
  Value blocks = affine::AffineApplyOp::create(
      b, loc, AffineMap::get(0, 1, s0 * plan.getNumSlabs(p)),
      ValueRange{tiles});
  createLaunch(b, kernel, blocks, plan.getThreads(), getSharedBytes(),
               operands);
  b.eraseOp(op);
}

/// What the verifier of the op cannot know to be required.
LogicalResult checkLowerable(ProductOpInterface op) {
  if (op.isOnTensors())
    return op->emitOpError("is on tensors; expected memrefs (run ks-bufferize "
                           "first)");
  if (!isa_and_nonnull<GPUPlanAttr>(op.getPlanAttr()))
    return op->emitOpError("has ")
           << (op.getPlanAttr() ? "a plan for another target" : "no plan")
           << "; expected a #ks.gpu_plan (run ks-select-plan with a GPU target "
              "first)";
  for (Value operand : op->getOperands()) {
    SmallVector<int64_t> strides;
    int64_t offset;
    auto type = cast<MemRefType>(operand.getType());
    if (failed(type.getStridesAndOffset(strides, offset)) ||
        strides.back() != 1)
      return op->emitOpError("has an operand of type ")
             << type
             << ", whose inner stride is not known to be 1; expected "
                "strided<[?, 1], offset: ?> (use ks-bufferize)";
  }
  if (cast<ShapedType>(op.getWeightOperands().front().getType()).getRank() != 1)
    return op->emitOpError("has an unpacked weight; expected a packed one (run "
                           "ks-pack-weights first)");
  return success();
}

struct ConvertKSToGPUPass : ks::impl::ConvertKSToGPUBase<ConvertKSToGPUPass> {
  void runOnOperation() override {
    KernelModule kernels{getOperation(), {}};
    IRRewriter rewriter(&getContext());
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      SmallVector<Operation *> ops;
      func.walk([&](Operation *op) {
        if (isa<ProductOpInterface, PackWeightsOp>(op))
          ops.push_back(op);
      });
      for (auto [number, op] : llvm::enumerate(ops)) {
        std::string name = (func.getName() + "_" + Twine(number)).str();
        if (auto pack = dyn_cast<PackWeightsOp>(op)) {
          if (failed(lowerPackWeightsToGPU(rewriter, pack, kernels, name)))
            return signalPassFailure();
          continue;
        }
        auto product = cast<ProductOpInterface>(op);
        if (failed(checkLowerable(product)))
          return signalPassFailure();
        ProductKernel(rewriter, product,
                      cast<GPUPlanAttr>(product.getPlanAttr()))
            .lower(kernels, name);
      }
    }
  }
};

} // namespace
