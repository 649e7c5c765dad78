// Upstream's tiling of products, through the transform dialect. A product is one
// parallel loop, over the batch; fusion.mlir puts products into loops of others.

// RUN: ks-opt %s --transform-interpreter --canonicalize --cse --split-input-file | FileCheck %s

// Blocks of 8 entries of the batch; the last may have fewer. Weights and bias are whole,
// the residual is cut as the result is. outs is never read: each block of it is
// overwritten.

// CHECK-DAG: #[[REST:.*]] = affine_map<(d0)[s0] -> (-d0 + s0, 8)>

// CHECK-LABEL: func.func @batch_first(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<?x6xf16>, %[[K0:[^:]*]]: tensor<2x4x3x1xf16>, %[[K1:[^:]*]]: tensor<1x4x4x2xf16>, %[[B:[^:]*]]: tensor<8xf16>, %[[R:[^:]*]]: tensor<?x8xf16>, %[[INIT:[^:]*]]: tensor<?x8xf16>
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C8:.*]] = arith.constant 8 : index
//       CHECK:   %[[M:.*]] = tensor.dim %[[INIT]], %[[C0]]
//       CHECK:   %[[Y:.*]] = scf.for %[[I:.*]] = %[[C0]] to %[[M]] step %[[C8]] iter_args(%[[ACC:.*]] = %[[INIT]])
//       CHECK:     %[[SIZE:.*]] = affine.min #[[REST]](%[[I]])[%[[M]]]
//       CHECK:     %[[XT:.*]] = tensor.extract_slice %[[X]][%[[I]], 0] [%[[SIZE]], 6] [1, 1]
//       CHECK:     %[[RT:.*]] = tensor.extract_slice %[[R]][%[[I]], 0] [%[[SIZE]], 8] [1, 1]
//       CHECK:     %[[OUT:.*]] = tensor.extract_slice %[[ACC]][%[[I]], 0] [%[[SIZE]], 8] [1, 1]
//       CHECK:     %[[T:.*]] = ks.chain [<2, 4, 3, 1>, <1, 4, 4, 2>]
//  CHECK-SAME:       ins(%[[XT]], %[[K0]], %[[K1]] : tensor<?x6xf16>, tensor<2x4x3x1xf16>, tensor<1x4x4x2xf16>)
//  CHECK-SAME:       outs(%[[OUT]] : tensor<?x8xf16>)
//  CHECK-SAME:       epilogue(%[[B]], %[[RT]] : tensor<8xf16>, tensor<?x8xf16>) {
//  CHECK-NEXT:     ^bb0(%acc: f32, %{{.*}}: f16, %{{.*}}: f16):
//       CHECK:     } {my.note = "kept"} -> tensor<?x8xf16>
//       CHECK:     %[[NEXT:.*]] = tensor.insert_slice %[[T]] into %[[ACC]][%[[I]], 0] [%[[SIZE]], 8] [1, 1]
//       CHECK:     scf.yield %[[NEXT]]
//       CHECK:   return %[[Y]]
func.func @batch_first(%x: tensor<?x6xf16>, %k0: tensor<2x4x3x1xf16>, %k1: tensor<1x4x4x2xf16>,
                       %bias: tensor<8xf16>, %residual: tensor<?x8xf16>, %init: tensor<?x8xf16>)
    -> tensor<?x8xf16> {
  %y = ks.chain [<2, 4, 3, 1>, <1, 4, 4, 2>]
         ins(%x, %k0, %k1 : tensor<?x6xf16>, tensor<2x4x3x1xf16>, tensor<1x4x4x2xf16>)
         outs(%init : tensor<?x8xf16>)
         epilogue(%bias, %residual : tensor<8xf16>, tensor<?x8xf16>) {
         ^bb0(%acc: f32, %b: f16, %r: f16):
           %0 = arith.extf %r : f16 to f32
           %1 = arith.addf %acc, %0 : f32
           ks.yield %1 : f32
         } {my.note = "kept"} -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ks.chain"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [8]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// The batch is the last axis; layout, precision and plan stay.

// CHECK-LABEL: func.func @batch_last(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<6x?xf32>, %[[K:[^:]*]]: tensor<2x4x3x1xf32>, %[[R:[^:]*]]: tensor<8x?xf32>, %[[INIT:[^:]*]]: tensor<8x?xf32>
//       CHECK:   %[[C1:.*]] = arith.constant 1 : index
//       CHECK:   %[[M:.*]] = tensor.dim %[[INIT]], %[[C1]]
//       CHECK:   scf.for %[[I:.*]] = %{{.*}} to %[[M]] step %{{.*}} iter_args(%[[ACC:.*]] = %[[INIT]])
//       CHECK:     %[[XT:.*]] = tensor.extract_slice %[[X]][0, %[[I]]] [6, %[[SIZE:.*]]] [1, 1]
//       CHECK:     %[[RT:.*]] = tensor.extract_slice %[[R]][0, %[[I]]] [8, %[[SIZE]]] [1, 1]
//       CHECK:     %[[OUT:.*]] = tensor.extract_slice %[[ACC]][0, %[[I]]] [8, %[[SIZE]]] [1, 1]
//       CHECK:     ks.matmul <2, 4, 3, 1> layout(batch_last) precision(tf32)
//  CHECK-SAME:       ins(%[[XT]], %[[K]] : tensor<6x?xf32>, tensor<2x4x3x1xf32>)
//  CHECK-SAME:       outs(%[[OUT]] : tensor<8x?xf32>)
//  CHECK-SAME:       epilogue(%[[RT]] : tensor<8x?xf32>) {
//       CHECK:     } plan #ks.cpu_plan
//       CHECK:     tensor.insert_slice %{{.*}} into %[[ACC]][0, %[[I]]] [8, %[[SIZE]]] [1, 1]
func.func @batch_last(%x: tensor<6x?xf32>, %k: tensor<2x4x3x1xf32>, %residual: tensor<8x?xf32>,
                      %init: tensor<8x?xf32>) -> tensor<8x?xf32> {
  %y = ks.matmul <2, 4, 3, 1> layout(batch_last) precision(tf32)
         ins(%x, %k : tensor<6x?xf32>, tensor<2x4x3x1xf32>)
         outs(%init : tensor<8x?xf32>)
         epilogue(%residual : tensor<8x?xf32>) {
         ^bb0(%acc: f32, %r: f32):
           %0 = arith.addf %acc, %r : f32
           ks.yield %0 : f32
         }
         plan #ks.cpu_plan<batch_block = 8, parallel = none, tiles = [
           <rows = 4, vectors = 1, lanes = 8, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
         -> tensor<8x?xf32>
  return %y : tensor<8x?xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ks.matmul"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [16]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A static batch in equal blocks: all tiles are static.

// CHECK-LABEL: func.func @static(
//       CHECK:   scf.for
//       CHECK:     ks.matmul <2, 4, 3, 1> ins(%{{.*}} : tensor<8x6xf32>, tensor<2x4x3x1xf32>) outs(%{{[^ ]*}} : tensor<8x8xf32>)
//  CHECK-SAME:       epilogue(%{{.*}} : tensor<8x8xf32>)
//       CHECK:     tensor.insert_slice {{.*}} : tensor<8x8xf32> into tensor<32x8xf32>
func.func @static(%x: tensor<32x6xf32>, %k: tensor<2x4x3x1xf32>, %residual: tensor<32x8xf32>,
                  %init: tensor<32x8xf32>) -> tensor<32x8xf32> {
  %y = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<32x6xf32>, tensor<2x4x3x1xf32>)
         outs(%init : tensor<32x8xf32>)
         epilogue(%residual : tensor<32x8xf32>) {
         ^bb0(%acc: f32, %r: f32):
           %0 = arith.mulf %acc, %r : f32
           ks.yield %0 : f32
         } -> tensor<32x8xf32>
  return %y : tensor<32x8xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ks.matmul"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [8]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A static batch in unequal blocks; only one of input and result is known.

// CHECK-LABEL: func.func @static_rest(
//       CHECK:   ks.matmul <2, 4, 3, 1> layout(batch_last) ins(%{{.*}} : tensor<6x?xf32>, tensor<2x4x3x1xf32>) outs(%{{[^ ]*}} : tensor<8x?xf32>)
//       CHECK:   tensor.insert_slice {{.*}} : tensor<8x?xf32> into tensor<8x30xf32>
func.func @static_rest(%x: tensor<6x?xf32>, %k: tensor<2x4x3x1xf32>, %init: tensor<8x30xf32>)
    -> tensor<8x30xf32> {
  %y = ks.matmul <2, 4, 3, 1> layout(batch_last)
         ins(%x, %k : tensor<6x?xf32>, tensor<2x4x3x1xf32>)
         outs(%init : tensor<8x30xf32>) -> tensor<8x30xf32>
  return %y : tensor<8x30xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ks.matmul"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [8]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// On memrefs, views of the buffers; any pitch stays.

// CHECK-LABEL: func.func @memrefs(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<?x6xf32, strided<[?, 1], offset: ?>>, %[[K:[^:]*]]: memref<2x4x3x1xf32>, %[[Y:[^:]*]]: memref<?x8xf32>
//       CHECK:   %[[M:.*]] = memref.dim %[[Y]]
//       CHECK:   scf.for %[[I:.*]] = %{{.*}} to %[[M]]
//       CHECK:     %[[XT:.*]] = memref.subview %[[X]][%[[I]], 0] [%[[SIZE:.*]], 6] [1, 1]
//       CHECK:     %[[YT:.*]] = memref.subview %[[Y]][%[[I]], 0] [%[[SIZE]], 8] [1, 1]
//       CHECK:     ks.matmul <2, 4, 3, 1>
//  CHECK-SAME:       ins(%[[XT]], %[[K]] : memref<?x6xf32, strided<[?, 1], offset: ?>>, memref<2x4x3x1xf32>)
//  CHECK-SAME:       outs(%[[YT]] : memref<?x8xf32, strided<[8, 1], offset: ?>>)
func.func @memrefs(%x: memref<?x6xf32, strided<[?, 1], offset: ?>>, %k: memref<2x4x3x1xf32>,
                   %y: memref<?x8xf32>) {
  ks.matmul <2, 4, 3, 1>
    ins(%x, %k : memref<?x6xf32, strided<[?, 1], offset: ?>>, memref<2x4x3x1xf32>)
    outs(%y : memref<?x8xf32>)
  return
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ks.matmul"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [8]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Four threads, each with its share of the batch.

// CHECK-DAG: #[[BEGIN:.*]] = affine_map<(d0)[s0] -> (d0 * (s0 ceildiv 4))>

// CHECK-LABEL: func.func @forall(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<6x?xcomplex<f32>>, %[[K:[^:]*]]: tensor<2x4x3x1xcomplex<f32>>, %[[INIT:[^:]*]]: tensor<8x?xcomplex<f32>>
//       CHECK:   %[[M:.*]] = tensor.dim %[[INIT]]
//       CHECK:   scf.forall (%[[T:.*]]) in (4) shared_outs(%[[OUTS:.*]] = %[[INIT]])
//       CHECK:     %[[I:.*]] = affine.apply #[[BEGIN]](%[[T]])[%[[M]]]
//       CHECK:     %[[XT:.*]] = tensor.extract_slice %[[X]][0, %[[I]]] [6, %[[SIZE:.*]]] [1, 1]
//       CHECK:     %[[OUT:.*]] = tensor.extract_slice %[[OUTS]][0, %[[I]]] [8, %[[SIZE]]] [1, 1]
//       CHECK:     %[[Y:.*]] = ks.matmul <2, 4, 3, 1> layout(batch_last) ins(%[[XT]], %[[K]] : {{.*}}) outs(%[[OUT]] :
//       CHECK:     scf.forall.in_parallel
//       CHECK:       tensor.parallel_insert_slice %[[Y]] into %[[OUTS]][0, %[[I]]] [8, %[[SIZE]]] [1, 1]
func.func @forall(%x: tensor<6x?xcomplex<f32>>, %k: tensor<2x4x3x1xcomplex<f32>>,
                  %init: tensor<8x?xcomplex<f32>>) -> tensor<8x?xcomplex<f32>> {
  %y = ks.matmul <2, 4, 3, 1> layout(batch_last)
         ins(%x, %k : tensor<6x?xcomplex<f32>>, tensor<2x4x3x1xcomplex<f32>>)
         outs(%init : tensor<8x?xcomplex<f32>>) -> tensor<8x?xcomplex<f32>>
  return %y : tensor<8x?xcomplex<f32>>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ks.matmul"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op num_threads [4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-LABEL: func.func @forall_static(
//       CHECK:   scf.forall (%{{.*}}) in (5)
//       CHECK:     ks.chain [<2, 4, 3, 1>, <8, 1, 1, 1>] ins({{.*}} : tensor<6x6xf32>, {{.*}}) outs({{.*}} : tensor<6x8xf32>)
//       CHECK:       tensor.parallel_insert_slice {{.*}} : tensor<6x8xf32> into tensor<30x8xf32>
func.func @forall_static(%x: tensor<30x6xf32>, %k: tensor<2x4x3x1xf32>,
                         %s: tensor<8x1x1x1xf32>, %init: tensor<30x8xf32>) -> tensor<30x8xf32> {
  %y = ks.chain [<2, 4, 3, 1>, <8, 1, 1, 1>]
         ins(%x, %k, %s : tensor<30x6xf32>, tensor<2x4x3x1xf32>, tensor<8x1x1x1xf32>)
         outs(%init : tensor<30x8xf32>) -> tensor<30x8xf32>
  return %y : tensor<30x8xf32>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ks.chain"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [6]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
