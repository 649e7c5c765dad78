// Plans as kernels: the plan is written by hand, the kernel is read.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize | FileCheck %s

// One chunk of k: copied, waited for, multiplied step by step. Two warps share
// 16 entries of the batch; at most 40 blocks share the batch of a group.

//   CHECK-DAG: #[[TILES:.*]] = affine_map<()[s0] -> (s0 ceildiv 16, 40)>
//   CHECK-DAG: #[[GRID:.*]] = affine_map<()[s0] -> (s0 * 2)>
// CHECK-LABEL: func.func @one_chunk(
//  CHECK-SAME:   %[[X:.*]]: memref<?x32xf16, {{.*}}>, %[[P:.*]]: memref<1024xf16>, %[[Y:.*]]: memref<?x16xf16, {{.*}}>)
//       CHECK:   %[[BATCH:.*]] = memref.dim %[[Y]]
//       CHECK:   %[[MIN:.*]] = affine.min #[[TILES]]()[%[[BATCH]]]
//       CHECK:   %[[BLOCKS:.*]] = affine.apply #[[GRID]]()[%[[MIN]]]
//       CHECK:   gpu.launch_func @ks_kernels::@one_chunk_0 blocks in (%[[BLOCKS]], %c1, %c1) threads in (%c64, %c1, %c1)
//  CHECK-SAME:     args(%[[X]] : {{.*}}, %[[P]] : {{.*}}, %[[Y]] :
func.func @one_chunk(%x: memref<?x32xf16, strided<[?, 1], offset: ?>>, %p: memref<1024xf16>,
                     %y: memref<?x16xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 8, 16, 1> ins(%x, %p : memref<?x32xf16, strided<[?, 1], offset: ?>>, memref<1024xf16>)
    outs(%y : memref<?x16xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 1, warps = [2, 1, 1], stages = 1, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
  return
}

// Four chunks, and a ring of three stages: two are under way ahead of the loop.
// The epilogue is inlined once, on the accumulator.

// CHECK-LABEL: func.func @ring(
func.func @ring(%x: memref<64x256xf32, strided<[?, 1], offset: ?>>, %p: memref<2048xf32>,
                %bias: memref<32xf32>, %y: memref<64x32xf32, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 16, 128, 1> precision(tf32)
    ins(%x, %p : memref<64x256xf32, strided<[?, 1], offset: ?>>, memref<2048xf32>)
    outs(%y : memref<64x32xf32, strided<[?, 1], offset: ?>>) epilogue(%bias : memref<32xf32>) {
    ^bb0(%acc: f32, %b: f32):
      %s = arith.addf %acc, %b : f32
      ks.yield %s : f32
    }
    plan #ks.gpu_plan<entries = 32, batch_blocks = 1024, vector = 1, warps = [4, 1, 1], stages = 3, copies = cp_async, weights = streamed, packing = <fragments = <mma8, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1, tied = a>>
  return
}

// CHECK-LABEL: gpu.func @one_chunk_0(
//  CHECK-SAME:   %[[X:.*]]: memref<?x32xf16, {{.*}}>, %[[P:.*]]: memref<1024xf16>, %[[Y:.*]]: memref<?x16xf16, {{.*}}>) kernel attributes {known_block_size = array<i32: 64, 1, 1>}
//   CHECK-DAG:   %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<1x1x1x4xf32>
//       CHECK:   %[[BATCH:.*]] = memref.dim %[[Y]]
//       CHECK:   %[[FIRST:.*]] = arith.muli %{{.*}}, %c16
//       CHECK:   %[[STRIDE:.*]] = arith.muli %{{.*}}, %c16
//       CHECK:   %[[XS:.*]] = memref.view {{.*}} to memref<1x16x48xf16, #gpu.address_space<workgroup>>
//       CHECK:   %[[WS:.*]] = memref.view {{.*}} to memref<1x2x1x1x32x8xf16, #gpu.address_space<workgroup>>
//       CHECK:   scf.for %[[M:.*]] = %[[FIRST]] to %[[BATCH]] step %[[STRIDE]]
//       CHECK:     gpu.barrier
//       CHECK:     ks.copy_activations <2, 8, 16, 1> %[[X]][%[[M]], %{{.*}}, %c0, %c0] to %[[XS]][%c0] depth 32 slab 1 rows 16 width 32 threads 64
//       CHECK:     ks.copy_weights %[[P]][%{{.*}}] to %[[WS]][%c0] threads 64
//  CHECK-NEXT:     nvvm.cp.async.commit.group
//  CHECK-NEXT:     nvvm.cp.async.wait.group 0
//  CHECK-NEXT:     gpu.barrier

// Each step is loaded before the one before is multiplied.

//       CHECK:     %[[W0:.*]] = ks.load_weights %[[WS]][%c0, %c0, %c0, %c0]
//       CHECK:     %[[A0:.*]] = ks.load_activations <mma16, run_k = 4, run_n = 2> %[[XS]][%c0, %{{.*}}, %c0] slab 1
//       CHECK:     %[[W1:.*]] = ks.load_weights %[[WS]][%c0, %c1, %c0, %c0]
//       CHECK:     %[[A1:.*]] = ks.load_activations <mma16, run_k = 4, run_n = 2> %[[XS]][%c0, %{{.*}}, %c16] slab 1
//       CHECK:     %[[SUM:.*]] = ks.warp_mma <mma16, run_k = 4, run_n = 2> %[[W0]], %[[A0]], %[[ZERO]]
//       CHECK:     %[[ALL:.*]] = ks.warp_mma <mma16, run_k = 4, run_n = 2> %[[W1]], %[[A1]], %[[SUM]]
//       CHECK:     %[[ROUNDED:.*]] = arith.truncf %[[ALL]] : vector<1x1x1x4xf32> to vector<1x1x1x4xf16>
//       CHECK:     ks.store_fragment <2, 8, 16, 1> <mma16, run_k = 4, run_n = 2> %[[ROUNDED]], %[[Y]]

// CHECK-LABEL: gpu.func @ring_0(
//       CHECK:   scf.for %[[STAGE:.*]] = %c0 to %c2 step %c1
//       CHECK:     ks.copy_activations {{.*}}[%[[STAGE]]]
//       CHECK:     nvvm.cp.async.commit.group
//       CHECK:   scf.for %{{.*}} iter_args(%[[FIRST:.*]] = %c0)
//       CHECK:     scf.for %[[CHUNK:.*]] = %c0 to %c4 step %c1 iter_args(%{{.*}}, %[[STAGE:.*]] = %[[FIRST]])
//       CHECK:       nvvm.cp.async.wait.group 1
//  CHECK-NEXT:       gpu.barrier
//       CHECK:       scf.if
//       CHECK:         ks.copy_activations
//       CHECK:         ks.copy_weights
//       CHECK:       nvvm.cp.async.commit.group
//       CHECK:       ks.load_weights {{.*}}[%[[STAGE]],
//       CHECK:       ks.warp_mma <mma8,
//       CHECK:       %[[INC:.*]] = arith.addi %[[STAGE]], %c1
//       CHECK:       arith.select %{{.*}}, %[[INC]], %c0
//       CHECK:   %[[B:.*]] = ks.load_fragment <2, 16, 128, 1> <mma8, run_k = 4, run_n = 2> %{{.*}} batch %c64 : memref<32xf32> to vector<1x1x1x4xf32>
//       CHECK:   arith.addf
//   CHECK-NOT:   arith.truncf
//       CHECK:   ks.store_fragment

// Packing: one thread per packed element, zero outside of the pattern.

// CHECK-LABEL: gpu.func @pack_0(
//       CHECK:   %[[THERE:.*]] = arith.cmpi slt, %{{.*}}, %c512
//       CHECK:   scf.if %[[THERE]] {
//       CHECK:     memref.load %{{.*}} : memref<1x5x7x2xbf16>
//       CHECK:     arith.select
//       CHECK:     memref.store %{{.*}} : memref<512xbf16>
func.func @pack(%k: memref<1x5x7x2xbf16>, %p: memref<512xbf16>) {
  ks.pack_weights <1, 5, 7, 2> into #ks.gpu_packing<fragments = <mma16, run_k = 4, run_n = 1>, n = 16, k = 16, j = 2>
    ins(%k : memref<1x5x7x2xbf16>) outs(%p : memref<512xbf16>)
  return
}
