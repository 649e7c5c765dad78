// Kernels whose warps multiply four at a time.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize | FileCheck %s

// Batch-last, entries are contiguous in memory and all else is rows apart.

// CHECK-LABEL: func.func @last(
//       CHECK:   %[[MAP:.*]] = ks.tensor_map %{{.*}} sizes [-1, 4, 96, 2] strides [-1, -4, -384] box [64, 1, 48, 1] swizzle 128
//       CHECK:   gpu.launch_func @ks_kernels::@last_0 blocks in ({{.*}}) threads in (%c384,
func.func @last(%x: memref<768x?xf16, strided<[?, 1], offset: ?>>, %p: memref<49152xf16>,
                %y: memref<512x?xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 64, 96, 4> layout(batch_last) ins(%x, %p : memref<768x?xf16, strided<[?, 1], offset: ?>>, memref<49152xf16>)
    outs(%y : memref<512x?xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 256, batch_blocks = 40, vector = 8, warps = [2, 4, 1], stages = 3, copies = bulk, weights = streamed, packing = <fragments = <wgmma16, run_k = 1, run_n = 1>, n = 64, k = 48, j = 1>>
  return
}

// Folded, d columns are one: k·d + j are contiguous. Five warps need no registers
// of each other.

// CHECK-LABEL: func.func @folded(
//       CHECK:   ks.tensor_map %{{.*}} sizes [120, 2, -1] strides [120, -1] box [64, 1, 64] swizzle 128
//       CHECK:   gpu.launch_func @ks_kernels::@folded_0 blocks in ({{.*}}) threads in (%c160,
func.func @folded(%x: memref<?x240xbf16, strided<[?, 1], offset: ?>>, %p: memref<32768xbf16>,
                  %y: memref<?x144xbf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 24, 40, 3> ins(%x, %p : memref<?x240xbf16, strided<[?, 1], offset: ?>>, memref<32768xbf16>)
    outs(%y : memref<?x144xbf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 1, warps = [1, 4, 1], stages = 2, copies = bulk, weights = resident, packing = <fragments = <wgmma16, run_k = 1, run_n = 2>, n = 128, k = 64, j = 1, folded = true>>
  return
}

// Activations through registers: two blocks along n are a cluster, each of which
// copies 32 of the 64 entries to both.

// CHECK-LABEL: func.func @registers(
//       CHECK:   ks.tensor_map %{{.*}} sizes [640, 2, -1] strides [640, -1] box [64, 1, 32] swizzle 128
//       CHECK:   gpu.launch_func @ks_kernels::@registers_0 blocks in ({{.*}}) threads in (%c384,
func.func @registers(%x: memref<?x1280xf16, strided<[?, 1], offset: ?>>, %p: memref<49152xf16>,
                     %y: memref<?x1024xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 32, 40, 16> ins(%x, %p : memref<?x1280xf16, strided<[?, 1], offset: ?>>, memref<49152xf16>)
    outs(%y : memref<?x1024xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 2], stages = 3, cluster = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 1, run_n = 1>, n = 16, k = 16, j = 16>>
  return
}

// Those that multiply take registers, wait for a stage, and release the one before:
// their products overlap.

// CHECK-LABEL: gpu.func @last_0(
//       CHECK:   %[[XS:.*]] = memref.view {{.*}} to memref<3x4x48x64xf16, #gpu.address_space<workgroup>>
//       CHECK:   %[[WS:.*]] = memref.view {{.*}} to memref<3x3x1x4x32x8xf16, #gpu.address_space<workgroup>>
//       CHECK:   scf.if
//       CHECK:     nvvm.setmaxregister increase 232
//       CHECK:     scf.for
//       CHECK:       %[[SUM:.*]]:3 = scf.for %{{.*}} = %c0 to %c2 {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}, %[[STAGE:.*]] = %{{.*}}, %[[PHASE:.*]] = %{{.*}})
//       CHECK:         nvgpu.mbarrier.try_wait.parity %{{.*}}[%[[STAGE]]], %[[PHASE]]
//       CHECK:         ks.warpgroup_mma %[[WS]][%[[STAGE]]], %[[XS]][%[[STAGE]], %{{.*}}], %[[ACC]] layout batch_last
//       CHECK:         nvvm.bar.warp.sync
//       CHECK:         nvgpu.mbarrier.arrive
//       CHECK:       ks.warpgroup_wait %[[SUM]]#0
//       CHECK:       nvgpu.mbarrier.arrive
//       CHECK:       %[[ROUNDED:.*]] = arith.truncf
//       CHECK:       %[[PIECES:.*]] = ks.exchange_entries %[[ROUNDED]] : vector<1x1x16x4xf16> to vector<8x1x2x4xf16>
//       CHECK:       ks.store_fragment <2, 64, 96, 4> {{.*}} %[[PIECES]]

// One warp of those that gave registers copies.

//       CHECK:   } else {
//       CHECK:     nvvm.setmaxregister decrease 40
//       CHECK:     scf.for
//       CHECK:       nvgpu.mbarrier.try_wait.parity
//       CHECK:       ks.bulk_copy_activations <2, 64, 96, 4> {{.*}} swizzle 128 layout batch_last
//       CHECK:       ks.bulk_copy_weights
//       CHECK:       nvgpu.mbarrier.arrive.expect_tx

// CHECK-LABEL: gpu.func @folded_0(
//   CHECK-NOT:   setmaxregister
//       CHECK:   ks.warpgroup_mma {{.*}} : memref<2x4x1x8x32x8xbf16, #gpu.address_space<workgroup>>, memref<2x1x64x64xbf16, #gpu.address_space<workgroup>> to vector<1x2x8x4xf32>
//       CHECK:   ks.store_fragment <2, 72, 120, 1>

// All blocks of the cluster have barriers before one copies to them, and none ends
// while another may. A stage is free when all warps of both have read it.

// CHECK-LABEL: gpu.func @registers_0(
//  CHECK-SAME:   known_cluster_size = array<i32: 2, 1, 1>
//       CHECK:   nvgpu.mbarrier.init %{{.*}}, %c16
//       CHECK:   nvvm.cluster.arrive
//       CHECK:   nvvm.cluster.wait
//       CHECK:   scf.if
//       CHECK:       scf.for
//       CHECK:         %[[A:.*]] = ks.load_atoms {{.*}} slab 16 swizzle 128
//       CHECK:         ks.warpgroup_mma_registers %{{.*}}, %[[A]],
//       CHECK:         ks.arrive_in_cluster
//       CHECK:       ks.warpgroup_wait
//       CHECK:       ks.store_lines <2, 32, 40, 16> {{.*}} of 2 : vector<8x2x2x2xf16>
//       CHECK:   } else {
//       CHECK:       ks.bulk_copy_activations {{.*}} cluster 2
//       CHECK:   nvvm.cluster.arrive
//       CHECK:   nvvm.cluster.wait
