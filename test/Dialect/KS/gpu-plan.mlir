// GPU plans, packings and tile ops, printed and parsed again.

// RUN: ks-opt %s | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | ks-opt | FileCheck %s
// RUN: ks-opt %s --emit-bytecode | ks-opt | FileCheck %s

// CHECK-LABEL: func.func @plan(
//       CHECK:   plan #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
func.func @plan(%x: tensor<?x32xf16>, %p: tensor<1024xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  %y = ks.matmul <2, 8, 16, 1> ins(%x, %p : tensor<?x32xf16>, tensor<1024xf16>) outs(%init : tensor<?x16xf16>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
    -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}

// CHECK-LABEL: func.func @cluster(
//       CHECK:   stages = 3, cluster = 2, sweeps = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 1, run_n = 1>, n = 16, k = 16, j = 16>>
func.func @cluster(%x: memref<?x1280xf16, strided<[?, 1], offset: ?>>, %p: memref<49152xf16>,
                   %y: memref<?x1024xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 32, 40, 16> ins(%x, %p : memref<?x1280xf16, strided<[?, 1], offset: ?>>, memref<49152xf16>)
    outs(%y : memref<?x1024xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 2], stages = 3, cluster = 2, sweeps = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 1, run_n = 1>, n = 16, k = 16, j = 16>>
  return
}

// CHECK-LABEL: func.func @splits(
//       CHECK:   stages = 3, splits = 2, copies = bulk,
func.func @splits(%x: memref<?x1024xf16, strided<[?, 1], offset: ?>>, %p: memref<32768xf16>,
                  %y: memref<?x512xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <1, 32, 64, 16> ins(%x, %p : memref<?x1024xf16, strided<[?, 1], offset: ?>>, memref<32768xf16>)
    outs(%y : memref<?x512xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 2], stages = 3, splits = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 1, run_n = 1>, n = 16, k = 16, j = 16>>
  return
}

// CHECK-LABEL: func.func @partials(
//       CHECK:   ks.store_partials %{{.*}}, %{{.*}}[%[[C:.*]]] : vector<1x2x2x4xf32> to memref<2x4x32x4xf32, 3>
//       CHECK:   ks.add_partials %{{.*}}[%[[C]]] share %[[C]] of 2 : memref<2x4x32x4xf32, 3> to vector<1x1x2x4xf32>
func.func @partials(%acc: vector<1x2x2x4xf32>, %parts: memref<2x4x32x4xf32, 3>, %c: index) -> vector<1x1x2x4xf32> {
  ks.store_partials %acc, %parts[%c] : vector<1x2x2x4xf32> to memref<2x4x32x4xf32, 3>
  %sum = ks.add_partials %parts[%c] share %c of 2 : memref<2x4x32x4xf32, 3> to vector<1x1x2x4xf32>
  return %sum : vector<1x1x2x4xf32>
}

// Weights of one j and one i serve all; f32 keeps its type, complex is pairs.
// CHECK-LABEL: func.func @pack(
//       CHECK:   ks.pack_weights <3, 5, 7, 2> into #ks.gpu_packing<fragments = <fma, run_k = 1, run_n = 1>, n = 8, k = 8, j = 1, tied = a|d>
//  CHECK-SAME:     -> tensor<128xf32>
func.func @pack(%k: tensor<1x5x7x1xcomplex<f32>>, %init: tensor<128xf32>) -> tensor<128xf32> {
  %p = ks.pack_weights <3, 5, 7, 2>
    into #ks.gpu_packing<fragments = <fma, run_k = 1, run_n = 1>, n = 8, k = 8, j = 1, tied = a|d>
    ins(%k : tensor<1x5x7x1xcomplex<f32>>) outs(%init : tensor<128xf32>) -> tensor<128xf32>
  return %p : tensor<128xf32>
}

// CHECK-LABEL: func.func @tiles(
//       CHECK:   ks.copy_activations <1, 16, 16, 4> %{{.*}}[%[[C:.*]], %[[C]], %[[C]], %[[C]]] to %{{.*}}[%[[C]]] depth 16 slab 4 rows 8 width 64 threads 32 :
//       CHECK:   ks.copy_weights %{{.*}}[%[[C]]] to %{{.*}}[%[[C]]] threads 32 :
//       CHECK:   ks.load_weights %{{.*}}[%[[C]], %[[C]], %[[C]], %[[C]]] :
//       CHECK:   ks.load_activations <mma16, run_k = 2, run_n = 2> %{{.*}}[%[[C]], %[[C]], %[[C]]] slab 4 layout batch_last :
//       CHECK:   ks.warp_mma <mma16, run_k = 2, run_n = 2>
//       CHECK:   ks.load_fragment <1, 16, 16, 4> <mma16, run_k = 2, run_n = 2> %{{.*}}[%[[C]], %[[C]], %[[C]], %[[C]]] batch %[[C]] :
//       CHECK:   ks.store_fragment <1, 16, 16, 4> <mma16, run_k = 2, run_n = 2>
func.func @tiles(%x: memref<?x64xf16>, %p: memref<1024xf16>, %y: memref<?x64xf16>,
                 %xs: memref<1x8x72xf16, 3>, %ws: memref<1x1x4x1x32x8xf16, 3>,
                 %acc: vector<4x1x1x4xf32>, %r: vector<4x1x1x4xf16>) {
  %c = arith.constant 0 : index
  ks.copy_activations <1, 16, 16, 4> %x[%c, %c, %c, %c] to %xs[%c]
    depth 16 slab 4 rows 8 width 64 threads 32 : memref<?x64xf16> to memref<1x8x72xf16, 3>
  ks.copy_weights %p[%c] to %ws[%c] threads 32 : memref<1024xf16> to memref<1x1x4x1x32x8xf16, 3>
  %w = ks.load_weights %ws[%c, %c, %c, %c] : memref<1x1x4x1x32x8xf16, 3> to vector<4x1x8xf16>
  %a = ks.load_activations <mma16, run_k = 2, run_n = 2> %xs[%c, %c, %c] slab 4 layout batch_last
    : memref<1x8x72xf16, 3> to vector<4x1x4xf16>
  %s = ks.warp_mma <mma16, run_k = 2, run_n = 2> %w, %a, %acc
    : vector<4x1x8xf16>, vector<4x1x4xf16> to vector<4x1x1x4xf32>
  %e = ks.load_fragment <1, 16, 16, 4> <mma16, run_k = 2, run_n = 2> %y[%c, %c, %c, %c] batch %c
    : memref<?x64xf16> to vector<4x1x1x4xf16>
  ks.store_fragment <1, 16, 16, 4> <mma16, run_k = 2, run_n = 2> %r, %y[%c, %c, %c, %c]
    : vector<4x1x1x4xf16> to memref<?x64xf16>
  return
}

// CHECK-LABEL: func.func @converted(
//       CHECK:   ks.load_fragment <1, 16, 16, 4> <mma16, run_k = 1, run_n = 1> %{{.*}} batch %{{.*}} layout batch_last multiplied as f16 : memref<64x?xf32> to vector<8x1x1x4xf32>
//       CHECK:   ks.store_fragment <1, 16, 16, 4> <mma16, run_k = 1, run_n = 1> %{{.*}} multiplied as bf16 : vector<4x1x1x4xf32> to memref<?x64xf32>
func.func @converted(%x: memref<64x?xf32>, %y: memref<?x64xf32>, %r: vector<4x1x1x4xf32>) {
  %c = arith.constant 0 : index
  %e = ks.load_fragment <1, 16, 16, 4> <mma16, run_k = 1, run_n = 1> %x[%c, %c, %c, %c] batch %c layout batch_last multiplied as f16
    : memref<64x?xf32> to vector<8x1x1x4xf32>
  ks.store_fragment <1, 16, 16, 4> <mma16, run_k = 1, run_n = 1> %r, %y[%c, %c, %c, %c] multiplied as bf16
    : vector<4x1x1x4xf32> to memref<?x64xf32>
  return
}
