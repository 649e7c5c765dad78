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
      ks.library_product <1, 512, 384, 1> ins(%x, %w : ...) outs(%y : ...)
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
  let summary = "a dense product by a vendor's library";
  let description = [{
    Y = X Wᵀ, or batch-last Y = W X, where W is the plain b×c matrix that
    #ks.library_packing says; see `ks.matmul`. f16 and bf16 are summed in f32.

    Constraints:
    * (C1) the pattern is (1, b, c, 1).
    * (C2) input and result have the same element type, and c and b features.
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern,
    Arg<KS_LibraryMatrix, "X", [MemRead]>:$input,
    Arg<KS_LibraryWeight, "W", [MemRead]>:$weight,
    Arg<KS_LibraryMatrix, "Y", [MemWrite]>:$init,
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout,
    DefaultValuedAttr<KS_PrecisionAttr, "::ks::Precision::IEEE">:$precision
  );
  let assemblyFormat = [{
    $pattern custom<Clauses>($layout, $precision)
    `ins` `(` $input `,` $weight `:` type($input) `,` type($weight) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict
  }];
  let hasVerifier = 1;
}

#endif // KS_DIALECT_KS_IR_KSLIBRARYOPS_TD
