//===- KSTileOps.td - What a warp does with a tile ---------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rung 4 on GPUs. These ops are executed by all threads of a block; a vector is
// what one lane of a warp holds of a fragment:
//
//   weights      [column][tile of n][position]   see #ks.gpu_packing
//   activations  [column][tile of m][slot of k]
//   accumulator  [column][tile of n][tile of m][element]
//
// A *column* is an element of the lane's piece of memory: a j (batch-first) or
// an entry of the batch (batch-last). A complex number counts as two reals at
// the innermost dimension. `convert-ks-tiles-to-nvgpu` expands them.
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KSTILEOPS_TD
#define KS_DIALECT_KS_IR_KSTILEOPS_TD

include "ks/Dialect/KS/IR/KSGPUAttrs.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def KS_Real : AnyTypeOf<[F16, BF16, F32, F64]>;
class KS_Fragment<int rank> : VectorOfRankAndType<[rank], [KS_Real]>;
def KS_AnyRealMemRef : MemRefOf<[KS_Real]>;
def KS_RealTypeAttr : ConfinedAttr<TypeAttr, [AttrConstraint<
    CPred<"::ks::isRealElementType("
          "::llvm::cast<::mlir::TypeAttr>($_self).getValue())">,
    "of f16, bf16, f32 or f64">]>;

def KS_Pointer
    : Type<CPred<"::llvm::isa<::mlir::LLVM::LLVMPointerType>($_self)">,
           "LLVM pointer">;
def KS_Barriers
    : Type<CPred<"::llvm::isa<::mlir::nvgpu::MBarrierGroupType>($_self)">,
           "group of mbarriers">;

class KS_TileOp<string mnemonic, list<Trait> traits = []>
    : Op<KS_Dialect, mnemonic, traits>;

def KS_CopyActivationsOp : KS_TileOp<"copy_activations"> {
  let summary = "asynchronous copy of a slab of activations to shared memory";
  let description = [{
    Batch-first, row e of stage `stage` becomes X[m + e, (i·c + k + k')·d + j + j']
    at k'·slab + j', for k' < depth and j' < slab; batch-last, row k' becomes
    X[(i·c + k + k')·d + j, m + e] at e. Where k + k' is not below c it becomes
    zero; entries beyond the batch and columns beyond d are any numbers that X
    holds. Belongs to the group of asynchronous copies that is open. Where X is of
    another real type elements are converted, rounded to nearest, and are there when
    the threads are at what follows.

    Batch-first, if `shifted`, row e begins at (i·c·d + e·pitch) mod w instead,
    where pitch is the distance of rows of X and w are the reals of 16 bytes: where it
    is in memory, from a multiple of 16 bytes on. `m` and k·d are multiples of w.

    ```mlir
    ks.copy_activations <6, 64, 64, 1> %x[%m, %i, %k, %j] to %xs[%stage]
      depth 64 slab 1 : memref<?x384xf16> to memref<2x64x72xf16, #workgroup>
    ```

    Constraints:
    * (C1) Shifted rows have slab = d, batch-first.
    * (C2) Their width is a multiple of 16 bytes.
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern,
    Arg<KS_AnyRealMemRef, "activations", [MemRead]>:$source,
    Index:$m, Index:$i, Index:$k, Index:$j,
    Arg<KS_AnyRealMemRef, "stages", [MemWrite]>:$destination, Index:$stage,
    I64Attr:$depth,                   // Of the chunk along k.
    I64Attr:$slab,                    // Columns j.
    I64Attr:$rows,                    // Entries (batch-first) or k of a chunk.
    I64Attr:$width,                   // Reals of a row without padding.
    I64Attr:$threads,                 // Of the block.
    DefaultValuedAttr<I64Attr, "1">:$parts, // Reals of an element.
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout,
    UnitAttr:$shifted                 // Rows as they lie in memory.
  );
  let assemblyFormat = [{
    $pattern $source `[` $m `,` $i `,` $k `,` $j `]` `to`
    $destination `[` $stage `]` `depth` $depth `slab` $slab `rows` $rows
    `width` $width `threads` $threads (`layout` $layout^)? (`shifted` $shifted^)?
    attr-dict `:` type($source) `to` type($destination)
  }];
  let hasVerifier = 1;
}

def KS_CopyWeightsOp : KS_TileOp<"copy_weights"> {
  let summary = "asynchronous copy of packed weights to shared memory";
  let description = [{
    One stage of `destination` becomes what begins at `offset`. Belongs to the
    group of asynchronous copies that is open.
  }];
  let arguments = (ins
    Arg<KS_AnyRealMemRef, "packed weights", [MemRead]>:$source,
    Index:$offset,
    Arg<KS_AnyRealMemRef, "stages", [MemWrite]>:$destination, Index:$stage,
    I64Attr:$threads // Of the block.
  );
  let assemblyFormat = [{
    $source `[` $offset `]` `to` $destination `[` $stage `]`
    `threads` $threads attr-dict `:` type($source) `to` type($destination)
  }];
}

def KS_TensorMapOp : KS_TileOp<"tensor_map", [Pure]> {
  let summary = "how the copy engine sees an array";
  let description = [{
    A tensor map (PTX ISA, "Tensors"; cuTensorMapEncodeTiled) of an array, made
    on the host. Innermost dimension first: a size of -1 is the batch; a stride,
    in elements, of -q is q times that of the array's rows. A kernel takes it by
    value.

    ```mlir
    %map = ks.tensor_map %x sizes [64, 4, -1] strides [64, -1] box [32, 1, 128]
      swizzle 0 : memref<?x256xf16, strided<[?, 1], offset: ?>>
    ```
  }];
  let arguments = (ins
    AnyMemRef:$source, DenseI64ArrayAttr:$sizes, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$box, I64Attr:$swizzle
  );
  let results = (outs KS_Pointer:$map);
  let assemblyFormat = [{
    $source `sizes` $sizes `strides` $strides `box` $box `swizzle` $swizzle
    attr-dict `:` type($source) `->` type($map)
  }];
}

def KS_BulkCopyActivationsOp : KS_TileOp<"bulk_copy_activations"> {
  let summary = "copy of a slab of activations by the copy engine";
  let description = [{
    X[m + e, (i·c + k + k')·d + j + j'] becomes [e, k' mod D, j'] of atom k' div D
    of stage `stage`, where D is `depth`, and what is not there zero. Signals the
    barrier; `bytes` are what it has to expect. Called by a whole warp: where
    memory is not aligned as the engine needs it, lanes copy single elements
    and there are no bytes to expect.

    Batch-last, X[(i·c + k + k')·d + j, m + e] becomes [k', e mod E] of atom
    e div E, which has E entries; `slab` is 1.

    Of `planes`, X[m + e, (i·d + j + j')·c + k + k'] becomes [j', e, k' mod D] of atom
    k' div D, a row of which is j'·E + e.

    Of a cluster of blocks each has the engine copy as many of the entries, or planes,
    to all of them.
  }];
  let arguments = (ins
    KS_PatternAttr:$pattern, KS_Pointer:$map,
    Arg<KS_AnyRealMemRef, "activations", [MemRead]>:$source,
    Index:$m, Index:$i, Index:$k, Index:$j,
    Arg<KS_AnyRealMemRef, "stages", [MemWrite]>:$destination, Index:$stage,
    KS_Barriers:$barriers, Index:$barrier,
    I64Attr:$depth,  // Of an atom along k.
    I64Attr:$slab,   // Columns j.
    BoolAttr:$isFlat, // k and j are one dimension of the map.
    I64Attr:$swizzle, // Bytes; 0 for none.
    DefaultValuedAttr<I64Attr, "1">:$cluster, // Blocks.
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout,
    UnitAttr:$planes // All k of a column are together.
  );
  let results = (outs Index:$bytes);
  let assemblyFormat = [{
    $pattern $map `,` $source `[` $m `,` $i `,` $k `,` $j `]` `to`
    $destination `[` $stage `]` `signal` $barriers `[` $barrier `]`
    `depth` $depth `slab` $slab `flat` $isFlat `swizzle` $swizzle
    (`cluster` $cluster^)? (`layout` $layout^)? (`planes` $planes^)? attr-dict
    `:` type($map) `,` type($source) `to` type($destination) `,` type($barriers)
  }];
}

def KS_BulkCopyWeightsOp : KS_TileOp<"bulk_copy_weights"> {
  let summary = "copy of packed weights by the copy engine";
  let description = [{
    One stage of `destination` becomes what begins at `offset`. Signals the
    barrier. Called by one thread.
  }];
  let arguments = (ins
    Arg<KS_AnyRealMemRef, "packed weights", [MemRead]>:$source,
    Index:$offset,
    Arg<KS_AnyRealMemRef, "stages", [MemWrite]>:$destination, Index:$stage,
    KS_Barriers:$barriers, Index:$barrier
  );
  let assemblyFormat = [{
    $source `[` $offset `]` `to` $destination `[` $stage `]`
    `signal` $barriers `[` $barrier `]` attr-dict
    `:` type($source) `to` type($destination) `,` type($barriers)
  }];
}

def KS_ArriveInClusterOp : KS_TileOp<"arrive_in_cluster"> {
  let summary = "arrives at a barrier of another block of the cluster";
  let description = [{
    The barrier of block `rank` of the cluster at the same place.
  }];
  let arguments = (ins KS_Barriers:$barriers, Index:$barrier, Index:$rank);
  let assemblyFormat = [{
    $barriers `[` $barrier `]` `of` $rank attr-dict `:` type($barriers)
  }];
}

def KS_LoadAtomsOp : KS_TileOp<"load_atoms"> {
  let summary = "this lane's activations of one step, from bulk copies";
  let description = [{
    As ks.load_activations, from what ks.bulk_copy_activations wrote: result[q][t][s]
    is of k of step `step` and its slot s, and batch-first of entry row + 8t + m' and
    column `column` + q; batch-last of entry row + 8·Q·t + Q·m' + q, where Q is how
    many q there are, and 8·Q entries are an atom.
  }];
  let arguments = (ins
    KS_FragmentsAttr:$fragments,
    Arg<KS_AnyRealMemRef, "stages", [MemRead]>:$source,
    Index:$stage, Index:$step, Index:$row, Index:$column,
    I64Attr:$slab,   // Columns j of an atom.
    I64Attr:$swizzle, // Bytes; 0 for none.
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout
  );
  let results = (outs KS_Fragment<3>:$fragment);
  let assemblyFormat = [{
    $fragments $source `[` $stage `,` $step `,` $row `,` $column `]`
    `slab` $slab `swizzle` $swizzle (`layout` $layout^)? attr-dict
    `:` type($source) `to` type($fragment)
  }];
}

def KS_LoadWeightsOp : KS_TileOp<"load_weights"> {
  let summary = "this lane's weights of one step";
  let description = [{
    result[q][t] = source[stage, step, j + q, tile + t, lane], all positions.
    The source is [stage][step][j][tile][lane][position].
  }];
  let arguments = (ins
    Arg<KS_AnyRealMemRef, "stages", [MemRead]>:$source,
    Index:$stage, Index:$step, Index:$j, Index:$tile
  );
  let results = (outs KS_Fragment<3>:$fragment);
  let assemblyFormat = [{
    $source `[` $stage `,` $step `,` $j `,` $tile `]` attr-dict
    `:` type($source) `to` type($fragment)
  }];
}

def KS_LoadActivationsOp : KS_TileOp<"load_activations"> {
  let summary = "this lane's activations of one step";
  let description = [{
    result[q][t][s] is, for the lane's entry m' and slot s of k' (see
    #ks.fragments), batch-first source[stage, row + 8t + m', column + k'·slab + q],
    batch-last source[stage, row + k', column + 8·Q·t + Q·v + q], where v is
    FragmentLayout::vectorOf(m').

    Of rows that are `shifted`, batch-first, row e begins at (first + e·pitch) mod w,
    where w are the reals of 16 bytes; see ks.copy_activations.

    Constraints:
    * (C1) `shift` has two numbers, batch-first, or none.
  }];
  let arguments = (ins
    KS_FragmentsAttr:$fragments,
    Arg<KS_AnyRealMemRef, "stages", [MemRead]>:$source,
    Index:$stage, Index:$row, Index:$column,
    I64Attr:$slab, // Columns j of a row (batch-first).
    DefaultValuedAttr<KS_LayoutAttr, "::ks::Layout::BatchFirst">:$layout,
    Variadic<Index>:$shift // First and pitch, or none.
  );
  let results = (outs KS_Fragment<3>:$fragment);
  let assemblyFormat = [{
    $fragments $source `[` $stage `,` $row `,` $column `]` `slab` $slab
    (`layout` $layout^)? (`shifted` `[` $shift^ `]`)? attr-dict
    `:` type($source) `to` type($fragment)
  }];
  let hasVerifier = 1;
}

def KS_WarpMmaOp : KS_TileOp<"warp_mma", [Pure, AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "multiplies two fragments and adds to an accumulator";
  let description = [{
    For each column, tile of n and tile of m, with the instruction of the
    fragment layout. Weights that are shared by all columns have one. Of split
    operands an accumulator has sums of high products, then of low ones; see
    ks.join_parts.
  }];
  let arguments = (ins
    KS_FragmentsAttr:$fragments,
    KS_Fragment<3>:$weights, KS_Fragment<3>:$activations,
    KS_Fragment<4>:$accumulator
  );
  let results = (outs KS_Fragment<4>:$result);
  let assemblyFormat = [{
    $fragments $weights `,` $activations `,` $accumulator attr-dict
    `:` type($weights) `,` type($activations) `to` type($accumulator)
  }];
}

def KS_JoinPartsOp : KS_TileOp<"join_parts", [Pure]> {
  let summary = "adds the parts of products of split operands";
  let description = [{
    Of f32 as in ks/Analysis/SplitFloat.h: the innermost dimension of `source` has
    sums of high products, then as many of low ones. Where a sum of high products
    is finite the result is high + low / 2^7, else that sum.

    ```mlir
    %y = ks.join_parts %sums : vector<1x2x2x8xf32> to vector<1x2x2x4xf32>
    ```
  }];
  let arguments = (ins KS_Fragment<4>:$source);
  let results = (outs KS_Fragment<4>:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `to` type($result)";
  let hasVerifier = 1;
}

def KS_StorePartialsOp : KS_TileOp<"store_partials"> {
  let summary = "puts this lane's sums where other blocks find them";
  let description = [{
    The vectors of the fragment, in row-major order, become destination[warp, vector,
    lane].
  }];
  let arguments = (ins
    KS_Fragment<4>:$fragment,
    Arg<KS_AnyRealMemRef, "partial sums", [MemWrite]>:$destination, Index:$warp
  );
  let assemblyFormat = [{
    $fragment `,` $destination `[` $warp `]` attr-dict
    `:` type($fragment) `to` type($destination)
  }];
}

def KS_AddPartialsOp : KS_TileOp<"add_partials"> {
  let summary = "adds up the sums of the blocks of a cluster";
  let description = [{
    Each of `blocks` blocks has put the same fragment, with as many times the tiles of
    n of the result, where `source` is (`ks.store_partials`). The result is the sum of
    all, in the order of the blocks, of the tiles of share `share`.

    ```mlir
    ks.store_partials %sums, %partials[%warp]
      : vector<8x4x2x4xf32> to memref<4x64x32x4xf32, #workgroup>
    nvvm.cluster.arrive
    nvvm.cluster.wait
    %y = ks.add_partials %partials[%warp] share %rank of 4
      : memref<4x64x32x4xf32, #workgroup> to vector<8x1x2x4xf32>
    ```
  }];
  let arguments = (ins
    Arg<KS_AnyRealMemRef, "partial sums", [MemRead]>:$source, Index:$warp,
    Index:$share, I64Attr:$blocks
  );
  let results = (outs KS_Fragment<4>:$result);
  let assemblyFormat = [{
    $source `[` $warp `]` `share` $share `of` $blocks attr-dict
    `:` type($source) `to` type($result)
  }];
}

#endif // KS_DIALECT_KS_IR_KSTILEOPS_TD
