//===- KSOps.td - Operations of the KS dialect -------------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KSOPS_TD
#define KS_DIALECT_KS_IR_KSOPS_TD

include "ks/Dialect/KS/IR/KSAttrs.td"
include "ks/Dialect/KS/IR/KSGPUAttrs.td"
include "ks/Dialect/KS/IR/KSInterfaces.td"
include "ks/Dialect/KS/IR/KSLibraryOps.td"
include "ks/Dialect/KS/IR/KSResultOps.td"
include "ks/Dialect/KS/IR/KSTileOps.td"
include "ks/Dialect/KS/IR/KSWarpgroupOps.td"
include "mlir/Dialect/Arith/IR/ArithBase.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/TilingInterface.td"
include "mlir/Interfaces/ViewLikeInterface.td"

class KS_Op<string mnemonic, list<Trait> traits = []>
    : Op<KS_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def KS_ElementType : AnyTypeOf<[
    F16, BF16, F32, F64, Complex<F32>, Complex<F64>]>;
def KS_Tensor : RankedTensorOf<[KS_ElementType]>;
def KS_Shaped : AnyTypeOf<[KS_Tensor, MemRefRankOf<[KS_ElementType], [1, 2, 4]>],
    "ranked tensor or memref of f16, bf16, f32, f64, complex<f32> or "
    "complex<f64>">;

/// What a product permits beyond the contract of numbers.
def KS_FastMath : DefaultValuedAttr<Arith_FastMathAttr,
    "::mlir::arith::FastMathFlags::none">;

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Base of `ks.matmul` and `ks.chain`. The two differ in how they spell their
/// factors; everything else is written once, against ProductOpInterface.
class KS_ProductOp<string mnemonic, list<Trait> traits = []>
    : KS_Op<mnemonic, traits # [
        SingleBlock, IsolatedFromAbove, DestinationStyleOpInterface,
        KS_ProductOpInterface,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
        DeclareOpInterfaceMethods<ConditionallySpeculatable>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
          ["reifyResultShapes"]>,
        DeclareOpInterfaceMethods<TilingInterface,
          ["getLoopIteratorTypes", "getIterationDomain",
           "getTiledImplementation", "getResultTilePosition",
           "generateResultTileValue"]>,
        DeclareOpInterfaceMethods<OpAsmOpInterface,
          ["getAsmBlockArgumentNames"]>]> {
  let results = (outs Variadic<KS_Tensor>:$results);
  // None, or the epilogue.
  let regions = (region VariadicRegion<SizedRegion<1>>:$epilogueRegions);
  let hasCanonicalizer = 1;

  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitMutable();
    }
    ::llvm::SmallVector<::ks::KSPattern> getPatternList();
    ::mlir::OperandRange getWeightOperands();
    ::mlir::Region *getEpilogue() {
      return getEpilogueRegions().empty() ? nullptr
                                          : &getEpilogueRegions().front();
    }
  }];
  let extraClassDefinition = [{
    void $cppClass::getEffects(::llvm::SmallVectorImpl<
        ::mlir::MemoryEffects::EffectInstance> &effects) {
      ::ks::detail::getDestinationStyleEffects(*this, effects);
    }
    ::llvm::LogicalResult $cppClass::reifyResultShapes(
        ::mlir::OpBuilder &b, ::mlir::ReifiedRankedShapedTypeDims &dims) {
      return ::ks::detail::reifyInitShape(*this, b, dims);
    }
    ::mlir::Speculation::Speculatability $cppClass::getSpeculatability() {
      return getNumResults() != 0 ? ::mlir::Speculation::Speculatable
                                  : ::mlir::Speculation::NotSpeculatable;
    }
    ::mlir::SmallVector<::mlir::utils::IteratorType>
    $cppClass::getLoopIteratorTypes() {
      return {::mlir::utils::IteratorType::parallel};
    }
    ::mlir::SmallVector<::mlir::Range>
    $cppClass::getIterationDomain(::mlir::OpBuilder &b) {
      return ::ks::detail::getProductDomain(*this, b);
    }
    ::mlir::FailureOr<::mlir::TilingResult> $cppClass::getTiledImplementation(
        ::mlir::OpBuilder &b, ::mlir::ArrayRef<::mlir::OpFoldResult> offsets,
        ::mlir::ArrayRef<::mlir::OpFoldResult> sizes) {
      return ::ks::detail::tileProduct(*this, b, offsets, sizes);
    }
    ::llvm::LogicalResult $cppClass::getResultTilePosition(
        ::mlir::OpBuilder &b, unsigned,
        ::mlir::ArrayRef<::mlir::OpFoldResult> offsets,
        ::mlir::ArrayRef<::mlir::OpFoldResult> sizes,
        ::mlir::SmallVector<::mlir::OpFoldResult> &resultOffsets,
        ::mlir::SmallVector<::mlir::OpFoldResult> &resultSizes) {
      return ::ks::detail::getProductTilePosition(
          *this, b, offsets, sizes, resultOffsets, resultSizes);
    }
    ::mlir::FailureOr<::mlir::TilingResult> $cppClass::generateResultTileValue(
        ::mlir::OpBuilder &b, unsigned,
        ::mlir::ArrayRef<::mlir::OpFoldResult> offsets,
        ::mlir::ArrayRef<::mlir::OpFoldResult> sizes) {
      return ::ks::detail::tileProductForResult(*this, b, offsets, sizes);
    }
    void $cppClass::getAsmBlockArgumentNames(
        ::mlir::Region &region, ::mlir::OpAsmSetValueNameFn setName) {
      ::ks::detail::nameEpilogueArguments(region, setName);
    }
  }];
}

def KS_MatmulOp : KS_ProductOp<"matmul"> {
  let summary = "product of one Kronecker-sparse factor and a batch of vectors";
  let description = [{
    With pattern `<a, b, c, d>`, input X, weight K and result Y, batch-first:

      Y[m, (i·b+n)·d+j] = Σ_k K[i,n,k,j] · X[m, (i·c+k)·d+j]

    that is Y = X Kᵀ with X of shape [batch, a·c·d] and Y of shape
    [batch, a·b·d]. With `layout(batch_last)`, Y = K X with the axes of X and Y
    exchanged.

    ```mlir
    %y = ks.matmul <6, 64, 64, 1>
           ins(%x, %k : tensor<?x384xf16>, tensor<6x64x64x1xf16>)
           outs(%init : tensor<?x384xf16>) -> tensor<?x384xf16>
    ```

    A matmul is a chain of one factor; operands, epilogue, plan and the
    constraints C1…C18 are those of `ks.chain`.

    Where two matmuls are kernels of their own, the features between them may lie in
    an order that suits the second one (#ks.feature_order; made by
    `ks-fuse-factors`): the first one `writes` them so, and the second one `reads`
    them.

    ```mlir
    %h = ks.matmul <64, 256, 64, 1> writes <1, 64, 4, 64>
           ins(%x, %k0 : tensor<?x4096xf16>, tensor<64x256x64x1xf16>)
           outs(%i0 : tensor<?x16384xf16>) -> tensor<?x16384xf16>
    %y = ks.matmul <1, 172, 256, 64> reads <1, 64, 4, 64>
           ins(%h, %k1 : tensor<?x16384xf16>, tensor<1x172x256x64xf16>)
           outs(%i1 : tensor<?x11008xf16>) -> tensor<?x11008xf16>
    ```

    Constraints:
    * (C19) `reads` <a, p, r, q> is for a pattern <a, ·, p·r, q>, and `writes` for
      <a·p, r·q, ·, 1> without an epilogue.
    * (C20) there is at most one of them; the layout is batch_first, and there is no
      `load_as`.
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern,
    KS_Shaped:$input,
    KS_Shaped:$weight,
    Variadic<KS_Shaped>:$extras,
    KS_Shaped:$init,
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout,
    DefaultValuedAttr<KS_PrecisionAttr, "::ks::Precision::IEEE">:$precision,
    KS_FastMath:$fastmath,
    OptionalAttr<TypeAttr>:$loadAs,
    OptionalAttr<KS_FeatureOrderAttr>:$reads,  // The order of the input's features,
    OptionalAttr<KS_FeatureOrderAttr>:$writes, // and of the result's.
    OptionalAttr<KS_PlanAttrInterface>:$plan
  );
  let hasVerifier = 1;
  let assemblyFormat = [{
    $pattern custom<Clauses>($layout, $precision)
    (`fastmath` `` $fastmath^)? (`load_as` `(` $loadAs^ `)`)?
    (`reads` $reads^)? (`writes` $writes^)?
    `ins` `(` $input `,` $weight `:` type($input) `,` type($weight) `)`
    `outs` `(` $init `:` type($init) `)`
    custom<Epilogue>($extras, type($extras), $epilogueRegions)
    (`plan` $plan^)? attr-dict (`->` type($results)^)?
  }];
}

def KS_ChainOp : KS_ProductOp<"chain", [AttrSizedOperandSegments]> {
  let summary = "product of several Kronecker-sparse factors and a batch";
  let description = [{
    Applies the factors in the order in which they are listed (the rightmost
    factor of the matrix product first), rounds each factor's result to the
    element type, and hands the last one to the epilogue. Each factor means
    what `ks.matmul` says.

    ```mlir
    %y = ks.chain [<6, 64, 64, 1>, <1, 768, 192, 2>]
           ins(%x, %k0, %k1 : tensor<?x384xf16>, tensor<6x64x64x1xf16>,
                              tensor<1x768x192x2xf16>)
           outs(%init : tensor<?x1536xf16>)
           epilogue(%bias : tensor<1536xf16>) {
           ^bb0(%acc: f32, %b: f16):
             %e = arith.extf %b : f16 to f32
             %r = arith.addf %acc, %e : f32
             ks.yield %r : f32
           } -> tensor<?x1536xf16>
    ```

    `outs` is overwritten, never read. The epilogue sees the last factor's
    accumulator (f32 for f16 and bf16) before it is rounded, and yields the
    value that is then rounded, once, to the element type of `outs`. Without an
    epilogue the accumulator is.

    The element type, in which factors are multiplied and rounded, is that of the
    input. With `load_as`, the input is of another real type, and what is loaded
    is converted to that of `load_as` first (rounded to nearest if it is narrower):

    ```mlir
    %y = ks.matmul <6, 64, 64, 1> load_as(f16)
           ins(%x, %k : tensor<?x384xf32>, tensor<6x64x64x1xf16>)
           outs(%init : tensor<?x384xf16>) -> tensor<?x384xf16>
    ```

    `fastmath<reassoc>` permits to multiply weights with each other first
    (`ks-fuse-factors`, `ks.merge_weights`), where these do not change: constants,
    and arguments marked `ks.frozen`. Roundings between factors are then gone.
    Other flags mean nothing to a product.

    Constraints, in the order in which they are verified (C1 and C2, on the
    sizes of a pattern, are those of `#ks.pattern`):
    * (C3) there is at least one factor, and one weight per factor.
    * (C4) neighbours fit: a·b·d of a factor equals a·c·d of the next.
    * (C5) operands are all tensors or all memrefs.
    * (C6) on tensors there is one result, of the type of `outs`; on memrefs
      there is none.
    * (C7) `outs` and extra operands have the element type, or, if that is
      real, any real ones. The type of `load_as` is real, as that of the input is,
      and one of both is wider if they differ.
    * (C8) input and `outs` are of rank 2; the feature axis is static and of
      a·c·d elements (first factor) and a·b·d elements (last factor).
    * (C9) the batches of input and `outs` agree where both are static.
    * (C10) a weight has shape a×b×c×d, with 1 where it is tied along a or d,
      and the element type; or it is packed.
    * (C11) a packed weight needs a plan, and has the type its packing says.
    * (C12) memrefs of rank 2 have inner stride 1 and a row pitch ≥ their
      width; others are contiguous. Dynamic strides pass, but the conversions
      to kernels refuse an inner stride that is not statically 1.
    * (C13) `outs` does not alias an input: it is not the same memref.
    * (C14) precision tf32 is for f32.
    * (C15) extra operands have rank 1 and the size of the output features, or
      the shape of the result. They need an epilogue.
    * (C16) the epilogue has one argument of the accumulator type, then one per
      extra operand, of its element type.
    * (C17) the epilogue holds pure arith, math or complex ops on
      scalars, without regions, and yields the accumulator type of the element
      type of `outs`.
    * (C18) the plan, if any, fits the op.
  }];
  let arguments = (ins
    TypedArrayAttrBase<KS_PatternAttr, "array of KS patterns">:$patterns,
    KS_Shaped:$input,
    Variadic<KS_Shaped>:$weights,
    Variadic<KS_Shaped>:$extras,
    KS_Shaped:$init,
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout,
    DefaultValuedAttr<KS_PrecisionAttr, "::ks::Precision::IEEE">:$precision,
    KS_FastMath:$fastmath,
    OptionalAttr<TypeAttr>:$loadAs,
    OptionalAttr<KS_PlanAttrInterface>:$plan
  );
  let assemblyFormat = [{
    custom<Patterns>($patterns) custom<Clauses>($layout, $precision)
    (`fastmath` `` $fastmath^)? (`load_as` `(` $loadAs^ `)`)?
    `ins` `(` $input `,` $weights `:` type($input) `,` type($weights) `)`
    `outs` `(` $init `:` type($init) `)`
    custom<Epilogue>($extras, type($extras), $epilogueRegions)
    (`plan` $plan^)? attr-dict (`->` type($results)^)?
  }];
}

def KS_YieldOp : KS_Op<"yield", [Pure, Terminator,
    ParentOneOf<["MatmulOp", "ChainOp"]>]> {
  let summary = "ends an epilogue";
  let description = [{
    Yields the value, of the accumulator type of `outs`, that is rounded to the
    element type of `outs` and stored.

    ```mlir
    ks.yield %r : f32
    ```
  }];
  let arguments = (ins AnyType:$value); // The epilogue's result.
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// Ops that make one tensor or memref from weights, in destination style.
class KS_WeightOp<string mnemonic> : KS_Op<mnemonic, [
    DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
      ["reifyResultShapes"]>]> {
  let results = (outs Variadic<KS_Tensor>:$results);
  let hasVerifier = 1;
  code baseDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitMutable();
    }
  }];
  let extraClassDeclaration = baseDeclaration;
  let extraClassDefinition = [{
    void $cppClass::getEffects(::llvm::SmallVectorImpl<
        ::mlir::MemoryEffects::EffectInstance> &effects) {
      ::ks::detail::getDestinationStyleEffects(*this, effects);
    }
    ::llvm::LogicalResult $cppClass::reifyResultShapes(
        ::mlir::OpBuilder &b, ::mlir::ReifiedRankedShapedTypeDims &dims) {
      return ::ks::detail::reifyInitShape(*this, b, dims);
    }
  }];
}

def KS_PackWeightsOp : KS_WeightOp<"pack_weights"> {
  let summary = "brings a weight into the order in which a kernel reads it";
  let description = [{
    Made by `ks-pack-weights` from the packing that a plan names. Packing
    happens once per weight: it is folded for constants and hoisted into
    `@f_pack` otherwise.

    ```mlir
    %p = ks.pack_weights <6, 64, 64, 1>
           into #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>
           ins(%k : tensor<6x64x64x1xf32>)
           outs(%init : tensor<24576xf32>) -> tensor<24576xf32>
    ```

    Constraints:
    * (C1) the weight has shape a×b×c×d, with 1 where it is tied along a or d,
      and it is tied wherever the packing is.
    * (C2) `outs` has the shape and element type that the packing says; parts of n,
      if it has any, divide b.
    * (C3) weight, `outs` and result are all tensors, or weight and `outs` are
      memrefs and there is no result.
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern,         // Pattern of the factor.
    KS_PackingAttrInterface:$packing, // The layout to bring it into.
    KS_Shaped:$weight,               // a×b×c×d, size 1 where tied.
    KS_Shaped:$init                  // Receives the packed weight.
  );
  let assemblyFormat = [{
    $pattern `into` $packing `ins` `(` $weight `:` type($weight) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)?
  }];
}

def KS_MergeWeightsOp : KS_WeightOp<"merge_weights"> {
  let summary = "multiplies the weights of two neighbours: one factor for two";
  let description = [{
    The weight of the product of two factors, which are listed in the order in
    which they are applied. Made by `ks-fuse-factors`; like packing it happens
    once per weight: it is folded for constants and hoisted into `@f_pack`
    otherwise (`ks-pack-weights`).

    ```mlir
    %k = ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
           ins(%k0, %k1 : tensor<2x2x2x1xf16>, tensor<1x2x2x2xf16>)
           outs(%init : tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
    ```

    With right = (a2, b2, c2, d2), which is applied first, left = (a1, b1, c1, d1)
    and h = a2/a1, g = d1/d2, r = a1·c1/a2 = b2·d2/d1, the product of a
    chainable pair has the pattern (a1, b1·g, h·c2, d2) and the weight

      K[i, n·g+q, s·c2+k, j]
        = Σ_{t<r} K1[i, n, s·r+t, q·d2+j] · K2[i·h+s, t·g+q, k, j]

    for n<b1, q<g, s<h, k<c2. Any pair can be multiplied out to the dense matrix,
    the factor (1, N, M, 1) with N rows and M columns: K[0, R, C, 0] is the sum of
    K1 at (R, m) times K2 at (m, C) over all m in both supports.

    Sums are in the accumulator type, in the order of t or m, and rounded once to
    the element type of `outs`. Factors may be in the accumulator type themselves,
    so that several merges in a row round once, at the end.

    Constraints:
    * (C1) the factors fit: a·b·d of the right one is a·c·d of the left one.
    * (C2) `into` is the product of the two, if they are chainable, or the dense
      pattern of their product.
    * (C3) weights have shape a×b×c×d, with 1 where they are tied along a or d.
    * (C4) `outs` has the shape of `into`, with 1 for a or d where it is tied; it
      may be tied along an axis only where both weights have size 1 there.
    * (C5) all element types have the same accumulator type, and those that are
      not that type are the same.
    * (C6) factors, `outs` and result are all tensors, or factors and `outs` are
      memrefs and there is no result.
  }];
  let arguments = (ins
    KS_PatternAttr:$right,    // Of the factor that is applied first.
    KS_PatternAttr:$left,     // Of the one that is applied to its result.
    KS_PatternAttr:$pattern,  // Of their product.
    KS_Shaped:$rightWeight,   // a×b×c×d, size 1 where tied.
    KS_Shaped:$leftWeight,    // The same.
    KS_Shaped:$init           // Receives the weight of the product.
  );
  let assemblyFormat = [{
    $right `,` $left `into` $pattern
    `ins` `(` $rightWeight `,` $leftWeight `:`
              type($rightWeight) `,` type($leftWeight) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = baseDeclaration # [{
    /// Whether the weight of a chainable pair's product is asked for; otherwise
    /// the dense matrix.
    bool isChainable();
  }];
}

def KS_ToDenseOp : KS_WeightOp<"to_dense"> {
  let summary = "multiplies a chain out to a dense matrix";
  let description = [{
    The [a·b·d of the last factor] × [a·c·d of the first] matrix of the chain:
    column q is the chain applied to the unit vector q, each factor's result
    rounded to the element type.

    ```mlir
    %w = ks.to_dense [<6, 64, 64, 1>, <1, 768, 192, 2>]
           ins(%k0, %k1 : tensor<6x64x64x1xf32>, tensor<1x768x192x2xf32>)
           outs(%init : tensor<1536x384xf32>) -> tensor<1536x384xf32>
    ```

    Constraints: C3–C7 and C10 of `ks.chain`, and
    * (C1) `outs` has the shape of the matrix.
  }];
  let arguments = (ins
    TypedArrayAttrBase<KS_PatternAttr, "array of KS patterns">:$patterns,
    Variadic<KS_Shaped>:$weights,
    KS_Shaped:$init
  );
  let assemblyFormat = [{
    custom<Patterns>($patterns) `ins` `(` $weights `:` type($weights) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = baseDeclaration # [{
    ::llvm::SmallVector<::ks::KSPattern> getPatternList();
  }];
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

def KS_RealViewOp : KS_Op<"real_view", [Pure, ViewLikeOpInterface]> {
  let summary = "views complex numbers as pairs of reals";
  let description = [{
    The same memory with the innermost axis, of stride 1, twice as long:
    element 2q is the real part of complex element q, element 2q+1 its
    imaginary part. No memref cast of MLIR changes the element type; this does.

    ```mlir
    %r = ks.real_view %z : memref<?x8xcomplex<f32>, strided<[?, 1], offset: ?>>
                        to memref<?x16xf32, strided<[?, 1], offset: ?>>
    ```

    Constraints:
    * (C1) the source has inner stride 1; the result type is the one above.
  }];
  let arguments = (ins MemRefOf<[Complex<F32>, Complex<F64>]>:$source);
  let results = (outs MemRefOf<[F32, F64]>:$view);
  let assemblyFormat = "$source attr-dict `:` type($source) `to` type($view)";
  let builders = [OpBuilder<(ins "::mlir::Value":$source)>];
  let extraClassDeclaration = [{
    ::mlir::Value getViewSource() { return getSource(); }
    /// The type of the view of `source`; null if its inner stride is not 1.
    static ::mlir::MemRefType getViewType(::mlir::MemRefType source);
  }];
  let hasVerifier = 1;
}

#endif // KS_DIALECT_KS_IR_KSOPS_TD
