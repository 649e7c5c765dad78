// The dense matrix of a chain is the chain applied to the identity.

// RUN: ks-opt %s --ks-decompose-to-dense | FileCheck %s

// The identity has as many rows as the chain has inputs; its columns are the
// batch.

// CHECK-LABEL: func.func @tensors(
//  CHECK-SAME:   %[[K0:.*]]: tensor<2x3x2x1xf16>, %[[K1:.*]]: tensor<1x5x6x1xf16>, %[[INIT:.*]]: tensor<5x4xf16>
//       CHECK:   %[[E:.*]] = tensor.empty() : tensor<4x4xf16>
//       CHECK:   %[[I:.*]] = linalg.generic {{.*}} outs(%[[E]] : tensor<4x4xf16>)
//       CHECK:     %[[ROW:.*]] = linalg.index 0
//       CHECK:     %[[COL:.*]] = linalg.index 1
//       CHECK:     %[[EQ:.*]] = arith.cmpi eq, %[[ROW]], %[[COL]]
//   CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f16
//   CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f16
//       CHECK:     %[[V:.*]] = arith.select %[[EQ]], %[[ONE]], %[[ZERO]] : f16
//       CHECK:     linalg.yield %[[V]]
//       CHECK:   %[[D:.*]] = ks.chain [<2, 3, 2, 1>, <1, 5, 6, 1>] layout({{ *}}batch_last)
//  CHECK-SAME:     ins(%[[I]], %[[K0]], %[[K1]] : tensor<4x4xf16>, tensor<2x3x2x1xf16>, tensor<1x5x6x1xf16>)
//  CHECK-SAME:     outs(%[[INIT]] : tensor<5x4xf16>)
//       CHECK:   return %[[D]]
//   CHECK-NOT:   ks.to_dense
func.func @tensors(%k0: tensor<2x3x2x1xf16>, %k1: tensor<1x5x6x1xf16>, %init: tensor<5x4xf16>)
    -> tensor<5x4xf16> {
  %d = ks.to_dense [<2, 3, 2, 1>, <1, 5, 6, 1>]
         ins(%k0, %k1 : tensor<2x3x2x1xf16>, tensor<1x5x6x1xf16>)
         outs(%init : tensor<5x4xf16>) -> tensor<5x4xf16>
  return %d : tensor<5x4xf16>
}

// On memrefs the identity lives as long as the product. Its complex one is
// 1 + 0i.

// CHECK-LABEL: func.func @memrefs(
//  CHECK-SAME:   %[[K:.*]]: memref<1x1x3x1xcomplex<f64>>, %[[D:.*]]: memref<2x6xcomplex<f64>>
//       CHECK:   %[[I:.*]] = memref.alloc() : memref<6x6xcomplex<f64>>
//       CHECK:   linalg.generic {{.*}} outs(%[[I]] :
//   CHECK-DAG:     %[[ONE:.*]] = complex.constant [1.000000e+00, 0.000000e+00] : complex<f64>
//   CHECK-DAG:     %[[ZERO:.*]] = complex.constant [0.000000e+00, 0.000000e+00] : complex<f64>
//       CHECK:     arith.select %{{.*}}, %[[ONE]], %[[ZERO]] : complex<f64>
//       CHECK:   ks.chain [<2, 1, 3, 1>] layout({{ *}}batch_last) ins(%[[I]], %[[K]] :
//  CHECK-SAME:     outs(%[[D]] : memref<2x6xcomplex<f64>>)
//  CHECK-NEXT:   memref.dealloc %[[I]]
//  CHECK-NEXT:   return
func.func @memrefs(%k: memref<1x1x3x1xcomplex<f64>>, %d: memref<2x6xcomplex<f64>>) {
  ks.to_dense [<2, 1, 3, 1>] ins(%k : memref<1x1x3x1xcomplex<f64>>)
    outs(%d : memref<2x6xcomplex<f64>>)
  return
}

// Other ops stay.

// CHECK-LABEL: func.func @product(
//       CHECK:   ks.matmul <1, 4, 4, 1>
//   CHECK-NOT:   linalg
func.func @product(%x: memref<?x4xf32>, %k: memref<1x4x4x1xf32>, %y: memref<?x4xf32>) {
  ks.matmul <1, 4, 4, 1> ins(%x, %k : memref<?x4xf32>, memref<1x4x4x1xf32>)
    outs(%y : memref<?x4xf32>)
  return
}
