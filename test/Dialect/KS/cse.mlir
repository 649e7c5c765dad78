// On tensors, ops of the dialect are values: equal ones are computed once. On memrefs
// they write.

// RUN: ks-opt %s --cse --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @tensors(
//       CHECK:   %[[Y:.*]] = ks.matmul
//   CHECK-NOT:   ks.matmul
//       CHECK:   %[[W:.*]] = ks.to_dense
//   CHECK-NOT:   ks.
//       CHECK:   return %[[Y]], %[[Y]], %[[W]], %[[W]]
func.func @tensors(%x: tensor<?x2xf32>, %k: tensor<1x2x2x1xf32>, %init: tensor<?x2xf32>,
                   %d: tensor<2x2xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  %y0 = ks.matmul <1, 2, 2, 1>
          ins(%x, %k : tensor<?x2xf32>, tensor<1x2x2x1xf32>)
          outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %y1 = ks.matmul <1, 2, 2, 1>
          ins(%x, %k : tensor<?x2xf32>, tensor<1x2x2x1xf32>)
          outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %w0 = ks.to_dense [<1, 2, 2, 1>]
          ins(%k : tensor<1x2x2x1xf32>) outs(%d : tensor<2x2xf32>) -> tensor<2x2xf32>
  %w1 = ks.to_dense [<1, 2, 2, 1>]
          ins(%k : tensor<1x2x2x1xf32>) outs(%d : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y0, %y1, %w0, %w1 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}

// -----

// Products of other precision or epilogue are others.

// CHECK-LABEL: func.func @different(
// CHECK-COUNT-3: ks.matmul
//       CHECK:   return
func.func @different(%x: tensor<?x2xf32>, %k: tensor<1x2x2x1xf32>, %init: tensor<?x2xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>) {
  %0 = ks.matmul <1, 2, 2, 1>
         ins(%x, %k : tensor<?x2xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %1 = ks.matmul <1, 2, 2, 1> precision(tf32)
         ins(%x, %k : tensor<?x2xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %2 = ks.matmul <1, 2, 2, 1>
         ins(%x, %k : tensor<?x2xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x2xf32>)
         epilogue {
         ^bb0(%acc: f32):
           %3 = arith.negf %acc : f32
           ks.yield %3 : f32
         } -> tensor<?x2xf32>
  return %0, %1, %2 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>
}

// -----

// A load after a product cannot be replaced by one before it; inputs are only read.

// CHECK-LABEL: func.func @memrefs(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<?x2xf32>, %[[K:[^:]*]]: memref<1x2x2x1xf32>, %[[Y:[^:]*]]: memref<?x2xf32>
//       CHECK:   memref.load %[[Y]]
//       CHECK:   ks.matmul
//       CHECK:   memref.load %[[Y]]
//       CHECK:   ks.matmul
//       CHECK:   return
func.func @memrefs(%x: memref<?x2xf32>, %k: memref<1x2x2x1xf32>, %y: memref<?x2xf32>)
    -> (f32, f32) {
  %c0 = arith.constant 0 : index
  %before = memref.load %y[%c0, %c0] : memref<?x2xf32>
  ks.matmul <1, 2, 2, 1>
    ins(%x, %k : memref<?x2xf32>, memref<1x2x2x1xf32>) outs(%y : memref<?x2xf32>)
  %after = memref.load %y[%c0, %c0] : memref<?x2xf32>
  ks.matmul <1, 2, 2, 1>
    ins(%x, %k : memref<?x2xf32>, memref<1x2x2x1xf32>) outs(%y : memref<?x2xf32>)
  return %before, %after : f32, f32
}
