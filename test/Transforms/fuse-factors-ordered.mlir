// Features between two kernels in an order that suits the second one. `ks.kernels`
// asks for it; remarks say what it is predicted to cost where something else is chosen.

// RUN: ks-opt %s --ks-fuse-factors="target=sm_90 batch=4096" | FileCheck %s
// RUN: ks-opt %s --ks-fuse-factors="target=sm_80 batch=4096" | FileCheck %s --check-prefix=NONE
// RUN: ks-opt %s --ks-fuse-factors="target=host batch=4096" | FileCheck %s --check-prefix=NONE
// RUN: ks-opt %s --ks-fuse-factors="target=sm_90 batch=4096" -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// NONE-NOT: {{(reads|writes)}} <

// CHECK-LABEL: func.func @matmuls(
//       CHECK:   %[[H:.*]] = ks.matmul <64, 256, 64, 1> writes <1, 64, 4, 64> ins(
//       CHECK:   %[[Y:.*]] = ks.matmul <1, 172, 256, 64> reads <1, 64, 4, 64> ins(%[[H]],
//       CHECK:   return %[[Y]]
// REMARK: Remark="target sm_90, batch 4096: 2 factors in 2 kernels; predicted [[US:.*]] us"
// REMARK: Remark="kernel 0: two kernels, with an order between them: factor 0, factor 1: [[US]] us"
// REMARK: Remark="rejected factors apart: 2 kernels, {{.*}} us"
// REMARK: Remark="rejected the fastest way: {{.*}} us"
func.func @matmuls(%x: tensor<?x4096xf16>, %k0: tensor<64x256x64x1xf16>, %k1: tensor<1x172x256x64xf16>,
                   %i0: tensor<?x16384xf16>, %i1: tensor<?x11008xf16>) -> tensor<?x11008xf16>
    attributes {ks.kernels = "ordered"} {
  %h = ks.matmul <64, 256, 64, 1>
    ins(%x, %k0 : tensor<?x4096xf16>, tensor<64x256x64x1xf16>) outs(%i0 : tensor<?x16384xf16>) -> tensor<?x16384xf16>
  %y = ks.matmul <1, 172, 256, 64>
    ins(%h, %k1 : tensor<?x16384xf16>, tensor<1x172x256x64xf16>) outs(%i1 : tensor<?x11008xf16>) -> tensor<?x11008xf16>
  return %y : tensor<?x11008xf16>
}

// One op becomes two; the epilogue is the second one's.
// CHECK-LABEL: func.func @chain(
//       CHECK:   %[[H:.*]] = ks.matmul <64, 256, 64, 1> writes <1, 64, 4, 64> ins(
//   CHECK-NOT:   epilogue
//       CHECK:   %[[Y:.*]] = ks.matmul <1, 172, 256, 64> reads <1, 64, 4, 64> ins(%[[H]], {{.*}} epilogue
//       CHECK:   return %[[Y]]
func.func @chain(%x: tensor<4096x4096xf16>, %k0: tensor<64x256x64x1xf16>, %k1: tensor<1x172x256x64xf16>,
                 %bias: tensor<11008xf16>, %init: tensor<4096x11008xf16>) -> tensor<4096x11008xf16>
    attributes {ks.kernels = "ordered"} {
  %y = ks.chain [<64, 256, 64, 1>, <1, 172, 256, 64>]
    ins(%x, %k0, %k1 : tensor<4096x4096xf16>, tensor<64x256x64x1xf16>, tensor<1x172x256x64xf16>) outs(%init : tensor<4096x11008xf16>)
    epilogue(%bias : tensor<11008xf16>) {
    ^bb0(%acc: f32, %b: f16):
      %wide = arith.extf %b : f16 to f32
      %sum = arith.addf %acc, %wide : f32
      ks.yield %sum : f32
    } -> tensor<4096x11008xf16>
  return %y : tensor<4096x11008xf16>
}

// Of three factors the first two are a pair, in the order of groups: a = 2. The third
// reads features in their natural order.
// CHECK-LABEL: func.func @three(
//       CHECK:   ks.matmul <64, 32, 32, 1> writes <2, 32, 1, 32> ins(
//       CHECK:   ks.matmul <2, 32, 32, 32> reads <2, 32, 1, 32> ins(
//       CHECK:   ks.matmul <1, 16, 16, 128> ins(
func.func @three(%x: tensor<4096x2048xf16>, %k0: tensor<64x32x32x1xf16>, %k1: tensor<2x32x32x32xf16>, %k2: tensor<1x16x16x128xf16>,
                 %init: tensor<4096x2048xf16>) -> tensor<4096x2048xf16>
    attributes {ks.kernels = "ordered"} {
  %y = ks.chain [<64, 32, 32, 1>, <2, 32, 32, 32>, <1, 16, 16, 128>]
    ins(%x, %k0, %k1, %k2 : tensor<4096x2048xf16>, tensor<64x32x32x1xf16>, tensor<2x32x32x32xf16>, tensor<1x16x16x128xf16>)
    outs(%init : tensor<4096x2048xf16>) -> tensor<4096x2048xf16>
  return %y : tensor<4096x2048xf16>
}

// Two factors with d = 1 have no order, nor have f32, and both stay as is fastest.
// CHECK-LABEL: func.func @no_columns(
//   CHECK-NOT:   {{(reads|writes)}} <
//       CHECK:   return
func.func @no_columns(%x: tensor<4096x512xf16>, %k0: tensor<2x256x256x1xf16>, %k1: tensor<1x512x512x1xf16>,
                      %init: tensor<4096x512xf16>) -> tensor<4096x512xf16>
    attributes {ks.kernels = "ordered"} {
  %y = ks.chain [<2, 256, 256, 1>, <1, 512, 512, 1>]
    ins(%x, %k0, %k1 : tensor<4096x512xf16>, tensor<2x256x256x1xf16>, tensor<1x512x512x1xf16>)
    outs(%init : tensor<4096x512xf16>) -> tensor<4096x512xf16>
  return %y : tensor<4096x512xf16>
}

// CHECK-LABEL: func.func @f32(
//   CHECK-NOT:   {{(reads|writes)}} <
//       CHECK:   return
func.func @f32(%x: tensor<4096x1024xf32>, %k0: tensor<32x32x32x1xf32>, %k1: tensor<1x32x32x32xf32>,
               %init: tensor<4096x1024xf32>) -> tensor<4096x1024xf32>
    attributes {ks.kernels = "ordered"} {
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]
    ins(%x, %k0, %k1 : tensor<4096x1024xf32>, tensor<32x32x32x1xf32>, tensor<1x32x32x32xf32>)
    outs(%init : tensor<4096x1024xf32>) -> tensor<4096x1024xf32>
  return %y : tensor<4096x1024xf32>
}

// What has an order already is left alone.
// CHECK-LABEL: func.func @has_one(
//       CHECK:   ks.matmul <32, 32, 32, 1> writes <1, 32, 1, 32> ins(
//       CHECK:   ks.matmul <1, 32, 32, 32> reads <1, 32, 1, 32> ins(
// NONE-LABEL: func.func @has_one(
func.func @has_one(%x: tensor<4096x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>,
                   %init: tensor<4096x1024xf16>) -> tensor<4096x1024xf16>
    attributes {ks.kernels = "fused"} {
  %h = ks.matmul <32, 32, 32, 1> writes <1, 32, 1, 32>
    ins(%x, %k0 : tensor<4096x1024xf16>, tensor<32x32x32x1xf16>) outs(%init : tensor<4096x1024xf16>) -> tensor<4096x1024xf16>
  %y = ks.matmul <1, 32, 32, 32> reads <1, 32, 1, 32>
    ins(%h, %k1 : tensor<4096x1024xf16>, tensor<1x32x32x32xf16>) outs(%init : tensor<4096x1024xf16>) -> tensor<4096x1024xf16>
  return %y : tensor<4096x1024xf16>
}
