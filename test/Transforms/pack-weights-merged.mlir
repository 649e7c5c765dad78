// What merges weights goes where packing goes: constants at compile time,
// arguments in @f_pack, as a whole.

// RUN: ks-opt %s --ks-pack-weights --split-input-file | FileCheck %s

// K[n*2 + q, s*2 + k] = K1[n, s, q] K2[s, q, k]: each is a product of two numbers.
// Packed, the two rows of a vector are neighbours.

// CHECK-LABEL: func.func @constants(
//       CHECK:   arith.constant dense<[1.000000e+01, 6.000000e+01, 2.000000e+01, 8.000000e+01, 1.500000e+02, 2.800000e+02, 1.800000e+02, 3.200000e+02,
//  CHECK-SAME:     5.000000e+01, 1.800000e+02, 1.000000e+02, 2.400000e+02, 3.500000e+02, 5.600000e+02, 4.200000e+02, 6.400000e+02]> : tensor<16xf32>
//   CHECK-NOT:   ks.merge_weights
//   CHECK-NOT:   func.func
func.func @constants(%x: tensor<?x4xf32>, %init: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %k0 = arith.constant dense<[[[[1.0], [2.0]], [[3.0], [4.0]]], [[[5.0], [6.0]], [[7.0], [8.0]]]]> : tensor<2x2x2x1xf32>
  %k1 = arith.constant dense<[[[[10.0, 20.0], [30.0, 40.0]], [[50.0, 60.0], [70.0, 80.0]]]]> : tensor<1x2x2x2xf32>
  %empty = tensor.empty() : tensor<1x4x4x1xf32>
  %k = ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
    ins(%k0, %k1 : tensor<2x2x2x1xf32>, tensor<1x2x2x2xf32>) outs(%empty : tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>) outs(%init : tensor<?x4xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Sums are in f32 and rounded once: 2048 + 0.5 + 0.5 + ..., one by one, would stay
// 2048 in f16, where the next number is 2050. And the dense form, of two factors
// that are not chainable.

// CHECK-LABEL: func.func @rounded_once(
//   CHECK-DAG:   arith.constant dense<2.052000e+03> : tensor<1x1x1x1xf16>
//   CHECK-DAG:   arith.constant dense<{{\[\[\[\[}}1.000000e+00], [0.000000e+00], [2.000000e+00], [0.000000e+00]], {{\[\[}}2.000000e+00], [0.000000e+00], [4.000000e+00], [0.000000e+00]], {{\[\[}}9.000000e+00], [0.000000e+00], [1.200000e+01], [0.000000e+00]], {{\[\[}}1.200000e+01], [0.000000e+00], [1.600000e+01], [0.000000e+00]]]]> : tensor<1x4x4x1xf32>
//   CHECK-DAG:   arith.constant dense<1.600000e+01> : tensor<1x4x4x1xf32>
func.func @rounded_once() -> (tensor<1x1x1x1xf16>, tensor<1x4x4x1xf32>, tensor<1x4x4x1xf32>) {
  %k0 = arith.constant dense<[[[[2048.0]], [[0.5]], [[0.5]], [[0.5]], [[0.5]], [[0.5]], [[0.5]], [[0.5]], [[0.5]]]]> : tensor<1x9x1x1xf16>
  %k1 = arith.constant dense<1.0> : tensor<1x1x9x1xf16>
  %empty = tensor.empty() : tensor<1x1x1x1xf16>
  %0 = ks.merge_weights <1, 9, 1, 1>, <1, 1, 9, 1> into <1, 1, 1, 1>
    ins(%k0, %k1 : tensor<1x9x1x1xf16>, tensor<1x1x9x1xf16>) outs(%empty : tensor<1x1x1x1xf16>) -> tensor<1x1x1x1xf16>
  %l0 = arith.constant dense<[[[[1.0, 0.0], [2.0, 0.0]], [[3.0, 0.0], [4.0, 0.0]]]]> : tensor<1x2x2x2xf32>
  %l1 = arith.constant dense<[[[[1.0], [5.0]], [[2.0], [6.0]]], [[[3.0], [7.0]], [[4.0], [8.0]]]]> : tensor<2x2x2x1xf32>
  %dense = tensor.empty() : tensor<1x4x4x1xf32>
  %1 = ks.merge_weights <1, 2, 2, 2>, <2, 2, 2, 1> into <1, 4, 4, 1>
    ins(%l0, %l1 : tensor<1x2x2x2xf32>, tensor<2x2x2x1xf32>) outs(%dense : tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  // One constant as both factors.
  %same = arith.constant dense<2.0> : tensor<1x4x4x1xf32>
  %twice = tensor.empty() : tensor<1x4x4x1xf32>
  %2 = ks.merge_weights <1, 4, 4, 1>, <1, 4, 4, 1> into <1, 4, 4, 1>
    ins(%same, %same : tensor<1x4x4x1xf32>, tensor<1x4x4x1xf32>) outs(%twice : tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  return %0, %1, %2 : tensor<1x1x1x1xf16>, tensor<1x4x4x1xf32>, tensor<1x4x4x1xf32>
}

// -----

// All that makes a packed weight leaves with it: two merges, of which the first is
// also packed on its own, and a constant.

// CHECK-LABEL: func.func @slices(
//  CHECK-SAME:   attributes {ks.pack = @slices_pack, ks.pack_args = array<i64: 1, 2>, ks.packed = @slices_packed, ks.packed_args = array<i64: 0, 3>}
//       CHECK: func.func @slices_packed(
//   CHECK-NOT:   ks.merge_weights
//       CHECK:   ks.matmul <2, 4, 4, 1>
//       CHECK:   ks.matmul <1, 8, 8, 1>
//       CHECK:   return
//       CHECK: func.func @slices_pack(%[[K0:[^ ]*]]: tensor<4x2x2x1xf32>, %[[K1:[^ ]*]]: tensor<2x2x2x2xf32>, %[[P0:[^ ]*]]: tensor<32xf32>, %[[P1:[^ ]*]]: tensor<64xf32>)
//       CHECK:   %[[M0:.*]] = ks.merge_weights <4, 2, 2, 1>, <2, 2, 2, 2> into <2, 4, 4, 1> ins(%[[K0]], %[[K1]] :
//       CHECK:   %[[R0:.*]] = ks.pack_weights <2, 4, 4, 1> {{.*}} ins(%[[M0]] : {{.*}}) outs(%[[P0]] :
//       CHECK:   %[[K2:.*]] = arith.constant dense<2.000000e+00> : tensor<1x2x2x4xf32>
//       CHECK:   %[[M1:.*]] = ks.merge_weights <2, 4, 4, 1>, <1, 2, 2, 4> into <1, 8, 8, 1> ins(%[[M0]], %[[K2]] :
//       CHECK:   %[[R1:.*]] = ks.pack_weights <1, 8, 8, 1> {{.*}} ins(%[[M1]] : {{.*}}) outs(%[[P1]] :
//       CHECK:   return %[[R0]], %[[R1]]
func.func @slices(%x: tensor<?x8xf32>, %k0: tensor<4x2x2x1xf32>, %k1: tensor<2x2x2x2xf32>, %init: tensor<?x8xf32>)
    -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %k2 = arith.constant dense<2.0> : tensor<1x2x2x4xf32>
  %e0 = tensor.empty() : tensor<2x4x4x1xf32>
  %m0 = ks.merge_weights <4, 2, 2, 1>, <2, 2, 2, 2> into <2, 4, 4, 1>
    ins(%k0, %k1 : tensor<4x2x2x1xf32>, tensor<2x2x2x2xf32>) outs(%e0 : tensor<2x4x4x1xf32>) -> tensor<2x4x4x1xf32>
  %e1 = tensor.empty() : tensor<1x8x8x1xf32>
  %m1 = ks.merge_weights <2, 4, 4, 1>, <1, 2, 2, 4> into <1, 8, 8, 1>
    ins(%m0, %k2 : tensor<2x4x4x1xf32>, tensor<1x2x2x4xf32>) outs(%e1 : tensor<1x8x8x1xf32>) -> tensor<1x8x8x1xf32>
  %0 = ks.matmul <2, 4, 4, 1> ins(%x, %m0 : tensor<?x8xf32>, tensor<2x4x4x1xf32>) outs(%init : tensor<?x8xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights, packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
    -> tensor<?x8xf32>
  %1 = ks.matmul <1, 8, 8, 1> ins(%x, %m1 : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%init : tensor<?x8xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights, packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
    -> tensor<?x8xf32>
  return %0, %1 : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

// A merged weight that is also a result is made in both functions, and @f_packed
// takes what it needs for that.

// CHECK-LABEL: func.func @used_elsewhere(
//  CHECK-SAME:   ks.pack_args = array<i64: 1, 2>, ks.packed = @used_elsewhere_packed, ks.packed_args = array<i64: 0, 1, 2, 3>
//       CHECK: func.func @used_elsewhere_packed(
//       CHECK:   %[[M:.*]] = ks.merge_weights
//       CHECK:   ks.matmul
//       CHECK:   return %{{.*}}, %[[M]]
//       CHECK: func.func @used_elsewhere_pack(
//       CHECK:   ks.merge_weights
//       CHECK:   ks.pack_weights
func.func @used_elsewhere(%x: tensor<?x4xf32>, %k0: tensor<2x2x2x1xf32>, %k1: tensor<1x2x2x2xf32>, %init: tensor<?x4xf32>)
    -> (tensor<?x4xf32>, tensor<1x4x4x1xf32>) {
  %empty = tensor.empty() : tensor<1x4x4x1xf32>
  %k = ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
    ins(%k0, %k1 : tensor<2x2x2x1xf32>, tensor<1x2x2x2xf32>) outs(%empty : tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>) outs(%init : tensor<?x4xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights, packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
    -> tensor<?x4xf32>
  return %y, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>
}
