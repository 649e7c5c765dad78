// Kernels that write or read features in an order: columns are planes.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize | FileCheck %s

// The one that writes sees eight groups as columns, all k of which are together: boxes
// of k, entries and columns. Rows of 32 k are swizzled by 64 bytes.

// CHECK-LABEL: func.func @pair(
//       CHECK:   ks.tensor_map %{{.*}} sizes [16, -1, 8, 1] strides [-1, 16, 128] box [32, 64, 8, 1] swizzle 64
//       CHECK:   gpu.launch_func @ks_kernels::@pair_0

// The one that reads has four columns a block, and in a cluster of two brings two.

//       CHECK:   ks.tensor_map %{{.*}} sizes [16, -1, 8, 1] strides [-1, 16, 128] box [16, 64, 2, 1] swizzle 32
//       CHECK:   gpu.launch_func @ks_kernels::@pair_1
func.func @pair(%x: memref<?x128xf16, strided<[?, 1], offset: ?>>, %p0: memref<4096xf16>, %h: memref<?x128xf16, strided<[?, 1], offset: ?>>,
                %p1: memref<4096xf16>, %y: memref<?x256xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <8, 16, 16, 1> writes <1, 8, 2, 8>
    ins(%x, %p0 : memref<?x128xf16, strided<[?, 1], offset: ?>>, memref<4096xf16>) outs(%h : memref<?x128xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 8, planes = 8, redundancy = 2>>
  ks.matmul <1, 32, 16, 8> reads <1, 8, 2, 8>
    ins(%h, %p1 : memref<?x128xf16, strided<[?, 1], offset: ?>>, memref<4096xf16>) outs(%y : memref<?x256xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 4, warps = [4, 1, 1], stages = 2, cluster = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 4, planes = 8, redundancy = 2>>
  return
}

// Both multiply what is in shared memory, and store by their kernel's pattern: that of
// the one that writes has groups as columns.

// CHECK-LABEL: gpu.func @pair_0(
//       CHECK:   %[[XS:.*]] = memref.view {{.*}} to memref<2x1x512x32xf16, #gpu.address_space<workgroup>>
//       CHECK:   %[[WS:.*]] = memref.view {{.*}} to memref<2x2x8x2x16x8xf16, #gpu.address_space<workgroup>>
//       CHECK:   %[[SUM:.*]] = ks.warpgroup_mma_planes %[[WS]][%[[STAGE:.*]], %c0, %{{.*}}], %[[XS]][%[[STAGE]], %{{.*}}, %c0] of 64,
//  CHECK-SAME:     to vector<8x2x2x2xf32>
//       CHECK:   ks.warpgroup_wait %[[SUM]]
//       CHECK:   ks.store_lines <1, 16, 16, 8>
//       CHECK:   ks.bulk_copy_activations <1, 16, 16, 8> {{.*}} depth 32 slab 8 flat {{.*}} swizzle 64 planes

// CHECK-LABEL: gpu.func @pair_1(
//       CHECK:   ks.warpgroup_mma_planes {{.*}} to vector<4x2x2x2xf32>
//       CHECK:   ks.store_fragment <1, 32, 16, 8>
//       CHECK:   ks.bulk_copy_activations <1, 32, 16, 8> {{.*}} depth 16 slab 4 flat {{.*}} swizzle 32 cluster 2 planes
