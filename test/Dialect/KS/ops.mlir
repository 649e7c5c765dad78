// Products as they are written, printed and parsed again: in the pretty form, in
// the generic form, and in bytecode. ops-weights.mlir has the other ops.

// RUN: ks-opt %s | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | ks-opt | FileCheck %s
// RUN: ks-opt %s --emit-bytecode | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=GENERIC

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func.func @matmul_f16(
//  CHECK-SAME:   %[[X:.*]]: tensor<?x384xf16>, %[[K:.*]]: tensor<6x64x64x1xf16>, %[[INIT:.*]]: tensor<?x384xf16>
//       CHECK:   %[[Y:.*]] = ks.matmul <6, 64, 64, 1>
//  CHECK-SAME:     ins(%[[X]], %[[K]] : tensor<?x384xf16>, tensor<6x64x64x1xf16>)
//  CHECK-SAME:     outs(%[[INIT]] : tensor<?x384xf16>) -> tensor<?x384xf16>
//       CHECK:   return %[[Y]]

// Defaults are attributes that the pretty form leaves out.
// GENERIC-LABEL: sym_name = "matmul_f16"
//       GENERIC:   "ks.matmul"(%{{.*}}, %{{.*}}, %{{.*}}) <{fastmath = #arith.fastmath<none>, layout = #ks<layout batch_first>, pattern = #ks.pattern<6, 64, 64, 1>, precision = #ks<precision ieee>}>
func.func @matmul_f16(%x: tensor<?x384xf16>, %k: tensor<6x64x64x1xf16>,
                      %init: tensor<?x384xf16>) -> tensor<?x384xf16> {
  %y = ks.matmul <6, 64, 64, 1>
         ins(%x, %k : tensor<?x384xf16>, tensor<6x64x64x1xf16>)
         outs(%init : tensor<?x384xf16>) -> tensor<?x384xf16>
  return %y : tensor<?x384xf16>
}

// CHECK-LABEL: func.func @matmul_bf16(
//       CHECK:   ks.matmul <2, 3, 4, 5> ins({{.*}} : tensor<7x40xbf16>, tensor<2x3x4x5xbf16>) outs({{.*}} : tensor<7x30xbf16>) -> tensor<7x30xbf16>
func.func @matmul_bf16(%x: tensor<7x40xbf16>, %k: tensor<2x3x4x5xbf16>,
                       %init: tensor<7x30xbf16>) -> tensor<7x30xbf16> {
  %y = ks.matmul <2, 3, 4, 5>
         ins(%x, %k : tensor<7x40xbf16>, tensor<2x3x4x5xbf16>)
         outs(%init : tensor<7x30xbf16>) -> tensor<7x30xbf16>
  return %y : tensor<7x30xbf16>
}

// CHECK-LABEL: func.func @matmul_f32(
//       CHECK:   ks.matmul <2, 3, 4, 5> ins({{.*}} : tensor<7x40xf32>, tensor<2x3x4x5xf32>) outs({{.*}} : tensor<7x30xf32>) -> tensor<7x30xf32>
func.func @matmul_f32(%x: tensor<7x40xf32>, %k: tensor<2x3x4x5xf32>,
                      %init: tensor<7x30xf32>) -> tensor<7x30xf32> {
  %y = ks.matmul <2, 3, 4, 5>
         ins(%x, %k : tensor<7x40xf32>, tensor<2x3x4x5xf32>)
         outs(%init : tensor<7x30xf32>) -> tensor<7x30xf32>
  return %y : tensor<7x30xf32>
}

// CHECK-LABEL: func.func @matmul_f64(
//       CHECK:   ks.matmul <2, 3, 4, 5> ins({{.*}} : tensor<7x40xf64>, tensor<2x3x4x5xf64>) outs({{.*}} : tensor<7x30xf64>) -> tensor<7x30xf64>
func.func @matmul_f64(%x: tensor<7x40xf64>, %k: tensor<2x3x4x5xf64>,
                      %init: tensor<7x30xf64>) -> tensor<7x30xf64> {
  %y = ks.matmul <2, 3, 4, 5>
         ins(%x, %k : tensor<7x40xf64>, tensor<2x3x4x5xf64>)
         outs(%init : tensor<7x30xf64>) -> tensor<7x30xf64>
  return %y : tensor<7x30xf64>
}

// CHECK-LABEL: func.func @matmul_complex_f32(
//       CHECK:   ks.matmul <1, 2, 2, 4> ins({{.*}} : tensor<?x8xcomplex<f32>>, tensor<1x2x2x4xcomplex<f32>>) outs({{.*}} : tensor<?x8xcomplex<f32>>) -> tensor<?x8xcomplex<f32>>
func.func @matmul_complex_f32(%x: tensor<?x8xcomplex<f32>>, %k: tensor<1x2x2x4xcomplex<f32>>,
                              %init: tensor<?x8xcomplex<f32>>) -> tensor<?x8xcomplex<f32>> {
  %y = ks.matmul <1, 2, 2, 4>
         ins(%x, %k : tensor<?x8xcomplex<f32>>, tensor<1x2x2x4xcomplex<f32>>)
         outs(%init : tensor<?x8xcomplex<f32>>) -> tensor<?x8xcomplex<f32>>
  return %y : tensor<?x8xcomplex<f32>>
}

// CHECK-LABEL: func.func @matmul_complex_f64(
//       CHECK:   ks.matmul <1, 2, 2, 4> ins({{.*}} : tensor<?x8xcomplex<f64>>, tensor<1x2x2x4xcomplex<f64>>) outs({{.*}} : tensor<?x8xcomplex<f64>>) -> tensor<?x8xcomplex<f64>>
func.func @matmul_complex_f64(%x: tensor<?x8xcomplex<f64>>, %k: tensor<1x2x2x4xcomplex<f64>>,
                              %init: tensor<?x8xcomplex<f64>>) -> tensor<?x8xcomplex<f64>> {
  %y = ks.matmul <1, 2, 2, 4>
         ins(%x, %k : tensor<?x8xcomplex<f64>>, tensor<1x2x2x4xcomplex<f64>>)
         outs(%init : tensor<?x8xcomplex<f64>>) -> tensor<?x8xcomplex<f64>>
  return %y : tensor<?x8xcomplex<f64>>
}

//===----------------------------------------------------------------------===//
// Layout, precision, ties
//===----------------------------------------------------------------------===//

// Both are written out, and printed only where they differ from the default.

// CHECK-LABEL: func.func @defaults(
//       CHECK:   ks.matmul <1, 2, 2, 1> ins(
func.func @defaults(%x: tensor<?x2xf32>, %k: tensor<1x2x2x1xf32>,
                    %init: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %y = ks.matmul <1, 2, 2, 1> layout(batch_first) precision(ieee)
         ins(%x, %k : tensor<?x2xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// CHECK-LABEL: func.func @batch_last_tf32(
//       CHECK:   ks.matmul <1, 3, 2, 1> layout(batch_last) precision(tf32)
//  CHECK-SAME:     ins({{.*}} : tensor<2x?xf32>, tensor<1x3x2x1xf32>) outs({{.*}} : tensor<3x?xf32>) -> tensor<3x?xf32>
// GENERIC-LABEL: sym_name = "batch_last_tf32"
//       GENERIC:   layout = #ks<layout batch_last>
//  GENERIC-SAME:   precision = #ks<precision tf32>
func.func @batch_last_tf32(%x: tensor<2x?xf32>, %k: tensor<1x3x2x1xf32>,
                           %init: tensor<3x?xf32>) -> tensor<3x?xf32> {
  %y = ks.matmul <1, 3, 2, 1> layout(batch_last) precision(tf32)
         ins(%x, %k : tensor<2x?xf32>, tensor<1x3x2x1xf32>)
         outs(%init : tensor<3x?xf32>) -> tensor<3x?xf32>
  return %y : tensor<3x?xf32>
}

// The Kronecker product A (2x3) ⊗ B (4x5): B shared along a, then A along d.

// CHECK-LABEL: func.func @tied(
//       CHECK:   ks.chain [<3, 4, 5, 1>, <1, 2, 3, 4>]
//  CHECK-SAME:     ins({{.*}} : tensor<?x15xf32>, tensor<1x4x5x1xf32>, tensor<1x2x3x1xf32>)
//  CHECK-SAME:     outs({{.*}} : tensor<?x8xf32>) -> tensor<?x8xf32>
func.func @tied(%x: tensor<?x15xf32>, %b: tensor<1x4x5x1xf32>, %a: tensor<1x2x3x1xf32>,
                %init: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = ks.chain [<3, 4, 5, 1>, <1, 2, 3, 4>]
         ins(%x, %b, %a : tensor<?x15xf32>, tensor<1x4x5x1xf32>, tensor<1x2x3x1xf32>)
         outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

//===----------------------------------------------------------------------===//
// Chains
//===----------------------------------------------------------------------===//

// The sizes of these neighbours fit, but the pair is not chainable.

// CHECK-LABEL: func.func @chain_not_chainable(
//       CHECK:   ks.chain [<6, 64, 256, 1>, <1, 128, 128, 3>]
func.func @chain_not_chainable(%x: tensor<?x1536xf16>, %k0: tensor<6x64x256x1xf16>,
                               %k1: tensor<1x128x128x3xf16>, %init: tensor<?x384xf16>)
    -> tensor<?x384xf16> {
  %y = ks.chain [<6, 64, 256, 1>, <1, 128, 128, 3>]
         ins(%x, %k0, %k1 : tensor<?x1536xf16>, tensor<6x64x256x1xf16>, tensor<1x128x128x3xf16>)
         outs(%init : tensor<?x384xf16>) -> tensor<?x384xf16>
  return %y : tensor<?x384xf16>
}

// CHECK-LABEL: func.func @chain_of_four(
//       CHECK:   ks.chain [<8, 2, 2, 1>, <4, 2, 2, 2>, <2, 2, 2, 4>, <1, 2, 2, 8>]
// GENERIC-LABEL: sym_name = "chain_of_four"
//       GENERIC:   operandSegmentSizes = array<i32: 1, 4, 0, 1>, patterns = [#ks.pattern<8, 2, 2, 1>, #ks.pattern<4, 2, 2, 2>, #ks.pattern<2, 2, 2, 4>, #ks.pattern<1, 2, 2, 8>]
func.func @chain_of_four(%x: tensor<?x16xf32>, %k0: tensor<8x2x2x1xf32>,
                         %k1: tensor<4x2x2x2xf32>, %k2: tensor<2x2x2x4xf32>,
                         %k3: tensor<1x2x2x8xf32>, %init: tensor<?x16xf32>)
    -> tensor<?x16xf32> {
  %y = ks.chain [<8, 2, 2, 1>, <4, 2, 2, 2>, <2, 2, 2, 4>, <1, 2, 2, 8>]
         ins(%x, %k0, %k1, %k2, %k3 : tensor<?x16xf32>, tensor<8x2x2x1xf32>,
             tensor<4x2x2x2xf32>, tensor<2x2x2x4xf32>, tensor<1x2x2x8xf32>)
         outs(%init : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// The batches of input and outs need not be known alike; attributes of others stay.

// CHECK-LABEL: func.func @mixed_batch(
//       CHECK:   ks.chain [<1, 2, 2, 1>] ins({{.*}} : tensor<4x2xf32>, tensor<1x2x2x1xf32>) outs({{.*}} : tensor<?x2xf32>) {my.note = "kept"} -> tensor<?x2xf32>
func.func @mixed_batch(%x: tensor<4x2xf32>, %k: tensor<1x2x2x1xf32>,
                       %init: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %y = ks.chain [<1, 2, 2, 1>]
         ins(%x, %k : tensor<4x2xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x2xf32>) {my.note = "kept"} -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

//===----------------------------------------------------------------------===//
// Memrefs
//===----------------------------------------------------------------------===//

// Rows may have any pitch; one row may have any at all; there is no result.

// CHECK-LABEL: func.func @memrefs(
//       CHECK:   ks.matmul <1, 4, 3, 1>
//  CHECK-SAME:     ins(%{{.*}}, %{{.*}} : memref<?x3xf32, strided<[8, 1], offset: ?>>, memref<1x4x3x1xf32>)
//  CHECK-SAME:     outs(%{{[^ ]*}} : memref<?x4xf32, strided<[?, 1]>>)
//   CHECK-NOT:     ->
//       CHECK:   ks.chain [<1, 4, 3, 1>] layout(batch_last)
//  CHECK-SAME:     ins(%{{.*}}, %{{.*}} : memref<3x5xf32, strided<[5, 1], offset: 2>>, memref<1x4x3x1xf32>)
//  CHECK-SAME:     outs(%{{[^ ]*}} : memref<4x5xf32>)
//   CHECK-NOT:     ->
//       CHECK:   ks.matmul <1, 4, 3, 1> ins(%{{.*}} : memref<1x3xf32, strided<[2, 1]>>,
//       CHECK:   return
func.func @memrefs(%x: memref<?x3xf32, strided<[8, 1], offset: ?>>, %k: memref<1x4x3x1xf32>,
                   %y: memref<?x4xf32, strided<[?, 1]>>,
                   %xt: memref<3x5xf32, strided<[5, 1], offset: 2>>, %yt: memref<4x5xf32>,
                   %row: memref<1x3xf32, strided<[2, 1]>>, %out: memref<1x4xf32>) {
  ks.matmul <1, 4, 3, 1>
    ins(%x, %k : memref<?x3xf32, strided<[8, 1], offset: ?>>, memref<1x4x3x1xf32>)
    outs(%y : memref<?x4xf32, strided<[?, 1]>>)
  ks.chain [<1, 4, 3, 1>] layout(batch_last)
    ins(%xt, %k : memref<3x5xf32, strided<[5, 1], offset: 2>>, memref<1x4x3x1xf32>)
    outs(%yt : memref<4x5xf32>)
  ks.matmul <1, 4, 3, 1>
    ins(%row, %k : memref<1x3xf32, strided<[2, 1]>>, memref<1x4x3x1xf32>)
    outs(%out : memref<1x4xf32>)
  return
}

// Strides that are not known pass: they may be 1.

// CHECK-LABEL: func.func @unknown_strides(
//       CHECK:   ks.matmul <1, 4, 3, 1> ins({{.*}} : memref<?x3xf32, strided<[?, ?], offset: ?>>, memref<1x4x3x1xf32, strided<[?, ?, ?, ?], offset: ?>>)
func.func @unknown_strides(%x: memref<?x3xf32, strided<[?, ?], offset: ?>>,
                           %k: memref<1x4x3x1xf32, strided<[?, ?, ?, ?], offset: ?>>,
                           %y: memref<?x4xf32>) {
  ks.matmul <1, 4, 3, 1>
    ins(%x, %k : memref<?x3xf32, strided<[?, ?], offset: ?>>,
        memref<1x4x3x1xf32, strided<[?, ?, ?, ?], offset: ?>>)
    outs(%y : memref<?x4xf32>)
  return
}

// A product with nothing to do, or nothing but one number, is a product too.

// CHECK-LABEL: func.func @smallest(
//       CHECK:   ks.matmul <1, 1, 1, 1> ins({{.*}} : memref<0x1xf64>, memref<1x1x1x1xf64>) outs({{.*}} : memref<0x1xf64>)
func.func @smallest(%x: memref<0x1xf64>, %k: memref<1x1x1x1xf64>, %y: memref<0x1xf64>) {
  ks.matmul <1, 1, 1, 1>
    ins(%x, %k : memref<0x1xf64>, memref<1x1x1x1xf64>) outs(%y : memref<0x1xf64>)
  return
}

// An input that is converted as it is loaded, and a result of a third type.

// CHECK-LABEL: func.func @load_as(
//       CHECK:   ks.matmul <1, 2, 4, 1> layout(batch_last) fastmath<reassoc> load_as(f16) ins(%{{.*}}, %{{.*}} : memref<4x?xf32>, memref<1x2x4x1xf16>) outs(%{{.*}} : memref<2x?xf64>)
//       CHECK:   ks.chain [<1, 2, 4, 1>] load_as(f32) ins
func.func @load_as(%x: memref<4x?xf32>, %k: memref<1x2x4x1xf16>, %y: memref<2x?xf64>,
                   %u: memref<?x4xbf16>, %w: memref<1x2x4x1xf32>, %v: memref<?x2xf32>) {
  ks.matmul <1, 2, 4, 1> layout(batch_last) fastmath<reassoc> load_as(f16)
    ins(%x, %k : memref<4x?xf32>, memref<1x2x4x1xf16>) outs(%y : memref<2x?xf64>)
  ks.chain [<1, 2, 4, 1>] load_as(f32)
    ins(%u, %w : memref<?x4xbf16>, memref<1x2x4x1xf32>) outs(%v : memref<?x2xf32>)
  return
}
