// ks.merge_weights, printed and parsed again, and on buffers.

// RUN: ks-opt %s | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=GENERIC
// RUN: ks-opt %s --ks-bufferize | FileCheck %s --check-prefix=BUFFERS

// C2: the product of a chainable pair; C5: sums stay in the accumulator type.

// CHECK-LABEL: func.func @product(
//  CHECK-SAME:   %[[K0:.*]]: tensor<2x2x2x1xf16>, %[[K1:.*]]: tensor<1x2x2x2xf16>, %[[INIT:.*]]: tensor<1x4x4x1xf32>
//       CHECK:   ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
//  CHECK-SAME:     ins(%[[K0]], %[[K1]] : tensor<2x2x2x1xf16>, tensor<1x2x2x2xf16>) outs(%[[INIT]] : tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
// GENERIC-LABEL: sym_name = "product"
//       GENERIC:   "ks.merge_weights"({{.*}}) <{left = #ks.pattern<1, 2, 2, 2>, pattern = #ks.pattern<1, 4, 4, 1>, right = #ks.pattern<2, 2, 2, 1>}>
func.func @product(%k0: tensor<2x2x2x1xf16>, %k1: tensor<1x2x2x2xf16>,
                   %init: tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32> {
  %k = ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
         ins(%k0, %k1 : tensor<2x2x2x1xf16>, tensor<1x2x2x2xf16>)
         outs(%init : tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  return %k : tensor<1x4x4x1xf32>
}

// C2: the dense matrix, of a pair that is not chainable, and of one that is.

// CHECK-LABEL: func.func @dense(
//       CHECK:   ks.merge_weights <6, 64, 256, 1>, <1, 128, 128, 3> into <1, 384, 1536, 1>
//       CHECK:   ks.merge_weights <4, 2, 2, 1>, <2, 2, 2, 2> into <1, 8, 8, 1>
func.func @dense(%k0: memref<6x64x256x1xf32>, %k1: memref<1x128x128x3xf32>,
                 %k: memref<1x384x1536x1xf32>, %l0: memref<4x2x2x1xcomplex<f64>>,
                 %l1: memref<2x2x2x2xcomplex<f64>>, %l: memref<1x8x8x1xcomplex<f64>>) {
  ks.merge_weights <6, 64, 256, 1>, <1, 128, 128, 3> into <1, 384, 1536, 1>
    ins(%k0, %k1 : memref<6x64x256x1xf32>, memref<1x128x128x3xf32>)
    outs(%k : memref<1x384x1536x1xf32>)
  ks.merge_weights <4, 2, 2, 1>, <2, 2, 2, 2> into <1, 8, 8, 1>
    ins(%l0, %l1 : memref<4x2x2x1xcomplex<f64>>, memref<2x2x2x2xcomplex<f64>>)
    outs(%l : memref<1x8x8x1xcomplex<f64>>)
  return
}

// C4: tied along both axes, as both factors are; or written out.

// CHECK-LABEL: func.func @tied(
//       CHECK:   outs({{.*}} : memref<1x4x4x1xbf16>)
//       CHECK:   outs({{.*}} : memref<2x4x4x2xbf16>)
func.func @tied(%k0: memref<1x2x2x1xbf16>, %k1: memref<1x2x2x1xf32>,
                %tied: memref<1x4x4x1xbf16>, %full: memref<2x4x4x2xbf16>) {
  ks.merge_weights <4, 2, 2, 2>, <2, 2, 2, 4> into <2, 4, 4, 2>
    ins(%k0, %k1 : memref<1x2x2x1xbf16>, memref<1x2x2x1xf32>)
    outs(%tied : memref<1x4x4x1xbf16>)
  ks.merge_weights <4, 2, 2, 2>, <2, 2, 2, 4> into <2, 4, 4, 2>
    ins(%k0, %k1 : memref<1x2x2x1xbf16>, memref<1x2x2x1xf32>)
    outs(%full : memref<2x4x4x2xbf16>)
  return
}

// `outs` is written, and not read: no copy.

// BUFFERS-LABEL: func.func @two(
//   BUFFERS-NOT:   copy
//       BUFFERS:   %[[MIDDLE:.*]] = memref.alloc() {{.*}}: memref<2x4x4x1xf32>
//       BUFFERS:   ks.merge_weights {{.*}} outs(%[[MIDDLE]] : memref<2x4x4x1xf32>)
//       BUFFERS:   ks.merge_weights {{.*}} ins(%[[MIDDLE]], %{{.*}} outs(%{{.*}} : memref<1x8x8x1xf16>)
//       BUFFERS:   memref.dealloc %[[MIDDLE]]
func.func @two(%k0: tensor<4x2x2x1xf16>, %k1: tensor<2x2x2x2xf16>, %k2: tensor<1x2x2x4xf16>,
               %init: tensor<1x8x8x1xf16>) -> tensor<1x8x8x1xf16> {
  %empty = tensor.empty() : tensor<2x4x4x1xf32>
  %0 = ks.merge_weights <4, 2, 2, 1>, <2, 2, 2, 2> into <2, 4, 4, 1>
         ins(%k0, %k1 : tensor<4x2x2x1xf16>, tensor<2x2x2x2xf16>)
         outs(%empty : tensor<2x4x4x1xf32>) -> tensor<2x4x4x1xf32>
  %1 = ks.merge_weights <2, 4, 4, 1>, <1, 2, 2, 4> into <1, 8, 8, 1>
         ins(%0, %k2 : tensor<2x4x4x1xf32>, tensor<1x2x2x4xf16>)
         outs(%init : tensor<1x8x8x1xf16>) -> tensor<1x8x8x1xf16>
  return %1 : tensor<1x8x8x1xf16>
}
