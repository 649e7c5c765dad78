// Chains as one kernel: the plan is written by hand, the kernel is read.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize --cse | FileCheck %s

// A cluster of two blocks takes 16 entries through both factors. Each copies two of
// the four groups, computes them, and hands results over to the block that has the
// column j of the second factor. Zeros follow six k of sixteen. Whole rows are stored.

//   CHECK-DAG: #[[GRID:.*]] = affine_map<()[s0] -> ((s0 ceildiv 16) * 2)>
// CHECK-LABEL: func.func @monarch(
//       CHECK:   %[[BLOCKS:.*]] = affine.apply #[[GRID]]()
//       CHECK:   gpu.launch_func @ks_kernels::@monarch_0 blocks in (%[[BLOCKS]], %c1, %c1) threads in (%c128, %c1, %c1) dynamic_shared_memory_size %c2816_i32
//       CHECK:   gpu.func @monarch_0(%[[X:.*]]: memref<?x24xf16, {{.*}}>, %[[W0:.*]]: memref<1024xf16>, %[[W1:.*]]: memref<512xf16>, %[[Y:.*]]: memref<?x16xf16, {{.*}}>, %[[BIAS:.*]]: memref<16xf16>)
//  CHECK-SAME:     known_block_size = array<i32: 128, 1, 1>, known_cluster_size = array<i32: 2, 1, 1>
//       CHECK:     %[[WARP:.*]] = arith.divui %{{.*}}, %c32
//       CHECK:     %[[BLOCK:.*]] = gpu.block_id x
//       CHECK:     %[[RANK:.*]] = arith.remui %[[BLOCK]], %c2
//       CHECK:     %[[TILE:.*]] = arith.divui %[[BLOCK]], %c2
//       CHECK:     %[[M:.*]] = arith.muli %[[TILE]], %c16
//   CHECK-DAG:     %[[B0:.*]] = memref.view %{{.*}}[%c0][] : {{.*}} to memref<2x16x24xf16, #gpu.address_space<workgroup>>
//   CHECK-DAG:     %[[B1:.*]] = memref.view %{{.*}}[%c1792][] : {{.*}} to memref<1x16x24xf16, #gpu.address_space<workgroup>>
//   CHECK-DAG:     %[[B2:.*]] = memref.view %{{.*}}[%c0][] : {{.*}} to memref<1x16x16xf16, #gpu.address_space<workgroup>>
//       CHECK:     scf.for %[[GROUP:.*]] = %c0 to %c2 step %c1 {
//       CHECK:       %[[FIRST:.*]] = arith.muli %[[RANK]], %c2
//       CHECK:       %[[I:.*]] = arith.addi %[[GROUP]], %[[FIRST]]
//       CHECK:       ks.copy_activations <4, 8, 6, 1> %[[X]][%[[M]], %[[I]], %c0, %c0] to %[[B0]][%[[GROUP]]] depth 16 slab 1 rows 16 width 16 threads 128
// The first weights come while activations do.
//       CHECK:     %[[P0:.*]] = memref.reinterpret_cast %[[W0]] {{.*}} to memref<4x1x1x1x32x8xf16>
//       CHECK:     ks.load_weights %[[P0]]
//       CHECK:     nvvm.cp.async.wait.group 0
//  CHECK-NEXT:     nvvm.cluster.arrive
//  CHECK-NEXT:     nvvm.cluster.wait
//       CHECK:     scf.for %[[TASK:.*]] = %[[WARP]] to %c2 step %c4 {
//       CHECK:       ks.load_activations <mma16, run_k = 2, run_n = 2> %[[B0]][%[[TASK]], %c0, %c0] slab 1
//       CHECK:       ks.warp_mma
//       CHECK:       %[[H:.*]] = arith.truncf
//       CHECK:       ks.store_intermediate <4, 8, 6, 1> <mma16, run_k = 2, run_n = 2> %[[H]], %[[B1]][%c0, %{{.*}}, %c0, %c0]
//  CHECK-SAME:         as <a = 1, c = 16, d = 2, blocks = 2, along_j = true, depth = 16, slab = 1, rows = 16, pitch = 24>
//       CHECK:     nvvm.cluster.wait
//       CHECK:     scf.for {{.*}} = %[[WARP]] to %c2 step %c4 {
// One of two columns j; eight of sixteen entries a warp.
//       CHECK:       ks.load_activations <mma16, run_k = 1, run_n = 1> %[[B1]][%{{.*}}, %{{.*}}, %c0] slab 1
//       CHECK:       ks.load_fragment <1, 8, 16, 2> {{.*}} %[[BIAS]]
//       CHECK:       arith.addf
//       CHECK:       ks.store_intermediate <1, 8, 16, 2> {{.*}}, %[[B2]][{{.*}}] as <a = 2, c = 8, d = 1, blocks = 2, depth = 8, slab = 1, rows = 16, pitch = 16>
//       CHECK:     nvvm.cluster.wait
//       CHECK:     %[[FEATURE:.*]] = arith.muli %[[RANK]], %c8
//       CHECK:     ks.copy_rows %[[B2]] to %[[Y]][%[[M]], %[[FEATURE]]] width 8 threads 128
func.func @monarch(%x: memref<?x24xf16, strided<[?, 1], offset: ?>>, %k0: memref<1024xf16>, %k1: memref<512xf16>,
                   %bias: memref<16xf16>, %y: memref<?x16xf16, strided<[?, 1], offset: ?>>) {
  ks.chain [<4, 8, 6, 1>, <1, 8, 16, 2>]
    ins(%x, %k0, %k1 : memref<?x24xf16, strided<[?, 1], offset: ?>>, memref<1024xf16>, memref<512xf16>)
    outs(%y : memref<?x16xf16, strided<[?, 1], offset: ?>>)
    epilogue(%bias : memref<16xf16>) {
    ^bb0(%acc: f32, %b: f16):
      %e = arith.extf %b : f16 to f32
      %r = arith.addf %acc, %e : f32
      ks.yield %r : f32
    }
    plan #ks.gpu_chain_plan<entries = 16, cluster = 2, warps = 4, staged = true, factors = [
      <entries = 16, vector = 1, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 16, j = 1>>,
      <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]>
  return
}

// One block, batch-last: groups of a buffer are (i, j), its rows k. Zeros behind three
// k are written where no copy does. Four steps of sixteen are multiplied while the
// weights of the next four are under way; warps store what they have.

// CHECK-LABEL: gpu.func @last_0(
//   CHECK-NOT:   known_cluster_size
//       CHECK:   scf.for %[[GROUP:.*]] = %c0 to %c2 step %c1 {
//       CHECK:     ks.copy_activations <1, 6, 64, 2> %{{.*}}[%{{.*}}, %{{.*}}, %c0, %{{.*}}] to %{{.*}}[%[[GROUP]]] depth 64 slab 1 rows 64 width 8 threads 64 layout batch_last
// CHECK-COUNT-4:   ks.load_weights
//       CHECK:   gpu.barrier
//       CHECK:   scf.for %{{.*}} = %{{.*}} to %c{{[0-9]+}} step %c64 {
//       CHECK:     memref.store %cst{{.*}}, %{{.*}}[{{.*}}] : memref<4x4x8xf32, #gpu.address_space<workgroup>>
//       CHECK:   scf.for
//       CHECK:     scf.for %{{.*}} = %c0 to %c12 step %c4 iter_args({{.*}}) -> (vector<1x2x1x1xf32>, vector<1x2x4xf32>, vector<1x2x4xf32>, vector<1x2x4xf32>, vector<1x2x4xf32>) {
// CHECK-COUNT-4:     ks.load_weights
// CHECK-COUNT-4:     ks.warp_mma
//       CHECK:     ks.store_intermediate <1, 6, 64, 2> {{.*}} as <a = 4, c = 3, d = 1, blocks = 1, depth = 4, slab = 1, rows = 4, pitch = 8> layout batch_last
//       CHECK:   gpu.barrier
//       CHECK:   ks.store_fragment <4, 5, 3, 1> {{.*}} layout batch_last
//   CHECK-NOT:   ks.copy_rows
func.func @last(%x: memref<128x?xf32, strided<[?, 1], offset: ?>>, %k0: memref<1024xf32>, %k1: memref<128xf32>,
                %y: memref<20x?xf32, strided<[?, 1], offset: ?>>) {
  ks.chain [<1, 6, 64, 2>, <4, 5, 3, 1>] layout(batch_last)
    ins(%x, %k0, %k1 : memref<128x?xf32, strided<[?, 1], offset: ?>>, memref<1024xf32>, memref<128xf32>)
    outs(%y : memref<20x?xf32, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_chain_plan<entries = 8, warps = 2, factors = [
      <entries = 8, vector = 1, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 8, k = 64, j = 1>>,
      <entries = 8, vector = 1, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 8, k = 4, j = 1>>]>
  return
}

// A warp has two pieces of work: the weights of the second one are under way while the
// first one is finished.

// CHECK-LABEL: gpu.func @pieces_0(
//       CHECK:   %[[FIRST:.*]] = ks.load_weights
//       CHECK:   scf.for %[[TASK:.*]] = %{{.*}} to %c4 step %c2 iter_args(%[[WEIGHTS:.*]] = %[[FIRST]]) -> (vector<1x1x8xf16>) {
//       CHECK:     %[[NEXT:.*]] = arith.addi %[[TASK]], %c2
//       CHECK:     arith.minsi %[[NEXT]], %c3
//       CHECK:     %[[LATER:.*]] = ks.load_weights
//       CHECK:     ks.warp_mma {{.*}} %[[WEIGHTS]],
//       CHECK:     ks.store_intermediate
//       CHECK:     scf.yield %[[LATER]]
func.func @pieces(%x: memref<?x64xf16, strided<[?, 1], offset: ?>>, %k0: memref<1024xf16>, %k1: memref<1024xf16>,
                  %y: memref<?x64xf16, strided<[?, 1], offset: ?>>) {
  ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]
    ins(%x, %k0, %k1 : memref<?x64xf16, strided<[?, 1], offset: ?>>, memref<1024xf16>, memref<1024xf16>)
    outs(%y : memref<?x64xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_chain_plan<entries = 8, warps = 2, factors = [
      <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 16, j = 1>>,
      <entries = 8, vector = 4, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 4>>]>
  return
}
