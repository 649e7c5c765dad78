// The meaning of ks.merge_weights.

// RUN: ks-opt %s --convert-ks-to-linalg --split-input-file | FileCheck %s

// K[i, (n, q), (s, k), j] += K1[i, n, (s, t), (q, j)] K2[(i, s), (t, q), k, j]: with
// right = <4, 6, 5, 2>, left = <2, 7, 4, 6>: h = 2, g = 3, r = 2.

// CHECK-DAG: #[[LEFT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d3, d4, d2, d6)>
// CHECK-DAG: #[[RIGHT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d3, d4, d2, d5, d6)>
// CHECK-DAG: #[[RESULT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3, d5, d6)>
// CHECK-LABEL: func.func @product(
//       CHECK:   linalg.fill
//       CHECK:   tensor.expand_shape %{{.*}} : tensor<2x7x4x6xf16> into tensor<2x7x2x2x3x2xf16>
//       CHECK:   tensor.expand_shape %{{.*}} : tensor<4x6x5x2xf16> into tensor<2x2x2x3x5x2xf16>
//       CHECK:   tensor.expand_shape %{{.*}} : tensor<2x21x10x2xf32> into tensor<2x7x3x2x5x2xf32>
//       CHECK:   linalg.generic {indexing_maps = [#[[LEFT]], #[[RIGHT]], #[[RESULT]]], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "parallel", "parallel"]}
//       CHECK:     arith.mulf
//       CHECK:     arith.addf
//       CHECK:   tensor.collapse_shape
//       CHECK:   linalg.generic
//       CHECK:     arith.truncf {{.*}} : f32 to f16
func.func @product(%k2: tensor<4x6x5x2xf16>, %k1: tensor<2x7x4x6xf16>, %init: tensor<2x21x10x2xf16>) -> tensor<2x21x10x2xf16> {
  %k = ks.merge_weights <4, 6, 5, 2>, <2, 7, 4, 6> into <2, 21, 10, 2>
    ins(%k2, %k1 : tensor<4x6x5x2xf16>, tensor<2x7x4x6xf16>) outs(%init : tensor<2x21x10x2xf16>) -> tensor<2x21x10x2xf16>
  return %k : tensor<2x21x10x2xf16>
}

// -----

// What is tied has one element for all.

// CHECK-DAG: #[[LEFT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (0, d1, d3, d4, 0, 0)>
// CHECK-DAG: #[[RIGHT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (0, 0, d4, d2, d5, 0)>
// CHECK-LABEL: func.func @tied(
//       CHECK:   memref.expand_shape {{.*}} : memref<1x2x2x1xf32> into memref<1x2x2x1x1x1xf32>
//       CHECK:   memref.expand_shape {{.*}} : memref<1x2x2x1xf32> into memref<1x1x1x2x2x1xf32>
//       CHECK:   linalg.generic {indexing_maps = [#[[LEFT]], #[[RIGHT]],
func.func @tied(%k2: memref<1x2x2x1xf32>, %k1: memref<1x2x2x1xf32>, %k: memref<1x4x4x1xf32>) {
  ks.merge_weights <4, 2, 2, 2>, <2, 2, 2, 4> into <2, 4, 4, 2>
    ins(%k2, %k1 : memref<1x2x2x1xf32>, memref<1x2x2x1xf32>) outs(%k : memref<1x4x4x1xf32>)
  return
}

// -----

// The dense matrix: the element of the right factor counts where it has one.

// CHECK-LABEL: func.func @dense(
//       CHECK:   linalg.generic
//       CHECK:     %[[K2:.*]] = tensor.extract
//       CHECK:     arith.mulf %{{.*}}, %[[K2]]
//       CHECK:     arith.select
func.func @dense(%k2: tensor<1x2x2x2xf32>, %k1: tensor<2x2x2x1xf32>, %init: tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32> {
  %k = ks.merge_weights <1, 2, 2, 2>, <2, 2, 2, 1> into <1, 4, 4, 1>
    ins(%k2, %k1 : tensor<1x2x2x2xf32>, tensor<2x2x2x1xf32>) outs(%init : tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  return %k : tensor<1x4x4x1xf32>
}
