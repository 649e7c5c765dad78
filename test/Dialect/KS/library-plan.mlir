// Plans of libraries, and what becomes of them, printed and parsed again.

// RUN: ks-opt %s | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | ks-opt | FileCheck %s
// RUN: ks-opt %s --emit-bytecode | ks-opt | FileCheck %s

// CHECK-LABEL: func.func @plan(
//       CHECK:   plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16,
func.func @plan(%x: tensor<?x48xf16>, %k: tensor<1x40x48x1xf16>, %init: tensor<?x40xf16>) -> tensor<?x40xf16> {
  %y = ks.matmul <1, 40, 48, 1> ins(%x, %k : tensor<?x48xf16>, tensor<1x40x48x1xf16>) outs(%init : tensor<?x40xf16>)
    plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>>
    -> tensor<?x40xf16>
  return %y : tensor<?x40xf16>
}

// The buffer has room for either: 40 rows are three blocks of 16, 48 columns are
// two chunks of 32.
// CHECK-LABEL: func.func @packed(
//       CHECK:   ins(%{{.*}}, %{{.*}} : memref<?x48xf16, {{.*}}>, memref<3072xf16>)
func.func @packed(%x: memref<?x48xf16, strided<[?, 1], offset: ?>>, %p: memref<3072xf16>,
                  %y: memref<?x40xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <1, 40, 48, 1> ins(%x, %p : memref<?x48xf16, strided<[?, 1], offset: ?>>, memref<3072xf16>)
    outs(%y : memref<?x40xf16, strided<[?, 1], offset: ?>>)
    plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>>
  return
}

// CHECK-LABEL: func.func @groups(
//       CHECK:   plan #ks.library_plan<cublaslt,
func.func @groups(%x: tensor<?x96xf16>, %k: tensor<2x40x48x1xf16>, %init: tensor<?x80xf16>) -> tensor<?x80xf16> {
  %y = ks.matmul <2, 40, 48, 1> ins(%x, %k : tensor<?x96xf16>, tensor<2x40x48x1xf16>) outs(%init : tensor<?x80xf16>)
    plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>>
    -> tensor<?x80xf16>
  return %y : tensor<?x80xf16>
}

// All columns of a group share its weight, here and in the buffer.
// CHECK-LABEL: func.func @tied_columns(
//       CHECK:   ks.pack_weights <2, 40, 48, 3> into #ks.library_packing<fallback = #ks.gpu_packing<{{.*}} tied = d>>
//  CHECK-SAME:     -> tensor<6144xf16>
func.func @tied_columns(%k: tensor<2x40x48x1xf16>, %init: tensor<6144xf16>) -> tensor<6144xf16> {
  %p = ks.pack_weights <2, 40, 48, 3> into #ks.library_packing<fallback = #ks.gpu_packing<fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1, tied = d>>
    ins(%k : tensor<2x40x48x1xf16>) outs(%init : tensor<6144xf16>) -> tensor<6144xf16>
  return %p : tensor<6144xf16>
}

// f32 in three bf16 takes more room than as it is.
// CHECK-LABEL: func.func @pack(
//       CHECK:   ks.pack_weights <1, 16, 16, 1> into #ks.library_packing<fallback = #ks.gpu_packing<fragments = <mma16_split, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>
//  CHECK-SAME:     -> tensor<768xbf16>
func.func @pack(%k: tensor<1x16x16x1xf32>, %init: tensor<768xbf16>) -> tensor<768xbf16> {
  %p = ks.pack_weights <1, 16, 16, 1> into #ks.library_packing<fallback = #ks.gpu_packing<fragments = <mma16_split, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>
    ins(%k : tensor<1x16x16x1xf32>) outs(%init : tensor<768xbf16>) -> tensor<768xbf16>
  return %p : tensor<768xbf16>
}

// CHECK-LABEL: func.func @choice(
//       CHECK:   ks.with_library cublaslt {
//  CHECK-NEXT:     ks.library_product <1, 40, 48, 1> layout(batch_last) ins(%{{.*}}, %{{.*}} : memref<48x?xf16>, memref<3072xf16>) outs(%{{.*}} : memref<40x?xf16>)
//  CHECK-NEXT:   } else {
//       CHECK:     memref.store
//  CHECK-NEXT:   }
func.func @choice(%x: memref<48x?xf16>, %p: memref<3072xf16>, %y: memref<40x?xf16>, %zero: f16, %c0: index) {
  ks.with_library cublaslt {
    ks.library_product <1, 40, 48, 1> layout(batch_last) ins(%x, %p : memref<48x?xf16>, memref<3072xf16>) outs(%y : memref<40x?xf16>)
  } else {
    memref.store %zero, %y[%c0, %c0] : memref<40x?xf16>
  }
  return
}

// CHECK-LABEL: func.func @blocks(
//       CHECK:   ks.library_product <2, 8, 16, 3> layout(batch_last) ins(
//  CHECK-NEXT:   ks.library_product <2, 8, 16, 3> tied(a) layout(batch_last) ins(
//  CHECK-NEXT:   ks.library_product <2, 8, 16, 3> tied(a|d) layout(batch_last) ins(
//  CHECK-NEXT:   ks.library_product <3, 32, 16, 1> tied(a) ins(
func.func @blocks(%x: memref<96x?xf16>, %p: memref<768xf16>, %y: memref<48x?xf16>, %xf: memref<?x48xf16>, %yf: memref<?x96xf16>) {
  ks.library_product <2, 8, 16, 3> layout(batch_last) ins(%x, %p : memref<96x?xf16>, memref<768xf16>) outs(%y : memref<48x?xf16>)
  ks.library_product <2, 8, 16, 3> tied(a) layout(batch_last) ins(%x, %p : memref<96x?xf16>, memref<768xf16>) outs(%y : memref<48x?xf16>)
  ks.library_product <2, 8, 16, 3> tied(a|d) layout(batch_last) ins(%x, %p : memref<96x?xf16>, memref<768xf16>) outs(%y : memref<48x?xf16>)
  ks.library_product <3, 32, 16, 1> tied(a) ins(%xf, %p : memref<?x48xf16>, memref<768xf16>) outs(%yf : memref<?x96xf16>)
  return
}

// CHECK-LABEL: func.func @blas(
//       CHECK:   plan #ks.library_plan<blas, fallback = #ks.cpu_plan<batch_block = 64,
func.func @blas(%x: tensor<?x48xf32>, %k: tensor<1x40x48x1xf32>, %init: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %y = ks.matmul <1, 40, 48, 1> ins(%x, %k : tensor<?x48xf32>, tensor<1x40x48x1xf32>) outs(%init : tensor<?x40xf32>)
    plan #ks.library_plan<blas, fallback = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [<rows = 4, vectors = 2, lanes = 8, unroll = 1, stationary = weights, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]>>
    -> tensor<?x40xf32>
  return %y : tensor<?x40xf32>
}

// CHECK-LABEL: func.func @blas_choice(
//       CHECK:   ks.with_library blas {
func.func @blas_choice(%x: memref<?x48xf64>, %p: memref<1920xf64>, %y: memref<?x40xf64>) {
  ks.with_library blas {
    ks.library_product <1, 40, 48, 1> ins(%x, %p : memref<?x48xf64>, memref<1920xf64>) outs(%y : memref<?x40xf64>)
  } else {
  }
  return
}
