// RUN: ks-opt %s --convert-ks-to-linalg --split-input-file | FileCheck %s --implicit-check-not=ks.

// On memrefs, views take the place of reshapes. f32 is summed up where outs is, whatever
// the pitch of its rows.

// CHECK-LABEL: func.func @matmul(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<?x6xf32, strided<[?, 1], offset: ?>>, %[[K:[^:]*]]: memref<2x4x3x1xf32>, %[[Y:[^:]*]]: memref<?x8xf32, strided<[16, 1]>>
//   CHECK-NOT:   memref.alloc
//       CHECK:   %[[M:.*]] = memref.dim %[[Y]], %{{.*}}
//       CHECK:   %[[OUT:.*]] = memref.expand_shape %[[Y]] {{\[\[}}0], [1, 2, 3]] output_shape [%[[M]], 2, 4, 1]
//  CHECK-SAME:     into memref<?x2x4x1xf32, strided<[16, 4, 1, 1]>>
//       CHECK:   linalg.fill {{.*}} outs(%[[OUT]] :
//       CHECK:   %[[IN:.*]] = memref.expand_shape %[[X]] {{\[\[}}0], [1, 2, 3]] output_shape [%[[M]], 2, 3, 1]
//       CHECK:   linalg.generic {{.*}} ins(%[[IN]], %[[K]] : {{.*}}) outs(%[[OUT]] :
//       CHECK:   return
func.func @matmul(%x: memref<?x6xf32, strided<[?, 1], offset: ?>>, %k: memref<2x4x3x1xf32>,
                  %y: memref<?x8xf32, strided<[16, 1]>>) {
  ks.matmul <2, 4, 3, 1>
    ins(%x, %k : memref<?x6xf32, strided<[?, 1], offset: ?>>, memref<2x4x3x1xf32>)
    outs(%y : memref<?x8xf32, strided<[16, 1]>>)
  return
}

// -----

// Intermediates and accumulators are allocated, and freed at the end.

// CHECK-LABEL: func.func @chain(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<6x?xbf16>, %[[K0:[^:]*]]: memref<1x4x3x1xbf16>, %[[K1:[^:]*]]: memref<1x4x4x2xbf16>, %[[B:[^:]*]]: memref<8xbf16>, %[[R:[^:]*]]: memref<8x?xbf16>, %[[Y:[^:]*]]: memref<8x?xbf16>
//       CHECK:   %[[H:.*]] = memref.alloc(%[[M:.*]]) : memref<2x4x1x?xbf16>
//       CHECK:   %[[SUM0:.*]] = memref.alloc(%[[M]]) : memref<2x4x1x?xf32>
//       CHECK:   linalg.fill {{.*}} outs(%[[SUM0]] :
//       CHECK:   linalg.generic {{.*}} ins(%{{.*}}, %[[K0]] : {{.*}}) outs(%[[SUM0]] :
//       CHECK:   linalg.generic {{.*}} ins(%[[SUM0]] : {{.*}}) outs(%[[H]] :
//       CHECK:     arith.truncf
//       CHECK:   %[[H2:.*]] = memref.collapse_shape %[[H]] {{\[\[}}0, 1, 2], [3]] : memref<2x4x1x?xbf16> into memref<8x?xbf16>
//       CHECK:   %[[OUT:.*]] = memref.expand_shape %[[Y]] {{\[\[}}0, 1, 2], [3]] output_shape [1, 4, 2, %[[M]]]
//       CHECK:   %[[SUM1:.*]] = memref.alloc(%[[M]]) : memref<1x4x2x?xf32>
//       CHECK:   %[[H_IN:.*]] = memref.expand_shape %[[H2]]
//       CHECK:   linalg.generic {{.*}} ins(%[[H_IN]], %[[K1]] : {{.*}}) outs(%[[SUM1]] :
//       CHECK:   %[[BIAS:.*]] = memref.expand_shape %[[B]] {{\[\[}}0, 1, 2]] output_shape [1, 4, 2]
//       CHECK:   %[[RES:.*]] = memref.expand_shape %[[R]] {{\[\[}}0, 1, 2], [3]] output_shape [1, 4, 2, %[[M]]]
//       CHECK:   linalg.generic {{.*}} ins(%[[SUM1]], %[[BIAS]], %[[RES]] : {{.*}}) outs(%[[OUT]] :
//   CHECK-DAG:   memref.dealloc %[[H]]
//   CHECK-DAG:   memref.dealloc %[[SUM0]]
//   CHECK-DAG:   memref.dealloc %[[SUM1]]
//       CHECK:   return
func.func @chain(%x: memref<6x?xbf16>, %k0: memref<1x4x3x1xbf16>, %k1: memref<1x4x4x2xbf16>,
                 %bias: memref<8xbf16>, %residual: memref<8x?xbf16>, %y: memref<8x?xbf16>) {
  ks.chain [<2, 4, 3, 1>, <1, 4, 4, 2>] layout(batch_last)
    ins(%x, %k0, %k1 : memref<6x?xbf16>, memref<1x4x3x1xbf16>, memref<1x4x4x2xbf16>)
    outs(%y : memref<8x?xbf16>)
    epilogue(%bias, %residual : memref<8xbf16>, memref<8x?xbf16>) {
    ^bb0(%acc: f32, %b: bf16, %r: bf16):
      %b32 = arith.extf %b : bf16 to f32
      %r32 = arith.extf %r : bf16 to f32
      %0 = arith.addf %acc, %b32 : f32
      %1 = arith.addf %0, %r32 : f32
      ks.yield %1 : f32
    }
  return
}

// -----

// The meaning does not depend on strides: they may all be unknown.

// CHECK-LABEL: func.func @unknown_strides(
//       CHECK:   memref.expand_shape {{.*}} : memref<?x8xf32, strided<[?, ?], offset: ?>> into memref<?x2x4x1xf32, strided<[?, ?, ?, ?], offset: ?>>
//       CHECK:   linalg.generic
func.func @unknown_strides(%x: memref<?x6xf32, strided<[?, ?], offset: ?>>,
                           %k: memref<2x4x3x1xf32, strided<[?, ?, ?, ?], offset: ?>>,
                           %y: memref<?x8xf32, strided<[?, ?], offset: ?>>) {
  ks.matmul <2, 4, 3, 1>
    ins(%x, %k : memref<?x6xf32, strided<[?, ?], offset: ?>>,
        memref<2x4x3x1xf32, strided<[?, ?, ?, ?], offset: ?>>)
    outs(%y : memref<?x8xf32, strided<[?, ?], offset: ?>>)
  return
}

// -----

// CHECK-LABEL: func.func @to_dense(
//  CHECK-SAME:   %[[K:[^:]*]]: memref<1x4x3x1xcomplex<f32>>, %[[W:[^:]*]]: memref<8x6xcomplex<f32>, strided<[7, 1]>>
//       CHECK:   %[[ID:.*]] = memref.alloc() : memref<6x6xcomplex<f32>>
//       CHECK:   linalg.generic {{.*}} outs(%[[ID]] :
//   CHECK-DAG:     complex.constant [1.000000e+00 : f32, 0.000000e+00 : f32]
//   CHECK-DAG:     complex.constant [0.000000e+00 : f32, 0.000000e+00 : f32]
//       CHECK:   %[[OUT:.*]] = memref.expand_shape %[[W]] {{.*}} into memref<2x4x1x6xcomplex<f32>, strided<[28, 7, 7, 1]>>
//       CHECK:   %[[IN:.*]] = memref.expand_shape %[[ID]]
//       CHECK:   linalg.generic {{.*}} ins(%[[IN]], %[[K]] : {{.*}}) outs(%[[OUT]] :
//       CHECK:   memref.dealloc %[[ID]]
func.func @to_dense(%k: memref<1x4x3x1xcomplex<f32>>,
                    %w: memref<8x6xcomplex<f32>, strided<[7, 1]>>) {
  ks.to_dense [<2, 4, 3, 1>]
    ins(%k : memref<1x4x3x1xcomplex<f32>>)
    outs(%w : memref<8x6xcomplex<f32>, strided<[7, 1]>>)
  return
}
