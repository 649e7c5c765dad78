// The same program in f64: types and constants change, conversions vanish, and
// nothing is left of plans and tf32.

// RUN: ks-opt %s --ks-widen-to-f64 | FileCheck %s

// CHECK-LABEL: func.func @types(
//  CHECK-SAME:   tensor<?x4xf64>, %{{.*}}: memref<2xf64>, %{{.*}}: tensor<2xcomplex<f64>>, %{{.*}}: f64, %{{.*}}: vector<4xf64>, %{{.*}}: i32, %{{.*}}: index) -> tensor<?x4xf64>
func.func @types(%x: tensor<?x4xf16>, %m: memref<2xbf16>, %z: tensor<2xcomplex<f32>>, %s: f32,
                 %v: vector<4xf64>, %i: i32, %n: index) -> tensor<?x4xf16> {
  return %x : tensor<?x4xf16>
}

// The values of constants stay: 0.1 in f16 is 0.0999755859375. Zeros of either
// sign, infinities and NaNs too.

// CHECK-LABEL: func.func @constants(
//       CHECK:   arith.constant 0.0999755859375 : f64
//       CHECK:   arith.constant dense<[1.000000e+00, -0.000000e+00, 0x7FF0000000000000, 0x7FF8000000000000]> : tensor<4xf64>
//       CHECK:   arith.constant dense<2.500000e+00> : tensor<3x2xf64>
//       CHECK:   complex.constant [1.000000e+00, -2.500000e-01] : complex<f64>
//       CHECK:   arith.constant dense<[(1.000000e+00,2.000000e+00), (3.000000e+00,4.000000e+00)]> : tensor<2xcomplex<f64>>
//       CHECK:   arith.constant dense<(5.000000e-01,1.000000e+00)> : tensor<2xcomplex<f64>>
//       CHECK:   arith.constant dense<[1, 2]> : tensor<2xi32>
func.func @constants() {
  %0 = arith.constant 0.1 : f16
  %1 = arith.constant dense<[1.0, -0.0, 0x7C00, 0x7E00]> : tensor<4xf16>
  %2 = arith.constant dense<2.5> : tensor<3x2xbf16>
  %3 = complex.constant [1.0 : f32, -0.25 : f32] : complex<f32>
  %4 = arith.constant dense<[(1.0, 2.0), (3.0, 4.0)]> : tensor<2xcomplex<f32>>
  %5 = arith.constant dense<(0.5, 1.0)> : tensor<2xcomplex<f32>>
  %6 = arith.constant dense<[1, 2]> : tensor<2xi32>
  return
}

// Conversions between what is now one type are gone, others stay.

// CHECK-LABEL: func.func @conversions(
//  CHECK-SAME:   %[[X:.*]]: f64, %[[I:.*]]: i32
//  CHECK-NEXT:   %[[F:.*]] = arith.sitofp %[[I]] : i32 to f64
//  CHECK-NEXT:   %[[S:.*]] = arith.addf %[[X]], %[[F]] : f64
//  CHECK-NEXT:   return %[[S]] : f64
func.func @conversions(%x: f16, %i: i32) -> f16 {
  %0 = arith.extf %x : f16 to f32
  %1 = arith.sitofp %i : i32 to f32
  %2 = arith.addf %0, %1 : f32
  %3 = arith.truncf %2 : f32 to f16
  return %3 : f16
}

// An epilogue in f32 on an f16 product is one in f64 on an f64 product.

// CHECK-LABEL: func.func @product(
//       CHECK:   ks.matmul <1, 4, 4, 1> ins(%{{.*}}, %{{.*}} : tensor<?x4xf64>, tensor<1x4x4x1xf64>)
//  CHECK-SAME:     epilogue(%{{.*}} : tensor<4xf64>)
//  CHECK-NEXT:   ^bb0(%acc: f64, %[[B:.*]]: f64):
//  CHECK-NEXT:     %[[R:.*]] = arith.addf %acc, %[[B]] : f64
//  CHECK-NEXT:     ks.yield %[[R]] : f64
//   CHECK-NOT:   plan
func.func @product(%x: tensor<?x4xf16>, %k: tensor<1x4x4x1xf16>, %bias: tensor<4xf16>,
                   %init: tensor<?x4xf16>) -> tensor<?x4xf16> {
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xf16>, tensor<1x4x4x1xf16>)
         outs(%init : tensor<?x4xf16>) epilogue(%bias : tensor<4xf16>) {
         ^bb0(%acc: f32, %b: f16):
           %0 = arith.extf %b : f16 to f32
           %1 = arith.addf %acc, %0 : f32
           ks.yield %1 : f32
         }
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]> -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// CHECK-LABEL: func.func @tf32(
//   CHECK-NOT:   tf32
//       CHECK:   ks.chain [<1, 4, 4, 1>] layout({{ *}}batch_last) ins({{.*}}f64{{.*}}
//   CHECK-NOT:   precision
//       CHECK:   ks.to_dense [<1, 4, 4, 1>] ins(%{{.*}} : tensor<1x4x4x1xf64>)
func.func @tf32(%x: tensor<4x?xf32>, %k: tensor<1x4x4x1xf32>, %init: tensor<4x?xf32>,
                %dense: tensor<4x4xf32>) -> (tensor<4x?xf32>, tensor<4x4xf32>) {
  %y = ks.chain [<1, 4, 4, 1>] layout(batch_last) precision(tf32)
         ins(%x, %k : tensor<4x?xf32>, tensor<1x4x4x1xf32>)
         outs(%init : tensor<4x?xf32>) -> tensor<4x?xf32>
  %z = ks.to_dense [<1, 4, 4, 1>] ins(%k : tensor<1x4x4x1xf32>)
         outs(%dense : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %y, %z : tensor<4x?xf32>, tensor<4x4xf32>
}

// What is merged in f32 and rounded to f16 is merged in f64; permissions stay.

// CHECK-LABEL: func.func @merged(
//  CHECK-SAME:   tensor<2x2x2x1xf64> {ks.frozen}
//       CHECK:   ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
//  CHECK-SAME:     outs(%{{.*}} : tensor<1x4x4x1xf64>)
//       CHECK:   ks.matmul <1, 4, 4, 1> fastmath<reassoc>
func.func @merged(%x: tensor<?x4xf16>, %k0: tensor<2x2x2x1xf16> {ks.frozen}, %k1: tensor<1x2x2x2xf32>,
                  %merged: tensor<1x4x4x1xf16>, %init: tensor<?x4xf16>) -> tensor<?x4xf16> {
  %k = ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
         ins(%k0, %k1 : tensor<2x2x2x1xf16>, tensor<1x2x2x2xf32>)
         outs(%merged : tensor<1x4x4x1xf16>) -> tensor<1x4x4x1xf16>
  %y = ks.matmul <1, 4, 4, 1> fastmath<reassoc> ins(%x, %k : tensor<?x4xf16>, tensor<1x4x4x1xf16>)
         outs(%init : tensor<?x4xf16>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// What was converted is of one type now.

// CHECK-LABEL: func.func @load_as(
//       CHECK:   ks.matmul <1, 4, 4, 1> load_as(f64) ins({{.*}} : tensor<?x4xf64>, tensor<1x4x4x1xf64>) outs({{.*}} : tensor<?x4xf64>)
func.func @load_as(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf16>, %init: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = ks.matmul <1, 4, 4, 1> load_as(f16) ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf16>)
    outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
