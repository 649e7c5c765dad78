// RUN: ks-opt %s --convert-ks-to-linalg --verify-diagnostics --split-input-file

func.func @packed_matmul(%x: tensor<?x6xf32>, %k: tensor<24xf32>, %init: tensor<?x8xf32>)
    -> tensor<?x8xf32> {
  // expected-error @+1 {{has packed weights, whose order linalg cannot express; expected unpacked weights (run convert-ks-to-linalg before ks-pack-weights)}}
  %y = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<?x6xf32>, tensor<24xf32>)
         outs(%init : tensor<?x8xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
         -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// One of two is packed; the product before it is fine.

func.func @packed_chain(%x: memref<?x6xf32>, %k0: memref<2x4x3x1xf32>, %k1: memref<32xf32>,
                        %h: memref<?x8xf32>, %y: memref<?x8xf32>) {
  ks.matmul <2, 4, 3, 1>
    ins(%x, %k0 : memref<?x6xf32>, memref<2x4x3x1xf32>) outs(%h : memref<?x8xf32>)
  // expected-error @+1 {{has packed weights, whose order linalg cannot express; expected unpacked weights (run convert-ks-to-linalg before ks-pack-weights)}}
  ks.chain [<2, 4, 3, 1>, <1, 4, 4, 2>]
    ins(%x, %k0, %k1 : memref<?x6xf32>, memref<2x4x3x1xf32>, memref<32xf32>)
    outs(%y : memref<?x8xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>,
      <rows = 1, vectors = 1, lanes = 8, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 8, n = 4, j = 2>>]>
  return
}
