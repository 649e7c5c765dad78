// Which factors share a kernel: what ks-fuse-factors chooses, and says of it.

// RUN: ks-opt %s --ks-fuse-factors=target=sm_90 | FileCheck %s
// RUN: ks-opt %s --canonicalize | FileCheck %s --check-prefix=KEPT
// RUN: ks-opt %s --ks-fuse-factors=target=x86-64-v3 | FileCheck %s --check-prefix=CPU
// RUN: ks-opt %s --ks-fuse-factors=target=sm_90 -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: ks-opt %s --ks-fuse-factors=target=x86-64-v3 -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=UNMERGED

// 2x2 stages are too small for a kernel each. What is merged stays in the
// accumulator type until the last factor. On a CPU all of it is one kernel.

// CHECK-LABEL: func.func @dyadic(
//  CHECK-SAME:   %[[X:[^ ]*]]: tensor<4096x16xf16>, %[[K0:[^ ]*]]: tensor<8x2x2x1xf16> {ks.frozen}, %[[K1:[^ ]*]]: tensor<4x2x2x2xf16> {ks.frozen}
//       CHECK:   %[[E0:.*]] = tensor.empty() : tensor<4x4x4x1xf32>
//       CHECK:   %[[M0:.*]] = ks.merge_weights <8, 2, 2, 1>, <4, 2, 2, 2> into <4, 4, 4, 1> ins(%[[K0]], %[[K1]] : {{.*}}) outs(%[[E0]] : tensor<4x4x4x1xf32>)
//       CHECK:   %[[M1:.*]] = ks.merge_weights <4, 4, 4, 1>, <2, 2, 2, 4> into <2, 8, 8, 1> ins(%[[M0]], {{.*}} -> tensor<2x8x8x1xf32>
//       CHECK:   %[[M2:.*]] = ks.merge_weights <2, 8, 8, 1>, <1, 2, 2, 8> into <1, 16, 16, 1> ins(%[[M1]], {{.*}} -> tensor<1x16x16x1xf16>
//       CHECK:   ks.matmul <1, 16, 16, 1> fastmath<reassoc> ins(%[[X]], %[[M2]] : {{.*}}) outs({{.*}}) epilogue
//   CHECK-NOT:   ks.chain
// CPU-LABEL: func.func @dyadic(
//       CPU:   ks.merge_weights
//       CPU:   ks.{{matmul|chain}}
//   CPU-NOT:   ks.{{matmul|chain}}
// CPU-LABEL: func.func @monarch(

// REMARK: [Analysis] kernels | Category:ks-fuse-factors | Remark="target sm_90, batch 4096: 4 factors in 1 kernel; predicted [[US:[0-9.]+]] us"
// REMARK: Remark="kernel 0: factors 0 to 3 multiplied out to the dense matrix <1, 16, 16, 1>: [[US]] us"
// REMARK: Remark="rejected factors apart: 4 kernels, {{[0-9.]+}} us"
func.func @dyadic(%x: tensor<4096x16xf16>, %k0: tensor<8x2x2x1xf16> {ks.frozen}, %k1: tensor<4x2x2x2xf16> {ks.frozen},
                  %k2: tensor<2x2x2x4xf16> {ks.frozen}, %k3: tensor<1x2x2x8xf16> {ks.frozen},
                  %init: tensor<4096x16xf16>) -> tensor<4096x16xf16> {
  %y = ks.chain [<8, 2, 2, 1>, <4, 2, 2, 2>, <2, 2, 2, 4>, <1, 2, 2, 8>] fastmath<reassoc>
    ins(%x, %k0, %k1, %k2, %k3 : tensor<4096x16xf16>, tensor<8x2x2x1xf16>, tensor<4x2x2x2xf16>, tensor<2x2x2x4xf16>, tensor<1x2x2x8xf16>)
    outs(%init : tensor<4096x16xf16>) epilogue {
    ^bb0(%acc: f32):
      %r = math.tanh %acc : f32
      ks.yield %r : f32
    } -> tensor<4096x16xf16>
  return %y : tensor<4096x16xf16>
}

// Multiplied out, this has 32 times the weights. The batch is not known: one is
// assumed.

// CHECK-LABEL: func.func @monarch(
//   CHECK-NOT:   ks.merge_weights
//       CHECK:   ks.chain [<64, 64, 64, 1>, <1, 64, 64, 64>]
// CPU-NOT:     ks.merge_weights
// CPU:         ks.chain [<64, 64, 64, 1>, <1, 64, 64, 64>]
// REMARK: Remark="target sm_90, batch 4096 (assumed): 2 factors in 1 kernel; predicted
// REMARK: Remark="kernel 0: factor 0, factor 1: {{.*}} us"
// REMARK: Remark="rejected factors apart: 2 kernels, {{.*}} us"
// REMARK: Remark="rejected all factors merged: 1 kernel, {{.*}} us"
func.func @monarch(%x: tensor<?x4096xf16>, %k0: tensor<64x64x64x1xf16> {ks.frozen}, %k1: tensor<1x64x64x64xf16> {ks.frozen},
                   %init: tensor<?x4096xf16>) -> tensor<?x4096xf16> {
  %y = ks.chain [<64, 64, 64, 1>, <1, 64, 64, 64>] fastmath<reassoc>
    ins(%x, %k0, %k1 : tensor<?x4096xf16>, tensor<64x64x64x1xf16>, tensor<1x64x64x64xf16>)
    outs(%init : tensor<?x4096xf16>) -> tensor<?x4096xf16>
  return %y : tensor<?x4096xf16>
}

// Neighbours that are not chainable can still go dense: here a launch is what
// counts. Constants are frozen, too.

// CHECK-LABEL: func.func @not_chainable(
//       CHECK:   ks.merge_weights <3, 16, 16, 1>, <1, 16, 16, 3> into <1, 48, 48, 1>
//       CHECK:   ks.matmul <1, 48, 48, 1>
// CPU-LABEL: func.func @not_chainable(
// REMARK: Remark="kernel 0: factors 0 and 1 multiplied out to the dense matrix <1, 48, 48, 1>: {{.*}} us"
func.func @not_chainable(%x: tensor<16x48xf16>, %k1: tensor<1x16x16x3xf16> {ks.frozen}, %init: tensor<16x48xf16>) -> tensor<16x48xf16> {
  %k0 = arith.constant dense<0.5> : tensor<3x16x16x1xf16>
  %y = ks.chain [<3, 16, 16, 1>, <1, 16, 16, 3>] fastmath<reassoc>
    ins(%x, %k0, %k1 : tensor<16x48xf16>, tensor<3x16x16x1xf16>, tensor<1x16x16x3xf16>)
    outs(%init : tensor<16x48xf16>) -> tensor<16x48xf16>
  return %y : tensor<16x48xf16>
}

// Rows of 256 KB leave room for few entries in a cluster, which read all weights:
// on a GPU each factor is a kernel.

// CHECK-LABEL: func.func @two_kernels(
//       CHECK:   %[[D:.*]] = tensor.dim
//       CHECK:   tensor.empty(%[[D]]) : tensor<?x16384xf16>
//       CHECK:   %[[H:.*]] = ks.matmul <128, 128, 128, 1>
//       CHECK:   ks.matmul <1, 128, 128, 128> ins(%[[H]],
// CPU-LABEL: func.func @two_kernels(
//       CPU:   ks.chain [<128, 128, 128, 1>, <1, 128, 128, 128>]
// REMARK: Remark="target sm_90, batch 4096 (assumed): 2 factors in 2 kernels; predicted
// REMARK: Remark="rejected all factors in one kernel: 1 kernel, {{.*}} us"
func.func @two_kernels(%x: tensor<?x16384xf16>, %k0: tensor<128x128x128x1xf16>, %k1: tensor<1x128x128x128xf16>, %init: tensor<?x16384xf16>) -> tensor<?x16384xf16> {
  %y = ks.chain [<128, 128, 128, 1>, <1, 128, 128, 128>]
    ins(%x, %k0, %k1 : tensor<?x16384xf16>, tensor<128x128x128x1xf16>, tensor<1x128x128x128xf16>)
    outs(%init : tensor<?x16384xf16>) -> tensor<?x16384xf16>
  return %y : tensor<?x16384xf16>
}

// Without one of the permissions nothing is merged.

// CHECK-LABEL: func.func @not_frozen(
//   CHECK-NOT:   ks.merge_weights
//       CHECK:   ks.chain [<2, 2, 2, 1>, <1, 2, 2, 2>]
// CPU-LABEL: func.func @not_frozen(
//       CPU:   ks.chain [<2, 2, 2, 1>, <1, 2, 2, 2>]
// REMARK: Remark="target sm_90, batch 4096 (assumed): 2 factors in 1 kernel;
// UNMERGED: Remark="2 factors in 1 kernel, none merged: that needs fastmath<reassoc>, and neighbours whose weights are constants or ks.frozen arguments"
func.func @not_frozen(%x: tensor<?x4xf16>, %k0: tensor<2x2x2x1xf16> {ks.frozen}, %k1: tensor<1x2x2x2xf16>, %init: tensor<?x4xf16>) -> tensor<?x4xf16> {
  %y = ks.chain [<2, 2, 2, 1>, <1, 2, 2, 2>] fastmath<reassoc>
    ins(%x, %k0, %k1 : tensor<?x4xf16>, tensor<2x2x2x1xf16>, tensor<1x2x2x2xf16>)
    outs(%init : tensor<?x4xf16>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// CHECK-LABEL: func.func @not_reassoc(
//   CHECK-NOT:   ks.merge_weights
//       CHECK:   return
func.func @not_reassoc(%x: tensor<?x4xf16>, %k0: tensor<2x2x2x1xf16> {ks.frozen}, %k1: tensor<1x2x2x2xf16> {ks.frozen}, %init: tensor<?x4xf16>) -> tensor<?x4xf16> {
  %y = ks.chain [<2, 2, 2, 1>, <1, 2, 2, 2>] fastmath<contract>
    ins(%x, %k0, %k1 : tensor<?x4xf16>, tensor<2x2x2x1xf16>, tensor<1x2x2x2xf16>)
    outs(%init : tensor<?x4xf16>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// Products join through an intermediate that nothing else uses. An epilogue ends
// what is joined, unless it is the last one's.

// CHECK-LABEL: func.func @join(
//       CHECK:   %[[M:.*]] = ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
//       CHECK:   %[[H:.*]] = ks.matmul <1, 4, 4, 1> fastmath<reassoc> ins(%{{.*}}, %[[M]] : {{.*}} epilogue
//       CHECK:   ks.matmul <2, 2, 2, 1> fastmath<reassoc> ins(%[[H]], %{{[^ ]*}} : {{.*}} -> tensor<64x4xf16>
//   CHECK-NOT:   ks.
// CPU-LABEL: func.func @join(
func.func @join(%x: tensor<64x4xf16>, %k0: tensor<2x2x2x1xf16> {ks.frozen}, %k1: tensor<1x2x2x2xf16> {ks.frozen}, %init: tensor<64x4xf16>) -> tensor<64x4xf16> {
  %0 = ks.matmul <2, 2, 2, 1> fastmath<reassoc>
    ins(%x, %k0 : tensor<64x4xf16>, tensor<2x2x2x1xf16>) outs(%init : tensor<64x4xf16>) -> tensor<64x4xf16>
  %1 = ks.matmul <1, 2, 2, 2> fastmath<reassoc>
    ins(%0, %k1 : tensor<64x4xf16>, tensor<1x2x2x2xf16>) outs(%init : tensor<64x4xf16>) epilogue {
    ^bb0(%acc: f32):
      %r = math.tanh %acc : f32
      ks.yield %r : f32
    } -> tensor<64x4xf16>
  %2 = ks.matmul <2, 2, 2, 1> fastmath<reassoc>
    ins(%1, %k0 : tensor<64x4xf16>, tensor<2x2x2x1xf16>) outs(%init : tensor<64x4xf16>) -> tensor<64x4xf16>
  return %2 : tensor<64x4xf16>
}

// What is used twice, has another layout, or has a plan, stays.

// CHECK-LABEL: func.func @apart(
//   CHECK-NOT:   ks.merge_weights
//       CHECK:   return
func.func @apart(%x: tensor<4x4xf32>, %k0: tensor<2x2x2x1xf32> {ks.frozen}, %k1: tensor<1x2x2x2xf32> {ks.frozen}, %init: tensor<4x4xf32>)
    -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %0 = ks.matmul <2, 2, 2, 1> fastmath<reassoc>
    ins(%x, %k0 : tensor<4x4xf32>, tensor<2x2x2x1xf32>) outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = ks.matmul <1, 2, 2, 2> fastmath<reassoc>
    ins(%0, %k1 : tensor<4x4xf32>, tensor<1x2x2x2xf32>) outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = ks.matmul <1, 2, 2, 2> layout(batch_last) fastmath<reassoc>
    ins(%1, %k1 : tensor<4x4xf32>, tensor<1x2x2x2xf32>) outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
  %3 = ks.chain [<2, 2, 2, 1>, <1, 2, 2, 2>] layout(batch_last) fastmath<reassoc>
    ins(%2, %k0, %k1 : tensor<4x4xf32>, tensor<2x2x2x1xf32>, tensor<1x2x2x2xf32>) outs(%init : tensor<4x4xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights, packing = <vectors = 1, lanes = 1, n = 1, j = 1>>,
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights, packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
    -> tensor<4x4xf32>
  return %0, %1, %3 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// A function can ask for another way.

// CHECK-LABEL: func.func @ask_apart(
//       CHECK:   ks.matmul <32, 32, 32, 1>
//       CHECK:   ks.matmul <1, 32, 32, 32>
// REMARK: Remark="rejected the fastest way: 1 kernel
func.func @ask_apart(%x: tensor<4096x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %init: tensor<4096x1024xf16>) -> tensor<4096x1024xf16>
    attributes {ks.kernels = "apart"} {
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]
    ins(%x, %k0, %k1 : tensor<4096x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%init : tensor<4096x1024xf16>) -> tensor<4096x1024xf16>
  return %y : tensor<4096x1024xf16>
}

// CHECK-LABEL: func.func @ask_fused(
//       CHECK:   ks.chain [<128, 128, 128, 1>, <1, 128, 128, 128>] ins
func.func @ask_fused(%x: tensor<4096x16384xf16>, %k0: tensor<128x128x128x1xf16>, %k1: tensor<1x128x128x128xf16>, %init: tensor<4096x16384xf16>) -> tensor<4096x16384xf16>
    attributes {ks.kernels = "fused"} {
  %y = ks.chain [<128, 128, 128, 1>, <1, 128, 128, 128>]
    ins(%x, %k0, %k1 : tensor<4096x16384xf16>, tensor<128x128x128x1xf16>, tensor<1x128x128x128xf16>) outs(%init : tensor<4096x16384xf16>) -> tensor<4096x16384xf16>
  return %y : tensor<4096x16384xf16>
}

// CHECK-LABEL: func.func @ask_dense(
//       CHECK:   ks.merge_weights <32, 32, 32, 1>, <1, 32, 32, 32> into <1, 1024, 1024, 1>
//       CHECK:   ks.matmul <1, 1024, 1024, 1>
func.func @ask_dense(%x: tensor<4096x1024xf16>, %k0: tensor<32x32x32x1xf16> {ks.frozen}, %k1: tensor<1x32x32x32xf16> {ks.frozen}, %init: tensor<4096x1024xf16>) -> tensor<4096x1024xf16>
    attributes {ks.kernels = "dense"} {
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>] fastmath<reassoc>
    ins(%x, %k0, %k1 : tensor<4096x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%init : tensor<4096x1024xf16>) -> tensor<4096x1024xf16>
  return %y : tensor<4096x1024xf16>
}

// Kernels that follow each other are not joined again.

// KEPT-LABEL: func.func @kept(
//       KEPT:   ks.chain [<4, 2, 2, 1>, <2, 2, 2, 2>] {{.*}} {ks.kernel}
//       KEPT:   ks.chain [<4, 2, 2, 1>, <2, 2, 2, 2>] {{.*}} {ks.kernel}
func.func @kept(%x: tensor<4x8xf16>, %k0: tensor<4x2x2x1xf16>, %k1: tensor<2x2x2x2xf16>, %init: tensor<4x8xf16>) -> tensor<4x8xf16> {
  %h = ks.chain [<4, 2, 2, 1>, <2, 2, 2, 2>]
    ins(%x, %k0, %k1 : tensor<4x8xf16>, tensor<4x2x2x1xf16>, tensor<2x2x2x2xf16>) outs(%init : tensor<4x8xf16>) {ks.kernel} -> tensor<4x8xf16>
  %y = ks.chain [<4, 2, 2, 1>, <2, 2, 2, 2>]
    ins(%h, %k0, %k1 : tensor<4x8xf16>, tensor<4x2x2x1xf16>, tensor<2x2x2x2xf16>) outs(%init : tensor<4x8xf16>) {ks.kernel} -> tensor<4x8xf16>
  return %y : tensor<4x8xf16>
}
