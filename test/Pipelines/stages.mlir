// From the mathematics to machine code, in one sitting.
//
// This file takes one input through every rung of the ladder. It is a tutorial,
// and a test: each RUN line below stops the pipeline `ks-to-cpu` at a rung, and
// the CHECK lines of that rung, further down, are what came out. To see all of
// it, run a line yourself:
//
//   ks-opt test/Pipelines/stages.mlir --ks-to-cpu="to=plans target=x86-64-v3 threads=1"
//
// RUN: ks-opt %s --ks-to-cpu="to=math target=x86-64-v3 threads=1"    | FileCheck %s --check-prefix=MATH
// RUN: ks-opt %s --ks-to-cpu="to=kernels target=x86-64-v3 threads=1" | FileCheck %s --check-prefix=KERNELS
// RUN: ks-opt %s --ks-to-cpu="to=plans target=x86-64-v3 threads=1"   | FileCheck %s --check-prefix=PLANS
// RUN: ks-opt %s --ks-to-cpu="to=buffers target=x86-64-v3 threads=1" | FileCheck %s --check-prefix=BUFFERS
// RUN: ks-opt %s --ks-to-cpu="to=tiles target=x86-64-v3 threads=1"   | FileCheck %s --check-prefix=TILES
// RUN: ks-opt %s --ks-to-cpu="to=machine target=x86-64-v3 threads=1" | FileCheck %s --check-prefix=MACHINE

//===----------------------------------------------------------------------===//
// Rung 1: mathematics
//===----------------------------------------------------------------------===//
//
// A linear layer from 64 to 64 features with a bias. Its matrix is the product
// of two Kronecker-sparse factors. Pattern <a, b, c, d> stands for the support
// I_a (x) 1_{b x c} (x) I_d; factors are listed in the order they are applied:
//
//   <2, 32, 32, 1>   two dense 32x32 blocks on the diagonal
//   <1, 32, 32, 2>   a 32x32 block whose entries are 2x2 diagonal matrices
//
// Written out, with weights K[i,n,k,j], each factor is
//
//   Y[m, (i*b+n)*d+j] = sum over k of K[i,n,k,j] * X[m, (i*c+k)*d+j]
//
// and has a*b*c*d = 2048 weights, where a dense layer has 4096. (Larger layers
// save more: README.md has one of 384 to 1536.) The op is in destination style:
// `outs` says where the result goes, and is not read. The region is applied to
// the accumulator of the last factor before it is rounded and stored.

func.func @layer(%x: tensor<?x64xf32>, %k0: tensor<2x32x32x1xf32>, %k1: tensor<1x32x32x2xf32>,
                 %bias: tensor<64xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %x, %c0 : tensor<?x64xf32>
  %init = tensor.empty(%batch) : tensor<?x64xf32>
  %y = ks.chain [<2, 32, 32, 1>, <1, 32, 32, 2>]
         ins(%x, %k0, %k1 : tensor<?x64xf32>, tensor<2x32x32x1xf32>, tensor<1x32x32x2xf32>)
         outs(%init : tensor<?x64xf32>)
         epilogue(%bias : tensor<64xf32>) {
         ^bb0(%acc: f32, %b: f32):
           %r = arith.addf %acc, %b : f32
           ks.yield %r : f32
         } -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// At rung `math` nothing has happened yet. What the ops mean, exactly, is what
// convert-ks-to-linalg makes of them (loops.mlir); every path is tested against
// that.

//    MATH-LABEL: func.func @layer(
//          MATH:   tensor.empty
//          MATH:   ks.chain [<2, 32, 32, 1>, <1, 32, 32, 2>]
//      MATH-NOT:   plan
//          MATH:   return %{{.*}} : tensor<?x64xf32>

//===----------------------------------------------------------------------===//
// Rung 2: kernels
//===----------------------------------------------------------------------===//
//
// From here on an op is a kernel. On a CPU a chain is one: what lies between its
// factors stays in cache. ks-fuse-factors would also multiply factors with each
// other where that is faster, but not without permission, as it changes roundings:
// had the op `fastmath<reassoc>`, and were the weights marked `ks.frozen`, so that
// they can be multiplied once and for all, there might be a ks.merge_weights here
// (fuse-factors.mlir).

//    KERNELS-LABEL: func.func @layer(
//      KERNELS-NOT:   ks.merge_weights
//          KERNELS:   ks.chain [<2, 32, 32, 1>, <1, 32, 32, 2>]
//      KERNELS-NOT:   plan

//===----------------------------------------------------------------------===//
// Rung 3: plans
//===----------------------------------------------------------------------===//
//
// Three passes have run.
//
// ks-results-to-arguments: callers provide the memory of results, so nothing is
// allocated per call. The new argument says where its sizes come from: its batch
// is dimension 0 of argument 0, its 64 features are static (-1, 64).
//
// ks-select-plan: the only pass that chooses. All it chose is in the `plan`:
//
//   * batch_block, parallel: threads take blocks of 132 rows of the batch, each
//     through both factors, so that what lies between them stays in cache;
//   * rows, vectors, lanes: a register tile is 6 rows of the batch by 2 vectors
//     of 8 floats. Its 12 accumulators, a row of weights and an x take 15 of the 16
//     registers of an x86-64-v3;
//   * n, j: what the 8 lanes are. The first factor has d = 1, so lanes are 8
//     rows n, and an x is broadcast. The second has d = 2: lanes are 4 rows n by
//     2 columns j, and a pair of x is replicated 4 times. Nothing is ever
//     permuted in memory.
//
// Ask for `--remarks-filter-analyse=".*" --remark-format=emitRemark` to hear why
// (select-plan.mlir). A plan in the input would have been kept; try one.
//
// ks-pack-weights: weights are needed in the order in which tiles read them, once
// and not per call. They are arguments, so @layer was split: @layer_pack packs
// (once), @layer_packed runs (often), and @layer still does both. The attributes
// say which arguments go where. Constant weights would have been packed here and
// now.

//   PLANS-LABEL: func.func @layer(
//    PLANS-SAME:   %[[X:[^ ]*]]: tensor<?x64xf32>, %[[K0:[^ ]*]]: tensor<2x32x32x1xf32>, %[[K1:[^ ]*]]: tensor<1x32x32x2xf32>, %[[BIAS:[^ ]*]]: tensor<64xf32>,
//    PLANS-SAME:   %[[Y:[^ ]*]]: tensor<?x64xf32> {ks.result_dims = array<i64: 0, 0, -1, 64>})
//    PLANS-SAME:   attributes {ks.pack = @layer_pack, ks.pack_args = array<i64: 1, 2>, ks.packed = @layer_packed, ks.packed_args = array<i64: 0, 3, 4>}
//         PLANS:   %[[P:.*]]:2 = call @layer_pack(%[[K0]], %[[K1]], %{{.*}}, %{{.*}})
//         PLANS:   call @layer_packed(%[[X]], %[[BIAS]], %[[Y]], %[[P]]#0, %[[P]]#1)
//
//   PLANS-LABEL: func.func @layer_packed(
//         PLANS:   ks.chain [<2, 32, 32, 1>, <1, 32, 32, 2>] ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<2048xf32>, tensor<2048xf32>)
//         PLANS:   plan #ks.cpu_plan<batch_block = 132, parallel = batch, tiles = [
//    PLANS-SAME:     <rows = 6, vectors = 2, lanes = 8, unroll = 2, stationary = activations, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>,
//    PLANS-SAME:     <rows = 6, vectors = 2, lanes = 8, unroll = 2, stationary = activations, packing = <vectors = 2, lanes = 8, n = 4, j = 2>>]>
//
//   PLANS-LABEL: func.func @layer_pack(
//         PLANS:   ks.pack_weights <2, 32, 32, 1> into #ks.cpu_packing<vectors = 2, lanes = 8, n = 8, j = 1>
//         PLANS:   ks.pack_weights <1, 32, 32, 2> into #ks.cpu_packing<vectors = 2, lanes = 8, n = 4, j = 2>

//===----------------------------------------------------------------------===//
// Rung 3, on memrefs: buffers
//===----------------------------------------------------------------------===//
//
// ks-bufferize is upstream's One-Shot Bufferize with one choice of our own: rows
// of activations may have any pitch, so callers can pass a slice of a larger
// array. Because the ops are in destination style, all results are already
// memory of an argument: there is no copy, and no allocation in @layer_packed.

// BUFFERS-LABEL: func.func @layer_packed(
//  BUFFERS-SAME:   %[[X:[^ ]*]]: memref<?x64xf32, strided<[?, 1], offset: ?>>, %[[BIAS:[^ ]*]]: memref<64xf32>,
//  BUFFERS-SAME:   %[[Y:[^ ]*]]: memref<?x64xf32, strided<[?, 1], offset: ?>>, %[[P0:[^ ]*]]: memref<2048xf32>, %[[P1:[^ ]*]]: memref<2048xf32>) {
//  BUFFERS-NEXT:   ks.chain [<2, 32, 32, 1>, <1, 32, 32, 2>] ins(%[[X]], %[[P0]], %[[P1]] : {{.*}}) outs(%[[Y]] : {{.*}}) epilogue(%[[BIAS]] : memref<64xf32>)
//       BUFFERS:   plan #ks.cpu_plan<
//  BUFFERS-NEXT:   return

//===----------------------------------------------------------------------===//
// Rung 4: tiles
//===----------------------------------------------------------------------===//
//
// convert-ks-to-vector realizes the plan and decides nothing. Read the loops from
// outside in; each is a parameter of the plan.
//
// The batch in blocks of 132, in parallel. A block has scratch memory for what
// lies between the factors. Its rows have a pitch of 80 floats, five cache lines:
// with a power of two, rows would compete for the same few sets of the cache.

//   TILES-LABEL: func.func @layer_packed(
//    TILES-SAME:   %[[X:[^ ]*]]: memref<?x64xf32, {{[^%]*}}>, %[[BIAS:[^ ]*]]: memref<64xf32>, %[[Y:[^ ]*]]: memref<?x64xf32, {{[^%]*}}>, %[[P0:[^ ]*]]: memref<2048xf32>, %[[P1:[^ ]*]]: memref<2048xf32>)
//         TILES:   scf.parallel (%[[BEGIN:[^ ]*]]) = (%c0) to (%{{.*}}) step (%c132)
//         TILES:     %[[H:.*]] = memref.alloc(%{{.*}}) {alignment = 64 : i64} : memref<?x80xf32>

// The first factor: tiles of 6 rows of the batch, groups i < 2, panels of 16
// rows n; `stationary = activations` put the rows outside, as all weights fit in
// L1. Then the register tile: 12 accumulators run along k, two steps of it per
// iteration. An x is broadcast and meets two vectors of weights, which lie side
// by side in the packed weight. `contract` lets LLVM fuse multiply and add.

//         TILES:     scf.for %[[M:[^ ]*]] = %c0 to %{{.*}} step %c6 {
//         TILES:       scf.for %[[I:[^ ]*]] = %c0 to %c2 step %c1 {
//         TILES:         scf.for %{{.*}} = %c0 to %c2 step %c1 {
//         TILES:           %[[ACC:.*]]:12 = scf.for %[[K:[^ ]*]] = %c0 to %c32 step %c2
//         TILES:             %[[W0:.*]] = vector.load %[[P0]][%{{.*}}] : memref<2048xf32>, vector<8xf32>
//         TILES:             %[[W1:.*]] = vector.load %[[P0]][%{{.*}}] : memref<2048xf32>, vector<8xf32>
//         TILES:             %[[S:.*]] = memref.load %[[X]]
//         TILES:             %[[B:.*]] = vector.broadcast %[[S]] : f32 to vector<8xf32>
//         TILES:             arith.mulf %[[B]], %[[W0]] fastmath<contract> : vector<8xf32>
//         TILES:             arith.addf {{.*}} fastmath<contract> : vector<8xf32>
//         TILES:             arith.mulf %[[B]], %[[W1]] fastmath<contract> : vector<8xf32>
//         TILES:           vector.store %[[ACC]]#0, %[[H]]
//         TILES:           vector.store %[[ACC]]#11, %[[H]]

// What is left of the block when it is cut into tiles of 6 goes row by row.

//         TILES:     scf.for %{{.*}} = %{{.*}} to %{{.*}} step %c1 {
//         TILES:           %{{.*}}:2 = scf.for %{{.*}} = %c0 to %c32 step %c2

// The second factor reads the scratch: two neighbours j, replicated for four n.
// Its sums pass through the epilogue, on whole vectors, and go to the result.

//         TILES:     scf.for %{{.*}} = %c0 to %{{.*}} step %c6 {
//         TILES:       scf.for %{{.*}} = %c0 to %c4 step %c1 {
//         TILES:         %[[ACC2:.*]]:12 = scf.for
//         TILES:           vector.load %[[P1]]
//         TILES:           %[[PAIR:.*]] = vector.load %[[H]][%{{.*}}] : memref<?x80xf32>, vector<2xf32>
//         TILES:           vector.shuffle %[[PAIR]], %[[PAIR]] [0, 1, 0, 1, 0, 1, 0, 1]
//         TILES:         %[[VB:.*]] = vector.load %[[BIAS]][%{{.*}}] : memref<64xf32>, vector<8xf32>
//         TILES:         %[[R:.*]] = arith.addf %[[ACC2]]#0, %[[VB]] : vector<8xf32>
//         TILES:         vector.store %[[R]], %[[Y]]
//         TILES:     memref.dealloc %[[H]]

// Packing became loops as well; they run once.

//   TILES-LABEL: func.func @layer_pack(
//         TILES:   memref.load
//         TILES:   memref.store

//===----------------------------------------------------------------------===//
// Rung 5: machine
//===----------------------------------------------------------------------===//
//
// The rest is upstream's, but for two passes. convert-parallel-to-runtime
// outlined the parallel loop and calls the runtime's thread pool, which runs it;
// convert-ks-to-llvm lowers ks.real_view, of which only complex programs have
// any. Scratch memory comes from the runtime, too (ks/Runtime/Scratch.h).

//   MACHINE-DAG: llvm.func @ksParallelFor(i64, !llvm.ptr, !llvm.ptr)
//   MACHINE-DAG: llvm.func @_mlir_memref_to_llvm_alloc(i64) -> !llvm.ptr
// MACHINE-LABEL: llvm.func @layer_packed_parallel(
//       MACHINE:   llvm.call @_mlir_memref_to_llvm_alloc
//       MACHINE:   %[[P:.*]] = llvm.fmul {{.*}} {fastmathFlags = #llvm.fastmath<contract>} : vector<8xf32>
//       MACHINE:   llvm.fadd %[[P]], {{.*}} {fastmathFlags = #llvm.fastmath<contract>} : vector<8xf32>
//       MACHINE:   llvm.call @_mlir_memref_to_llvm_free
// MACHINE-LABEL: llvm.func @layer_packed(
//       MACHINE:   llvm.mlir.addressof @layer_packed_parallel
//       MACHINE:   llvm.call @ksParallelFor
//       MACHINE: llvm.func @_mlir_ciface_layer_packed(

// assembly.mlir goes on from here: each of these pairs is one vfmadd.
