//===- KSGPUAttrs.td - GPU plans of the KS dialect ---------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KSGPUATTRS_TD
#define KS_DIALECT_KS_IR_KSGPUATTRS_TD

include "ks/Dialect/KS/IR/KSAttrs.td"

def KS_GPUInstruction : I32Enum<"GPUInstruction", "how a warp multiplies", [
    I32EnumCase<"Mma16", 0, "mma16">, // mma.sync.m16n8k16: f16, bf16.
    I32EnumCase<"Mma8", 1, "mma8">,   // mma.sync.m16n8k8, twice: tf32.
    I32EnumCase<"Fma", 2, "fma">,     // FMAs: f32, f64, complex.
    I32EnumCase<"Wgmma16", 3, "wgmma16">, // wgmma.m64nNk16: f16, bf16; sm_90.
    I32EnumCase<"WgmmaRS16", 4, "wgmma16_rs">, // Activations from registers.
    I32EnumCase<"WgmmaRS8", 5, "wgmma8_rs">, // wgmma.m64nNk8, twice: tf32; sm_90.
    I32EnumCase<"Mma16Split", 6, "mma16_split"> // mma16 on three parts of f32.
  ]> {
  let cppNamespace = "::ks";
}

def KS_WeightPlacement : I32Enum<"WeightPlacement",
  "where a block has its weights", [
    I32EnumCase<"Streamed", 0, "streamed">, // In the ring, chunk by chunk.
    I32EnumCase<"Resident", 1, "resident">  // In shared memory, all of them.
  ]> {
  let cppNamespace = "::ks";
}

def KS_CopyEngine : I32Enum<"CopyEngine",
  "who copies activations to shared memory", [
    I32EnumCase<"CpAsync", 0, "cp_async">, // All threads, 16 bytes at a time.
    I32EnumCase<"Bulk", 1, "bulk">         // The copy engine.
  ]> {
  let cppNamespace = "::ks";
}

def KS_FragmentsAttr : KS_Attr<"Fragments", "fragments"> {
  let summary = "which lane of a warp holds what";
  let description = [{
    The layout object that the packing of weights, the loads of fragments and
    the stores of results share. The maps are worked out in
    ks/Analysis/FragmentLayout.h.

    ```mlir
    #ks.fragments<mma16, run_k = 4, run_n = 2>
    ```

    Constraints:
    * (C1) run_k is 1, 2 or 4; run_n is 1 to 64.
  }];
  let parameters = (ins
    EnumParameter<KS_GPUInstruction>:$instruction, // How a warp multiplies.
    "int64_t":$runK, // Neighbouring k of a lane.
    "int64_t":$runN  // Neighbouring n of a lane.
  );
  let assemblyFormat = [{
    `<` $instruction `,` `run_k` `=` $runK `,` `run_n` `=` $runN `>`
  }];
  let extraClassDeclaration = [{
    /// The maps.
    ::ks::FragmentLayout getLayout() const {
      return {static_cast<::ks::WarpInstruction>(getInstruction()),
              getRunK(), getRunN()};
    }
  }];
  let genVerifyDecl = 1;
}

def KS_GPUPackingAttr : KS_Attr<"GPUPacking", "gpu_packing",
    [DeclareAttrInterfaceMethods<KS_PackingAttrInterface>]> {
  let summary = "order of a packed weight for GPU kernels";
  let description = [{
    The weights of one block and chunk of k lie together, in the order in which
    its warps read them:

    ```
    packed[i][j block][n block][chunk][step][j][tile][lane][position]
         = K[i, n block · n + n', chunk · k + step · s + k', j block · j + j']
    ```

    where s is the instruction's depth and n', k' are what the fragment layout
    gives to this lane and position. What lies outside of the pattern is zero.
    Elements are of the element type; a complex weight is a pair of reals. f32
    weights for `mma8` and `wgmma8_rs` are rounded to tf32; for `mma16_split` they are
    three bf16 each (ks/Analysis/SplitFloat.h): positions hold all first parts of a
    lane, then all second and all third ones.

    With `tied` = `a` it is packed for one i; with `d` for one j, and `j` is 1.

    If it is `folded`, it is packed for the pattern (a, b·d, c·d, 1): K' [i, n·d + j,
    k·d + j'] is K[i, n, k, j] if j = j', and 0 otherwise. That multiplies the
    products by d, which do not matter where memory is the limit.

    With several `parts` rows n come in another order: those of part 0 first, which
    are all n with n div `run` mod `parts` = 0, in order, then those of part 1, and
    so on; each part begins with a block of n of its own. So kernels that need some
    rows n only (`slices` of #ks.gpu_chain_plan) find them together.

    With `planes`, that many columns have all their k together, because the features
    that the kernel reads or writes are in an order (#ks.feature_order) of
    `redundancy` r. A pattern with d = 1 is packed as (a / planes, b, c, planes), its
    groups as columns: K' [i, n, k, j] = K[i·planes + j, (n mod r)·(b / r) + n div r, k,
    0]; any other one by K' [i, n, k, j] = K[i, n, (k mod (c / r))·r + k div (c / r), j].

    Constraints:
    * (C1) n and k are multiples of the instruction's tile and depth; j is at
      least 1, and 1 if tied along d.
    * (C2) parts and run are at least 1; what is folded has one part.
    * (C3) what has planes has at least 2, is not folded and has one part;
      redundancy is at least 1, and 1 without planes.

    For a pattern that it packs: parts · run divides b; planes are d or, where d = 1,
    divide a; redundancy divides c, or b where d = 1.
  }];
  let parameters = (ins
    "::ks::FragmentsAttr":$fragments, // Who holds what.
    "int64_t":$n,                     // Rows n of a block.
    "int64_t":$k,                     // Depth of a chunk.
    "int64_t":$j,                     // Columns j of a block.
    KS_TiesParameter:$tied,           // Axes along which it is shared.
    DefaultValuedParameter<"bool", "false">:$folded, // Columns j are rows of n and k.
    DefaultValuedParameter<"int64_t", "1">:$parts, // That rows n are divided into,
    DefaultValuedParameter<"int64_t", "1">:$run,   // so many neighbours in turns.
    DefaultValuedParameter<"int64_t", "0">:$planes, // Columns with all k together.
    DefaultValuedParameter<"int64_t", "1">:$redundancy // Of the order of features.
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    ::ks::FragmentLayout getLayout() const { return getFragments().getLayout(); }
    /// The pattern that kernels see.
    ::ks::KSPattern getKernelPattern(::ks::KSPattern p) const {
      return ::ks::toKernelPattern(p, getFolded(), getPlanes());
    }
    bool isTied(::ks::Ties axis) const {
      return bitEnumContainsAny(getTied(), axis);
    }
    /// Blocks of n of a part.
    int64_t getBlocksOfPart(const ::ks::KSPattern &p) const {
      return (getKernelPattern(p).b / getParts() + getN() - 1) / getN();
    }
    /// Sizes of [i][j block][n block][chunk][step][j][tile][lane][position].
    ::llvm::SmallVector<int64_t> getPackedShape(const ::ks::KSPattern &p) const;
  }];
  let genVerifyDecl = 1;
}

def KS_GPUPlanAttr : KS_Attr<"GPUPlan", "gpu_plan",
    [DeclareAttrInterfaceMethods<KS_PlanAttrInterface>]> {
  let summary = "how one KS factor runs on a GPU";
  let description = [{
    A block of threads computes a *slab*: `entries` of the batch, `packing.n`
    rows n and, batch-first, `vector` · warps[2] neighbouring columns j of one
    group (batch-last, one j). At most `batch_blocks` blocks share the batch of
    a slab: a block goes from its `entries` to those that far ahead, until the
    batch ends. It walks along k in chunks of `packing.k`, which travel to shared
    memory through a ring of `stages`; so do the weights, if they are `streamed`;
    if they are `resident`, all chunks of the slab are loaded once and stay.
    With `copies = bulk` the first warp has the copy engine (sm_90 and later) fill
    the ring, and warps wait for each other at the stages they share only. `warps`
    divide the slab along the batch, n and j. With a `cluster` (sm_90 and later)
    that many blocks, neighbours along n, each copy a part of the activations
    that they share to all of them. With several `splits` (sm_90 and later) a
    cluster of that many blocks computes a slab: each walks along its own part of
    the chunks, and then adds up all parts of its share of the rows n. A lane's
    pieces of activations are `vector` elements that are neighbours in memory:
    along j, or along the batch. With `packing.j` = d and cp_async, the last of
    several warps along j may have fewer new columns than `vector`: it begins at
    j = d - `vector`, and computes some columns a second time.

    Blocks run in the order of their slabs first, then of the batch, so that
    those that share rows of X run together. With several `sweeps` that is so for
    the first part of the slabs, then for the next: fewer weights are in use at a
    time.

    ```mlir
    #ks.gpu_plan<entries = 64, batch_blocks = 66, vector = 4, warps = [2, 2, 1],
      stages = 3, copies = cp_async, weights = resident,
      packing = <fragments = <mma16, run_k = 2, run_n = 1>, n = 64, k = 64, j = 4>>
    ```

    Grid, threads and shared memory follow from it (ks/Analysis/GPUPlanner.h).

    Constraints:
    * (C1) entries, batch_blocks, vector, stages, cluster, splits, sweeps and all
      three warps are at least 1.

    For an op that carries it: it is a `ks.matmul`, and `checkGPUPlan` of the
    planner has no objection.
  }];
  let parameters = (ins
    "int64_t":$entries,             // Of the batch, at a time.
    "int64_t":$batchBlocks,         // That share the batch of a slab.
    "int64_t":$vector,              // Elements of a lane's piece.
    ArrayRefParameter<"int64_t">:$warps, // Along the batch, n and j.
    "int64_t":$stages,              // Of the ring of chunks.
    DefaultValuedParameter<"int64_t", "1">:$cluster, // Blocks that share copies.
    DefaultValuedParameter<"int64_t", "1">:$splits, // Blocks that share k.
    DefaultValuedParameter<"int64_t", "1">:$sweeps, // Over the batch, with parts of the slabs.
    EnumParameter<KS_CopyEngine>:$copies, // Who fills the ring.
    EnumParameter<KS_WeightPlacement>:$weights, // Where weights are.
    "::ks::GPUPackingAttr":$packing // Layout of the packed weight.
  );
  let assemblyFormat = [{
    `<` `entries` `=` $entries `,` `batch_blocks` `=` $batchBlocks `,`
        `vector` `=` $vector `,` `warps` `=` `[` $warps `]` `,`
        `stages` `=` $stages `,` (`cluster` `=` $cluster^ `,`)?
        (`splits` `=` $splits^ `,`)? (`sweeps` `=` $sweeps^ `,`)? `copies` `=` $copies `,` `weights` `=` $weights `,`
        `packing` `=` $packing `>`
  }];
  let extraClassDeclaration = [{
    /// The plan as a plain value, with what follows from it.
    ::ks::GPUPlan getPlan(::ks::Layout layout) const;
  }];
  let genVerifyDecl = 1;
}

def KS_ChainBufferAttr : KS_Attr<"ChainBuffer", "chain_buffer"> {
  let summary = "where activations between two factors lie";
  let description = [{
    In the shared memory of a cluster of blocks: ks/Analysis/GPUChain.h has the
    map, and an example.

    ```mlir
    #ks.chain_buffer<a = 1, c = 64, d = 64, blocks = 4, along_j = true,
      depth = 64, slab = 16, rows = 32, pitch = 1032>
    ```

    Constraints:
    * (C1) all numbers are at least 1; blocks divides d if along_j, else a.
  }];
  let parameters = (ins
    "int64_t":$a, "int64_t":$c, "int64_t":$d, // Of the pattern that reads it.
    "int64_t":$blocks, // Of the cluster.
    DefaultValuedParameter<"bool", "false">:$along_j, // They share out j; else i.
    "int64_t":$depth,  // k of a group, with zeros behind c.
    "int64_t":$slab,   // From k to k + 1.
    "int64_t":$rows,   // Of a group.
    "int64_t":$pitch   // From row to row.
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    static ChainBufferAttr get(::mlir::MLIRContext *context,
                               const ::ks::ChainBuffer &buffer);
    ::ks::ChainBuffer getBuffer() const;
  }];
  let genVerifyDecl = 1;
}

def KS_GPUChainFactorAttr : KS_Attr<"GPUChainFactor", "gpu_chain_factor"> {
  let summary = "how warps compute one factor of a chain";
  let description = [{
    A warp computes `packing.n` rows n for `entries` entries of the batch at a
    time, and batch-first for `vector` neighbouring columns j; a lane's pieces of
    activations are as many elements, along j or along the batch. Where the plan
    has stages, one is of `groups` groups i, `blocks_n` · `packing.n` rows n, and
    `packing.k`.

    Constraints:
    * (C1) entries is 1 to 512 and vector 1 to 16.
  }];
  let parameters = (ins
    "int64_t":$entries,             // Of the batch, of a warp at a time.
    "int64_t":$vector,              // Elements of a lane's piece.
    DefaultValuedParameter<"int64_t", "1">:$groups,   // i of a stage.
    DefaultValuedParameter<"int64_t", "1">:$blocks_n, // Blocks of n of a stage.
    "::ks::GPUPackingAttr":$packing // Layout of the packed weight.
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def KS_GPUChainPlanAttr : KS_Attr<"GPUChainPlan", "gpu_chain_plan",
    [DeclareAttrInterfaceMethods<KS_PlanAttrInterface>]> {
  let summary = "how a chain of KS factors runs as one kernel on a GPU";
  let description = [{
    A `cluster` of blocks takes `entries` of the batch through all factors; what
    is between two factors lies in their shared memory. ks/Analysis/GPUChain.h
    tells more. With several `slices` a cluster computes one of as many chains that
    the chain falls into: those of some groups i, or columns j, of the last factor;
    with several `shares` some of the last factor's rows n. With `stages` input and
    weights come through a ring; otherwise the input is there as a whole, and
    weights go to registers. With `staged` results go through shared memory as
    well, so that whole rows are stored; otherwise each warp stores what it has.

    With `wgmma16_rs` as the instruction of both factors, the intermediate lies in
    planes of contiguous k (ks/Analysis/GPUChainPlanes.h): at most `batch_blocks`
    blocks of each slice share out the tiles, four more warps copy, and `vector` of the
    last factor is the number of columns of a stage.

    ```mlir
    #ks.gpu_chain_plan<entries = 32, cluster = 4, warps = 8, staged = true,
      factors = [
        <entries = 32, vector = 1,
         packing = <fragments = <mma16, run_k = 2, run_n = 8>, n = 64, k = 64, j = 1>>,
        <entries = 32, vector = 4,
         packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 64, j = 4>>]>
    ```

    Threads, shared memory and the order in it follow.

    Constraints:
    * (C1) there is at least one factor.

    For an op that carries it: packing.k is c, rounded up to whole steps of the
    instruction (what comes through the ring: any number of steps); packing.j is
    vector (1 if tied along d, or batch-last); packing.parts and packing.run are
    those of the slices; and `checkGPUChainPlan` of the planner has no objection.
  }];
  let parameters = (ins
    "int64_t":$entries, // Of the batch, of a cluster.
    DefaultValuedParameter<"int64_t", "1">:$slices, // That clusters share out.
    DefaultValuedParameter<"int64_t", "1">:$shares, // Of the last factor's rows n.
    DefaultValuedParameter<"int64_t", "1">:$cluster, // Blocks.
    "int64_t":$warps,   // Of a block.
    DefaultValuedParameter<"int64_t", "0">:$stages, // Of the ring; 0 for none.
    DefaultValuedParameter<"int64_t", "0">:$batchBlocks, // At most, of a slice; 0 for all.
    DefaultValuedParameter<"bool", "false">:$staged, // Whole rows are stored.
    ArrayRefParameter<"::ks::GPUChainFactorAttr">:$factors // In order of application.
  );
  let assemblyFormat = [{
    `<` `entries` `=` $entries `,` (`slices` `=` $slices^ `,`)?
        (`shares` `=` $shares^ `,`)? (`cluster` `=` $cluster^ `,`)?
        `warps` `=` $warps `,` (`stages` `=` $stages^ `,`)?
        (`batch_blocks` `=` $batchBlocks^ `,`)? (`staged` `=` $staged^ `,`)?
        `factors` `=` `[` $factors `]` `>`
  }];
  let extraClassDeclaration = [{
    /// The plan as a plain value, with what follows from it.
    ::ks::GPUChainPlan getPlan() const;
  }];
  let genVerifyDecl = 1;
}

#endif // KS_DIALECT_KS_IR_KSGPUATTRS_TD
