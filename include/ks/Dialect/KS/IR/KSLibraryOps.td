//===- KSLibraryOps.td - What a library does ---------------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rung 4 of a #ks.library_plan, next to launches of kernels: made by
// `convert-ks-to-gpu`, and read when an artefact is written. On CPUs it is next
// to loops: made by `convert-ks-to-vector`, and lowered to calls of the runtime
// by `convert-library-to-runtime`.
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KSLIBRARYOPS_TD
#define KS_DIALECT_KS_IR_KSLIBRARYOPS_TD

include "ks/Dialect/KS/IR/KSLibraryAttrs.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def KS_WithLibraryOp : Op<KS_Dialect, "with_library", [
    SingleBlock, NoTerminator, NoRegionArguments, RecursiveMemoryEffects]> {
  let summary = "what is done with a library, and what without";
  let description = [{
    Executes the first region if the library can be opened at run time, else the
    second. The answer is the same for all of a compiled program.

    ```mlir
    ks.with_library cublaslt {
      ks.library_product <4, 512, 384, 1> ins(%x, %w : ...) outs(%y : ...)
    } else {
      gpu.launch_func @ks_kernels::@f_0 ...
    }
    ```
  }];
  let arguments = (ins KS_LibraryAttr:$library);
  let regions = (region SizedRegion<1>:$there, SizedRegion<1>:$otherwise);
  let assemblyFormat = [{
    $library $there `else` $otherwise attr-dict
  }];
}

def KS_LibraryMatrix : MemRefRankOf<[F16, BF16, F32, F64], [2]>;
def KS_LibraryWeight : MemRefRankOf<[F16, BF16, F32, F64], [1]>;

def KS_LibraryProductOp : Op<KS_Dialect, "library_product"> {
  let summary = "a product by a vendor's library";
  let description = [{
    Y_ij = X_ij W_ijᵀ for each group i and column j, or batch-last Y_ij = W_ij X_ij,
    where W_ij is the plain b×c matrix that #ks.library_packing says, one for all
    i or j along which it is `tied`; see `ks.matmul`. f16 and bf16 are summed in f32.

    Nothing is moved before or behind. Batch-last the rows k of X_ij are rows
    (i·c + k)·d + j of X: d rows apart, and those of the next j are one row further
    on. So all j of a group are one call of the library, a strided batch of d
    products, and so are all i of a column, c·d rows apart; of these the one with
    more products is taken, min(a, d) times. Batch-first, with d = 1, the columns of
    X_i begin at i·c, and one call does for all i.

    ```mlir
    ks.library_product <4, 512, 384, 8> tied(d) layout(batch_last)
      ins(%x, %w : memref<12288x?xf16>, memref<786432xf16>)
      outs(%y : memref<16384x?xf16>)
    ```

    Constraints:
    * (C1) batch-first, the pattern is (a, b, c, 1).
    * (C2) input and result have the same element type, and a·c·d and a·b·d features.
    * (C3) the weight has room for all matrices.
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern,
    Arg<KS_LibraryMatrix, "X", [MemRead]>:$input,
    Arg<KS_LibraryWeight, "W", [MemRead]>:$weight,
    Arg<KS_LibraryMatrix, "Y", [MemWrite]>:$init,
    DefaultValuedAttr<KS_TiesAttr, "::ks::Ties::None">:$tied,
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout,
    DefaultValuedAttr<KS_PrecisionAttr, "::ks::Precision::IEEE">:$precision
  );
  let assemblyFormat = [{
    $pattern custom<TiedClause>($tied) custom<Clauses>($layout, $precision)
    `ins` `(` $input `,` $weight `:` type($input) `,` type($weight) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict
  }];
  let hasVerifier = 1;
}

#endif // KS_DIALECT_KS_IR_KSLIBRARYOPS_TD
