//===- Warpgroups.cpp - Four warps that multiply together -----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// wgmma (PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions"), and the
// order of its results.
//
//===----------------------------------------------------------------------===//

#include "../SplitFloatBuilder.h"
#include "TileExpander.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ks;

/// A matrix descriptor but for its address (PTX ISA, "Matrix Descriptor
/// Format"); distances are in bytes.
static uint64_t getDescriptor(int64_t leading, int64_t stride,
                              int64_t swizzle) {
  // Rows of 128, 64 and 32 bytes are modes 1, 2 and 3.
  uint64_t mode = swizzle == 0 ? 0 : swizzle == 128 ? 1 : swizzle == 64 ? 2 : 3;
  return static_cast<uint64_t>(leading / 16) << 16 |
         static_cast<uint64_t>(stride / 16) << 32 | mode << 62;
}

namespace {
constexpr int64_t kRows = 64, kDepth = 16; // Of the instruction.
constexpr int64_t kCoreRows = 8, kCoreBytes = 128;

/// The instructions of one chunk.
class WarpgroupMma {
public:
  WarpgroupMma(OpBuilder &b, WarpgroupMmaOp op)
      : b(b), loc(op.getLoc()), op(op),
        isBatchFirst(op.getLayout() == Layout::BatchFirst),
        element(getElementTypeOrSelf(op.getWeights().getType())),
        tilesM(op.getResult().getType().getDimSize(2)) {}

  /// Of 16-byte units: one descriptor is this far from another.
  static Value move(OpBuilder &b, Location loc, Value descriptor,
                    int64_t bytes) {
    if (bytes == 0)
      return descriptor;
    return arith::AddIOp::create(
        b, loc, descriptor,
        arith::ConstantIntOp::create(b, loc, bytes / 16, 64));
  }

  /// Of the rows of `tile` at `step`, from the descriptor of the stage.
  int64_t getWeightBytes(int64_t step, int64_t tile) {
    int64_t tiles = op.getResult().getType().getDimSize(1);
    return (step * tiles + tile) * kRows * kDepth * 2;
  }
  int64_t getActivationBytes(int64_t step) {
    if (!isBatchFirst)
      return step * kDepth * kWgmmaRowBytes;
    constexpr int64_t kSteps = kWgmmaRowBytes / (kDepth * 2); // Of an atom.
    int64_t rows = op.getActivations().getType().getDimSize(2);
    return step / kSteps * rows * kWgmmaRowBytes + step % kSteps * kDepth * 2;
  }

  uint64_t getWeightDescriptor() const {
    // Core matrices: those of other k behind all those of other rows.
    return getDescriptor(kRows / kCoreRows * kCoreBytes, kCoreBytes,
                         /*swizzle=*/0);
  }
  uint64_t getActivationDescriptor() {
    constexpr int64_t kGroup = 8 * kWgmmaRowBytes; // What swizzling repeats.
    int64_t rows = op.getActivations().getType().getDimSize(2);
    return getDescriptor(isBatchFirst ? 16 : rows * kWgmmaRowBytes, kGroup,
                         kWgmmaRowBytes);
  }

  Value multiply(Value weights, Value activations, Value sums) {
    auto type =
        element.isBF16() ? NVVM::WGMMATypes::bf16 : NVVM::WGMMATypes::f16;
    MLIRContext *context = b.getContext();
    auto scale = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
    auto operand = NVVM::WGMMATypesAttr::get(context, type);
    return NVVM::WgmmaMmaAsyncOp::create(
        b, loc, sums.getType(), sums, weights, activations,
        NVVM::MMAShapeAttr::get(context, kRows, tilesM * 8, kDepth), operand,
        operand, NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32),
        NVVM::WGMMAScaleOutAttr::get(context, NVVM::WGMMAScaleOut::one), scale,
        scale, NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row),
        NVVM::MMALayoutAttr::get(context, isBatchFirst ? NVVM::MMALayout::col
                                                       : NVVM::MMALayout::row),
        NVVM::MMAIntOverflowAttr());
  }

  /// The registers of a tile of n, and back.
  Value toStruct(int64_t tile) {
    SmallVector<Type> types(static_cast<size_t>(4 * tilesM), b.getF32Type());
    Value sums = LLVM::PoisonOp::create(
        b, loc, LLVM::LLVMStructType::getLiteral(b.getContext(), types));
    for (int64_t m = 0; m < tilesM; ++m) {
      Value vector = getVector(b, loc, op.getAccumulator(), {0, tile, m});
      for (int64_t i = 0; i < 4; ++i)
        sums = LLVM::InsertValueOp::create(
            b, loc, sums, getElement(b, loc, vector, i), 4 * m + i);
    }
    return sums;
  }
  void appendVectors(Value sums, SmallVectorImpl<Value> &vectors) {
    auto type = VectorType::get({4}, b.getF32Type());
    for (int64_t m = 0; m < tilesM; ++m) {
      SmallVector<Value> reals;
      for (int64_t i = 0; i < 4; ++i)
        reals.push_back(LLVM::ExtractValueOp::create(b, loc, sums, 4 * m + i));
      vectors.push_back(vector::FromElementsOp::create(b, loc, type, reals));
    }
  }

private:
  OpBuilder &b;
  Location loc;
  WarpgroupMmaOp op;
  bool isBatchFirst;
  Type element;
  int64_t tilesM;
};
} // namespace

/// The descriptor of what begins `bytes` behind the beginning of `stages`.
static Value describe(OpBuilder &b, Location loc, IndexBuilder &index,
                      Value stages, Value bytes, uint64_t descriptor) {
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(b, loc, stages);
  // Shared memory is below 2^18 bytes.
  Value units = index.rem(index.div(index.add(address, bytes), 16), 1 << 14);
  Value number = arith::IndexCastOp::create(b, loc, b.getI64Type(), units);
  return arith::OrIOp::create(
      b, loc, number,
      arith::ConstantIntOp::create(b, loc, static_cast<int64_t>(descriptor),
                                   64));
}

void TileExpander::expand(WarpgroupMmaOp op) {
  WarpgroupMma mma(b, op);
  auto getStage = [&](Value stages, Value stage, Value more,
                      uint64_t descriptor) -> Value {
    auto type = cast<MemRefType>(stages.getType());
    int64_t bytes =
        ShapedType::getNumElements(type.getShape().drop_front()) * 2;
    return describe(b, loc, index, stages,
                    index.add(index.mul(stage, bytes), more), descriptor);
  };
  // `row` is a multiple of 8, and batch-last of 64.
  bool isBatchFirst = op.getLayout() == Layout::BatchFirst;
  int64_t rows = op.getActivations().getType().getDimSize(2);
  Value first = isBatchFirst
                    ? index.mul(op.getRow(), kWgmmaRowBytes)
                    : index.mul(index.div(op.getRow(), kWgmmaRowBytes / 2),
                                rows * kWgmmaRowBytes);
  Value weights = getStage(op.getWeights(), op.getWeightStage(),
                           index.constant(0), mma.getWeightDescriptor());
  Value activations = getStage(op.getActivations(), op.getStage(), first,
                               mma.getActivationDescriptor());

  int64_t steps = op.getWeights().getType().getDimSize(1);
  int64_t tiles = op.getResult().getType().getDimSize(1);
  SmallVector<Value> sums;
  for (int64_t tile = 0; tile < tiles; ++tile)
    sums.push_back(mma.toStruct(tile));
  NVVM::WgmmaFenceAlignedOp::create(b, loc);
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t tile = 0; tile < tiles; ++tile)
      sums[tile] = mma.multiply(
          WarpgroupMma::move(b, loc, weights, mma.getWeightBytes(step, tile)),
          WarpgroupMma::move(b, loc, activations, mma.getActivationBytes(step)),
          sums[tile]);
  NVVM::WgmmaGroupSyncAlignedOp::create(b, loc);
  NVVM::WgmmaWaitGroupSyncOp::create(b, loc, 1);
  SmallVector<Value> vectors;
  for (Value tile : sums)
    mma.appendVectors(tile, vectors);
  b.replaceOp(op, assemble(op.getResult().getType(), vectors));
}

//===----------------------------------------------------------------------===//
// Activations from registers
//===----------------------------------------------------------------------===//

namespace {
/// wgmma.mma_async with its first operand in registers, which MLIR's op does
/// not have (PTX ISA, "wgmma.mma_async").
class RegisterMma {
public:
  RegisterMma(OpBuilder &b, Location loc, Type element)
      : b(b), loc(loc), element(element) {}

  /// Instructions per step of k.
  int64_t countInstructions() const { return element.isF32() ? 2 : 1; }

  /// The registers of 16 entries of this lane's warp, from the fragments of
  /// two tiles: pairs of k of both, then the others; of tf32, each k of both.
  SmallVector<Value> getRegisters(Value first, Value second) {
    SmallVector<Value> registers;
    if (element.isF32()) {
      SplitFloatBuilder floats(b, loc);
      for (int64_t k = 0; k < FragmentLayout::slotsK; ++k)
        for (Value tile : {first, second})
          registers.push_back(floats.roundToTF32(getElement(b, loc, tile, k)));
      return registers;
    }
    auto word = VectorType::get({1}, b.getI32Type());
    for (int64_t pair : {0, 1})
      for (Value tile : {first, second}) {
        Value two = getPair(b, loc, tile, 2 * pair);
        registers.push_back(vector::ExtractOp::create(
            b, loc, vector::BitCastOp::create(b, loc, word, two), 0));
      }
    return registers;
  }

  /// sums += activations · weights.
  SmallVector<Value> multiply(ArrayRef<Value> activations, Value weights,
                              ArrayRef<Value> sums) {
    auto count = static_cast<int64_t>(sums.size());
    auto list = [](int64_t first, int64_t size) {
      SmallVector<std::string> names;
      for (int64_t i = first; i < first + size; ++i)
        names.push_back("$" + std::to_string(i));
      return "{" + llvm::join(names, ", ") + "}";
    };
    std::string kind = element.isF32()    ? "k8.f32.tf32.tf32"
                       : element.isBF16() ? "k16.f32.bf16.bf16"
                                          : "k16.f32.f16.f16";
    // Which way 16-bit weights lie is asked for.
    std::string scales = element.isF32() ? "1, 1" : "1, 1, 0";
    // Operands are results, activations, weights, and sums in the results'
    // registers.
    std::string code = "{\n.reg .pred p;\nsetp.ne.b32 p, 1, 0;\n"
                       "wgmma.mma_async.sync.aligned.m64n" +
                       std::to_string(2 * count) + kind + " " + list(0, count) +
                       ", " + list(count, 4) + ", $" +
                       std::to_string(count + 4) + ", p, " + scales + ";\n}\n";
    std::string constraints;
    for (int64_t i = 0; i < count; ++i)
      constraints += "=f,";
    constraints += "r,r,r,r,l";
    for (int64_t i = 0; i < count; ++i)
      constraints += "," + std::to_string(i);
    SmallVector<Value> operands(activations);
    operands.push_back(weights);
    llvm::append_range(operands, sums);
    SmallVector<Type> types(sums.size(), b.getF32Type());
    Value results =
        LLVM::InlineAsmOp::create(
            b, loc, LLVM::LLVMStructType::getLiteral(b.getContext(), types),
            operands, code, constraints, /*has_side_effects=*/true,
            /*is_align_stack=*/false, LLVM::TailCallKind::None,
            LLVM::AsmDialectAttr(), ArrayAttr())
            .getRes();
    SmallVector<Value> values;
    for (int64_t i = 0; i < count; ++i)
      values.push_back(LLVM::ExtractValueOp::create(b, loc, results, i));
    return values;
  }

private:
  OpBuilder &b;
  Location loc;
  Type element;
};
} // namespace

/// wgmma with both operands from shared memory, entries in rows.
namespace {
class PlanesMma {
public:
  PlanesMma(OpBuilder &b, Location loc, Type element)
      : b(b), loc(loc), type(element.isBF16() ? NVVM::WGMMATypes::bf16
                                              : NVVM::WGMMATypes::f16) {}

  /// sums += activations · weights.
  Value multiply(Value activations, Value weights, Value sums, int64_t tilesN) {
    MLIRContext *context = b.getContext();
    auto scale = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
    auto operand = NVVM::WGMMATypesAttr::get(context, type);
    return NVVM::WgmmaMmaAsyncOp::create(
        b, loc, sums.getType(), sums, activations, weights,
        NVVM::MMAShapeAttr::get(context, kRows, tilesN * 8, kDepth), operand,
        operand, NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32),
        NVVM::WGMMAScaleOutAttr::get(context, NVVM::WGMMAScaleOut::one), scale,
        scale, NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row),
        NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::col),
        NVVM::MMAIntOverflowAttr());
  }

  /// The registers of a column, tile after tile of n: two of each half of 16
  /// entries; and back.
  Value toStruct(Value accumulator, int64_t column, int64_t tilesN) {
    SmallVector<Type> types(static_cast<size_t>(4 * tilesN), b.getF32Type());
    Value sums = LLVM::PoisonOp::create(
        b, loc, LLVM::LLVMStructType::getLiteral(b.getContext(), types));
    int64_t at = 0;
    for (int64_t n = 0; n < tilesN; ++n)
      for (int64_t half : {0, 1})
        for (Value real : getElements(
                 b, loc, getVector(b, loc, accumulator, {column, n, half})))
          sums = LLVM::InsertValueOp::create(b, loc, sums, real, at++);
    return sums;
  }
  void appendVectors(Value sums, int64_t tilesN,
                     SmallVectorImpl<Value> &vectors) {
    auto pair = VectorType::get({2}, b.getF32Type());
    for (int64_t at = 0; at < 4 * tilesN; at += 2) {
      SmallVector<Value> reals{
          LLVM::ExtractValueOp::create(b, loc, sums, at),
          LLVM::ExtractValueOp::create(b, loc, sums, at + 1)};
      vectors.push_back(vector::FromElementsOp::create(b, loc, pair, reals));
    }
  }

private:
  OpBuilder &b;
  Location loc;
  NVVM::WGMMATypes type;
};
} // namespace

void TileExpander::expand(WarpgroupMmaRegistersOp op) {
  VectorType type = op.getResult().getType();
  int64_t columns = type.getDimSize(0), tilesN = type.getDimSize(1),
          tilesM = type.getDimSize(2);
  // [stage][step][j][tile][lane][position]
  ArrayRef<int64_t> shape = op.getWeights().getType().getShape();
  RegisterMma mma(b, loc, op.getActivations().getType().getElementType());
  const int64_t tileBytes =
      shape[4] * shape[5] * getElementBytes(op.getWeights());
  bool isShared = shape[2] == 1;
  Value place = index.mul(op.getWeightStage(), shape[1]);
  place = index.mul(index.add(place, op.getStep()), shape[2]);
  place = index.mul(index.add(place, op.getJ()), shape[3]);
  place = index.mul(index.add(place, op.getTile()), tileBytes);
  Value weights =
      describe(b, loc, index, op.getWeights(), place,
               getDescriptor(/*leading=*/kCoreBytes, /*stride=*/tileBytes,
                             /*swizzle=*/0));

  // By column and 16 entries.
  SmallVector<SmallVector<Value>> activations;
  for (int64_t q = 0; q < columns; ++q)
    for (int64_t m = 0; m < tilesM; m += 2)
      activations.push_back(
          mma.getRegisters(getVector(b, loc, op.getActivations(), {q, m}),
                           getVector(b, loc, op.getActivations(), {q, m + 1})));
  NVVM::WgmmaFenceAlignedOp::create(b, loc);
  SmallVector<Value> results(
      static_cast<size_t>(type.getNumElements() / type.getDimSize(3)));
  for (int64_t q = 0; q < columns; ++q)
    for (int64_t m = 0; m < tilesM; m += 2) {
      SmallVector<Value> sums;
      for (int64_t n = 0; n < tilesN; ++n)
        for (int64_t half : {0, 1})
          llvm::append_range(sums,
                             getElements(b, loc,
                                         getVector(b, loc, op.getAccumulator(),
                                                   {q, n, m + half})));
      // Two core matrices along k each.
      for (int64_t i = 0; i < mma.countInstructions(); ++i)
        sums = mma.multiply(
            ArrayRef(activations[(q * tilesM + m) / 2]).slice(4 * i, 4),
            WarpgroupMma::move(b, loc, weights,
                               (isShared ? 0 : q * shape[3] * tileBytes) +
                                   2 * kCoreBytes * i),
            sums);
      auto pair = VectorType::get({2}, b.getF32Type());
      for (int64_t n = 0; n < tilesN; ++n)
        for (int64_t half : {0, 1})
          results[(q * tilesN + n) * tilesM + m + half] =
              vector::FromElementsOp::create(
                  b, loc, pair,
                  ArrayRef<Value>(sums).slice(4 * n + 2 * half, 2));
    }
  NVVM::WgmmaGroupSyncAlignedOp::create(b, loc);
  NVVM::WgmmaWaitGroupSyncOp::create(b, loc, op.getPending() ? 1 : 0);
  b.replaceOp(op, assemble(type, results));
}

void TileExpander::expand(WarpgroupMmaPlanesOp op) {
  VectorType type = op.getResult().getType();
  int64_t columns = type.getDimSize(0), tilesN = type.getDimSize(1);
  // [stage][step][j][tile][lane][position], and [stage][atom][j·entries][k].
  ArrayRef<int64_t> weights = op.getWeights().getType().getShape();
  ArrayRef<int64_t> planes = op.getActivations().getType().getShape();
  auto entries = static_cast<int64_t>(op.getEntries());
  const int64_t tileBytes = weights[4] * weights[5] * 2;
  const int64_t stepBytes = weights[2] * weights[3] * tileBytes;
  const int64_t rowBytes = planes[3] * 2, planeBytes = entries * rowBytes;
  const int64_t atomSteps = planes[3] / kDepth;
  bool isShared = weights[2] == 1;
  Value weightPlace = index.mul(
      index.add(index.mul(op.getWeightColumn(), weights[3]), op.getTile()),
      tileBytes);
  weightPlace = index.add(
      weightPlace, index.mul(op.getWeightStage(), weights[1] * stepBytes));
  Value weightBase =
      describe(b, loc, index, op.getWeights(), weightPlace,
               getDescriptor(/*leading=*/kCoreBytes, /*stride=*/tileBytes,
                             /*swizzle=*/0));
  Value place = index.add(index.mul(op.getColumn(), planeBytes),
                          index.mul(op.getRow(), rowBytes));
  place = index.add(place,
                    index.mul(op.getStage(), planes[1] * planes[2] * rowBytes));
  Value planeBase =
      describe(b, loc, index, op.getActivations(), place,
               getDescriptor(/*leading=*/16, /*stride=*/8 * rowBytes,
                             /*swizzle=*/rowBytes));

  PlanesMma mma(b, loc, op.getActivations().getType().getElementType());
  NVVM::WgmmaFenceAlignedOp::create(b, loc);
  SmallVector<Value> results;
  for (int64_t q = 0; q < columns; ++q) {
    Value sums = mma.toStruct(op.getAccumulator(), q, tilesN);
    for (int64_t step = 0; step < weights[1]; ++step) {
      int64_t ofWeights =
          step * stepBytes + (isShared ? 0 : q * weights[3] * tileBytes);
      int64_t ofPlane = step / atomSteps * planes[2] * rowBytes +
                        q * planeBytes + step % atomSteps * kDepth * 2;
      sums = mma.multiply(WarpgroupMma::move(b, loc, planeBase, ofPlane),
                          WarpgroupMma::move(b, loc, weightBase, ofWeights),
                          sums, tilesN);
    }
    mma.appendVectors(sums, tilesN, results);
  }
  NVVM::WgmmaGroupSyncAlignedOp::create(b, loc);
  NVVM::WgmmaWaitGroupSyncOp::create(b, loc, 1);
  b.replaceOp(op, assemble(type, results));
}

/// The wait has no operands; an empty piece of code that takes and returns the
/// registers keeps what uses them behind it.
void TileExpander::expand(WarpgroupWaitOp op) {
  NVVM::WgmmaWaitGroupSyncOp::create(b, loc, 0);
  VectorType type = op.getResult().getType();
  SmallVector<Value> reals;
  SmallVector<Type> types(static_cast<size_t>(type.getNumElements()),
                          type.getElementType());
  std::string outputs, inputs;
  SmallVector<Value> tiles = getVectors(b, loc, op.getAccumulator());
  int64_t size = type.getShape().back();
  for (Value tile : tiles)
    for (Value real : getElements(b, loc, tile)) {
      outputs += reals.empty() ? "=f" : ",=f";
      inputs += "," + std::to_string(reals.size());
      reals.push_back(real);
    }
  Value fenced =
      LLVM::InlineAsmOp::create(
          b, loc, LLVM::LLVMStructType::getLiteral(b.getContext(), types),
          reals, /*asm_string=*/"", outputs + inputs, /*has_side_effects=*/true,
          /*is_align_stack=*/false, LLVM::TailCallKind::None,
          LLVM::AsmDialectAttr(), ArrayAttr())
          .getRes();
  SmallVector<Value> vectors;
  for (size_t tile = 0; tile < tiles.size(); ++tile) {
    SmallVector<Value> elements;
    for (int64_t i = 0; i < size; ++i)
      elements.push_back(LLVM::ExtractValueOp::create(
          b, loc, fenced, static_cast<int64_t>(tile) * size + i));
    vectors.push_back(vector::FromElementsOp::create(
        b, loc, VectorType::get({size}, type.getElementType()), elements));
  }
  b.replaceOp(op, assemble(type, vectors));
}

namespace {
/// A matrix of 4 registers by 4 neighbouring lanes.
class QuadTranspose {
public:
  QuadTranspose(OpBuilder &b, Location loc, Value lane) : b(b), loc(loc) {
    for (int64_t bit : {1, 2}) {
      Value masked = b.createOrFold<arith::AndIOp>(
          loc, lane, arith::ConstantIndexOp::create(b, loc, bit));
      isOdd.push_back(
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, masked,
                                arith::ConstantIndexOp::create(b, loc, 0)));
    }
  }

  /// Register s of lane t becomes register t of lane s: lanes whose numbers
  /// differ in a bit exchange the registers whose numbers do.
  void apply(std::array<Value, 4> &registers) {
    for (size_t bit : {1, 2})
      for (size_t at = 0; at < 4; ++at)
        if ((at & bit) == 0)
          exchange(registers[at], registers[at | bit], bit);
  }

private:
  void exchange(Value &even, Value &odd, size_t bit) {
    Value condition = isOdd[bit / 2];
    auto select = [&](Value yes, Value no) -> Value {
      return arith::SelectOp::create(b, loc, condition, yes, no);
    };
    auto constant = [&](int64_t value) {
      return arith::ConstantIntOp::create(b, loc, value, 32);
    };
    Value received = NVVM::ShflOp::create(
        b, loc, b.getI32Type(), constant(-1), select(even, odd),
        constant(static_cast<int64_t>(bit)), constant(31), NVVM::ShflKind::bfly,
        UnitAttr());
    Value newEven = select(received, even);
    odd = select(odd, received);
    even = newEven;
  }

  OpBuilder &b;
  Location loc;
  SmallVector<Value, 2> isOdd;
};
} // namespace

void TileExpander::expand(ExchangeEntriesOp op) {
  VectorType from = op.getSource().getType(), to = op.getResult().getType();
  int64_t tilesN = to.getDimSize(1), tilesM = to.getDimSize(2);
  QuadTranspose quads(b, loc, lane);
  auto pairType = VectorType::get({2}, from.getElementType());
  auto word = VectorType::get({1}, b.getI32Type());
  // [column][tile n][tile m][half, entry]
  auto at = [&](int64_t q, int64_t n, int64_t m, int64_t i) {
    return ((q * tilesN + n) * tilesM + m) * 4 + i;
  };
  SmallVector<Value> elements(static_cast<size_t>(to.getNumElements()));
  for (int64_t n = 0; n < tilesN; ++n)
    for (int64_t m = 0; m < tilesM; ++m)
      for (int64_t half : {0, 1})
        for (int64_t e : {0, 1}) {
          // Of tiles t + 4e, entries 2t' and 2t' + 1 from lane t'.
          std::array<Value, 4> words;
          for (int64_t t = 0; t < 4; ++t) {
            Value pair = getPair(
                b, loc,
                getVector(b, loc, op.getSource(), {0, n, 8 * m + t + 4 * e}),
                2 * half);
            words[t] = vector::ExtractOp::create(
                b, loc, vector::BitCastOp::create(b, loc, word, pair), 0);
          }
          quads.apply(words);
          for (int64_t t = 0; t < 4; ++t) {
            Value pair = vector::BitCastOp::create(
                b, loc, pairType,
                vector::FromElementsOp::create(b, loc, word, words[t]));
            for (int64_t x : {0, 1})
              elements[at(2 * t + x, n, m, 2 * half + e)] =
                  vector::ExtractOp::create(b, loc, pair, x);
          }
        }
  auto innermost = VectorType::get({4}, to.getElementType());
  SmallVector<Value> vectors;
  for (ArrayRef<Value> rest = elements; !rest.empty();
       rest = rest.drop_front(4))
    vectors.push_back(
        vector::FromElementsOp::create(b, loc, innermost, rest.take_front(4)));
  b.replaceOp(op, assemble(to, vectors));
}
