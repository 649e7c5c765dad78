// Plans of libraries: the library's product, or our own kernel; so is packing.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize | FileCheck %s

#own = #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 1, warps = [2, 1, 1], stages = 1, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>

// CHECK-LABEL: func.func @product(
//  CHECK-SAME:   %[[X:.*]]: memref<?x30xf16, {{.*}}>, %[[P:.*]]: memref<512xf16>, %[[Y:.*]]: memref<?x15xf16, {{.*}}>)
//       CHECK:   ks.with_library cublaslt {
//  CHECK-NEXT:     ks.library_product <1, 15, 30, 1> ins(%[[X]], %[[P]] : {{.*}}) outs(%[[Y]] : {{.*}})
//  CHECK-NEXT:   } else {
//       CHECK:     gpu.launch_func @ks_kernels::@product_0
//  CHECK-SAME:       args(%[[X]] : {{.*}}, %[[P]] : {{.*}}, %[[Y]] :
//   CHECK-NOT:   ks.matmul
func.func @product(%x: memref<?x30xf16, strided<[?, 1], offset: ?>>, %p: memref<512xf16>,
                   %y: memref<?x15xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <1, 15, 30, 1> ins(%x, %p : memref<?x30xf16, strided<[?, 1], offset: ?>>, memref<512xf16>)
    outs(%y : memref<?x15xf16, strided<[?, 1], offset: ?>>) plan #ks.library_plan<cublaslt, fallback = #own>
  return
}

// CHECK-LABEL: func.func @last(
//       CHECK:   ks.library_product <1, 15, 30, 1> layout(batch_last) precision(tf32) ins(
func.func @last(%x: memref<30x?xf32, strided<[?, 1], offset: ?>>, %p: memref<512xf32>,
                %y: memref<15x?xf32, strided<[?, 1], offset: ?>>) {
  ks.matmul <1, 15, 30, 1> layout(batch_last) precision(tf32)
    ins(%x, %p : memref<30x?xf32, strided<[?, 1], offset: ?>>, memref<512xf32>)
    outs(%y : memref<15x?xf32, strided<[?, 1], offset: ?>>)
    plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 1, warps = [2, 1, 1], stages = 1, copies = cp_async, weights = streamed, packing = <fragments = <mma8, run_k = 1, run_n = 1>, n = 16, k = 32, j = 1>>>
  return
}

// CHECK-LABEL: func.func @pack(
//  CHECK-SAME:   %[[K:.*]]: memref<1x15x30x1xf16>, %[[P:.*]]: memref<512xf16>)
//       CHECK:   ks.with_library cublaslt {
//  CHECK-NEXT:     gpu.launch_func @ks_kernels::@pack_0_plain blocks in (%c2, %c1, %c1) threads in (%c256, %c1, %c1) args(%[[K]] : {{.*}}, %[[P]] :
//  CHECK-NEXT:   } else {
//  CHECK-NEXT:     gpu.launch_func @ks_kernels::@pack_0 blocks in (%c2, %c1, %c1) threads in (%c256, %c1, %c1) args(%[[K]] : {{.*}}, %[[P]] :
//  CHECK-NEXT:   }
func.func @pack(%k: memref<1x15x30x1xf16>, %p: memref<512xf16>) {
  ks.pack_weights <1, 15, 30, 1> into #ks.library_packing<fallback = #ks.gpu_packing<fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
    ins(%k : memref<1x15x30x1xf16>) outs(%p : memref<512xf16>)
  return
}

// CHECK-LABEL: func.func @split(
func.func @split(%k: memref<1x15x16x1xf32>, %p: memref<768xbf16>) {
  ks.pack_weights <1, 15, 16, 1> into #ks.library_packing<fallback = #ks.gpu_packing<fragments = <mma16_split, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>
    ins(%k : memref<1x15x16x1xf32>) outs(%p : memref<768xbf16>)
  return
}

// Blocks: the library is told which weights are shared, as packed ones say.
// CHECK-LABEL: func.func @columns(
//       CHECK:   ks.library_product <2, 15, 30, 3> layout(batch_last) ins(
//       CHECK:   gpu.launch_func @ks_kernels::@columns_0
func.func @columns(%x: memref<180x?xf16, strided<[?, 1], offset: ?>>, %p: memref<3072xf16>,
                   %y: memref<90x?xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 15, 30, 3> layout(batch_last)
    ins(%x, %p : memref<180x?xf16, strided<[?, 1], offset: ?>>, memref<3072xf16>)
    outs(%y : memref<90x?xf16, strided<[?, 1], offset: ?>>)
    plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 1, warps = [2, 1, 1], stages = 1, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 32, j = 1>>>
  return
}

// CHECK-LABEL: func.func @tied_groups(
//       CHECK:   ks.library_product <2, 15, 30, 1> tied(a) ins(
func.func @tied_groups(%x: memref<?x60xf16, strided<[?, 1], offset: ?>>, %p: memref<512xf16>,
                       %y: memref<?x30xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 15, 30, 1> ins(%x, %p : memref<?x60xf16, strided<[?, 1], offset: ?>>, memref<512xf16>)
    outs(%y : memref<?x30xf16, strided<[?, 1], offset: ?>>)
    plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 1, warps = [2, 1, 1], stages = 1, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1, tied = a>>>
  return
}

// 2 x 3 matrices of 15 x 30.
// CHECK-LABEL: func.func @pack_blocks(
//       CHECK:   gpu.launch_func @ks_kernels::@pack_blocks_0_plain blocks in (%c11, %c1, %c1)
func.func @pack_blocks(%k: memref<2x15x30x3xf16>, %p: memref<3072xf16>) {
  ks.pack_weights <2, 15, 30, 3> into #ks.library_packing<fallback = #ks.gpu_packing<fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
    ins(%k : memref<2x15x30x3xf16>) outs(%p : memref<3072xf16>)
  return
}

// One matrix for all columns; the groups' weight is one, but packed for each.
// CHECK-LABEL: func.func @pack_tied(
//       CHECK:   gpu.launch_func @ks_kernels::@pack_tied_0_plain blocks in (%c4, %c1, %c1)
func.func @pack_tied(%k: memref<1x15x30x1xf16>, %p: memref<1024xf16>) {
  ks.pack_weights <2, 15, 30, 3> into #ks.library_packing<fallback = #ks.gpu_packing<fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1, tied = d>>
    ins(%k : memref<1x15x30x1xf16>) outs(%p : memref<1024xf16>)
  return
}

// Our own kernel does not know of the library.
//       CHECK: gpu.func @product_0(
//       CHECK:   ks.copy_activations <1, 15, 30, 1>
//       CHECK: gpu.func @pack_0_plain(
//       CHECK:   %[[IN:.*]] = arith.cmpi slt, %[[AT:.*]], %c450
//       CHECK:   scf.if %[[IN]] {
//       CHECK:     %[[C:.*]] = arith.remui %[[AT]], %c30
//       CHECK:     %[[ROW:.*]] = arith.divui %[[AT]], %c30
//       CHECK:     %[[N:.*]] = arith.remui %[[ROW]], %c15
//       CHECK:     %[[V:.*]] = memref.load %{{.*}}[%c0, %[[N]], %[[C]], %c0]
//       CHECK:     memref.store %[[V]], %{{.*}}[%[[AT]]]

// An f32 is two elements of a buffer that is for bf16.
//       CHECK: gpu.func @split_0_plain(
//       CHECK:     %[[B:.*]] = arith.bitcast %{{.*}} : f32 to i32
//       CHECK:     arith.trunci %[[B]] : i32 to i16
//       CHECK:     arith.shrui %[[B]], %c16_i32

// [i][j][n][k]
//       CHECK: gpu.func @pack_blocks_0_plain(
//       CHECK:   arith.cmpi slt, %[[AT:.*]], %c2700
//       CHECK:     %[[K:.*]] = arith.remui %[[AT]], %c30
//       CHECK:     %[[ROW:.*]] = arith.divui %[[AT]], %c30
//       CHECK:     %[[N:.*]] = arith.remui %[[ROW]], %c15
//       CHECK:     %[[MATRIX:.*]] = arith.divui %[[ROW]], %c15
//       CHECK:     %[[J:.*]] = arith.remui %[[MATRIX]], %c3
//       CHECK:     %[[I:.*]] = arith.divui %[[MATRIX]], %c3
//       CHECK:     memref.load %{{.*}}[%[[I]], %[[N]], %[[K]], %[[J]]]
//       CHECK: gpu.func @pack_tied_0_plain(
//       CHECK:   arith.cmpi slt, %[[AT:.*]], %c900
//       CHECK:     memref.load %{{.*}}[%c0, %{{.*}}, %{{.*}}, %c0]
