// One product per factor; the epilogue stays with the last.

// RUN: ks-opt %s --ks-split-chains | FileCheck %s

// CHECK-LABEL: func.func @tensors(
//  CHECK-SAME:   %[[X:.*]]: tensor<?x4xf16>, %[[K0:.*]]: tensor<1x6x4x1xf16>, %[[K1:.*]]: tensor<1x2x6x1xf16>, %[[INIT:.*]]: tensor<?x2xf16>
//       CHECK:   %[[N:.*]] = tensor.dim %[[INIT]], %c0
//       CHECK:   %[[MID:.*]] = tensor.empty(%[[N]]) : tensor<?x6xf16>
//       CHECK:   %[[H:.*]] = ks.matmul <1, 6, 4, 1> ins(%[[X]], %[[K0]] : {{.*}}) outs(%[[MID]] : tensor<?x6xf16>) -> tensor<?x6xf16>
//       CHECK:   ks.matmul <1, 2, 6, 1> ins(%[[H]], %[[K1]] : {{.*}}) outs(%[[INIT]] : tensor<?x2xf16>) epilogue {
//       CHECK:     math.tanh
//   CHECK-NOT:   ks.chain
func.func @tensors(%x: tensor<?x4xf16>, %k0: tensor<1x6x4x1xf16>, %k1: tensor<1x2x6x1xf16>, %init: tensor<?x2xf16>) -> tensor<?x2xf16> {
  %y = ks.chain [<1, 6, 4, 1>, <1, 2, 6, 1>]
    ins(%x, %k0, %k1 : tensor<?x4xf16>, tensor<1x6x4x1xf16>, tensor<1x2x6x1xf16>)
    outs(%init : tensor<?x2xf16>) epilogue {
    ^bb0(%acc: f32):
      %r = math.tanh %acc : f32
      ks.yield %r : f32
    } -> tensor<?x2xf16>
  return %y : tensor<?x2xf16>
}

// CHECK-LABEL: func.func @memrefs(
//       CHECK:   %[[MID:.*]] = memref.alloc() : memref<6x3xf32>
//       CHECK:   ks.matmul <1, 6, 4, 1> layout(batch_last) precision(tf32) ins({{.*}}) outs(%[[MID]] : memref<6x3xf32>)
//       CHECK:   ks.matmul <1, 2, 6, 1> layout(batch_last) precision(tf32) ins(%[[MID]], {{.*}})
//       CHECK:   memref.dealloc %[[MID]]
func.func @memrefs(%x: memref<4x3xf32>, %k0: memref<1x6x4x1xf32>, %k1: memref<1x2x6x1xf32>, %y: memref<2x3xf32>) {
  ks.chain [<1, 6, 4, 1>, <1, 2, 6, 1>] layout(batch_last) precision(tf32)
    ins(%x, %k0, %k1 : memref<4x3xf32>, memref<1x6x4x1xf32>, memref<1x2x6x1xf32>) outs(%y : memref<2x3xf32>)
  return
}

// Only the first factor loads what is converted; what is in between has the type of
// the product.

// CHECK-LABEL: func.func @load_as(
//       CHECK:   %[[H:.*]] = ks.matmul <1, 6, 4, 1> load_as(f16) ins({{.*}} : tensor<?x4xf32>, tensor<1x6x4x1xf16>) outs({{.*}} : tensor<?x6xf16>)
//       CHECK:   ks.matmul <1, 2, 6, 1> ins(%[[H]], {{.*}}) outs({{.*}} : tensor<?x2xf64>)
func.func @load_as(%x: tensor<?x4xf32>, %k0: tensor<1x6x4x1xf16>, %k1: tensor<1x2x6x1xf16>, %init: tensor<?x2xf64>) -> tensor<?x2xf64> {
  %y = ks.chain [<1, 6, 4, 1>, <1, 2, 6, 1>] load_as(f16)
    ins(%x, %k0, %k1 : tensor<?x4xf32>, tensor<1x6x4x1xf16>, tensor<1x2x6x1xf16>)
    outs(%init : tensor<?x2xf64>) -> tensor<?x2xf64>
  return %y : tensor<?x2xf64>
}
