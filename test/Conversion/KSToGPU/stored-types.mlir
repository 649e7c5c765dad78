// Results of another type than the product: sums are converted in registers, and
// everything behind that is of the type of the result.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize --cse | FileCheck %s

// Sums are in f32 already. Lanes store vectors of f32, whose entries are where those of
// the product, of f16, are; so are those of a residual.

// CHECK-LABEL: gpu.func @last_0(
//       CHECK:   %[[SUM:.*]] = scf.for
//       CHECK:   %[[R:.*]] = ks.load_fragment <2, 16, 32, 3> {{.*}} layout batch_last multiplied as f16 : {{.*}} to vector<8x1x1x4xf32>
//       CHECK:   %[[Y:.*]] = arith.addf %{{.*}}, %{{.*}} : vector<32xf32>
//   CHECK-NOT:   arith.truncf
//       CHECK:   %[[F:.*]] = vector.shape_cast %[[Y]] : vector<32xf32> to vector<8x1x1x4xf32>
//       CHECK:   ks.store_fragment <2, 16, 32, 3> {{.*}} %[[F]], {{.*}} layout batch_last multiplied as f16 : vector<8x1x1x4xf32> to memref<96x?xf32,
func.func @last(%x: memref<192x?xf16, strided<[?, 1], offset: ?>>, %p: memref<3072xf16>,
                %r: memref<96x?xf32, strided<[?, 1], offset: ?>>, %y: memref<96x?xf32, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 16, 32, 3> layout(batch_last) ins(%x, %p : memref<192x?xf16, strided<[?, 1], offset: ?>>, memref<3072xf16>)
    outs(%y : memref<96x?xf32, strided<[?, 1], offset: ?>>) epilogue(%r : memref<96x?xf32, strided<[?, 1], offset: ?>>) {
    ^bb0(%acc: f32, %e: f32):
      %s = arith.addf %acc, %e : f32
      ks.yield %s : f32
    }
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [1, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>
  return
}

// Wider than sums: extended. What is stored without an epilogue was rounded once.

// CHECK-LABEL: gpu.func @wide_0(
//       CHECK:   %[[WIDE:.*]] = arith.extf %{{.*}} : vector<1x1x1x4xf32> to vector<1x1x1x4xf64>
//       CHECK:   ks.store_fragment <2, 8, 16, 1> {{.*}} %[[WIDE]], {{.*}} multiplied as f16 : vector<1x1x1x4xf64> to memref<?x16xf64,
func.func @wide(%x: memref<?x32xf16, strided<[?, 1], offset: ?>>, %p: memref<1024xf16>,
                %y: memref<?x16xf64, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 8, 16, 1> ins(%x, %p : memref<?x32xf16, strided<[?, 1], offset: ?>>, memref<1024xf16>)
    outs(%y : memref<?x16xf64, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 1, warps = [2, 1, 1], stages = 1, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
  return
}

// Four warps that multiply together: pairs of entries of 16 bits are exchanged, those of
// 32 bits are whole sectors.

// CHECK-LABEL: gpu.func @pairs_0(
//       CHECK:   %[[ROUNDED:.*]] = arith.truncf %{{.*}} : vector<1x1x16x4xf32> to vector<1x1x16x4xbf16>
//       CHECK:   %[[PIECES:.*]] = ks.exchange_entries %[[ROUNDED]] : vector<1x1x16x4xbf16> to vector<8x1x2x4xbf16>
//       CHECK:   ks.store_fragment {{.*}} %[[PIECES]], {{.*}} multiplied as f16
func.func @pairs(%x: memref<768x?xf16, strided<[?, 1], offset: ?>>, %p: memref<49152xf16>,
                 %y: memref<512x?xbf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 64, 96, 4> layout(batch_last) ins(%x, %p : memref<768x?xf16, strided<[?, 1], offset: ?>>, memref<49152xf16>)
    outs(%y : memref<512x?xbf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 256, batch_blocks = 40, vector = 8, warps = [2, 4, 1], stages = 3, copies = bulk, weights = streamed, packing = <fragments = <wgmma16, run_k = 1, run_n = 1>, n = 64, k = 48, j = 1>>
  return
}

// CHECK-LABEL: gpu.func @sectors_0(
//   CHECK-NOT:   ks.exchange_entries
//       CHECK:   %[[SUM:.*]] = ks.warpgroup_wait
//   CHECK-NOT:   arith.truncf
//       CHECK:   ks.store_fragment {{.*}} %[[SUM]], {{.*}} layout batch_last multiplied as f16 : vector<1x1x16x4xf32> to memref<512x?xf32,
func.func @sectors(%x: memref<768x?xf16, strided<[?, 1], offset: ?>>, %p: memref<49152xf16>,
                   %y: memref<512x?xf32, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 64, 96, 4> layout(batch_last) ins(%x, %p : memref<768x?xf16, strided<[?, 1], offset: ?>>, memref<49152xf16>)
    outs(%y : memref<512x?xf32, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 256, batch_blocks = 40, vector = 8, warps = [2, 4, 1], stages = 3, copies = bulk, weights = streamed, packing = <fragments = <wgmma16, run_k = 1, run_n = 1>, n = 64, k = 48, j = 1>>
  return
}

// Whole lines, through shared memory: 16 bytes behind each row are four f32.

// CHECK-LABEL: gpu.func @lines_0(
//       CHECK:   %[[LINES:.*]] = memref.view {{.*}} to memref<4x2x16x68xf32, #gpu.address_space<workgroup>>
//       CHECK:   ks.store_lines <2, 32, 40, 16> {{.*}} through %[[LINES]]{{.*}} of 2 : vector<8x2x2x2xf32> to memref<?x1024xf32,
func.func @lines(%x: memref<?x1280xf16, strided<[?, 1], offset: ?>>, %p: memref<49152xf16>,
                 %y: memref<?x1024xf32, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 32, 40, 16> ins(%x, %p : memref<?x1280xf16, strided<[?, 1], offset: ?>>, memref<49152xf16>)
    outs(%y : memref<?x1024xf32, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 2], stages = 3, cluster = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 1, run_n = 1>, n = 16, k = 16, j = 16>>
  return
}

// Whole rows: 16 · 67 f32 are 268 pieces of 16 bytes, and 269 are an odd number.

// CHECK-LABEL: gpu.func @rows_0(
//       CHECK:   %[[ROWS:.*]] = memref.view {{.*}} to memref<8x1076xf32, #gpu.address_space<workgroup>>
//       CHECK:   ks.store_rows <2, 10, 11, 67> {{.*}} through %[[ROWS]] {{.*}} : vector<14x1x1x4xf32> to memref<?x1340xf32,
func.func @rows(%x: memref<?x1474xf16, strided<[?, 1], offset: ?>>, %p: memref<34304xf16>,
                %y: memref<?x1340xf32, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 10, 11, 67> ins(%x, %p : memref<?x1474xf16, strided<[?, 1], offset: ?>>, memref<34304xf16>)
    outs(%y : memref<?x1340xf32, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 8, batch_blocks = 40, vector = 14, warps = [1, 1, 5], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 67>>
  return
}

// Of a chain, the last factor: intermediates are of the type of the product, rounded as
// ever, and staged rows of that of the result.

// CHECK-LABEL: gpu.func @chain_0(
//   CHECK-DAG:   %[[B1:.*]] = memref.view {{.*}} to memref<1x16x24xf16, #gpu.address_space<workgroup>>
//   CHECK-DAG:   %[[B2:.*]] = memref.view {{.*}} to memref<1x16x12xf32, #gpu.address_space<workgroup>>
//       CHECK:   %[[H:.*]] = arith.truncf {{.*}} to vector<1x1x2x4xf16>
//       CHECK:   ks.store_intermediate <4, 8, 6, 1> {{.*}} %[[H]], %[[B1]]
//       CHECK:   ks.store_intermediate <1, 8, 16, 2> {{.*}}, %[[B2]]{{.*}} pitch = 12> : vector<1x1x1x4xf32> to
//       CHECK:   ks.copy_rows %[[B2]] to %{{.*}} width 8 threads 128 : {{.*}} to memref<?x16xf32,
func.func @chain(%x: memref<?x24xf16, strided<[?, 1], offset: ?>>, %k0: memref<1024xf16>, %k1: memref<512xf16>,
                 %y: memref<?x16xf32, strided<[?, 1], offset: ?>>) {
  ks.chain [<4, 8, 6, 1>, <1, 8, 16, 2>]
    ins(%x, %k0, %k1 : memref<?x24xf16, strided<[?, 1], offset: ?>>, memref<1024xf16>, memref<512xf16>)
    outs(%y : memref<?x16xf32, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_chain_plan<entries = 16, cluster = 2, warps = 4, staged = true, factors = [
      <entries = 16, vector = 1, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 16, j = 1>>,
      <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]>
  return
}

// Without staging, rounded from f32 to bf16.

// CHECK-LABEL: gpu.func @last_chain_0(
//       CHECK:   ks.store_intermediate <1, 6, 64, 2> {{.*}} : vector<1x2x1x1xf32> to
//       CHECK:   %[[ROUNDED:.*]] = arith.truncf {{.*}} : vector<1x2x1x1xf32> to vector<1x2x1x1xbf16>
//       CHECK:   ks.store_fragment <4, 5, 3, 1> {{.*}} %[[ROUNDED]], {{.*}} layout batch_last multiplied as f32
func.func @last_chain(%x: memref<128x?xf32, strided<[?, 1], offset: ?>>, %k0: memref<1024xf32>, %k1: memref<128xf32>,
                      %y: memref<20x?xbf16, strided<[?, 1], offset: ?>>) {
  ks.chain [<1, 6, 64, 2>, <4, 5, 3, 1>] layout(batch_last)
    ins(%x, %k0, %k1 : memref<128x?xf32, strided<[?, 1], offset: ?>>, memref<1024xf32>, memref<128xf32>)
    outs(%y : memref<20x?xbf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_chain_plan<entries = 8, warps = 2, factors = [
      <entries = 8, vector = 1, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 8, k = 64, j = 1>>,
      <entries = 8, vector = 1, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 8, k = 4, j = 1>>]>
  return
}
