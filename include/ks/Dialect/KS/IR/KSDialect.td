//===- KSDialect.td - The KS dialect -----------------------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KSDIALECT_TD
#define KS_DIALECT_KS_IR_KSDIALECT_TD

include "mlir/IR/OpBase.td"

def KS_Dialect : Dialect {
  let name = "ks";
  let cppNamespace = "::ks";
  let summary = "Kronecker-sparse (KS) matrix products";
  let description = [{
    A KS matrix has support I_a ⊗ 1_{b×c} ⊗ I_d. Products of a few of them are
    butterfly, Monarch, Block-Tensor-Train and Kronecker layers. The dialect
    states such products, and takes them down a ladder on which every rung is
    readable IR:

    ```
      rung 0  other      linalg, torch, stablehlo           another compiler
        │
      rung 1  math       ks.matmul, ks.chain                the user
        │                                                   ks-fuse-factors
      rung 2  kernels    one ks op = one kernel
        │                ks.merge_weights                   ks-select-plan
      rung 3  plans      ks ops with a `plan`
        │                ks.pack_weights, @f_pack/@f_packed ks-pack-weights
        │                the same on memrefs                ks-bufferize
      rung 4  tiles      parallel loops over vector tiles   convert-ks-to-vector
        │
      rung 5  machine    llvm                               upstream conversions
        │
      rung 6  binary     object code                        upstream targets
    ```

    `convert-ks-to-linalg` is the *meaning* of the dialect: every other path is
    tested against it, and it is the door for compilers that only know linalg.

    **Words.** A pattern `<a, b, c, d>` describes a matrix of a·b·d rows and
    a·c·d columns whose weight `K[i,n,k,j]` (i<a, n<b, k<c, j<d) sits at row
    `(i·b+n)·d+j`, column `(i·c+k)·d+j`. A *chain* lists its factors in the
    order in which they are applied. A weight is *tied* along a or d when its
    tensor has size 1 there: all i (or all j) then share it.

    **Contract of numbers.** f16 and bf16 accumulate in f32. Each factor's
    result is rounded to the element type, fused or not. Multiplying factors
    with each other changes that, and needs two permissions: weights that do not
    change after packing, which are constants and arguments marked `ks.frozen`,
    and `fastmath<reassoc>` on the products.

    **Attributes of functions.**
    * (C1) `ks.frozen`, a unit attribute of an argument that is a tensor or a
      memref: it does not change between packing and runs.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
}

#endif // KS_DIALECT_KS_IR_KSDIALECT_TD
