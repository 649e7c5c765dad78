// Weights go into the order that the plan names: constants at compile time,
// arguments in a function of their own, others where they are.

// RUN: ks-opt %s --ks-pack-weights --split-input-file | FileCheck %s

// packed[n block][k][lane n]: block 0 has rows 0 and 1; block 1 would have rows
// 2 and 3, of which 3 does not exist, and is shifted back to rows 1 and 2. The
// constant is K[n, k] = 10 n + k.

// CHECK-LABEL: func.func @edge_block(
//       CHECK:   %[[P:.*]] = arith.constant dense<[0.000000e+00, 1.000000e+01, 1.000000e+00, 1.100000e+01, 1.000000e+01, 2.000000e+01, 1.100000e+01, 2.100000e+01]> : tensor<8xf32>
//   CHECK-NOT:   ks.pack_weights
//       CHECK:   ks.matmul <1, 3, 2, 1> ins(%{{.*}}, %[[P]] : tensor<?x2xf32>, tensor<8xf32>)
//  CHECK-NOT:  func.func
func.func @edge_block(%x: tensor<?x2xf32>, %init: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %k = arith.constant dense<[[[[0.0], [1.0]], [[10.0], [11.0]], [[20.0], [21.0]]]]>
         : tensor<1x3x2x1xf32>
  %y = ks.matmul <1, 3, 2, 1> ins(%x, %k : tensor<?x2xf32>, tensor<1x3x2x1xf32>)
         outs(%init : tensor<?x3xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]> -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

// d between 1 and a vector: lane l is (n, j) = (l div 3, l mod 3), lanes 6 and 7
// are padding. One vector for k = 0, one for k = 1. K[n, k, j] = 100 n + 10 k + j + 1.

// CHECK-LABEL: func.func @padding_lanes(
//       CHECK:   arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 1.010000e+02, 1.020000e+02, 1.030000e+02, 0.000000e+00, 0.000000e+00,
//  CHECK-SAME:     1.100000e+01, 1.200000e+01, 1.300000e+01, 1.110000e+02, 1.120000e+02, 1.130000e+02, 0.000000e+00, 0.000000e+00]> : tensor<16xf32>
func.func @padding_lanes(%x: tensor<?x6xf32>, %init: tensor<?x6xf32>) -> tensor<?x6xf32> {
  %k = arith.constant dense<[[[[1.0, 2.0, 3.0], [11.0, 12.0, 13.0]],
                              [[101.0, 102.0, 103.0], [111.0, 112.0, 113.0]]]]>
         : tensor<1x2x2x3xf32>
  %y = ks.matmul <1, 2, 2, 3> ins(%x, %k : tensor<?x6xf32>, tensor<1x2x2x3xf32>)
         outs(%init : tensor<?x6xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 8, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 8, n = 2, j = 3>>]> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

// Several vectors stand side by side for each k: n block 0, k = 0 has rows 0 to
// 3 as two vectors of 2. f16 is packed as f32. K[i, n, k] = 100 i + 10 n + k.

// CHECK-LABEL: func.func @vectors_f16(
//       CHECK:   arith.constant dense<[0.000000e+00, 1.000000e+01, 2.000000e+01, 3.000000e+01, 1.000000e+00, 1.100000e+01, 2.100000e+01, 3.100000e+01,
//  CHECK-SAME:     1.000000e+02, 1.100000e+02, 1.200000e+02, 1.300000e+02, 1.010000e+02, 1.110000e+02, 1.210000e+02, 1.310000e+02]> : tensor<16xf32>
func.func @vectors_f16(%x: tensor<?x4xf16>, %init: tensor<?x8xf16>) -> tensor<?x8xf16> {
  %k = arith.constant dense<[[[[0.0], [1.0]], [[10.0], [11.0]], [[20.0], [21.0]], [[30.0], [31.0]]],
                             [[[100.0], [101.0]], [[110.0], [111.0]], [[120.0], [121.0]], [[130.0], [131.0]]]]>
         : tensor<2x4x2x1xf16>
  %y = ks.matmul <2, 4, 2, 1> ins(%x, %k : tensor<?x4xf16>, tensor<2x4x2x1xf16>)
         outs(%init : tensor<?x8xf16>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 2, lanes = 2, unroll = 1, stationary = weights,
            packing = <vectors = 2, lanes = 2, n = 2, j = 1>>]> -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// -----

// A tied weight is packed once for all i, and for all j; where the packing is
// not tied, it is repeated. K[n, k] = 10 n + k.

// CHECK-LABEL: func.func @tied(
//       CHECK:   %[[TIED:.*]] = arith.constant dense<[0.000000e+00, 0.000000e+00, 1.000000e+00, 1.000000e+00, 1.000000e+01, 1.000000e+01, 1.100000e+01, 1.100000e+01]> : tensor<8xf32>
//       CHECK:   ks.matmul <2, 2, 2, 4> ins(%{{.*}}, %[[TIED]] :
//       CHECK:   %[[REPEATED:.*]] = arith.constant dense<[0.000000e+00, 0.000000e+00, 1.000000e+00, 1.000000e+00, 1.000000e+01, 1.000000e+01, 1.100000e+01, 1.100000e+01, 0.000000e+00, 0.000000e+00, 1.000000e+00, 1.000000e+00, 1.000000e+01, 1.000000e+01, 1.100000e+01, 1.100000e+01]> : tensor<16xf32>
//       CHECK:   ks.matmul <2, 2, 2, 2> ins(%{{.*}}, %[[REPEATED]] :
func.func @tied(%x: tensor<?x16xf32>, %init: tensor<?x16xf32>, %x2: tensor<?x8xf32>,
                %init2: tensor<?x8xf32>) -> (tensor<?x16xf32>, tensor<?x8xf32>) {
  %k = arith.constant dense<[[[[0.0], [1.0]], [[10.0], [11.0]]]]> : tensor<1x2x2x1xf32>
  %y = ks.matmul <2, 2, 2, 4> ins(%x, %k : tensor<?x16xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x16xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 2, n = 1, j = 2, tied = a|d>>]> -> tensor<?x16xf32>
  %z = ks.matmul <2, 2, 2, 2> ins(%x2, %k : tensor<?x8xf32>, tensor<1x2x2x1xf32>)
         outs(%init2 : tensor<?x8xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 2, n = 1, j = 2>>]> -> tensor<?x8xf32>
  return %y, %z : tensor<?x16xf32>, tensor<?x8xf32>
}

// -----

// A complex weight becomes (re, re) of all lanes, then (-im, im) of all lanes;
// padding stays zero. K[n] = (n + 1) + 10 (n + 1) i.

// CHECK-LABEL: func.func @complex(
//       CHECK:   arith.constant dense<[1.000000e+00, 1.000000e+00, 2.000000e+00, 2.000000e+00, 3.000000e+00, 3.000000e+00, 0.000000e+00, 0.000000e+00,
//  CHECK-SAME:     -1.000000e+01, 1.000000e+01, -2.000000e+01, 2.000000e+01, -3.000000e+01, 3.000000e+01, -0.000000e+00, 0.000000e+00]> : tensor<16xf64>
func.func @complex(%x: tensor<?x1xcomplex<f64>>, %init: tensor<?x3xcomplex<f64>>)
    -> tensor<?x3xcomplex<f64>> {
  %k = arith.constant dense<[[[[(1.0, 10.0)]], [[(2.0, 20.0)]], [[(3.0, 30.0)]]]]>
         : tensor<1x3x1x1xcomplex<f64>>
  %y = ks.matmul <1, 3, 1, 1> ins(%x, %k : tensor<?x1xcomplex<f64>>, tensor<1x3x1x1xcomplex<f64>>)
         outs(%init : tensor<?x3xcomplex<f64>>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 3, j = 1>>]> -> tensor<?x3xcomplex<f64>>
  return %y : tensor<?x3xcomplex<f64>>
}

// -----

// Weights that are arguments: @hoisted_pack takes them and destinations,
// @hoisted_packed takes the rest and what was packed; %k0 is used elsewhere too,
// and goes to both. @hoisted still means what it did.

//       CHECK: func.func @hoisted(
//  CHECK-SAME:   %[[X:.*]]: tensor<?x4xf32>, %[[K0:.*]]: tensor<1x4x4x1xf32>, %[[K1:.*]]: tensor<1x4x4x1xf32>, %[[INIT:.*]]: tensor<?x4xf32>)
//  CHECK-SAME:   attributes {ks.pack = @hoisted_pack, ks.pack_args = array<i64: 1, 2>, ks.packed = @hoisted_packed, ks.packed_args = array<i64: 0, 1, 3>}
//       CHECK:   %[[E0:.*]] = tensor.empty() : tensor<16xf32>
//       CHECK:   %[[E1:.*]] = tensor.empty() : tensor<16xf32>
//       CHECK:   %[[P:.*]]:2 = call @hoisted_pack(%[[K0]], %[[K1]], %[[E0]], %[[E1]])
//       CHECK:   %[[Y:.*]]:2 = call @hoisted_packed(%[[X]], %[[K0]], %[[INIT]], %[[P]]#0, %[[P]]#1)
//       CHECK:   return %[[Y]]#0, %[[Y]]#1

//       CHECK: func.func @hoisted_packed(
//  CHECK-SAME:   %[[X:.*]]: tensor<?x4xf32>, %[[K0:.*]]: tensor<1x4x4x1xf32>, %[[INIT:.*]]: tensor<?x4xf32>, %[[P0:.*]]: tensor<16xf32>, %[[P1:.*]]: tensor<16xf32>)
//       CHECK:   ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>] ins(%[[X]], %[[P0]], %[[P1]] :
//       CHECK:   return %{{.*}}, %[[K0]]

//       CHECK: func.func @hoisted_pack(
//  CHECK-SAME:   %[[K0:.*]]: tensor<1x4x4x1xf32>, %[[K1:.*]]: tensor<1x4x4x1xf32>, %[[D0:.*]]: tensor<16xf32>, %[[D1:.*]]: tensor<16xf32>) -> (tensor<16xf32>, tensor<16xf32>)
//       CHECK:   %[[P0:.*]] = ks.pack_weights <1, 4, 4, 1> into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1> ins(%[[K0]] : tensor<1x4x4x1xf32>) outs(%[[D0]] : tensor<16xf32>)
//       CHECK:   %[[P1:.*]] = ks.pack_weights <1, 4, 4, 1> into #ks.cpu_packing<vectors = 1, lanes = 2, n = 2, j = 1> ins(%[[K1]] : tensor<1x4x4x1xf32>) outs(%[[D1]] : tensor<16xf32>)
//       CHECK:   return %[[P0]], %[[P1]]
func.func @hoisted(%x: tensor<?x4xf32>, %k0: tensor<1x4x4x1xf32>, %k1: tensor<1x4x4x1xf32>,
                   %init: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<1x4x4x1xf32>) {
  %y = ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>]
         ins(%x, %k0, %k1 : tensor<?x4xf32>, tensor<1x4x4x1xf32>, tensor<1x4x4x1xf32>)
         outs(%init : tensor<?x4xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>,
           <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]> -> tensor<?x4xf32>
  return %y, %k0 : tensor<?x4xf32>, tensor<1x4x4x1xf32>
}

// -----

// A name that is taken is left alone.

//   CHECK-DAG: func.func private @taken_pack()
//   CHECK-DAG: func.func @taken({{.*}} attributes {ks.pack = @[[PACK:taken_pack_[0-9]+]],
//   CHECK-DAG: func.func @[[PACK]](
func.func private @taken_pack()
func.func @taken(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf32>, %init: tensor<?x4xf32>)
    -> tensor<?x4xf32> {
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>)
         outs(%init : tensor<?x4xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// A weight that the function computes is packed where it is used.

// CHECK-LABEL: func.func @computed(
//   CHECK-NOT:   attributes
//       CHECK:   %[[K:.*]] = arith.mulf
//       CHECK:   %[[D:.*]] = tensor.empty() : tensor<16xf32>
//       CHECK:   %[[P:.*]] = ks.pack_weights {{.*}} ins(%[[K]] : tensor<1x4x4x1xf32>) outs(%[[D]] : tensor<16xf32>)
//       CHECK:   ks.matmul <1, 4, 4, 1> ins(%{{.*}}, %[[P]] :
//   CHECK-NOT: func.func
func.func @computed(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf32>, %init: tensor<?x4xf32>)
    -> tensor<?x4xf32> {
  %k2 = arith.mulf %k, %k : tensor<1x4x4x1xf32>
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %k2 : tensor<?x4xf32>, tensor<1x4x4x1xf32>)
         outs(%init : tensor<?x4xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// So are weights on memrefs, in a buffer that ks-bufferize frees.

// CHECK-LABEL: func.func @on_memrefs(
//       CHECK:   %[[P:.*]] = memref.alloc() : memref<16xf32>
//       CHECK:   ks.pack_weights {{.*}} ins(%{{.*}} : memref<1x4x4x1xf32>) outs(%[[P]] : memref<16xf32>)
//       CHECK:   ks.matmul <1, 4, 4, 1> ins(%{{.*}}, %[[P]] : memref<?x4xf32>, memref<16xf32>)
func.func @on_memrefs(%x: memref<?x4xf32>, %k: memref<1x4x4x1xf32>, %y: memref<?x4xf32>) {
  ks.matmul <1, 4, 4, 1> ins(%x, %k : memref<?x4xf32>, memref<1x4x4x1xf32>)
    outs(%y : memref<?x4xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
  return
}

// -----

// Weights that are packed, and products without a plan, stay as they are.

// CHECK-LABEL: func.func @nothing_to_do(
//   CHECK-NOT:   pack_weights
//       CHECK:   return
//   CHECK-NOT: func.func
func.func @nothing_to_do(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf32>, %p: tensor<16xf32>,
                         %init: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>)
         outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = ks.matmul <1, 4, 4, 1> ins(%x, %p : tensor<?x4xf32>, tensor<16xf32>)
         outs(%init : tensor<?x4xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]> -> tensor<?x4xf32>
  return %y, %z : tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

// For GPUs too: a tile of 16 n by 16 k, of which lane 4g + t has K[g, t] first;
// what is behind the edge is zero. The constant itself is gone.

// CHECK-LABEL: func.func @gpu(
//   CHECK-NOT:   tensor<1x2x2x1xf16>
//       CHECK:   %[[P:.*]] = arith.constant dense<"0x003C{{0+}}40{{0+}}42{{0+}}44{{0+}}"> : tensor<256xf16>
//   CHECK-NOT:   ks.pack_weights
//       CHECK:   ks.matmul {{.*}} ins(%{{.*}}, %[[P]] :
func.func @gpu(%x: tensor<?x2xf16>, %init: tensor<?x2xf16>) -> tensor<?x2xf16> {
  %k = arith.constant dense<[[[[1.0], [2.0]], [[3.0], [4.0]]]]> : tensor<1x2x2x1xf16>
  %y = ks.matmul <1, 2, 2, 1> ins(%x, %k : tensor<?x2xf16>, tensor<1x2x2x1xf16>) outs(%init : tensor<?x2xf16>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 8, vector = 1, warps = [1, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>
    -> tensor<?x2xf16>
  return %y : tensor<?x2xf16>
}

// -----

// 1 + 2^-7 + 2^-10 + 2^-23 is three bf16: 1 + 2^-7, 2^-10 times 2^7 and 2^-23 times 2^16.

// CHECK-LABEL: func.func @split(
//       CHECK:   arith.constant dense<"0x813F{{0+}}003E{{0+}}003C{{0+}}"> : tensor<1536xbf16>
//   CHECK-NOT:   ks.pack_weights
func.func @split(%x: tensor<?x32xf32>, %init: tensor<?x1xf32>) -> tensor<?x1xf32> {
  %k = arith.constant dense<[[[[0x3F812001], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0],
                              [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0]]]]> : tensor<1x1x32x1xf32>
  %y = ks.matmul <1, 1, 32, 1> ins(%x, %k : tensor<?x32xf32>, tensor<1x1x32x1xf32>) outs(%init : tensor<?x1xf32>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 8, vector = 1, warps = [1, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16_split, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>
    -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// Two parts of rows n, in runs of two: part 0 has n = 0, 1, 4 and 5, part 1 n = 2, 3, 6 and
// 7, and each begins with a block of its own. K[i, n, k] = 100 i + 10 n + k + 1.

// CHECK-LABEL: func.func @parts(
//       CHECK:   arith.constant dense<[1.000000e+00, 2.000000e+00, 0.000000e+00, 0.000000e+00, 1.100000e+01, 1.200000e+01, 0.000000e+00, 0.000000e+00, 4.100000e+01, 4.200000e+01, 0.000000e+00, 0.000000e+00, 5.100000e+01, 5.200000e+01, 0.000000e+00, 0.000000e+00,
//  CHECK-SAME:     2.100000e+01, 2.200000e+01, 0.000000e+00, 0.000000e+00, 3.100000e+01, 3.200000e+01, 0.000000e+00, 0.000000e+00, 6.100000e+01, 6.200000e+01, 0.000000e+00, 0.000000e+00, 7.100000e+01, 7.200000e+01, 0.000000e+00, 0.000000e+00,
//  CHECK-SAME:     1.010000e+02, 1.020000e+02, 0.000000e+00, 0.000000e+00, 1.110000e+02, 1.120000e+02, 0.000000e+00, 0.000000e+00, 1.410000e+02, 1.420000e+02, 0.000000e+00, 0.000000e+00, 1.510000e+02, 1.520000e+02, 0.000000e+00, 0.000000e+00,
//  CHECK-SAME:     1.210000e+02, 1.220000e+02, 0.000000e+00, 0.000000e+00, 1.310000e+02, 1.320000e+02, 0.000000e+00, 0.000000e+00, 1.610000e+02, 1.620000e+02, 0.000000e+00, 0.000000e+00, 1.710000e+02, 1.720000e+02, 0.000000e+00, 0.000000e+00]> : tensor<64xf32>
func.func @parts(%x: tensor<?x4xf32>, %w: tensor<1x1x4x4xf32>, %init: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %k = arith.constant dense<[[[[1.0], [2.0]], [[11.0], [12.0]], [[21.0], [22.0]], [[31.0], [32.0]], [[41.0], [42.0]], [[51.0], [52.0]], [[61.0], [62.0]], [[71.0], [72.0]]],
                             [[[101.0], [102.0]], [[111.0], [112.0]], [[121.0], [122.0]], [[131.0], [132.0]], [[141.0], [142.0]], [[151.0], [152.0]], [[161.0], [162.0]], [[171.0], [172.0]]]]> : tensor<2x8x2x1xf32>
  %y = ks.chain [<2, 8, 2, 1>, <1, 1, 4, 4>] ins(%x, %k, %w : tensor<?x4xf32>, tensor<2x8x2x1xf32>, tensor<1x1x4x4xf32>) outs(%init : tensor<?x4xf32>)
    plan #ks.gpu_chain_plan<entries = 8, slices = 2, warps = 4, factors = [
      <entries = 8, vector = 1, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 4, k = 4, j = 1, parts = 2, run = 2>>,
      <entries = 8, vector = 1, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 4, k = 4, j = 1>>]>
    -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

{-# dialect_resources: { builtin: { k: "0x040000000010803F" } } #-}
