// Upstream's fusion of products into the loops of the ops that use them, through the
// transform dialect.

// RUN: ks-opt %s --transform-interpreter --canonicalize --cse --split-input-file | FileCheck %s

// The product of a block is computed where the block is used.

// CHECK-LABEL: func.func @into_elementwise(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<?x6xf32>, %[[K:[^:]*]]: tensor<2x4x3x1xf32>, %[[R:[^:]*]]: tensor<?x8xf32>, %[[INIT:[^:]*]]: tensor<?x8xf32>
//   CHECK-NOT:   ks.matmul
//       CHECK:   scf.forall (%[[T:.*]]) in (%{{.*}}) shared_outs(%[[OUTS:.*]] = %[[INIT]])
//       CHECK:     %[[I:.*]] = affine.apply #{{.*}}(%[[T]])
//       CHECK:     %[[SIZE:.*]] = affine.min
//   CHECK-DAG:     %[[XT:.*]] = tensor.extract_slice %[[X]][%[[I]], 0] [%[[SIZE]], 6] [1, 1]
//   CHECK-DAG:     %[[RT:.*]] = tensor.extract_slice %[[R]][%[[I]], 0] [%[[SIZE]], 8] [1, 1]
//   CHECK-DAG:     %[[OUT:.*]] = tensor.extract_slice %[[OUTS]][%[[I]], 0] [%[[SIZE]], 8] [1, 1]
//       CHECK:     %[[H:.*]] = ks.matmul <2, 4, 3, 1> ins(%[[XT]], %[[K]] : {{.*}}) outs(%[[OUT]] : tensor<?x8xf32>) epilogue(%[[RT]] : tensor<?x8xf32>)
//       CHECK:     %[[Y:.*]] = linalg.exp ins(%[[H]] : tensor<?x8xf32>)
//       CHECK:     tensor.parallel_insert_slice %[[Y]] into %[[OUTS]][%[[I]], 0] [%[[SIZE]], 8] [1, 1]
func.func @into_elementwise(%x: tensor<?x6xf32>, %k: tensor<2x4x3x1xf32>,
                            %residual: tensor<?x8xf32>, %init: tensor<?x8xf32>)
    -> tensor<?x8xf32> {
  %h = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<?x6xf32>, tensor<2x4x3x1xf32>)
         outs(%init : tensor<?x8xf32>)
         epilogue(%residual : tensor<?x8xf32>) {
         ^bb0(%acc: f32, %r: f32):
           %0 = arith.addf %acc, %r : f32
           ks.yield %0 : f32
         } -> tensor<?x8xf32>
  %y = linalg.exp ins(%h : tensor<?x8xf32>) outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %exp = transform.structured.match ops{["linalg.exp"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %product = transform.structured.match ops{["ks.matmul"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %exp tile_sizes [16]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %fused, %rest = transform.structured.fuse_into_containing_op %product into %loop
        : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Two products, batch-last and static, with a rest.

// CHECK-LABEL: func.func @into_product(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<6x60xf32>
//   CHECK-NOT:   ks.
//       CHECK:   scf.forall (%[[T:.*]]) in (4)
//       CHECK:     %[[XT:.*]] = tensor.extract_slice %[[X]][0, %[[I:.*]]] [6, %[[SIZE:.*]]] [1, 1]
//       CHECK:     %[[H:.*]] = ks.matmul <2, 4, 3, 1> layout(batch_last) ins(%[[XT]], %{{.*}}) outs({{.*}}) -> tensor<8x?xf32>
//       CHECK:     %[[Y:.*]] = ks.matmul <1, 4, 4, 2> layout(batch_last) ins(%[[H]], %{{.*}}) outs({{.*}}) -> tensor<8x?xf32>
//       CHECK:     tensor.parallel_insert_slice %[[Y]] into %{{.*}}[0, %[[I]]] [8, %[[SIZE]]] [1, 1]
//   CHECK-NOT:   ks.
//       CHECK:   return
func.func @into_product(%x: tensor<6x60xf32>, %k0: tensor<2x4x3x1xf32>, %k1: tensor<1x4x4x2xf32>,
                        %init: tensor<8x60xf32>) -> tensor<8x60xf32> {
  %h = ks.matmul <2, 4, 3, 1> layout(batch_last)
         ins(%x, %k0 : tensor<6x60xf32>, tensor<2x4x3x1xf32>)
         outs(%init : tensor<8x60xf32>) -> tensor<8x60xf32>
  %y = ks.matmul <1, 4, 4, 2> layout(batch_last)
         ins(%h, %k1 : tensor<8x60xf32>, tensor<1x4x4x2xf32>)
         outs(%init : tensor<8x60xf32>) -> tensor<8x60xf32>
  return %y : tensor<8x60xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %products = transform.structured.match ops{["ks.matmul"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %first, %second = transform.split_handle %products
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %tiled, %loop = transform.structured.tile_using_forall %second tile_sizes [16]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %fused, %rest = transform.structured.fuse_into_containing_op %first into %loop
        : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Tile and fuse in one go, greedily, from a chain back to the matmul before it.

// CHECK-LABEL: func.func @greedy(
//   CHECK-NOT:   ks.
//       CHECK:   scf.for
//       CHECK:     %[[H:.*]] = ks.matmul <2, 4, 3, 1> ins({{.*}}) outs({{.*}}) -> tensor<8x8xf32>
//       CHECK:     ks.chain [<1, 4, 4, 2>, <8, 1, 1, 1>] ins(%[[H]],
//       CHECK:     scf.yield
//   CHECK-NOT:   ks.
//       CHECK:   return
func.func @greedy(%x: tensor<64x6xf32>, %k0: tensor<2x4x3x1xf32>, %k1: tensor<1x4x4x2xf32>,
                  %k2: tensor<8x1x1x1xf32>, %h0: tensor<64x8xf32>, %init: tensor<64x8xf32>)
    -> tensor<64x8xf32> {
  %h = ks.matmul <2, 4, 3, 1>
         ins(%x, %k0 : tensor<64x6xf32>, tensor<2x4x3x1xf32>)
         outs(%h0 : tensor<64x8xf32>) -> tensor<64x8xf32>
  %y = ks.chain [<1, 4, 4, 2>, <8, 1, 1, 1>]
         ins(%h, %k1, %k2 : tensor<64x8xf32>, tensor<1x4x4x2xf32>, tensor<8x1x1x1xf32>)
         outs(%init : tensor<64x8xf32>) -> tensor<64x8xf32>
  return %y : tensor<64x8xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %chain = transform.structured.match ops{["ks.chain"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.fuse %chain tile_sizes [8]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Features are never cut. A loop that cuts them gets the whole product, from outside.

// CHECK-LABEL: func.func @features(
//       CHECK:   %[[H:.*]] = ks.matmul <2, 4, 3, 1> ins({{.*}}) outs({{.*}}) -> tensor<64x8xf32>
//       CHECK:   scf.for
//       CHECK:     tensor.extract_slice %[[H]][%{{.*}}, %{{.*}}] [16, 4] [1, 1]
//   CHECK-NOT:   ks.
//       CHECK:   return
func.func @features(%x: tensor<64x6xf32>, %k: tensor<2x4x3x1xf32>, %h0: tensor<64x8xf32>,
                    %init: tensor<64x8xf32>) -> tensor<64x8xf32> {
  %h = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<64x6xf32>, tensor<2x4x3x1xf32>)
         outs(%h0 : tensor<64x8xf32>) -> tensor<64x8xf32>
  %y = linalg.exp ins(%h : tensor<64x8xf32>) outs(%init : tensor<64x8xf32>) -> tensor<64x8xf32>
  return %y : tensor<64x8xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %exp = transform.structured.match ops{["linalg.exp"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loops:2 = transform.structured.fuse %exp tile_sizes [16, 4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}
