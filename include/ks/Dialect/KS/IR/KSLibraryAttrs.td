//===- KSLibraryAttrs.td - Plans of vendors' libraries -----*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KSLIBRARYATTRS_TD
#define KS_DIALECT_KS_IR_KSLIBRARYATTRS_TD

include "ks/Dialect/KS/IR/KSGPUAttrs.td"

def KS_Library : I32Enum<"Library", "a vendor's library for products of matrices", [
    I32EnumCase<"CublasLt", 0, "cublaslt">, // NVIDIA's, on GPUs.
    I32EnumCase<"Blas", 1, "blas">          // The host's, on CPUs.
  ]> {
  let cppNamespace = "::ks";
}
def KS_LibraryAttr : EnumAttr<KS_Dialect, KS_Library, "library"> {
  let description = [{
    * `cublaslt`: cublasLt, which multiplies matrices on NVIDIA's GPUs.
    * `blas`: the host's BLAS: OpenBLAS, BLIS, MKL, or another with `sgemm_` and
      `dgemm_`.
  }];
}

def KS_LibraryPackingAttr : KS_Attr<"LibraryPacking", "library_packing",
    [DeclareAttrInterfaceMethods<KS_PackingAttrInterface>]> {
  let summary = "a weight as a library reads it, or packed for a kernel";
  let description = [{
    The weight of a product that a library computes where there is one. Where it is
    there the buffer begins with the plain matrices of all groups i and columns j, one
    after the other, each row by row:

    ```
    packed[i][j][n][k] = K[i, n, k, j]
    ```

    with one i or j where `fallback` is tied along a or d, and otherwise it is what
    `fallback` says. Whether it is there is the same for packing and for runs, so one
    buffer does for both; it has the size of the larger. Its elements are those of
    `fallback`: a plain f32 may be two of them, the lower half first.

    Constraints:
    * (C1) `fallback` is not a #ks.library_packing itself.
  }];
  let parameters = (ins
    "::ks::PackingAttrInterface":$fallback // For the kernel.
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def KS_LibraryPlanAttr : KS_Attr<"LibraryPlan", "library_plan",
    [DeclareAttrInterfaceMethods<KS_PlanAttrInterface>]> {
  let summary = "a product by a vendor's library, where there is one";
  let description = [{
    The library is opened at run time. Where it cannot be, our own kernel runs, by
    the plan `fallback`: so a compiled program runs everywhere.

    ```mlir
    #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<...>>
    #ks.library_plan<blas, fallback = #ks.cpu_plan<...>>
    ```

    Constraints:
    * (C1) `fallback` is a #ks.gpu_plan for `cublaslt`, a #ks.cpu_plan for `blas`.

    For an op that carries it: it is a `ks.matmul` without an epilogue that fits
    `fallback`, on f16, bf16, f32 or f64, of a pattern whose factors the library
    reads where they lie:

    * `cublaslt`: any (a, b, c, d) batch-last, where neighbours along the batch are
      neighbours in memory, and (a, b, c, 1) batch-first, where neighbours along k
      are; all of at most 2^31 - 1. Products of one group, or of one column, are one
      call of the library: see `ks.library_product`.
    * `blas`: (1, b, c, 1), on f32 or f64, all of one type, with b and c of at most
      2^31 - 1.

    Its weight, if it is to be packed by `ks-pack-weights`, is not a constant: what
    is packed at compile time cannot know whether the library will be there.
  }];
  let parameters = (ins
    EnumParameter<KS_Library>:$library, // Who computes it.
    "::ks::PlanAttrInterface":$fallback // Of our own kernel.
  );
  let assemblyFormat = "`<` $library `,` `fallback` `=` $fallback `>`";
  let extraClassDeclaration = [{
    /// The plan of our own kernel on a GPU; null if it is for a CPU.
    ::ks::GPUPlanAttr getGPUPlan() const {
      return ::llvm::dyn_cast<::ks::GPUPlanAttr>(getFallback());
    }
  }];
  let genVerifyDecl = 1;
}

#endif // KS_DIALECT_KS_IR_KSLIBRARYATTRS_TD
