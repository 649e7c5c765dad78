// RUN: ks-opt %s --convert-ks-to-linalg --split-input-file | FileCheck %s --implicit-check-not=ks.

// f64 accumulates in f64, in outs itself.

// CHECK-LABEL: func.func @f64(
//       CHECK:   %[[OUT:.*]] = tensor.expand_shape
//       CHECK:   %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
//       CHECK:   linalg.fill ins(%[[ZERO]] : f64) outs(%[[OUT]] : tensor<?x2x4x1xf64>)
//       CHECK:   linalg.generic
//       CHECK:     arith.mulf %{{.*}}, %{{.*}} : f64
//       CHECK:     arith.addf %{{.*}}, %{{.*}} : f64
//   CHECK-NOT:   linalg.generic
func.func @f64(%x: tensor<?x6xf64>, %k: tensor<2x4x3x1xf64>, %init: tensor<?x8xf64>)
    -> tensor<?x8xf64> {
  %y = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<?x6xf64>, tensor<2x4x3x1xf64>)
         outs(%init : tensor<?x8xf64>) -> tensor<?x8xf64>
  return %y : tensor<?x8xf64>
}

// -----

// f16 and bf16 accumulate in f32, in memory of its own; outs gets the rounded sum.

// CHECK-LABEL: func.func @f16(
//       CHECK:   %[[OUT:.*]] = tensor.expand_shape
//       CHECK:   %[[ACC_INIT:.*]] = tensor.empty(%{{.*}}) : tensor<?x2x4x1xf32>
//       CHECK:   linalg.fill {{.*}} outs(%[[ACC_INIT]] : tensor<?x2x4x1xf32>)
//       CHECK:   %[[SUM:.*]] = linalg.generic
//       CHECK:   ^bb0(%[[X:.*]]: f16, %[[K:.*]]: f16, %[[ACC:.*]]: f32):
//   CHECK-DAG:     %[[K32:.*]] = arith.extf %[[K]] : f16 to f32
//   CHECK-DAG:     %[[X32:.*]] = arith.extf %[[X]] : f16 to f32
//       CHECK:     %[[P:.*]] = arith.mulf %[[K32]], %[[X32]] : f32
//       CHECK:     arith.addf %[[ACC]], %[[P]] : f32
//       CHECK:   linalg.generic {{.*}} ins(%[[SUM]] : tensor<?x2x4x1xf32>) outs(%[[OUT]] : tensor<?x2x4x1xf16>)
//       CHECK:   ^bb0(%[[S:.*]]: f32, %{{.*}}: f16):
//  CHECK-NEXT:     %[[T:.*]] = arith.truncf %[[S]] : f32 to f16
//  CHECK-NEXT:     linalg.yield %[[T]] : f16
func.func @f16(%x: tensor<?x6xf16>, %k: tensor<2x4x3x1xf16>, %init: tensor<?x8xf16>)
    -> tensor<?x8xf16> {
  %y = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<?x6xf16>, tensor<2x4x3x1xf16>)
         outs(%init : tensor<?x8xf16>) -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// -----

// CHECK-LABEL: func.func @bf16(
//       CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<2x4x1x?xf32>)
//       CHECK:     arith.extf %{{.*}} : bf16 to f32
//       CHECK:     arith.extf %{{.*}} : bf16 to f32
//       CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<2x4x1x?xbf16>)
//       CHECK:     arith.truncf %{{.*}} : f32 to bf16
func.func @bf16(%x: tensor<6x?xbf16>, %k: tensor<2x4x3x1xbf16>, %init: tensor<8x?xbf16>)
    -> tensor<8x?xbf16> {
  %y = ks.matmul <2, 4, 3, 1> layout(batch_last)
         ins(%x, %k : tensor<6x?xbf16>, tensor<2x4x3x1xbf16>)
         outs(%init : tensor<8x?xbf16>) -> tensor<8x?xbf16>
  return %y : tensor<8x?xbf16>
}

// -----

// Weights are not conjugated.

// CHECK-LABEL: func.func @complex(
//       CHECK:   %[[ZERO:.*]] = complex.constant [0.000000e+00 : f32, 0.000000e+00 : f32] : complex<f32>
//       CHECK:   linalg.fill ins(%[[ZERO]] : complex<f32>)
//       CHECK:   linalg.generic
//       CHECK:   ^bb0(%[[X:.*]]: complex<f32>, %[[K:.*]]: complex<f32>, %[[ACC:.*]]: complex<f32>):
//  CHECK-NEXT:     %[[P:.*]] = complex.mul %[[K]], %[[X]] : complex<f32>
//  CHECK-NEXT:     %[[S:.*]] = complex.add %[[ACC]], %[[P]] : complex<f32>
//  CHECK-NEXT:     linalg.yield %[[S]] : complex<f32>
func.func @complex(%x: tensor<?x6xcomplex<f32>>, %k: tensor<2x4x3x1xcomplex<f32>>,
                   %init: tensor<?x8xcomplex<f32>>) -> tensor<?x8xcomplex<f32>> {
  %y = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<?x6xcomplex<f32>>, tensor<2x4x3x1xcomplex<f32>>)
         outs(%init : tensor<?x8xcomplex<f32>>) -> tensor<?x8xcomplex<f32>>
  return %y : tensor<?x8xcomplex<f32>>
}

// -----

// CHECK-LABEL: func.func @complex_f64(
//       CHECK:   complex.constant [0.000000e+00, 0.000000e+00] : complex<f64>
//       CHECK:   complex.mul %{{.*}}, %{{.*}} : complex<f64>
//       CHECK:   complex.sub %{{.*}}, %{{.*}} : complex<f64>
func.func @complex_f64(%x: tensor<?x6xcomplex<f64>>, %k: tensor<2x4x3x1xcomplex<f64>>,
                       %bias: tensor<8xcomplex<f64>>, %init: tensor<?x8xcomplex<f64>>)
    -> tensor<?x8xcomplex<f64>> {
  %y = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<?x6xcomplex<f64>>, tensor<2x4x3x1xcomplex<f64>>)
         outs(%init : tensor<?x8xcomplex<f64>>)
         epilogue(%bias : tensor<8xcomplex<f64>>) {
         ^bb0(%acc: complex<f64>, %b: complex<f64>):
           %0 = complex.sub %acc, %b : complex<f64>
           ks.yield %0 : complex<f64>
         } -> tensor<?x8xcomplex<f64>>
  return %y : tensor<?x8xcomplex<f64>>
}
