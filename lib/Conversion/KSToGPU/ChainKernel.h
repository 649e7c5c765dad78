//===- ChainKernel.h - The kernel of a chain --------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTOGPU_CHAINKERNEL_H
#define KS_LIB_CONVERSION_KSTOGPU_CHAINKERNEL_H

#include "KernelBuilder.h"

#include "ks/Analysis/GPUChain.h"

namespace ks {

/// A planned chain as one kernel; see ChainKernel.cpp, and
/// ks/Analysis/GPUChain.h for what lies where.
class ChainKernel : KernelBuilder {
public:
  ChainKernel(mlir::RewriterBase &b, ProductOpInterface op,
              GPUChainPlanAttr attr)
      : KernelBuilder(b, op), problem(getProblem(op)), attr(attr),
        plan(attr.getPlan()) {}

  void lower(KernelModule &kernels, llvm::StringRef name);

private:
  /// A piece of work: what is computed, in the slice, where its activations
  /// lie, and which block of weights it takes.
  struct Task {
    Value i, n, j, row; ///< First of it; entries are counted in the tile.
    Value group, column;
    Value weightBlock; ///< Chunks of k are blocks of their own.
  };
  /// The weights of some steps, as loops carry them.
  using Window = llvm::SmallVector<Value>;

  void emitBody(mlir::ValueRange arguments);
  void placeBlock();
  Value viewActivations(size_t number, Value offset);
  void createBuffers();
  void copyGroups(Value firstI, Value k, Value destination);
  void copyInput();
  void clearDepth(size_t number);
  void selectFactor(size_t number);
  void bindFactor(size_t number);
  void emitFactor(size_t number);
  Task getTask(Value number);
  Value getWeightBlock(Value i, Value j, Value blockN);
  void emitTasks(Window window);
  void finishTask(const Task &task, Value accumulator);
  Value getZeroAccumulator();
  Value multiply(const Task &task, Window &window, Value nextWeightBlock);
  Value multiplyWindow(const Window &window, Value step, const Task &task,
                       Value activationBuffer, Value accumulator);
  Window loadWindow(Value step, Value weightBlock);

  // With a ring (ChainRing.cpp).
  struct Stage;
  void emitStreamedFactors();
  void emitStreamedFactor(size_t number);
  Stage getStage(Value position);
  void copyStage(Value position, size_t from);
  void copyStageOf(Value position);
  void copyWeights(const Stage &stage);
  Value viewWeights(const Stage &stage, llvm::ArrayRef<int64_t> shape);
  Task getStagedTask(const Stage &stage);
  Value emitStage(Value position, Value accumulator);
  void finishSet(Value position, Value accumulator);

  bool isLast() const { return number + 1 == plan.factors.size(); }
  const GPUChainFactor &getFactor() const { return plan.factors[number]; }
  /// The factor of the whole chain, as memory has it.
  PatternAttr getPatternAttr() {
    return PatternAttr::get(b.getContext(), problem.factors[number].pattern);
  }
  /// First group and column of the slice.
  Value getFirstI() { return index.mul(sliceI, slice.pattern.a); }
  Value getFirstJ() {
    return index.mul(index.rem(sliceJ, slice.slicesOfPart), slice.pattern.d);
  }
  FragmentsAttr getFragments() {
    return attr.getFactors()[number].getPacking().getFragments();
  }

  Problem problem;
  GPUChainPlanAttr attr;
  GPUChainPlan plan;
  // Place of the block in its cluster, and of the warp in its block; the slice,
  // along groups and columns, and the share of rows n; the first entry of the
  // tile.
  Value rank, warp, sliceI, sliceJ, share, firstM;
  llvm::SmallVector<ChainBuffer>
      places; // One for each factor, and for results.
  llvm::SmallVector<Value> buffers;
  // The factor that is emitted, what the slice has of it, how many pieces of
  // work a block has, and its weights, [block][step][j][tile][lane][position].
  size_t number = 0;
  ChainSlice slice;
  int64_t count = 1;
  Value weightBlocks;
  // Of the ring, how many stages there are before each factor, and in all.
  llvm::SmallVector<int64_t> firstStages;
};

/// The same for two factors through planes; see ChainPlanesKernel.cpp.
void lowerChainPlanesToGPU(mlir::RewriterBase &b, ProductOpInterface op,
                           GPUChainPlanAttr attr, KernelModule &kernels,
                           llvm::StringRef name);

/// Replaces a product of any number of factors by a launch of its kernel.
void lowerChainToGPU(mlir::RewriterBase &b, ProductOpInterface op,
                     GPUChainPlanAttr attr, KernelModule &kernels,
                     llvm::StringRef name);

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTOGPU_CHAINKERNEL_H
