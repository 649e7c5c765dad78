// A chain as one kernel through planes: eight warps multiply, another one has the copy
// engine fill the ring. ks/Analysis/GPUChainPlanes.h tells what lies where.

// RUN: ks-opt %s --convert-ks-to-gpu | FileCheck %s
// RUN: ks-opt %s --convert-ks-to-gpu --convert-ks-tiles-to-nvgpu -o /dev/null

#plan = #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 66,
  factors = [
    <entries = 64, vector = 1, groups = 4,
     packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>,
    <entries = 64, vector = 8,
     packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 8>>]>

// CHECK-LABEL: func.func @monarch(
//       CHECK:   ks.tensor_map
//       CHECK:   gpu.launch_func @{{.*}}::@monarch_0
//       CHECK: gpu.func @monarch_0(
//       CHECK:   nvvm.setmaxregister increase 232
// Of the first factor four groups at a time, of which a set is eight: four warps each.
// CHECK-COUNT-8:   ks.warpgroup_mma_planes fresh {{.*}} of 64,
//       CHECK:   ks.store_planes {{.*}} columns 16 : vector<1x2x2x2xf16>, {{.*}} to memref<1x1x1056x32xf16,
//       CHECK:   nvvm.fence.proxy
//       CHECK:   nvvm.barrier
// Of the last one two columns at a time, rounded as they come.
//       CHECK:   ks.warpgroup_mma_planes fresh {{.*}} of 66, {{.*}} to vector<2x2x2x2xf32>
//       CHECK:   ks.warpgroup_wait
//       CHECK:   ks.interleave_columns {{.*}} : vector<2x2x2x2xf32> to vector<1x2x2x4xf16>
//       CHECK:   vector.insert_strided_slice {{.*}} into vector<8x2x2x4xf16>
//       CHECK:   ks.interleave_columns {{.*}} : vector<8x2x2x4xf16> to vector<16x2x2x2xf16>
//       CHECK:   ks.store_lines <1, 32, 32, 32>
//       CHECK:   nvvm.setmaxregister decrease 40
//       CHECK:   ks.bulk_copy_activations
// CHECK-COUNT-5:   ks.bulk_copy_weights
func.func @monarch(%x: memref<?x1024xf16, strided<[?, 1], offset: ?>>, %k0: memref<32768xf16>, %k1: memref<32768xf16>,
                   %y: memref<?x1024xf16, strided<[?, 1], offset: ?>>) {
  ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]
    ins(%x, %k0, %k1 : memref<?x1024xf16, strided<[?, 1], offset: ?>>, memref<32768xf16>, memref<32768xf16>)
    outs(%y : memref<?x1024xf16, strided<[?, 1], offset: ?>>) plan #plan
  return
}
