// Each tensor result gets an argument behind the others, which says of which
// argument it has its sizes.

// RUN: ks-opt %s --ks-results-to-arguments | FileCheck %s
// RUN: ks-opt %s --ks-results-to-arguments --eliminate-empty-tensors --canonicalize | FileCheck %s --check-prefix=PLACE

// The batch is that of argument 0; features are static. Upstream's pass then
// computes the product in the new argument.

// CHECK-LABEL: func.func @batch_of_the_input(
//  CHECK-SAME:   %{{.*}}: tensor<?x4xf32>, %{{.*}}: tensor<1x6x4x1xf32>, %[[OUT:.*]]: tensor<?x6xf32> {ks.result_dims = array<i64: 0, 0, -1, 6>}) -> tensor<?x6xf32>
//       CHECK:   %[[Y:.*]] = ks.matmul
//       CHECK:   %[[R:.*]] = bufferization.materialize_in_destination %[[Y]] in %[[OUT]]
//       CHECK:   return %[[R]]
// PLACE-LABEL: func.func @batch_of_the_input(
//  PLACE-SAME:   %[[OUT:[a-z0-9]*]]: tensor<?x6xf32> {ks.result_dims
//       PLACE:   ks.matmul {{.*}} outs(%[[OUT]] : tensor<?x6xf32>)
func.func @batch_of_the_input(%x: tensor<?x4xf32>, %k: tensor<1x6x4x1xf32>) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %x, %c0 : tensor<?x4xf32>
  %init = tensor.empty(%batch) : tensor<?x6xf32>
  %y = ks.matmul <1, 6, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x6x4x1xf32>)
         outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// The batch is followed through products; batch-last, it is dimension 1.

// CHECK-LABEL: func.func @through_two_products(
//  CHECK-SAME:   tensor<6x?xf32> {ks.result_dims = array<i64: -1, 6, 1, 1>})
func.func @through_two_products(%k: tensor<1x6x6x1xf32>, %x: tensor<6x?xf32>) -> tensor<6x?xf32> {
  %c1 = arith.constant 1 : index
  %batch = tensor.dim %x, %c1 : tensor<6x?xf32>
  %init = tensor.empty(%batch) : tensor<6x?xf32>
  %h = ks.matmul <1, 6, 6, 1> layout(batch_last)
         ins(%x, %k : tensor<6x?xf32>, tensor<1x6x6x1xf32>)
         outs(%init : tensor<6x?xf32>) -> tensor<6x?xf32>
  %batch1 = tensor.dim %h, %c1 : tensor<6x?xf32>
  %init1 = tensor.empty(%batch1) : tensor<6x?xf32>
  %y = ks.matmul <1, 6, 6, 1> layout(batch_last)
         ins(%h, %k : tensor<6x?xf32>, tensor<1x6x6x1xf32>)
         outs(%init1 : tensor<6x?xf32>) -> tensor<6x?xf32>
  return %y : tensor<6x?xf32>
}

// Several results: one argument each, in order. An argument that is returned has
// its own sizes. Results that are no tensors stay.

// CHECK-LABEL: func.func @several(
//  CHECK-SAME:   %[[X:.*]]: tensor<?x4xf32>, %[[N:.*]]: index,
//  CHECK-SAME:   %[[OUT0:.*]]: tensor<2x3xf64> {ks.result_dims = array<i64: -1, 2, -1, 3>},
//  CHECK-SAME:   %[[OUT1:.*]]: tensor<?x4xf32> {ks.result_dims = array<i64: 0, 0, -1, 4>}) -> (tensor<2x3xf64>, index, tensor<?x4xf32>)
//       CHECK:   %[[R0:.*]] = bufferization.materialize_in_destination %{{.*}} in %[[OUT0]]
//       CHECK:   %[[R1:.*]] = bufferization.materialize_in_destination %[[X]] in %[[OUT1]]
//       CHECK:   return %[[R0]], %[[N]], %[[R1]]
func.func @several(%x: tensor<?x4xf32>, %n: index) -> (tensor<2x3xf64>, index, tensor<?x4xf32>) {
  %c = arith.constant dense<1.0> : tensor<2x3xf64>
  return %c, %n, %x : tensor<2x3xf64>, index, tensor<?x4xf32>
}

// A function that another one calls keeps its results, as do declarations.

// CHECK-LABEL: func.func private @declared() -> tensor<2xf32>
// CHECK-LABEL: func.func @callee() -> tensor<2xf32> {
// CHECK-LABEL: func.func @caller(
//  CHECK-SAME:   %[[OUT:.*]]: tensor<4xf32> {ks.result_dims = array<i64: -1, 4>})
func.func private @declared() -> tensor<2xf32>
func.func @callee() -> tensor<2xf32> {
  %c = arith.constant dense<1.0> : tensor<2xf32>
  return %c : tensor<2xf32>
}
func.func @caller() -> tensor<4xf32> {
  %0 = call @callee() : () -> tensor<2xf32>
  %1 = call @declared() : () -> tensor<2xf32>
  %2 = tensor.concat dim(0) %0, %1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  return %2 : tensor<4xf32>
}

// On memrefs there is nothing to do.

// CHECK-LABEL: func.func @memrefs(%{{.*}}: memref<2xf32>) -> memref<2xf32> {
func.func @memrefs(%x: memref<2xf32>) -> memref<2xf32> {
  return %x : memref<2xf32>
}
