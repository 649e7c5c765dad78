//===- ProductKernel.h - The kernel of one product --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What all kernels of a planned ks.matmul have in common. For one slab:
//
//   weights of all chunks to shared memory, if they are resident
//   for each tile of the batch that is this block's
//     for each chunk of k         (a ring of stages in shared memory)
//       for each step of the chunk
//         accumulator = warp_mma(load_weights, load_activations)
//     where blocks share k: the sums of all, of this block's share of the rows
//     n epilogue, rounding store_fragment
//
// Kernels differ in who fills the ring, and how one waits for it.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTOGPU_PRODUCTKERNEL_H
#define KS_LIB_CONVERSION_KSTOGPU_PRODUCTKERNEL_H

#include "KernelBuilder.h"

namespace ks {

class ProductKernel : protected KernelBuilder {
public:
  ProductKernel(mlir::RewriterBase &b, ProductOpInterface op, GPUPlanAttr attr);
  virtual ~ProductKernel() = default;

  /// Replaces the product by a launch of its kernel.
  void lower(KernelModule &kernels, llvm::StringRef name);

protected:
  /// One chunk of one tile of the batch.
  struct Chunk {
    Value m, k;
  };
  /// Where in the ring one is, as loops carry it; the stage comes first.
  using Ring = llvm::SmallVector<Value, 2>;
  /// Of one step.
  struct Operands {
    Value weights, activations;
  };

  // --- What kernels differ in ---

  /// Operands that the launch passes behind those of the product.
  virtual llvm::SmallVector<Value> createOperands() { return {}; }
  /// The stages of activations in shared memory, from byte 0 of `shared` on.
  virtual Value createInputStages() = 0;
  /// All that the block does; `extra` are what createOperands passed.
  virtual void emitBlock(mlir::ValueRange extra) = 0;
  /// The operand that is not weights, of one step.
  virtual Value loadActivations(Value stage, Value step,
                                mlir::VectorType type) = 0;
  /// Waits for a chunk and multiplies; `ring` goes on to the next one.
  virtual Value emitChunk(const Chunk &chunk, Ring &ring,
                          Value accumulator) = 0;

  /// The accumulator behind the last chunk; `ring` is where the next one comes.
  virtual Value finishProduct(const Ring &ring, Value accumulator);
  /// The shape of the accumulator; see #ks.fragments.
  virtual llvm::SmallVector<int64_t> getAccumulatorShape();
  /// What is stored, from the converted accumulator.
  virtual Value arrange(Value converted) { return converted; }
  virtual void store(Value fragment, const Place &place);

  // --- What they have in common ---

  /// The number of one of this block's chunks among those of the slab.
  Value getChunkOfSlab(Value chunk) { return index.add(chunk, firstChunk); }
  /// Where chunks of packed weights lie.
  Value getWeightOffset(Value chunk);
  /// The chunk `distance` later: beyond the last one comes the next tile.
  Chunk getLater(const Chunk &chunk, Value distance);
  /// All steps of a chunk, which lies in `stage`.
  Value multiplyChunk(Value chunk, Value stage, Value accumulator);
  /// Calls `body` for each tile that is this block's.
  void forEachTile(Ring ring, llvm::function_ref<void(Value m, Ring &)> body);
  /// One tile of the batch: the product, the epilogue, and the result.
  void emitTile(Value m, Ring &ring);

  llvm::SmallVector<int64_t> getPackedShape() {
    return attr.getPacking().getPackedShape(op.getPatternList().front());
  }
  int64_t getSharedBytes() const {
    return plan.getSharedBytes(p, batchFirst, getElementBytes(),
                               getResultBytes());
  }
  PatternAttr getPattern() { return PatternAttr::get(b.getContext(), p); }

  GPUPlanAttr attr;
  GPUPlan plan;
  KSPattern p;
  FragmentsAttr fragments;

  Value weight;
  // Rings of stages in shared memory.
  Value inputStages, weightStages;
  // First entry of the block's first tile, and the distance to its next one.
  Value firstM, strideM;
  // First of the block; and of the warp, counted in the block.
  Value i, blockJ, blockN;
  // Of the blocks that share k: which one this is, and its first chunk.
  Value split, firstChunk;
  Value warp, warpM, warpTile, warpJ;
  // Place of the warp among those along the batch, n and j.
  Value partM, partN, partJ;

private:
  void findSlab();
  void emitBody(mlir::Block &block);
  Value emitProduct(Value m, Ring &ring);
  Value addPartials(Value partial, Place &place);
  Operands loadStep(Value chunk, Value stage, Value step);
  Value multiplySteps(Value chunk, Value stage, Value first, int64_t count,
                      Value accumulator);
};

/// The kernel in which all threads fill the ring by cp.async.
std::unique_ptr<ProductKernel> createCpAsyncKernel(mlir::RewriterBase &b,
                                                   ProductOpInterface op,
                                                   GPUPlanAttr attr);

/// The kernel in which warps multiply four at a time, and another one copies.
std::unique_ptr<ProductKernel> createWgmmaKernel(mlir::RewriterBase &b,
                                                 ProductOpInterface op,
                                                 GPUPlanAttr attr);

/// The kernel in which the first warp has the copy engine fill the ring.
std::unique_ptr<ProductKernel> createBulkKernel(mlir::RewriterBase &b,
                                                ProductOpInterface op,
                                                GPUPlanAttr attr);

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTOGPU_PRODUCTKERNEL_H
