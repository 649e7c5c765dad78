// RUN: ks-opt %s --convert-ks-to-linalg --split-input-file | FileCheck %s --implicit-check-not=ks.

// Features (i, x, s, y) of 2 × 4 × 2 × 3 are stored as (i, y, s, x). A factor that
// writes them so is computed in their natural order, and stored by one more loop.

// CHECK-DAG: #[[NATURAL:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
// CHECK-DAG: #[[STORED:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4, d3, d2)>

// CHECK-LABEL: func.func @writes(
//  CHECK-SAME:   %{{[^:]*}}: tensor<?x40xf16>, %{{[^:]*}}: tensor<8x6x5x1xf16>, %[[INIT:[^:]*]]: tensor<?x48xf16>
//       CHECK:   %[[ROUNDED:.*]] = tensor.empty(%{{.*}}) : tensor<?x8x6x1xf16>
//       CHECK:   linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]
//       CHECK:   %[[Y:.*]] = linalg.generic {{.*}} outs(%[[ROUNDED]] : tensor<?x8x6x1xf16>)
//       CHECK:   %[[FLAT:.*]] = tensor.collapse_shape %[[Y]] {{\[\[}}0], [1, 2, 3]]
//       CHECK:   %[[FROM:.*]] = tensor.expand_shape %[[FLAT]] {{\[\[}}0], [1, 2, 3, 4]] output_shape [%{{.*}}, 2, 4, 2, 3]
//       CHECK:   %[[TO:.*]] = tensor.expand_shape %[[INIT]] {{\[\[}}0], [1, 2, 3, 4]] output_shape [%{{.*}}, 2, 3, 2, 4]
//       CHECK:   %[[COPY:.*]] = linalg.generic {indexing_maps = [#[[NATURAL]], #[[STORED]]], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
//  CHECK-SAME:     ins(%[[FROM]] : tensor<?x2x4x2x3xf16>) outs(%[[TO]] : tensor<?x2x3x2x4xf16>)
//  CHECK-NEXT:   ^bb0(%[[IN:.*]]: f16, %{{.*}}: f16):
//  CHECK-NEXT:     linalg.yield %[[IN]] : f16
//       CHECK:   %[[RESULT:.*]] = tensor.collapse_shape %[[COPY]] {{\[\[}}0], [1, 2, 3, 4]] : tensor<?x2x3x2x4xf16> into tensor<?x48xf16>
//       CHECK:   return %[[RESULT]]
func.func @writes(%x: tensor<?x40xf16>, %k: tensor<8x6x5x1xf16>, %init: tensor<?x48xf16>) -> tensor<?x48xf16> {
  %y = ks.matmul <8, 6, 5, 1> writes <2, 4, 2, 3>
    ins(%x, %k : tensor<?x40xf16>, tensor<8x6x5x1xf16>) outs(%init : tensor<?x48xf16>) -> tensor<?x48xf16>
  return %y : tensor<?x48xf16>
}

// -----

// One that reads them so puts them back into their natural order before.

// CHECK-DAG: #[[NATURAL:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
// CHECK-DAG: #[[STORED:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4, d3, d2)>

// CHECK-LABEL: func.func @reads(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<?x48xf16>
//       CHECK:   %[[FROM:.*]] = tensor.expand_shape %[[X]] {{\[\[}}0], [1, 2, 3, 4]] output_shape [%{{.*}}, 2, 3, 2, 4]
//       CHECK:   %[[TO:.*]] = tensor.empty(%{{.*}}) : tensor<?x2x4x2x3xf16>
//       CHECK:   %[[COPY:.*]] = linalg.generic {indexing_maps = [#[[STORED]], #[[NATURAL]]]
//  CHECK-SAME:     ins(%[[FROM]] : tensor<?x2x3x2x4xf16>) outs(%[[TO]] : tensor<?x2x4x2x3xf16>)
//       CHECK:   %[[FLAT:.*]] = tensor.collapse_shape %[[COPY]] {{\[\[}}0], [1, 2, 3, 4]] : tensor<?x2x4x2x3xf16> into tensor<?x48xf16>
//       CHECK:   %[[IN:.*]] = tensor.expand_shape %[[FLAT]] {{\[\[}}0], [1, 2, 3]] output_shape [%{{.*}}, 2, 8, 3]
//       CHECK:   linalg.generic {{.*}} ins(%[[IN]], %{{.*}} : tensor<?x2x8x3xf16>, tensor<2x6x8x3xf16>)
func.func @reads(%x: tensor<?x48xf16>, %k: tensor<2x6x8x3xf16>, %init: tensor<?x36xf16>) -> tensor<?x36xf16> {
  %y = ks.matmul <2, 6, 8, 3> reads <2, 4, 2, 3>
    ins(%x, %k : tensor<?x48xf16>, tensor<2x6x8x3xf16>) outs(%init : tensor<?x36xf16>) -> tensor<?x36xf16>
  return %y : tensor<?x36xf16>
}

// -----

// On buffers, the natural order is in a buffer of its own.

// CHECK-LABEL: func.func @buffers(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<?x40xf32>, %{{[^:]*}}: memref<8x6x5x1xf32>, %[[Y:[^:]*]]: memref<?x48xf32>
//       CHECK:   %[[BUFFER:.*]] = memref.alloc(%{{.*}}) : memref<?x8x6x1xf32>
//       CHECK:   linalg.generic {{.*}} outs(%[[BUFFER]] : memref<?x8x6x1xf32>)
//       CHECK:   %[[FLAT:.*]] = memref.collapse_shape %[[BUFFER]]
//       CHECK:   %[[FROM:.*]] = memref.expand_shape %[[FLAT]] {{.*}} into memref<?x2x4x2x3xf32>
//       CHECK:   %[[TO:.*]] = memref.expand_shape %[[Y]] {{.*}} into memref<?x2x3x2x4xf32>
//       CHECK:   linalg.generic {{.*}} ins(%[[FROM]] : {{.*}}) outs(%[[TO]] :
//       CHECK:   memref.dealloc %[[BUFFER]]
func.func @buffers(%x: memref<?x40xf32>, %k: memref<8x6x5x1xf32>, %y: memref<?x48xf32>) {
  ks.matmul <8, 6, 5, 1> writes <2, 4, 2, 3>
    ins(%x, %k : memref<?x40xf32>, memref<8x6x5x1xf32>) outs(%y : memref<?x48xf32>)
  return
}
