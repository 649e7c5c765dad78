// Blocks of a cluster that share k.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize | FileCheck %s

// Two blocks for each of two slabs and tile of the batch.

//       CHECK: #[[BLOCKS:.*]] = affine_map<()[s0] -> (s0 * 4)>
// CHECK-LABEL: func.func @registers(
//       CHECK:   affine.apply #[[BLOCKS]]
//       CHECK:   gpu.launch_func @ks_kernels::@registers_0
func.func @registers(%x: memref<?x1024xf16, strided<[?, 1], offset: ?>>, %p: memref<32768xf16>,
                     %y: memref<?x512xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <1, 32, 64, 16> ins(%x, %p : memref<?x1024xf16, strided<[?, 1], offset: ?>>, memref<32768xf16>)
    outs(%y : memref<?x512xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 2], stages = 3, splits = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 1, run_n = 1>, n = 16, k = 16, j = 16>>
  return
}

func.func @copies(%x: memref<?x64xf16, strided<[?, 1], offset: ?>>, %p: memref<4096xf16>,
                  %y: memref<?x64xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <1, 64, 64, 1> ins(%x, %p : memref<?x64xf16, strided<[?, 1], offset: ?>>, memref<4096xf16>)
    outs(%y : memref<?x64xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 8, batch_blocks = 40, vector = 1, warps = [1, 1, 1], stages = 2, splits = 4, copies = cp_async, weights = resident, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 64, k = 16, j = 1>>
  return
}

// Each walks along two of the four chunks. Sums are there when all have come
// together, and are there until all have read them; the result is half of the
// tiles of n.

// CHECK-LABEL: gpu.func @registers_0(
//  CHECK-SAME:   known_cluster_size = array<i32: 2, 1, 1>
//       CHECK:   %[[RANK:.*]] = arith.remui %block_id_x, %c2
//       CHECK:   scf.if
//       CHECK:       scf.for %{{.*}} = %c0 to %c2
//       CHECK:       %[[SUMS:.*]] = ks.warpgroup_wait
//       CHECK:       %[[PARTS:.*]] = memref.view {{.*}} to memref<8x32x32x2xf32, #gpu.address_space<workgroup>>
//       CHECK:       ks.store_partials %[[SUMS]], %[[PARTS]][%{{.*}}] : vector<8x2x2x2xf32>
//       CHECK:       nvvm.cluster.arrive
//       CHECK:       nvvm.cluster.wait
//       CHECK:       ks.add_partials %[[PARTS]][%{{.*}}] share %[[RANK]] of 2 : {{.*}} to vector<8x1x2x2xf32>
//       CHECK:       nvvm.cluster.arrive
//       CHECK:       ks.store_lines {{.*}} : vector<8x1x2x2xf16>
//       CHECK:       nvvm.cluster.wait

// The warp that copies is a part of the cluster.

//       CHECK:   } else {
//       CHECK:       scf.for %{{.*}} = %c0 to %c2
//       CHECK:         ks.bulk_copy_activations
// CHECK-COUNT-2:     nvvm.cluster.wait
//   CHECK-NOT:   nvvm.cluster

// Of weights that stay, a block has those of its own chunk.

// CHECK-LABEL: gpu.func @copies_0(
//  CHECK-SAME:   known_cluster_size = array<i32: 4, 1, 1>
//       CHECK:   memref.view {{.*}} to memref<1x1x1x4x32x8xf16, #gpu.address_space<workgroup>>
//       CHECK:   ks.copy_weights
//       CHECK:     %[[SHARE:.*]] = ks.add_partials {{.*}} of 4 : {{.*}} to vector<1x1x1x4xf32>
//       CHECK:     ks.store_fragment
