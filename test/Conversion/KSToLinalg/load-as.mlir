// What an input of another type means: it is rounded first. The result is rounded to the
// type of outs, and an epilogue operand is read in its own.

// RUN: ks-opt %s --convert-ks-to-linalg | FileCheck %s --implicit-check-not=ks.

// CHECK-LABEL: func.func @load_as(
//       CHECK:   linalg.generic
//       CHECK:   ^bb0(%[[X:.*]]: f32, %[[K:.*]]: f16, %[[ACC:.*]]: f32):
//  CHECK-NEXT:     %[[N:.*]] = arith.truncf %[[X]] : f32 to f16
//       CHECK:     %[[W:.*]] = arith.extf %[[N]] : f16 to f32
//       CHECK:     arith.mulf %{{.*}}, %[[W]] : f32
//       CHECK:   linalg.generic
//       CHECK:   ^bb0(%{{.*}}: f32, %{{.*}}: f16):
//       CHECK:     arith.truncf
//       CHECK:   linalg.generic
//       CHECK:   ^bb0(%{{.*}}: f16, %{{.*}}: f16, %{{.*}}: f32):
//   CHECK-NOT:     arith.truncf
//       CHECK:   linalg.generic
//       CHECK:   ^bb0(%[[SUM:.*]]: f32, %[[B:.*]]: f64, %{{.*}}: f64):
//       CHECK:     %[[S:.*]] = arith.extf %[[SUM]] : f32 to f64
//       CHECK:     %[[R:.*]] = arith.addf %[[S]], %[[B]] : f64
//       CHECK:     linalg.yield %[[R]] : f64
func.func @load_as(%x: tensor<?x6xf32>, %k: tensor<1x4x6x1xf16>, %l: tensor<2x2x2x1xf16>,
                   %b: tensor<4xf64>, %init: tensor<?x4xf64>) -> tensor<?x4xf64> {
  %y = ks.chain [<1, 4, 6, 1>, <2, 2, 2, 1>] load_as(f16)
         ins(%x, %k, %l : tensor<?x6xf32>, tensor<1x4x6x1xf16>, tensor<2x2x2x1xf16>)
         outs(%init : tensor<?x4xf64>)
         epilogue(%b : tensor<4xf64>) {
         ^bb0(%acc: f32, %e: f64):
           %s = arith.extf %acc : f32 to f64
           %r = arith.addf %s, %e : f64
           ks.yield %r : f64
         } -> tensor<?x4xf64>
  return %y : tensor<?x4xf64>
}
