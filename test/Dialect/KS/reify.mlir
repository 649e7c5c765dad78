// The shapes of results, in terms of operands.

// RUN: ks-opt %s --resolve-ranked-shaped-type-result-dims --canonicalize --split-input-file | FileCheck %s

// The batch of the result is that of outs.

// CHECK-LABEL: func.func @chain(
//  CHECK-SAME:   %[[INIT:[^:]*]]: tensor<?x8xf32>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C8:.*]] = arith.constant 8 : index
//       CHECK:   %[[M:.*]] = tensor.dim %[[INIT]], %[[C0]] : tensor<?x8xf32>
//   CHECK-NOT:   ks.
//       CHECK:   return %[[M]], %[[C8]]
func.func @chain(%x: tensor<?x6xf32>, %k0: tensor<2x4x3x1xf32>, %k1: tensor<1x4x4x2xf32>,
                 %init: tensor<?x8xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %y = ks.chain [<2, 4, 3, 1>, <1, 4, 4, 2>]
         ins(%x, %k0, %k1 : tensor<?x6xf32>, tensor<2x4x3x1xf32>, tensor<1x4x4x2xf32>)
         outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = tensor.dim %y, %c0 : tensor<?x8xf32>
  %n = tensor.dim %y, %c1 : tensor<?x8xf32>
  return %m, %n : index, index
}

// -----

// CHECK-LABEL: func.func @matmul_batch_last(
//  CHECK-SAME:   %[[INIT:[^:]*]]: tensor<8x?xf16>)
//   CHECK-DAG:   %[[C1:.*]] = arith.constant 1 : index
//   CHECK-DAG:   %[[C8:.*]] = arith.constant 8 : index
//       CHECK:   %[[M:.*]] = tensor.dim %[[INIT]], %[[C1]] : tensor<8x?xf16>
//   CHECK-NOT:   ks.
//       CHECK:   return %[[C8]], %[[M]]
func.func @matmul_batch_last(%x: tensor<6x?xf16>, %k: tensor<2x4x3x1xf16>,
                             %init: tensor<8x?xf16>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %y = ks.matmul <2, 4, 3, 1> layout(batch_last)
         ins(%x, %k : tensor<6x?xf16>, tensor<2x4x3x1xf16>)
         outs(%init : tensor<8x?xf16>) -> tensor<8x?xf16>
  %n = tensor.dim %y, %c0 : tensor<8x?xf16>
  %m = tensor.dim %y, %c1 : tensor<8x?xf16>
  return %n, %m : index, index
}

// -----

// Through two products, to the size that the first outs was made with.

// CHECK-LABEL: func.func @through(
//  CHECK-SAME:   %[[M:[^:]*]]: index
//   CHECK-NOT:   ks.
//       CHECK:   return %[[M]]
func.func @through(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %m: index) -> index {
  %c0 = arith.constant 0 : index
  %init = tensor.empty(%m) : tensor<?x8xf32>
  %0 = ks.matmul <1, 8, 8, 1>
         ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>)
         outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  %1 = ks.matmul <1, 8, 8, 1>
         ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>)
         outs(%0 : tensor<?x8xf32>) -> tensor<?x8xf32>
  %2 = tensor.dim %1, %c0 : tensor<?x8xf32>
  return %2 : index
}

// -----

// The other ops have static shapes.

// CHECK-LABEL: func.func @weights(
//   CHECK-DAG:   %[[C3:.*]] = arith.constant 3 : index
//   CHECK-DAG:   %[[C6:.*]] = arith.constant 6 : index
//   CHECK-NOT:   ks.
//       CHECK:   return %[[C3]], %[[C6]]
func.func @weights(%k: tensor<1x3x2x1xf32>, %w: tensor<3x2xf32>, %p: tensor<6xf32>)
    -> (index, index) {
  %c0 = arith.constant 0 : index
  %d = ks.to_dense [<1, 3, 2, 1>]
         ins(%k : tensor<1x3x2x1xf32>) outs(%w : tensor<3x2xf32>) -> tensor<3x2xf32>
  %q = ks.pack_weights <1, 3, 2, 1> into #ks.cpu_packing<vectors = 1, lanes = 3, n = 3, j = 1>
         ins(%k : tensor<1x3x2x1xf32>) outs(%p : tensor<6xf32>) -> tensor<6xf32>
  %0 = tensor.dim %d, %c0 : tensor<3x2xf32>
  %1 = tensor.dim %q, %c0 : tensor<6xf32>
  return %0, %1 : index, index
}
