// Epilogues and plans of products, printed and parsed again.

// RUN: ks-opt %s | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | ks-opt | FileCheck %s
// RUN: ks-opt %s --emit-bytecode | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=GENERIC

//===----------------------------------------------------------------------===//
// Epilogues
//===----------------------------------------------------------------------===//

// The accumulator of f16 is f32; it is the first argument, and has a name.

// CHECK-LABEL: func.func @no_extras(
//       CHECK:   ks.matmul <1, 2, 2, 1> ins({{.*}}) outs(%{{[^ ]*}} : tensor<?x2xf16>) epilogue {
//  CHECK-NEXT:   ^bb0(%acc: f32):
//  CHECK-NEXT:     %[[R:.*]] = math.tanh %acc : f32
//  CHECK-NEXT:     ks.yield %[[R]] : f32
//  CHECK-NEXT:   } -> tensor<?x2xf16>
func.func @no_extras(%x: tensor<?x2xf16>, %k: tensor<1x2x2x1xf16>,
                     %init: tensor<?x2xf16>) -> tensor<?x2xf16> {
  %y = ks.matmul <1, 2, 2, 1>
         ins(%x, %k : tensor<?x2xf16>, tensor<1x2x2x1xf16>)
         outs(%init : tensor<?x2xf16>)
         epilogue {
         ^bb0(%acc: f32):
           %r = math.tanh %acc : f32
           ks.yield %r : f32
         } -> tensor<?x2xf16>
  return %y : tensor<?x2xf16>
}

// A bias (one per output feature) and a residual (of the result's shape).

// CHECK-LABEL: func.func @bias_and_residual(
//  CHECK-SAME:   %[[BIAS:[^:]*]]: tensor<6xbf16>, %[[RES:[^:]*]]: tensor<?x6xbf16>
//       CHECK:   ks.chain [<2, 3, 2, 1>, <1, 6, 6, 1>]
//  CHECK-SAME:     epilogue(%[[BIAS]], %[[RES]] : tensor<6xbf16>, tensor<?x6xbf16>) {
//  CHECK-NEXT:   ^bb0(%acc: f32, %[[B:.*]]: bf16, %[[R:.*]]: bf16):
//  CHECK-NEXT:     arith.extf %[[B]] : bf16 to f32
//  CHECK-NEXT:     arith.extf %[[R]] : bf16 to f32
//       CHECK:     ks.yield %{{.*}} : f32
//  CHECK-NEXT:   } -> tensor<?x6xbf16>
// GENERIC-LABEL: sym_name = "bias_and_residual"
//       GENERIC:   operandSegmentSizes = array<i32: 1, 2, 2, 1>
func.func @bias_and_residual(%x: tensor<?x4xbf16>, %k0: tensor<2x3x2x1xbf16>,
                             %k1: tensor<1x6x6x1xbf16>, %bias: tensor<6xbf16>,
                             %residual: tensor<?x6xbf16>, %init: tensor<?x6xbf16>)
    -> tensor<?x6xbf16> {
  %y = ks.chain [<2, 3, 2, 1>, <1, 6, 6, 1>]
         ins(%x, %k0, %k1 : tensor<?x4xbf16>, tensor<2x3x2x1xbf16>, tensor<1x6x6x1xbf16>)
         outs(%init : tensor<?x6xbf16>)
         epilogue(%bias, %residual : tensor<6xbf16>, tensor<?x6xbf16>) {
         ^bb0(%acc: f32, %b: bf16, %r: bf16):
           %b32 = arith.extf %b : bf16 to f32
           %r32 = arith.extf %r : bf16 to f32
           %0 = arith.addf %acc, %b32 : f32
           %1 = arith.addf %0, %r32 : f32
           ks.yield %1 : f32
         } -> tensor<?x6xbf16>
  return %y : tensor<?x6xbf16>
}

// The features of a batch-last product are its rows.

// CHECK-LABEL: func.func @batch_last(
//       CHECK:   epilogue(%{{.*}}, %{{.*}} : tensor<3xf32>, tensor<3x?xf32>) {
//  CHECK-NEXT:   ^bb0(%acc: f32, %{{.*}}: f32, %{{.*}}: f32):
func.func @batch_last(%x: tensor<2x?xf32>, %k: tensor<1x3x2x1xf32>, %bias: tensor<3xf32>,
                      %residual: tensor<3x?xf32>, %init: tensor<3x?xf32>) -> tensor<3x?xf32> {
  %y = ks.matmul <1, 3, 2, 1> layout(batch_last)
         ins(%x, %k : tensor<2x?xf32>, tensor<1x3x2x1xf32>)
         outs(%init : tensor<3x?xf32>)
         epilogue(%bias, %residual : tensor<3xf32>, tensor<3x?xf32>) {
         ^bb0(%acc: f32, %b: f32, %r: f32):
           %0 = math.fma %b, %r, %acc : f32
           ks.yield %0 : f32
         } -> tensor<3x?xf32>
  return %y : tensor<3x?xf32>
}

// All three dialects are allowed, and constants and comparisons with them.

// CHECK-LABEL: func.func @complex_memref(
//       CHECK:   ks.matmul <1, 2, 2, 1>
//  CHECK-SAME:     epilogue(%{{.*}} : memref<2xcomplex<f32>>) {
//  CHECK-NEXT:   ^bb0(%acc: complex<f32>, %{{.*}}: complex<f32>):
//       CHECK:     complex.abs
//       CHECK:     arith.cmpf
//       CHECK:     ks.yield %{{.*}} : complex<f32>
//  CHECK-NEXT:   }
func.func @complex_memref(%x: memref<?x2xcomplex<f32>>, %k: memref<1x2x2x1xcomplex<f32>>,
                          %bias: memref<2xcomplex<f32>>, %y: memref<?x2xcomplex<f32>>) {
  ks.matmul <1, 2, 2, 1>
    ins(%x, %k : memref<?x2xcomplex<f32>>, memref<1x2x2x1xcomplex<f32>>)
    outs(%y : memref<?x2xcomplex<f32>>)
    epilogue(%bias : memref<2xcomplex<f32>>) {
    ^bb0(%acc: complex<f32>, %b: complex<f32>):
      %one = arith.constant 1.0 : f32
      %abs = complex.abs %acc : complex<f32>
      %log = math.log %abs : f32
      %big = arith.cmpf ogt, %log, %one : f32
      %sum = complex.add %acc, %b : complex<f32>
      %r = arith.select %big, %sum, %acc : complex<f32>
      ks.yield %r : complex<f32>
    }
  return
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func.func @planned(
//       CHECK:   ks.chain [<2, 3, 4, 1>, <1, 6, 6, 1>]
//  CHECK-SAME:     plan #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [
//  CHECK-SAME:       <rows = 8, vectors = 1, lanes = 2, unroll = 4, stationary = weights, packing = <vectors = 1, lanes = 2, n = 2, j = 1>>,
//  CHECK-SAME:       <rows = 4, vectors = 3, lanes = 2, unroll = 2, stationary = activations, packing = <vectors = 3, lanes = 2, n = 2, j = 1>>]>
//  CHECK-SAME:     -> tensor<?x6xf32>
func.func @planned(%x: tensor<?x8xf32>, %k0: tensor<2x3x4x1xf32>, %k1: tensor<1x6x6x1xf32>,
                   %init: tensor<?x6xf32>) -> tensor<?x6xf32> {
  %y = ks.chain [<2, 3, 4, 1>, <1, 6, 6, 1>]
         ins(%x, %k0, %k1 : tensor<?x8xf32>, tensor<2x3x4x1xf32>, tensor<1x6x6x1xf32>)
         outs(%init : tensor<?x6xf32>)
         plan #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [
           <rows = 8, vectors = 1, lanes = 2, unroll = 4, stationary = weights,
            packing = <vectors = 1, lanes = 2, n = 2, j = 1>>,
           <rows = 4, vectors = 3, lanes = 2, unroll = 2, stationary = activations,
            packing = <vectors = 3, lanes = 2, n = 2, j = 1>>]>
         -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// A packed weight has rank 1, and the type that the plan's packing says: a panel
// of 2 x 8 for each of 64 columns, 4 panels in each of 6 groups; f16 is packed as
// f32. Blocks of n that do not divide b = 5 evenly overlap: 3 of 2.

// CHECK-LABEL: func.func @packed(
//       CHECK:   ks.matmul <6, 64, 64, 1> ins({{.*}} : tensor<?x384xf16>, tensor<24576xf32>) outs({{.*}} : tensor<?x384xf16>) epilogue {
//       CHECK:   } plan #ks.cpu_plan<batch_block = 1, parallel = batch|group|panel, tiles = [<rows = 1, vectors = 2, lanes = 8, unroll = 1, stationary = weights, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]> -> tensor<?x384xf16>
//       CHECK:   ks.matmul <1, 5, 1, 1> ins({{.*}} : tensor<?x1xf32>, tensor<6xf32>)
//  CHECK-SAME:     parallel = none
func.func @packed(%x: tensor<?x384xf16>, %k: tensor<24576xf32>, %init: tensor<?x384xf16>,
                  %x1: tensor<?x1xf32>, %k1: tensor<6xf32>, %init1: tensor<?x5xf32>)
    -> (tensor<?x384xf16>, tensor<?x5xf32>) {
  %y = ks.matmul <6, 64, 64, 1>
         ins(%x, %k : tensor<?x384xf16>, tensor<24576xf32>)
         outs(%init : tensor<?x384xf16>)
         epilogue {
         ^bb0(%acc: f32):
           ks.yield %acc : f32
         }
         plan #ks.cpu_plan<batch_block = 1, parallel = batch|group|panel, tiles = [
           <rows = 1, vectors = 2, lanes = 8, unroll = 1, stationary = weights,
            packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]>
         -> tensor<?x384xf16>
  %y1 = ks.matmul <1, 5, 1, 1>
         ins(%x1, %k1 : tensor<?x1xf32>, tensor<6xf32>)
         outs(%init1 : tensor<?x5xf32>)
         plan #ks.cpu_plan<batch_block = 1, parallel = none, tiles = [
           <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
         -> tensor<?x5xf32>
  return %y, %y1 : tensor<?x384xf16>, tensor<?x5xf32>
}

// Where the packing is tied, the weight is packed once for all groups, or columns j;
// a complex weight as two vectors of reals, hence 4 reals per element.

// CHECK-LABEL: func.func @packed_tied_complex(
//       CHECK:   ks.matmul <2, 3, 2, 4> ins({{.*}} : memref<?x16xcomplex<f32>>, memref<48xf32>)
//  CHECK-SAME:     packing = <vectors = 3, lanes = 2, n = 1, j = 2, tied = a|d>
//       CHECK:   ks.matmul <2, 3, 2, 4> layout(batch_last) ins({{.*}} : memref<16x?xcomplex<f32>>, memref<96xf32>)
//  CHECK-SAME:     packing = <vectors = 1, lanes = 3, n = 3, j = 1, tied = a>
func.func @packed_tied_complex(%x: memref<?x16xcomplex<f32>>, %k: memref<48xf32>,
                               %y: memref<?x24xcomplex<f32>>, %xt: memref<16x?xcomplex<f32>>,
                               %kt: memref<96xf32>, %yt: memref<24x?xcomplex<f32>>) {
  ks.matmul <2, 3, 2, 4>
    ins(%x, %k : memref<?x16xcomplex<f32>>, memref<48xf32>)
    outs(%y : memref<?x24xcomplex<f32>>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 2, vectors = 3, lanes = 2, unroll = 2, stationary = weights,
       packing = <vectors = 3, lanes = 2, n = 1, j = 2, tied = a|d>>]>
  ks.matmul <2, 3, 2, 4> layout(batch_last)
    ins(%xt, %kt : memref<16x?xcomplex<f32>>, memref<96xf32>)
    outs(%yt : memref<24x?xcomplex<f32>>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 3, vectors = 2, lanes = 4, unroll = 2, stationary = weights,
       packing = <vectors = 1, lanes = 3, n = 3, j = 1, tied = a>>]>
  return
}
