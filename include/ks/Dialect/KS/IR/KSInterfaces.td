//===- KSInterfaces.td - Interfaces of the KS dialect ------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KSINTERFACES_TD
#define KS_DIALECT_KS_IR_KSINTERFACES_TD

include "mlir/IR/Interfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"

//===----------------------------------------------------------------------===//
// Attribute interfaces
//===----------------------------------------------------------------------===//

def KS_PackingAttrInterface : AttrInterface<"PackingAttrInterface"> {
  let cppNamespace = "::ks";
  let description = [{
    The layout of a packed weight: a rank-1 buffer in the order in which a
    kernel reads it. Each backend brings its own.
  }];
  let methods = [
    InterfaceMethod<[{
        The packed form of a weight of `pattern` with elements of
        `elementType`: a static rank-1 tensor. Null when its size overflows
        64 bits.
      }],
      "::mlir::RankedTensorType", "getPackedType",
      (ins "::ks::KSPattern":$pattern, "::mlir::Type":$elementType)>,
    InterfaceMethod<"The axes along which the packed weight is shared.",
      "::ks::Ties", "getTied">,
  ];
}

def KS_PlanAttrInterface : AttrInterface<"PlanAttrInterface"> {
  let cppNamespace = "::ks";
  let description = [{
    The decisions a kernel is built from. A plan stores decisions only; sizes
    in bytes, grids and thread counts are computed from it. `ks-select-plan` is
    the only pass that chooses one; a plan written by hand wins.
  }];
  let methods = [
    InterfaceMethod<[{
        Checks that the plan can be realized for `op`, a ProductOpInterface; a
        message says what was got and what was expected.
      }],
      "::llvm::LogicalResult", "verifyPlan",
      (ins "::mlir::Operation *":$op)>,
    InterfaceMethod<"The packed layout of the weight of factor `factor`.",
      "::ks::PackingAttrInterface", "getPacking", (ins "unsigned":$factor)>,
  ];
}

//===----------------------------------------------------------------------===//
// Op interface
//===----------------------------------------------------------------------===//

def KS_ProductOpInterface : OpInterface<"ProductOpInterface",
                                        [DestinationStyleOpInterface]> {
  let cppNamespace = "::ks";
  let description = [{
    What `ks.matmul` and `ks.chain` have in common: `outs` is overwritten with
    the product of one or more KS factors and the input, followed by an
    optional epilogue. Passes are written against this interface.
  }];
  let methods = [
    InterfaceMethod<"The patterns of the factors, in order of application.",
      "::llvm::SmallVector<::ks::KSPattern>", "getPatternList">,
    InterfaceMethod<"The activations that the first factor is applied to.",
      "::mlir::Value", "getInput">,
    InterfaceMethod<"The weights, one per factor.",
      "::mlir::OperandRange", "getWeightOperands">,
    InterfaceMethod<"The extra operands of the epilogue.",
      "::mlir::OperandRange", "getExtras">,
    InterfaceMethod<"The tensor or memref that receives the result.",
      "::mlir::Value", "getInit">,
    InterfaceMethod<"Batch-first or batch-last.", "::ks::Layout", "getLayout">,
    InterfaceMethod<"The precision of f32 products.",
      "::ks::Precision", "getPrecision">,
    InterfaceMethod<"What the product permits beyond the contract of numbers.",
      "::mlir::arith::FastMathFlags", "getFastmath">,
    InterfaceMethod<"What the input is converted to as it is loaded, or null.",
      "::mlir::TypeAttr", "getLoadAsAttr">,
    InterfaceMethod<"Sets what the input is converted to.",
      "void", "setLoadAsAttr", (ins "::mlir::TypeAttr":$loadAs)>,
    InterfaceMethod<"The epilogue, or null.",
      "::mlir::Region *", "getEpilogue">,
    InterfaceMethod<"The plan, or null.",
      "::ks::PlanAttrInterface", "getPlanAttr">,
    InterfaceMethod<"Sets the plan.",
      "void", "setPlanAttr", (ins "::ks::PlanAttrInterface":$plan)>,
  ];
  let extraSharedClassDeclaration = [{
    /// The element type: that of activations as they are multiplied, of
    /// weights, and of intermediate results.
    ::mlir::Type getElementType() {
      if (::mlir::TypeAttr loadAs = $_op.getLoadAsAttr())
        return loadAs.getValue();
      return getInputElementType();
    }
    /// That of the input in memory.
    ::mlir::Type getInputElementType() {
      return ::mlir::getElementTypeOrSelf($_op.getInput().getType());
    }
    /// That of the result.
    ::mlir::Type getResultElementType() {
      return ::mlir::getElementTypeOrSelf($_op.getInit().getType());
    }
    /// The type in which products are accumulated: f32 for f16 and bf16.
    ::mlir::Type getAccumulatorType() {
      return ::ks::getAccumulatorType(getElementType());
    }
    /// The type of what an epilogue yields, before it is rounded.
    ::mlir::Type getYieldType() {
      return ::ks::getAccumulatorType(getResultElementType());
    }
    /// The dimension of activations and result that runs along the batch.
    int64_t getBatchDim() {
      return $_op.getLayout() == ::ks::Layout::BatchFirst ? 0 : 1;
    }
    /// The dimension that runs along the features.
    int64_t getFeatureDim() { return 1 - getBatchDim(); }
    /// The batch, or ShapedType::kDynamic.
    int64_t getBatch() {
      return ::llvm::cast<::mlir::ShapedType>($_op.getInit().getType())
          .getDimSize(getBatchDim());
    }
    bool hasEpilogue() { return $_op.getEpilogue() != nullptr; }
    bool isOnTensors() { return $_op->getNumResults() != 0; }
  }];
  let verify = [{ return ::ks::detail::verifyProductOp($_op); }];
  let verifyWithRegions = 1;
}

#endif // KS_DIALECT_KS_IR_KSINTERFACES_TD
