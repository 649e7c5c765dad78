//===- BufferizableOpInterfaceImpl.cpp - Bufferization of KS ops ----------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/Transforms/BufferizableOpInterfaceImpl.h"

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace ks;

namespace {

/// All KS ops bufferize to themselves, on the buffers of their operands.
template <typename OpTy>
struct DestinationStyleInterface
    : DstBufferizableOpInterfaceExternalModel<DestinationStyleInterface<OpTy>,
                                              OpTy> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    return !cast<DestinationStyleOpInterface>(op).isDpsInit(&operand);
  }

  // A product reads its input after it began to write its result.
  bool bufferizesToElementwiseAccess(Operation *, const AnalysisState &,
                                     ArrayRef<OpOperand *>) const {
    return false;
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto dstOp = cast<DestinationStyleOpInterface>(op);
    rewriter.setInsertionPoint(op);
    SmallVector<Value> buffers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      buffers.push_back(*buffer);
    }
    Value result = buffers[dstOp.getDpsInitsMutable()[0].getOperandNumber()];
    mlir::clone(rewriter, op, /*newResultTypes=*/TypeRange(), buffers);
    replaceOpWithBufferizedValues(rewriter, op, result);
    return success();
  }
};

} // namespace

void ks::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, KSDialect *) {
    MatmulOp::attachInterface<DestinationStyleInterface<MatmulOp>>(*context);
    ChainOp::attachInterface<DestinationStyleInterface<ChainOp>>(*context);
    ToDenseOp::attachInterface<DestinationStyleInterface<ToDenseOp>>(*context);
    MergeWeightsOp::attachInterface<DestinationStyleInterface<MergeWeightsOp>>(
        *context);
    PackWeightsOp::attachInterface<DestinationStyleInterface<PackWeightsOp>>(
        *context);
    // Bufferization inserts these.
    context->loadDialect<bufferization::BufferizationDialect,
                         memref::MemRefDialect>();
  });
}
