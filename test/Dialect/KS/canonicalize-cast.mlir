// Upstream folds tensor.cast into ops in destination style, products among them.

// RUN: ks-opt %s --canonicalize --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @with_epilogue(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<4x2xf32>, %[[K:[^:]*]]: tensor<1x2x2x1xf32>, %[[INIT:[^:]*]]: tensor<4x2xf32>
//   CHECK-NOT:   tensor.cast
//       CHECK:   %[[Y:.*]] = ks.matmul <1, 2, 2, 1> ins(%[[X]], %[[K]] : tensor<4x2xf32>, tensor<1x2x2x1xf32>) outs(%[[INIT]] : tensor<4x2xf32>)
//  CHECK-SAME:     epilogue {
//       CHECK:   } -> tensor<4x2xf32>
//       CHECK:   return %[[Y]]
func.func @with_epilogue(%x: tensor<4x2xf32>, %k: tensor<1x2x2x1xf32>, %init: tensor<4x2xf32>)
    -> tensor<4x2xf32> {
  %0 = tensor.cast %x : tensor<4x2xf32> to tensor<?x2xf32>
  %1 = tensor.cast %init : tensor<4x2xf32> to tensor<?x2xf32>
  %2 = ks.matmul <1, 2, 2, 1>
         ins(%0, %k : tensor<?x2xf32>, tensor<1x2x2x1xf32>)
         outs(%1 : tensor<?x2xf32>)
         epilogue {
         ^bb0(%acc: f32):
           ks.yield %acc : f32
         } -> tensor<?x2xf32>
  %y = tensor.cast %2 : tensor<?x2xf32> to tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

// CHECK-LABEL: func.func @without_epilogue(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<2x4xf32>, %[[K0:[^:]*]]: tensor<1x2x2x1xf32>, %[[K1:[^:]*]]: tensor<2x1x1x1xf32>, %[[INIT:[^:]*]]: tensor<2x4xf32>
//   CHECK-NOT:   tensor.cast
//       CHECK:   %[[Y:.*]] = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] layout(batch_last)
//  CHECK-SAME:     ins(%[[X]], %[[K0]], %[[K1]] : tensor<2x4xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
//  CHECK-SAME:     outs(%[[INIT]] : tensor<2x4xf32>) -> tensor<2x4xf32>
//       CHECK:   return %[[Y]]
func.func @without_epilogue(%x: tensor<2x4xf32>, %k0: tensor<1x2x2x1xf32>,
                            %k1: tensor<2x1x1x1xf32>, %init: tensor<2x4xf32>)
    -> tensor<2x4xf32> {
  %0 = tensor.cast %x : tensor<2x4xf32> to tensor<2x?xf32>
  %1 = tensor.cast %init : tensor<2x4xf32> to tensor<2x?xf32>
  %2 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] layout(batch_last)
         ins(%0, %k0, %k1 : tensor<2x?xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%1 : tensor<2x?xf32>) -> tensor<2x?xf32>
  %y = tensor.cast %2 : tensor<2x?xf32> to tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
