//===- KSWarpgroupOps.td - What four warps do with tiles ---*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tile ops that all warps of a warpgroup execute together, on what each has of a
// fragment.
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KSWARPGROUPOPS_TD
#define KS_DIALECT_KS_IR_KSWARPGROUPOPS_TD

include "ks/Dialect/KS/IR/KSTileOps.td"

def KS_WarpgroupMmaOp : KS_TileOp<"warpgroup_mma",
    [AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "four warps multiply a chunk and add to an accumulator";
  let description = [{
    accumulator [1][tile of n][tile of m] += weights · activations, both from
    shared memory, by wgmma.mma_async (PTX ISA). Weights lie as in
    #ks.gpu_packing for `wgmma16`; activations are those of the entries from `row`
    on, in atoms [stage][atom][entries][64 k] (batch-first) or
    [stage][atom][k][64 entries], swizzled by 128 bytes.

    The result is not there before `ks.warpgroup_wait`; until then only the next
    `ks.warpgroup_mma` may take it. Returns when all earlier ones have read their
    stages.
  }];
  let arguments = (ins
    Arg<KS_AnyRealMemRef, "stages", [MemRead]>:$weights, Index:$weightStage,
    Arg<KS_AnyRealMemRef, "stages", [MemRead]>:$activations, Index:$stage,
    Index:$row,
    KS_Fragment<4>:$accumulator,
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout
  );
  let results = (outs KS_Fragment<4>:$result);
  let assemblyFormat = [{
    $weights `[` $weightStage `]` `,` $activations `[` $stage `,` $row `]` `,`
    $accumulator (`layout` $layout^)? attr-dict
    `:` type($weights) `,` type($activations) `to` type($accumulator)
  }];
}

def KS_WarpgroupMmaRegistersOp : KS_TileOp<"warpgroup_mma_registers",
    [AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "four warps multiply a step and add to an accumulator";
  let description = [{
    accumulator [column][tile of n][tile of m] += weights · activations of one
    step, by wgmma.mma_async (PTX ISA). Activations are this lane's fragment;
    weights are those of columns `j` + q and tiles from `tile` on, which lie as
    in #ks.gpu_packing for `wgmma16_rs`. Weights that are shared by all columns
    have one.

    The result is not there before `ks.warpgroup_wait`; until then only the next
    `ks.warpgroup_mma_registers` may take it. Returns when all earlier ones have
    read their operands, and unless it is `pending`, this one, too. Where loops
    bring the same op again, its fragment comes to the registers that it came to
    before, so that another one must be `pending` then.
  }];
  let arguments = (ins
    Arg<KS_AnyRealMemRef, "stages", [MemRead]>:$weights,
    Index:$weightStage, Index:$step, Index:$j, Index:$tile,
    KS_Fragment<3>:$activations, KS_Fragment<4>:$accumulator,
    UnitAttr:$pending
  );
  let results = (outs KS_Fragment<4>:$result);
  let assemblyFormat = [{
    (`pending` $pending^)? $weights `[` $weightStage `,` $step `,` $j `,` $tile `]` `,` $activations `,`
    $accumulator attr-dict
    `:` type($weights) `,` type($activations) `to` type($accumulator)
  }];
}

def KS_WarpgroupMmaPlanesOp : KS_TileOp<"warpgroup_mma_planes",
    [AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "four warps multiply a chunk of planes and add to an accumulator";
  let description = [{
    As ks.warpgroup_mma_registers, of all steps of a chunk, with the activations from
    shared memory: 64 entries from `row` on of planes `column` + q, which lie as
    `ks.bulk_copy_activations` brings `planes`, with rows of `depth` k that are swizzled
    by as many bytes. A warp has 16 of the entries. A `fresh` product is not added to the
    accumulator, which only says of which type it is.

    The result is not there before `ks.warpgroup_wait`; until then only the next
    `ks.warpgroup_mma_planes` may take it. Returns when all earlier ones have read
    their stages.

    ```mlir
    %next = ks.warpgroup_mma_planes %ws[%stage, %j, %tile], %xs[%stage, %row, %j] of 64,
      %sum : memref<2x4x8x4x32x8xf16, #workgroup>, memref<2x1x512x64xf16, #workgroup>
      to vector<8x4x2x2xf32>
    ```
  }];
  let arguments = (ins
    Arg<KS_AnyRealMemRef, "stages", [MemRead]>:$weights, Index:$weightStage,
    Index:$weightColumn, Index:$tile,
    Arg<KS_AnyRealMemRef, "stages", [MemRead]>:$activations, Index:$stage,
    Index:$row, Index:$column,
    I64Attr:$entries, // Of a plane.
    KS_Fragment<4>:$accumulator,
    UnitAttr:$fresh
  );
  let results = (outs KS_Fragment<4>:$result);
  let assemblyFormat = [{
    (`fresh` $fresh^)? $weights `[` $weightStage `,` $weightColumn `,` $tile `]` `,`
    $activations `[` $stage `,` $row `,` $column `]` `of` $entries `,` $accumulator
    attr-dict `:` type($weights) `,` type($activations) `to` type($accumulator)
  }];
}

def KS_InterleaveColumnsOp : KS_TileOp<"interleave_columns"> {
  let summary = "puts each two columns next to each other, or apart";
  let description = [{
    [c][n][m][s] becomes [c / 2][n][m][2 · s], whose innermost elements are those of
    both columns in turns, rounded to the result's type if that is narrower: so 16-bit
    results of neighbours share registers while they wait to be stored. And back, for
    `ks.store_lines`, which takes them out of these registers.

    ```mlir
    %y = ks.interleave_columns %sum : vector<2x4x2x2xf32> to vector<1x4x2x4xf16>
    ```
  }];
  let arguments = (ins KS_Fragment<4>:$source);
  let results = (outs KS_Fragment<4>:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `to` type($result)";
  let extraClassDeclaration = [{
    /// Whether columns are put apart.
    bool isApart() {
      return getSource().getType().getDimSize(0) <
             getResult().getType().getDimSize(0);
    }
  }];
  let hasVerifier = 1;
}

def KS_WarpgroupWaitOp : KS_TileOp<"warpgroup_wait",
    [AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "waits for the result of warpgroup_mma";
  let arguments = (ins KS_Fragment<4>:$accumulator);
  let results = (outs KS_Fragment<4>:$result);
  let assemblyFormat = "$accumulator attr-dict `:` type($accumulator)";
}

def KS_ExchangeEntriesOp : KS_TileOp<"exchange_entries"> {
  let summary = "gives each lane neighbouring entries of the batch";
  let description = [{
    Four lanes hold the entries of eight mma tiles, 2t and 2t + 1 of each; then
    each holds all of two tiles, t and t + 4, as vectors of 8 elements:
    [1][n][8·M][4] becomes [8][n][M][4]. Elements have 16 bits.
  }];
  let arguments = (ins KS_Fragment<4>:$source);
  let results = (outs KS_Fragment<4>:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `to` type($result)";
  let hasVerifier = 1;
}

#endif // KS_DIALECT_KS_IR_KSWARPGROUPOPS_TD
