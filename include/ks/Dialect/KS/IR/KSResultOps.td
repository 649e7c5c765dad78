//===- KSResultOps.td - Where tiles of the result go -------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tile ops between accumulators and memory: results, what is shaped like them, and
// what the next factor of a chain reads.
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KSRESULTOPS_TD
#define KS_DIALECT_KS_IR_KSRESULTOPS_TD

include "ks/Dialect/KS/IR/KSTileOps.td"

/// Where a fragment of the result lies in memory.
class KS_ResultFragmentOp<string mnemonic> : KS_TileOp<mnemonic> {
  code multipliedDeclaration = [{
    /// Bytes of the reals that were multiplied, which say where entries are.
    int64_t getMultipliedBytes() {
      return getFragment().getType().getElementTypeBitWidth() / 8;
    }
  }];
  let extraClassDeclaration = multipliedDeclaration;
}

/// The same of reals of any type.
class KS_ConvertedFragmentOp<string mnemonic> : KS_ResultFragmentOp<mnemonic> {
  let extraClassDeclaration = [{
    /// Bytes of the reals that were multiplied, which say where entries are.
    int64_t getMultipliedBytes() {
      ::mlir::Type type = getMultiplied().value_or(
          getFragment().getType().getElementType());
      return type.getIntOrFloatBitWidth() / 8;
    }
  }];
}

def KS_LoadFragmentOp : KS_ConvertedFragmentOp<"load_fragment"> {
  let summary = "this lane's part of an operand that is shaped like the result";
  let description = [{
    The elements of `source` at the places of an accumulator; `source` is
    shaped like the result, or of rank 1 along the features. m, n and j are the
    first of the warp. What lies outside is zero. Where `source` is of another type
    than the product, `multiplied` is that of the product; see #ks.fragments.
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern, KS_FragmentsAttr:$fragments,
    Arg<KS_AnyRealMemRef, "operand", [MemRead]>:$source,
    Index:$m, Index:$i, Index:$n, Index:$j,
    Index:$batch, // Entries there are.
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout,
    OptionalAttr<KS_RealTypeAttr>:$multiplied
  );
  let results = (outs KS_Fragment<4>:$fragment);
  let assemblyFormat = [{
    $pattern $fragments $source `[` $m `,` $i `,` $n `,` $j `]` `batch` $batch
    (`layout` $layout^)? (`multiplied` `as` $multiplied^)? attr-dict
    `:` type($source) `to` type($fragment)
  }];
}

def KS_StoreFragmentOp : KS_ConvertedFragmentOp<"store_fragment"> {
  let summary = "stores this lane's part of the result";
  let description = [{
    m, n and j are the first of the warp. What lies outside of the pattern or
    the batch is not stored. Where the result is of another type than the product,
    `multiplied` is that of the product; see #ks.fragments.

    ```mlir
    ks.store_fragment <1, 64, 64, 4> <mma16, run_k = 1, run_n = 1> %y, %out[%m, %i, %n, %j]
      multiplied as f16 : vector<4x2x2x4xf32> to memref<?x256xf32, strided<[?, 1], offset: ?>>
    ```
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern, KS_FragmentsAttr:$fragments,
    KS_Fragment<4>:$fragment,
    Arg<KS_AnyRealMemRef, "result", [MemWrite]>:$destination,
    Index:$m, Index:$i, Index:$n, Index:$j,
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout,
    OptionalAttr<KS_RealTypeAttr>:$multiplied
  );
  let assemblyFormat = [{
    $pattern $fragments $fragment `,` $destination
    `[` $m `,` $i `,` $n `,` $j `]` (`layout` $layout^)?
    (`multiplied` `as` $multiplied^)? attr-dict
    `:` type($fragment) `to` type($destination)
  }];
}

def KS_StoreLinesOp : KS_ResultFragmentOp<"store_lines"> {
  let summary = "stores this lane's part of the result, through shared memory";
  let description = [{
    As ks.store_fragment, batch-first. The `warps` that have neighbouring columns
    of the same n and entries, of which this one is number `part`, put 16
    entries and a few n at a time together in staging[group], and store whole
    lines from there. They all come here, and no other warp uses that part of
    `staging`.
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern, KS_FragmentsAttr:$fragments,
    KS_Fragment<4>:$fragment,
    Arg<KS_AnyRealMemRef, "result", [MemWrite]>:$destination,
    Index:$m, Index:$i, Index:$n, Index:$j,
    Arg<KS_AnyRealMemRef, "staging", [MemRead, MemWrite]>:$staging,
    Index:$group, Index:$part, I64Attr:$warps
  );
  let assemblyFormat = [{
    $pattern $fragments $fragment `,` $destination
    `[` $m `,` $i `,` $n `,` $j `]` `through` $staging `[` $group `]`
    `part` $part `of` $warps attr-dict
    `:` type($fragment) `to` type($destination) `,` type($staging)
  }];
  let extraClassDeclaration = multipliedDeclaration # [{
    ::ks::Layout getLayout() { return ::ks::Layout::BatchFirst; }
  }];
}

//===----------------------------------------------------------------------===//
// Chains
//===----------------------------------------------------------------------===//

def KS_StoreIntermediateOp : KS_ResultFragmentOp<"store_intermediate"> {
  let summary = "hands this lane's part of a result over to the next factor";
  let description = [{
    As ks.store_fragment, but to where `buffer` says: feature (i·b + n)·d + j of
    the result, as (i', k', j') of the pattern that reads it, goes to the block of
    the cluster that has it. `destination` is that block's buffer of the same
    name, [group][row][element], in shared memory. m is counted in the tile.

    ```mlir
    ks.store_intermediate <64, 64, 64, 1> <mma16, run_k = 2, run_n = 8> %y, %next[%m, %i, %n, %j]
      as <a = 1, c = 64, d = 64, blocks = 4, along_j = true, depth = 64, slab = 16, rows = 32, pitch = 1032>
      : vector<1x4x4x4xf16> to memref<1x32x1032xf16, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern, KS_FragmentsAttr:$fragments,
    KS_Fragment<4>:$fragment,
    Arg<KS_AnyRealMemRef, "what the next factor reads", [MemWrite]>:$destination,
    Index:$m, Index:$i, Index:$n, Index:$j,
    KS_ChainBufferAttr:$buffer,
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout
  );
  let assemblyFormat = [{
    $pattern $fragments $fragment `,` $destination
    `[` $m `,` $i `,` $n `,` $j `]` `as` $buffer (`layout` $layout^)? attr-dict
    `:` type($fragment) `to` type($destination)
  }];
}

def KS_StorePlanesOp : KS_TileOp<"store_planes"> {
  let summary = "hands results of neighbouring groups over to the next factor, as planes";
  let description = [{
    `fragments` are this lane's parts, for 16 entries from `row` on, of the results of
    groups i from `group` on, as <wgmma16_rs, run_k = 2, run_n = 1> has them: rows
    n = q · `columns` + j. They go to k = i · r + q of plane j, where r is the number of
    q. `destination` is [1][atom][j · entries][k], whose rows are swizzled by their bytes
    (ks/Analysis/GPUChainPlanes.h).

    ```mlir
    ks.store_planes %y0, %y1 to %planes[%i, %row] columns 16
      : vector<1x2x2x2xf16>, vector<1x2x2x2xf16> to memref<1x1x1056x64xf16, #workgroup>
    ```

    Constraints:
    * (C1) there is at least one fragment, [1][tiles][2][2], and all are of one type.
    * (C2) columns is a multiple of 4 that divides 8 · tiles, and the rows of an atom.
  }];
  let arguments = (ins
    Variadic<KS_Fragment<4>>:$fragments,
    Arg<KS_AnyRealMemRef, "planes", [MemWrite]>:$destination,
    Index:$group, Index:$row, I64Attr:$columns
  );
  let assemblyFormat = [{
    $fragments `to` $destination `[` $group `,` $row `]` `columns` $columns attr-dict
    `:` type($fragments) `to` type($destination)
  }];
  let hasVerifier = 1;
}

def KS_CopyRowsOp : KS_TileOp<"copy_rows"> {
  let summary = "copies rows of the result from shared memory";
  let description = [{
    destination[m + e, feature + q] = source[0, e, q] for q < `width` and all rows
    e that the batch has. Called by all `threads` of a block.
  }];
  let arguments = (ins
    Arg<KS_AnyRealMemRef, "rows", [MemRead]>:$source,
    Arg<KS_AnyRealMemRef, "result", [MemWrite]>:$destination,
    Index:$m, Index:$feature, // Where the first one begins, in reals.
    I64Attr:$width,           // Of a row, in reals.
    I64Attr:$threads          // Of the block.
  );
  let assemblyFormat = [{
    $source `to` $destination `[` $m `,` $feature `]` `width` $width
    `threads` $threads attr-dict `:` type($source) `to` type($destination)
  }];
}

def KS_StoreRowsOp : KS_ResultFragmentOp<"store_rows"> {
  let summary = "stores a block's part of the result, row by row";
  let description = [{
    As ks.store_fragment, batch-first, of all warps of a block, which hold all j. They
    put together `rows` rows n of each entry in `staging`, an entry in each of its
    rows, and store 16 bytes at a time from there, single elements at ends only. m, n
    and j are the first of the warp; the block's first are `first`: m, a multiple of the
    reals of 16 bytes, and n. `staging` is free when the next chunk of activations has
    been waited for.
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern, KS_FragmentsAttr:$fragments,
    KS_Fragment<4>:$fragment,
    Arg<KS_AnyRealMemRef, "result", [MemWrite]>:$destination,
    Index:$m, Index:$i, Index:$n, Index:$j,
    Arg<KS_AnyRealMemRef, "staging", [MemRead, MemWrite]>:$staging,
    Index:$firstM, Index:$firstN,
    I64Attr:$rows,   // n of the block.
    I64Attr:$threads // Of the block.
  );
  let assemblyFormat = [{
    $pattern $fragments $fragment `,` $destination
    `[` $m `,` $i `,` $n `,` $j `]` `through` $staging
    `first` `[` $firstM `,` $firstN `]` `rows` $rows `threads` $threads attr-dict
    `:` type($fragment) `to` type($destination) `,` type($staging)
  }];
  let extraClassDeclaration = multipliedDeclaration # [{
    ::ks::Layout getLayout() { return ::ks::Layout::BatchFirst; }
  }];
}

#endif // KS_DIALECT_KS_IR_KSRESULTOPS_TD
