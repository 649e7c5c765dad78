// What ks-select-plan chooses, and what it says about it. These are choices
// only: test/Conversion/KSToVector realizes plans that are written by hand.

// RUN: ks-opt %s --ks-select-plan="target=x86-64-v3 threads=1" | FileCheck %s --check-prefixes=CHECK,V3
// RUN: ks-opt %s --ks-select-plan="target=x86-64-v4 threads=1" | FileCheck %s --check-prefixes=CHECK,V4
// RUN: ks-opt %s --ks-select-plan="target=x86-64-v4 threads=32" | FileCheck %s --check-prefix=MANY
// RUN: ks-opt %s --ks-select-plan="target=x86-64-v3 threads=1" -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark --verify-diagnostics

// d = 1: lanes run along n, an element of the input is broadcast. A row of the
// batch takes 2 (4) of the 16 (32) registers, and has 12 (24) accumulators.
// With more threads than blocks of the batch, blocks shrink to one tile.

// CHECK-LABEL: func.func @d_is_1(
//       V3:      plan #ks.cpu_plan<batch_block = 132, parallel = batch, tiles = [<rows = 6, vectors = 2, lanes = 8, unroll = 2, stationary = activations, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]>
//       V4:      plan #ks.cpu_plan<batch_block = 128, parallel = batch, tiles = [<rows = 4, vectors = 4, lanes = 16, unroll = 2, stationary = activations, packing = <vectors = 4, lanes = 16, n = 16, j = 1>>]>
//  MANY-LABEL: func.func @d_is_1(
//       MANY:    plan #ks.cpu_plan<batch_block = 4, parallel = batch, tiles =
func.func @d_is_1(%x: tensor<512x384xf32>, %k: tensor<6x64x64x1xf32>, %init: tensor<512x384xf32>)
    -> tensor<512x384xf32> {
  // expected-remark @+2 {{target x86-64-v3, batch 512: blocks of 132, parallel over batch; predicted 291.4 us, floor 1671168 bytes and 25165824 flops}}
  // expected-remark @+1 {{factor 0: 6x2 vectors of 8 lanes (n 8, j 1): 1707.6 cycles per batch entry; next best}}
  %y = ks.matmul <6, 64, 64, 1>
         ins(%x, %k : tensor<512x384xf32>, tensor<6x64x64x1xf32>)
         outs(%init : tensor<512x384xf32>) -> tensor<512x384xf32>
  return %y : tensor<512x384xf32>
}

// d of several vectors: lanes run along j, the input is loaded as it lies.

// CHECK-LABEL: func.func @wide_d(
//       V3:      packing = <vectors = 2, lanes = 8, n = 1, j = 8>
//       V4:      packing = <vectors = 8, lanes = 16, n = 1, j = 16>
func.func @wide_d(%x: tensor<512x512xf32>, %k: tensor<1x8x8x64xf32>, %init: tensor<512x512xf32>)
    -> tensor<512x512xf32> {
  // expected-remark @+2 {{target x86-64-v3, batch 512: }}
  // expected-remark @+1 {{factor 0: 6x2 vectors of 8 lanes (n 1, j 8)}}
  %y = ks.matmul <1, 8, 8, 64>
         ins(%x, %k : tensor<512x512xf32>, tensor<1x8x8x64xf32>)
         outs(%init : tensor<512x512xf32>) -> tensor<512x512xf32>
  return %y : tensor<512x512xf32>
}

// A chain with a dynamic batch: one tile per factor; d = 2 is in between. A
// batch that is not known is assumed. f16 takes as many lanes as its
// accumulators in f32.

// CHECK-LABEL: func.func @chain(
//       V3:      tiles = [<rows = {{[0-9]+}}, vectors = {{[0-9]+}}, lanes = 8, {{.*}}, n = 8, j = 1>>, <rows = {{[0-9]+}}, vectors = {{[0-9]+}}, lanes = 8, {{.*}}, n = 4, j = 2>>]>
//       V4:      tiles = [<rows = {{[0-9]+}}, vectors = {{[0-9]+}}, lanes = 16, {{.*}}, n = 16, j = 1>>, <rows = {{[0-9]+}}, vectors = {{[0-9]+}}, lanes = 16, {{.*}}, n = 8, j = 2>>]>
func.func @chain(%x: tensor<?x384xf16>, %k0: tensor<6x64x64x1xf16>, %k1: tensor<1x768x192x2xf16>,
                 %init: tensor<?x1536xf16>) -> tensor<?x1536xf16> {
  // expected-remark @+3 {{batch 512 (assumed): }}
  // expected-remark @+2 {{factor 0: }}
  // expected-remark @+1 {{factor 1: }}
  %y = ks.chain [<6, 64, 64, 1>, <1, 768, 192, 2>]
         ins(%x, %k0, %k1 : tensor<?x384xf16>, tensor<6x64x64x1xf16>, tensor<1x768x192x2xf16>)
         outs(%init : tensor<?x1536xf16>) -> tensor<?x1536xf16>
  return %y : tensor<?x1536xf16>
}

// Batch-last: lanes run along the batch, rows along n; weights are packed for
// scalar loads.

// CHECK-LABEL: func.func @batch_last(
//       V3:      <rows = 4, vectors = 3, lanes = 8, unroll = 2, stationary = weights, packing = <vectors = 1, lanes = 4, n = 4, j = 1>>
//       V4:      <rows = 4, vectors = 4, lanes = 16, unroll = 2, stationary = weights, packing = <vectors = 1, lanes = 4, n = 4, j = 1>>
func.func @batch_last(%x: tensor<384x512xf32>, %k: tensor<6x64x64x1xf32>,
                      %init: tensor<384x512xf32>) -> tensor<384x512xf32> {
  // expected-remark @+2 {{target x86-64-v3}}
  // expected-remark @+1 {{factor 0: }}
  %y = ks.matmul <6, 64, 64, 1> layout(batch_last)
         ins(%x, %k : tensor<384x512xf32>, tensor<6x64x64x1xf32>)
         outs(%init : tensor<384x512xf32>) -> tensor<384x512xf32>
  return %y : tensor<384x512xf32>
}

// Complex numbers take two lanes. The packed weight is tied where the weight is.

// CHECK-LABEL: func.func @tied_complex(
//       CHECK:   batch_block = 3, {{.*}}<rows = 3, vectors = 1, lanes = 4, {{.*}}packing = <vectors = 1, lanes = 4, n = 2, j = 2, tied = a|d>
func.func @tied_complex(%x: tensor<3x8xcomplex<f32>>, %k: tensor<1x2x2x1xcomplex<f32>>,
                        %init: tensor<3x8xcomplex<f32>>) -> tensor<3x8xcomplex<f32>> {
  // expected-remark @+2 {{batch 3: blocks of 3, parallel over batch; predicted 0.0 us, floor 416 bytes and 384 flops}}
  // expected-remark @+1 {{factor 0: }}
  %y = ks.matmul <2, 2, 2, 2>
         ins(%x, %k : tensor<3x8xcomplex<f32>>, tensor<1x2x2x1xcomplex<f32>>)
         outs(%init : tensor<3x8xcomplex<f32>>) -> tensor<3x8xcomplex<f32>>
  return %y : tensor<3x8xcomplex<f32>>
}

// A batch of one cannot be shared out, groups and panels can. A pattern of one
// weight has one plan.

//  CHECK-LABEL: func.func @batch_of_one(
//        CHECK:   batch_block = 1, parallel = batch,
//        CHECK:   <rows = 1, vectors = 1, lanes = 1, unroll = 1, {{.*}}, packing = <vectors = 1, lanes = 1, n = 1, j = 1>>
//   MANY-LABEL: func.func @batch_of_one(
//        MANY:    batch_block = 1, parallel = group|panel,
func.func @batch_of_one(%x: tensor<1x384xf32>, %k: tensor<6x64x64x1xf32>,
                        %init: tensor<1x384xf32>, %x1: tensor<1x1xf32>, %k1: tensor<1x1x1x1xf32>,
                        %init1: tensor<1x1xf32>) -> (tensor<1x384xf32>, tensor<1x1xf32>) {
  // expected-remark @+2 {{batch 1: blocks of 1}}
  // expected-remark @+1 {{factor 0: 1x4 vectors of 8 lanes (n 8, j 1)}}
  %y = ks.matmul <6, 64, 64, 1>
         ins(%x, %k : tensor<1x384xf32>, tensor<6x64x64x1xf32>)
         outs(%init : tensor<1x384xf32>) -> tensor<1x384xf32>
  // expected-remark @+2 {{batch 1: blocks of 1}}
  // expected-remark-re @+1 {{factor 0: 1x1 vectors of 1 lanes {{.*}} cycles per batch entry; no alternative}}
  %z = ks.matmul <1, 1, 1, 1>
         ins(%x1, %k1 : tensor<1x1xf32>, tensor<1x1x1x1xf32>)
         outs(%init1 : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y, %z : tensor<1x384xf32>, tensor<1x1xf32>
}

// Rows of 16 KiB compete for the same sets of a cache; they are read once for
// each of many panels, so they are staged.

// CHECK-LABEL: func.func @rows_that_alias(
//       CHECK:   plan #ks.cpu_plan<batch_block = {{[0-9]+}}, parallel = batch, stage_input = true, tiles =
//       CHECK:   plan #ks.cpu_plan<batch_block = {{[0-9]+}}, parallel = batch, tiles =
func.func @rows_that_alias(%x: tensor<512x4096xf32>, %k: tensor<1x512x4096x1xf32>,
                           %init: tensor<512x512xf32>, %x1: tensor<512x4095xf32>,
                           %k1: tensor<1x512x4095x1xf32>)
    -> (tensor<512x512xf32>, tensor<512x512xf32>) {
  // expected-remark @+2 {{target x86-64-v3}}
  // expected-remark @+1 {{factor 0: }}
  %y = ks.matmul <1, 512, 4096, 1>
         ins(%x, %k : tensor<512x4096xf32>, tensor<1x512x4096x1xf32>)
         outs(%init : tensor<512x512xf32>) -> tensor<512x512xf32>
  // expected-remark @+2 {{target x86-64-v3}}
  // expected-remark @+1 {{factor 0: }}
  %z = ks.matmul <1, 512, 4095, 1>
         ins(%x1, %k1 : tensor<512x4095xf32>, tensor<1x512x4095x1xf32>)
         outs(%init : tensor<512x512xf32>) -> tensor<512x512xf32>
  return %y, %z : tensor<512x512xf32>, tensor<512x512xf32>
}

// A plan that the user wrote wins, and no remark claims otherwise.

// CHECK-LABEL: func.func @pinned(
//       CHECK:   plan #ks.cpu_plan<batch_block = 5, parallel = none, tiles = [<rows = 1, vectors = 1, lanes = 2, unroll = 3, stationary = weights, packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
func.func @pinned(%x: tensor<512x6xf32>, %k: tensor<1x6x6x1xf32>, %init: tensor<512x6xf32>)
    -> tensor<512x6xf32> {
  %y = ks.matmul <1, 6, 6, 1>
         ins(%x, %k : tensor<512x6xf32>, tensor<1x6x6x1xf32>)
         outs(%init : tensor<512x6xf32>)
         plan #ks.cpu_plan<batch_block = 5, parallel = none, tiles = [
           <rows = 1, vectors = 1, lanes = 2, unroll = 3, stationary = weights,
            packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]> -> tensor<512x6xf32>
  return %y : tensor<512x6xf32>
}

// Memrefs get plans like tensors. ks.to_dense is no product: see
// ks-decompose-to-dense.

// CHECK-LABEL: func.func @memrefs(
//       CHECK:   ks.matmul <1, 4, 4, 1> {{.*}} plan #ks.cpu_plan
//       CHECK:   ks.to_dense
//   CHECK-NOT:   plan
func.func @memrefs(%x: memref<0x4xf64>, %k: memref<1x4x4x1xf64>, %y: memref<0x4xf64>,
                   %m: memref<4x4xf64>) {
  // expected-remark @+2 {{batch 0: }}
  // expected-remark @+1 {{factor 0: }}
  ks.matmul <1, 4, 4, 1> ins(%x, %k : memref<0x4xf64>, memref<1x4x4x1xf64>)
    outs(%y : memref<0x4xf64>)
  ks.to_dense [<1, 4, 4, 1>] ins(%k : memref<1x4x4x1xf64>) outs(%m : memref<4x4xf64>)
  return
}
