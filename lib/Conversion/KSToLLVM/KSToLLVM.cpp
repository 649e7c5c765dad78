//===- KSToLLVM.cpp - KS views to LLVM ------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Conversion/Passes.h"
#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace ks {
#define GEN_PASS_DEF_CONVERTKSTOLLVM
#include "ks/Conversion/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

namespace {

/// Everything counted in complex elements is counted in reals: twice as many.
struct LowerRealView : ConvertOpToLLVMPattern<RealViewOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(RealViewOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    MemRefDescriptor source(adaptor.getSource());
    auto view = MemRefDescriptor::poison(
        rewriter, loc, getTypeConverter()->convertType(op.getView().getType()));
    Value two = createIndexAttrConstant(rewriter, loc, getIndexType(), 2);
    auto twice = [&](Value value) -> Value {
      return LLVM::MulOp::create(rewriter, loc, value, two);
    };
    view.setAllocatedPtr(rewriter, loc, source.allocatedPtr(rewriter, loc));
    view.setAlignedPtr(rewriter, loc, source.alignedPtr(rewriter, loc));
    view.setOffset(rewriter, loc, twice(source.offset(rewriter, loc)));
    int64_t rank = op.getSource().getType().getRank();
    for (int64_t dim = 0; dim < rank; ++dim) {
      bool isInner = dim + 1 == rank;
      Value size = source.size(rewriter, loc, dim);
      Value stride = source.stride(rewriter, loc, dim);
      view.setSize(rewriter, loc, dim, isInner ? twice(size) : size);
      view.setStride(rewriter, loc, dim, isInner ? stride : twice(stride));
    }
    rewriter.replaceOp(op, Value(view));
    return success();
  }
};

struct ConvertKSToLLVMPass
    : ks::impl::ConvertKSToLLVMBase<ConvertKSToLLVMPass> {
  void runOnOperation() override {
    LLVMTypeConverter converter(&getContext());
    LLVMConversionTarget target(getContext());
    target.addIllegalDialect<KSDialect>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerRealView>(converter);
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
