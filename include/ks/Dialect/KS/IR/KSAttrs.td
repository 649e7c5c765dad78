//===- KSAttrs.td - Attributes of the KS dialect -----------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KSATTRS_TD
#define KS_DIALECT_KS_IR_KSATTRS_TD

include "ks/Dialect/KS/IR/KSDialect.td"
include "ks/Dialect/KS/IR/KSInterfaces.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class KS_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<KS_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Mathematics
//===----------------------------------------------------------------------===//

def KS_PatternAttr : KS_Attr<"Pattern", "pattern"> {
  let summary = "the support I_a ⊗ 1_{b×c} ⊗ I_d of a Kronecker-sparse matrix";
  let description = [{
    The matrix has a·b·d rows, a·c·d columns and a·b·c·d non-zeros.

    ```mlir
    #ks.pattern<6, 64, 64, 1>   // six dense 64x64 blocks on the diagonal
    ```

    Constraints:
    * (C1) a, b, c and d are at least 1.
    * (C2) a·b·c·d elements (16 bytes each) can be counted in 64 bits.
  }];
  let parameters = (ins
    "int64_t":$a, // Number of diagonal blocks.
    "int64_t":$b, // Rows of each dense block.
    "int64_t":$c, // Columns of each dense block.
    "int64_t":$d  // Size of the identity inside each entry of a block.
  );
  let assemblyFormat = "`<` $a `,` $b `,` $c `,` $d `>`";
  let builders = [AttrBuilder<(ins "::ks::KSPattern":$p), [{
    return $_get($_ctxt, p.a, p.b, p.c, p.d);
  }]>];
  let extraClassDeclaration = [{
    /// The pattern as a plain value, with its calculus.
    ::ks::KSPattern getPattern() const { return {getA(), getB(), getC(), getD()}; }
  }];
  let genVerifyDecl = 1;
}

def KS_FeatureOrderAttr : KS_Attr<"FeatureOrder", "feature_order"> {
  let summary = "an order of the features between two kernels";
  let description = [{
    Features (i, x, s, y) of sizes a × p × r × q are stored with the last three
    exchanged: feature ((i·p + x)·r + s)·q + y is at ((i·q + y)·r + s)·p + x. So a
    factor (a, ·, p·r, q) finds the k of a column next to each other, in the order
    s·p + x of k = x·r + s (ks/Analysis/Pattern.h).

    ```mlir
    #ks.feature_order<1, 64, 4, 64>  // from <64, 256, 64, 1> to <1, 172, 256, 64>
    ```

    Constraints:
    * (C1) a, p, r and q are at least 1, and as many features can be counted in
      64 bits.
  }];
  let parameters = (ins
    "int64_t":$a, // Groups of the factor that reads.
    "int64_t":$p, // Groups of the factor that writes, in each of these.
    "int64_t":$r, // Neighbouring k of one group that writes.
    "int64_t":$q  // Columns of the factor that reads.
  );
  let assemblyFormat = "`<` $a `,` $p `,` $r `,` $q `>`";
  let builders = [AttrBuilder<(ins "::ks::FeatureOrder":$order), [{
    return $_get($_ctxt, order.a, order.p, order.r, order.q);
  }]>];
  let extraClassDeclaration = [{
    /// The order as a plain value.
    ::ks::FeatureOrder getOrder() const { return {getA(), getP(), getR(), getQ()}; }
  }];
  let genVerifyDecl = 1;
}

def KS_Layout : I32Enum<"Layout", "order of the axes of activations", [
    I32EnumCase<"BatchFirst", 0, "batch_first">, // Y = X K^T, X is [batch, features]
    I32EnumCase<"BatchLast", 1, "batch_last">    // Y = K X,   X is [features, batch]
  ]> {
  let cppNamespace = "::ks";
}
def KS_LayoutAttr : EnumAttr<KS_Dialect, KS_Layout, "layout"> {
  let description = [{
    `batch_first`: X is [batch, features], Y = X Kᵀ (the default).
    `batch_last`: X is [features, batch], Y = K X.
  }];
}

def KS_Precision : I32Enum<"Precision", "precision of f32 products", [
    I32EnumCase<"IEEE", 0, "ieee">, I32EnumCase<"TF32", 1, "tf32">
  ]> {
  let cppNamespace = "::ks";
}
def KS_PrecisionAttr : EnumAttr<KS_Dialect, KS_Precision, "precision"> {
  let description = [{
    `ieee` (the default): an error of the order of an f32 FMA loop.
    `tf32`: the factors of each product may be rounded to 10 bits of mantissa.
  }];
}

//===----------------------------------------------------------------------===//
// CPU plan
//===----------------------------------------------------------------------===//

def KS_Ties : I32BitEnum<"Ties", "axes along which a weight is shared", [
    I32BitEnumCaseNone<"None", "none">,
    I32BitEnumCaseBit<"A", 0, "a">, // All i share the weight.
    I32BitEnumCaseBit<"D", 1, "d">  // All j share the weight.
  ]> {
  let cppNamespace = "::ks";
  let separator = "|";
  let printBitEnumPrimaryGroups = 0;
}

def KS_TiesParameter : EnumParameter<KS_Ties> {
  let defaultValue = "::ks::Ties::None";
}
def KS_TiesAttr : EnumAttr<KS_Dialect, KS_Ties, "ties"> {
  let description = [{
    `a`: all groups i share the weight; `d`: all columns j do; `a|d`: both.
  }];
}

def KS_CPUPackingAttr : KS_Attr<"CPUPacking", "cpu_packing",
    [DeclareAttrInterfaceMethods<KS_PackingAttrInterface>]> {
  let summary = "order of a packed weight for vector kernels";
  let description = [{
    A *panel* holds, for a block of `vectors`·`n` rows n and a block of `j`
    columns j of one group i, everything the register tile reads, in the order
    in which it reads it:

    ```
    packed[i][j block][n block][k][vector v][lane l]
         = K[i, n0 + v·n + l div j, k, j0 + l mod j]     (0 if l >= n·j)
    ```

    The last block of an axis that does not divide evenly is shifted back so
    that it ends at the axis' end: blocks overlap, and none is partial.
    With `tied` = `a` it is packed for one i, with `d` for one j block. Elements are of the accumulator type. A complex weight k is
    packed as two vectors of reals, (re k, re k) and (-im k, im k) in each
    lane, to be multiplied by x and by x with real and imaginary part swapped.

    Constraints:
    * (C1) all parameters are at least 1, n·j ≤ lanes ≤ 64, vectors ≤ 64.
  }];
  let parameters = (ins
    "int64_t":$vectors, // Vectors side by side along n.
    "int64_t":$lanes,   // Elements of a vector.
    "int64_t":$n,       // Rows n covered by a vector.
    "int64_t":$j,       // Columns j covered by a vector.
    KS_TiesParameter:$tied
                        // Axes along which the packed weight is shared.
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    bool isTied(::ks::Ties axis) const {
      return bitEnumContainsAny(getTied(), axis);
    }
    /// Rows n covered by a panel.
    int64_t getBlockN() const { return getVectors() * getN(); }
    /// Number of panels along n and along j; the last may overlap.
    int64_t getNumBlocksN(const ::ks::KSPattern &p) const {
      return ::llvm::divideCeil(p.b, getBlockN());
    }
    int64_t getNumBlocksJ(const ::ks::KSPattern &p) const {
      return ::llvm::divideCeil(p.d, getJ());
    }
  }];
  let genVerifyDecl = 1;
}

def KS_Stationary : I32Enum<"Stationary", "which operand stays in cache", [
    I32EnumCase<"Weights", 0, "weights">,        // One panel, all of the batch.
    I32EnumCase<"Activations", 1, "activations"> // One tile of the batch, all panels.
  ]> {
  let cppNamespace = "::ks";
}

def KS_CPUTileAttr : KS_Attr<"CPUTile", "cpu_tile"> {
  let summary = "register tile of one factor on the CPU";
  let description = [{
    A tile keeps `rows` × `vectors` accumulators of `lanes` elements in
    registers while it runs along k.

    Batch-first: `rows` entries of the batch × `packing.vectors` vectors along
    the output features; `vectors` equals `packing.vectors`.
    Batch-last: `rows` rows n (= `packing.n`) × `vectors` vectors of `lanes`
    entries of the batch.

    `stationary` orders the loops around the tile: with `weights`, a panel of
    weights meets the whole batch block before the next panel; with
    `activations`, a tile's worth of the batch meets all panels.

    Constraints:
    * (C1) all sizes are at least 1; rows·vectors ≤ 64; lanes ≤ 64; unroll ≤ 16.
  }];
  let parameters = (ins
    "int64_t":$rows,    // Rows of the register tile.
    "int64_t":$vectors, // Vectors in a row of the register tile.
    "int64_t":$lanes,   // Elements of a vector.
    "int64_t":$unroll,  // Steps of k per iteration of the inner loop.
    EnumParameter<KS_Stationary>:$stationary, // What stays in cache.
    "::ks::CPUPackingAttr":$packing // Layout of the packed weight.
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def KS_ParallelDims : I32BitEnum<"ParallelDims", "dimensions that run in parallel", [
    I32BitEnumCaseNone<"None", "none">,
    I32BitEnumCaseBit<"Batch", 0, "batch">,  // Blocks of the batch.
    I32BitEnumCaseBit<"Group", 1, "group">,  // Groups i.
    I32BitEnumCaseBit<"Panel", 2, "panel">   // Panels of n and j.
  ]> {
  let cppNamespace = "::ks";
  let separator = "|";
  let printBitEnumPrimaryGroups = 0;
}

def KS_CPUPlanAttr : KS_Attr<"CPUPlan", "cpu_plan",
    [DeclareAttrInterfaceMethods<KS_PlanAttrInterface>]> {
  let summary = "how a KS product runs on a CPU";
  let description = [{
    The batch is cut into blocks of `batch_block`. With `parallel` = `batch`
    each block runs through *all* factors of the chain on one thread, so that
    intermediates stay in its cache. Without it, factors run one after another
    and each is parallel over its groups i and/or panels of output features.

    With `stage_input`, rows of the input are first copied, as they are, to
    scratch memory with another row pitch: rows a power of two apart compete
    for the same few sets of a cache. Rows that are converted (`load_as`) are always
    copied first, batch-first, each element once.

    ```mlir
    #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [
      <rows = 8, vectors = 3, lanes = 16, unroll = 1, stationary = weights,
       packing = <vectors = 3, lanes = 16, n = 16, j = 1>>]>
    ```

    Constraints:
    * (C1) batch_block is at least 1, and there is at least one tile.

    For an op that carries it (checked with C18 of `ks.chain`): one tile per
    factor; packing.j ≤ d; packing.vectors·packing.n ≤ b; vectors and lanes
    agree with the layout as described for `#ks.cpu_tile`; unroll divides c;
    nothing but the batch is parallel where activations are stationary;
    stage_input needs layout batch_first and parallel = batch.
  }];
  let parameters = (ins
    "int64_t":$batchBlock,        // Entries of the batch per task.
    EnumParameter<KS_ParallelDims>:$parallel, // What is shared out to threads.
    DefaultValuedParameter<"bool", "false">:$stageInput, // Copy rows first.
    ArrayRefParameter<"::ks::CPUTileAttr">:$tiles // One per factor.
  );
  let assemblyFormat = [{
    `<` `batch_block` `=` $batchBlock `,` `parallel` `=` $parallel `,`
        (`stage_input` `=` $stageInput^ `,`)? `tiles` `=` `[` $tiles `]` `>`
  }];
  let genVerifyDecl = 1;
}

#endif // KS_DIALECT_KS_IR_KSATTRS_TD
