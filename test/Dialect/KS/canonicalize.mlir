// RUN: ks-opt %s --canonicalize --split-input-file | FileCheck %s

//===----------------------------------------------------------------------===//
// A chain of one factor is a matmul
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func.func @one_factor(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<2x?xf32>, %[[K:[^:]*]]: tensor<1x3x2x1xf32>, %[[B:[^:]*]]: tensor<3xf32>, %[[INIT:[^:]*]]: tensor<3x?xf32>
//       CHECK:   %[[Y:.*]] = ks.matmul <1, 3, 2, 1> layout(batch_last) precision(tf32)
//  CHECK-SAME:     ins(%[[X]], %[[K]] : tensor<2x?xf32>, tensor<1x3x2x1xf32>)
//  CHECK-SAME:     outs(%[[INIT]] : tensor<3x?xf32>)
//  CHECK-SAME:     epilogue(%[[B]] : tensor<3xf32>) {
//  CHECK-NEXT:   ^bb0(%acc: f32, %[[E:.*]]: f32):
//  CHECK-NEXT:     %[[SUM:.*]] = arith.addf %acc, %[[E]] : f32
//  CHECK-NEXT:     ks.yield %[[SUM]] : f32
//  CHECK-NEXT:   } plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
//  CHECK-SAME:   {my.note = "kept"} -> tensor<3x?xf32>
//       CHECK:   return %[[Y]]
func.func @one_factor(%x: tensor<2x?xf32>, %k: tensor<1x3x2x1xf32>, %bias: tensor<3xf32>,
                      %init: tensor<3x?xf32>) -> tensor<3x?xf32> {
  %y = ks.chain [<1, 3, 2, 1>] layout(batch_last) precision(tf32)
         ins(%x, %k : tensor<2x?xf32>, tensor<1x3x2x1xf32>)
         outs(%init : tensor<3x?xf32>)
         epilogue(%bias : tensor<3xf32>) {
         ^bb0(%acc: f32, %b: f32):
           %0 = arith.addf %acc, %b : f32
           ks.yield %0 : f32
         }
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 3, vectors = 1, lanes = 8, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 3, n = 3, j = 1>>]>
         {my.note = "kept"} -> tensor<3x?xf32>
  return %y : tensor<3x?xf32>
}

// -----

// CHECK-LABEL: func.func @one_factor_memref(
//       CHECK:   ks.matmul <1, 3, 2, 1> ins({{.*}}) outs(%{{[^ ]*}} : memref<?x3xf16>)
//   CHECK-NOT:   ks.chain
func.func @one_factor_memref(%x: memref<?x2xf16>, %k: memref<1x3x2x1xf16>, %y: memref<?x3xf16>) {
  ks.chain [<1, 3, 2, 1>]
    ins(%x, %k : memref<?x2xf16>, memref<1x3x2x1xf16>) outs(%y : memref<?x3xf16>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// A chain of a chain is one chain
//===----------------------------------------------------------------------===//

// The outer chain's epilogue, outs, and attributes stay.

// CHECK-LABEL: func.func @flatten(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<?x8xf16>, %[[K0:[^:]*]]: tensor<4x2x2x1xf16>, %[[K1:[^:]*]]: tensor<2x2x2x2xf16>, %[[K2:[^:]*]]: tensor<1x2x2x4xf16>, %[[K3:[^:]*]]: tensor<8x1x1x1xf16>, %[[B:[^:]*]]: tensor<8xf16>, %{{[^:]*}}: tensor<?x8xf16>, %[[OUTER:[^:]*]]: tensor<?x8xf16>
//       CHECK:   %[[Y:.*]] = ks.chain [<4, 2, 2, 1>, <2, 2, 2, 2>, <1, 2, 2, 4>, <8, 1, 1, 1>]
//  CHECK-SAME:     ins(%[[X]], %[[K0]], %[[K1]], %[[K2]], %[[K3]] : tensor<?x8xf16>, tensor<4x2x2x1xf16>, tensor<2x2x2x2xf16>, tensor<1x2x2x4xf16>, tensor<8x1x1x1xf16>)
//  CHECK-SAME:     outs(%[[OUTER]] : tensor<?x8xf16>)
//  CHECK-SAME:     epilogue(%[[B]] : tensor<8xf16>) {
//       CHECK:   } {my.note = "outer"} -> tensor<?x8xf16>
//   CHECK-NOT:   ks.
//       CHECK:   return %[[Y]]
func.func @flatten(%x: tensor<?x8xf16>, %k0: tensor<4x2x2x1xf16>, %k1: tensor<2x2x2x2xf16>,
                   %k2: tensor<1x2x2x4xf16>, %k3: tensor<8x1x1x1xf16>, %bias: tensor<8xf16>,
                   %inner: tensor<?x8xf16>, %outer: tensor<?x8xf16>) -> tensor<?x8xf16> {
  %h = ks.chain [<4, 2, 2, 1>, <2, 2, 2, 2>]
         ins(%x, %k0, %k1 : tensor<?x8xf16>, tensor<4x2x2x1xf16>, tensor<2x2x2x2xf16>)
         outs(%inner : tensor<?x8xf16>) -> tensor<?x8xf16>
  %y = ks.chain [<1, 2, 2, 4>, <8, 1, 1, 1>]
         ins(%h, %k2, %k3 : tensor<?x8xf16>, tensor<1x2x2x4xf16>, tensor<8x1x1x1xf16>)
         outs(%outer : tensor<?x8xf16>)
         epilogue(%bias : tensor<8xf16>) {
         ^bb0(%acc: f32, %b: f16):
           %0 = arith.extf %b : f16 to f32
           %1 = arith.addf %acc, %0 : f32
           ks.yield %1 : f32
         } {my.note = "outer"} -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// -----

// Three become one, whatever the order in which they are met.

// CHECK-LABEL: func.func @flatten_three(
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>, <1, 2, 2, 1>, <2, 1, 1, 1>, <1, 2, 2, 1>, <2, 1, 1, 1>] layout(batch_last)
//   CHECK-NOT:   ks.
func.func @flatten_three(%x: tensor<2x4xf64>, %k: tensor<1x2x2x1xf64>, %s: tensor<2x1x1x1xf64>,
                         %init: tensor<2x4xf64>) -> tensor<2x4xf64> {
  %0 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] layout(batch_last)
         ins(%x, %k, %s : tensor<2x4xf64>, tensor<1x2x2x1xf64>, tensor<2x1x1x1xf64>)
         outs(%init : tensor<2x4xf64>) -> tensor<2x4xf64>
  %1 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] layout(batch_last)
         ins(%0, %k, %s : tensor<2x4xf64>, tensor<1x2x2x1xf64>, tensor<2x1x1x1xf64>)
         outs(%init : tensor<2x4xf64>) -> tensor<2x4xf64>
  %2 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] layout(batch_last)
         ins(%1, %k, %s : tensor<2x4xf64>, tensor<1x2x2x1xf64>, tensor<2x1x1x1xf64>)
         outs(%init : tensor<2x4xf64>) -> tensor<2x4xf64>
  return %2 : tensor<2x4xf64>
}

// -----

// An epilogue in between is not linear.

// CHECK-LABEL: func.func @keep_epilogue(
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
func.func @keep_epilogue(%x: tensor<?x2xf32>, %k: tensor<1x2x2x1xf32>, %s: tensor<2x1x1x1xf32>,
                         %init: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %0 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%x, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>)
         epilogue {
         ^bb0(%acc: f32):
           %1 = math.absf %acc : f32
           ks.yield %1 : f32
         } -> tensor<?x2xf32>
  %2 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%0, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %2 : tensor<?x2xf32>
}

// -----

// A plan, on either of the two, is somebody's decision.

// CHECK-LABEL: func.func @keep_inner_plan(
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
//  CHECK-SAME:     plan
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
func.func @keep_inner_plan(%x: tensor<?x2xf32>, %k: tensor<1x2x2x1xf32>, %s: tensor<2x1x1x1xf32>,
                           %init: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %0 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%x, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 1, n = 1, j = 1>>,
           <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
         -> tensor<?x2xf32>
  %1 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%0, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}

// -----

// CHECK-LABEL: func.func @keep_outer_plan(
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
//  CHECK-SAME:     plan
func.func @keep_outer_plan(%x: tensor<?x2xf32>, %k: tensor<1x2x2x1xf32>, %s: tensor<2x1x1x1xf32>,
                           %init: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %0 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%x, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %1 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%0, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 1, n = 1, j = 1>>,
           <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
         -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}

// -----

// What is used elsewhere would be computed twice.

// CHECK-LABEL: func.func @keep_two_uses(
//       CHECK:   %[[H:.*]] = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
//       CHECK:   %[[Y:.*]] = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] ins(%[[H]],
//       CHECK:   return %[[H]], %[[Y]]
func.func @keep_two_uses(%x: tensor<?x2xf32>, %k: tensor<1x2x2x1xf32>, %s: tensor<2x1x1x1xf32>,
                         %init: tensor<?x2xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %0 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%x, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %1 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%0, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}

// -----

// The single use must be the input: here it is also the residual.

// CHECK-LABEL: func.func @keep_residual(
//       CHECK:   %[[H:.*]] = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] ins(%[[H]], {{.*}} epilogue(%[[H]] :
func.func @keep_residual(%x: tensor<?x2xf32>, %k: tensor<1x2x2x1xf32>, %s: tensor<2x1x1x1xf32>,
                         %init: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %0 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%x, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %1 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%0, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>)
         epilogue(%0 : tensor<?x2xf32>) {
         ^bb0(%acc: f32, %r: f32):
           %2 = arith.addf %acc, %r : f32
           ks.yield %2 : f32
         } -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}

// -----

// CHECK-LABEL: func.func @keep_layout(
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] layout(batch_last)
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] ins
func.func @keep_layout(%x: tensor<2x2xf32>, %k: tensor<1x2x2x1xf32>, %s: tensor<2x1x1x1xf32>,
                       %init: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] layout(batch_last)
         ins(%x, %k, %s : tensor<2x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%0, %k, %s : tensor<2x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %1 : tensor<2x2xf32>
}

// -----

// CHECK-LABEL: func.func @keep_precision(
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] precision(tf32)
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] ins
func.func @keep_precision(%x: tensor<?x2xf32>, %k: tensor<1x2x2x1xf32>, %s: tensor<2x1x1x1xf32>,
                          %init: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %0 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>] precision(tf32)
         ins(%x, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %1 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%0, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}

// -----

// On memrefs nothing says who else writes the buffer in between.

// CHECK-LABEL: func.func @keep_memrefs(
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
func.func @keep_memrefs(%x: memref<?x2xf32>, %k: memref<1x2x2x1xf32>, %s: memref<2x1x1x1xf32>,
                        %h: memref<?x2xf32>, %y: memref<?x2xf32>) {
  ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
    ins(%x, %k, %s : memref<?x2xf32>, memref<1x2x2x1xf32>, memref<2x1x1x1xf32>)
    outs(%h : memref<?x2xf32>)
  ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
    ins(%h, %k, %s : memref<?x2xf32>, memref<1x2x2x1xf32>, memref<2x1x1x1xf32>)
    outs(%y : memref<?x2xf32>)
  return
}

// -----

// ks.matmul is the user's spelling of one kernel; merging is for ks-fuse-factors.

// CHECK-LABEL: func.func @keep_matmuls(
//       CHECK:   ks.matmul <1, 2, 2, 1>
//       CHECK:   ks.matmul <2, 1, 1, 1>
func.func @keep_matmuls(%x: tensor<?x2xf32>, %k: tensor<1x2x2x1xf32>, %s: tensor<2x1x1x1xf32>,
                        %init: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %0 = ks.matmul <1, 2, 2, 1>
         ins(%x, %k : tensor<?x2xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  %1 = ks.matmul <2, 1, 1, 1>
         ins(%0, %s : tensor<?x2xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}

// -----

//===----------------------------------------------------------------------===//
// An empty batch
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func.func @empty_batch(
//  CHECK-SAME:   %[[INIT:[^:]*]]: tensor<0x3xf32>, %[[LAST:[^:]*]]: tensor<3x0xf32>
//   CHECK-NOT:   ks.
//       CHECK:   return %[[INIT]], %[[LAST]]
func.func @empty_batch(%init: tensor<0x3xf32>, %last: tensor<3x0xf32>, %x: tensor<?x2xf32>,
                       %xt: tensor<2x0xf32>, %k: tensor<1x3x2x1xf32>)
    -> (tensor<0x3xf32>, tensor<3x0xf32>) {
  %y = ks.matmul <1, 3, 2, 1>
         ins(%x, %k : tensor<?x2xf32>, tensor<1x3x2x1xf32>)
         outs(%init : tensor<0x3xf32>) -> tensor<0x3xf32>
  %yt = ks.chain [<1, 3, 2, 1>] layout(batch_last)
         ins(%xt, %k : tensor<2x0xf32>, tensor<1x3x2x1xf32>)
         outs(%last : tensor<3x0xf32>) -> tensor<3x0xf32>
  return %y, %yt : tensor<0x3xf32>, tensor<3x0xf32>
}

// -----

// CHECK-LABEL: func.func @empty_batch_memref(
//   CHECK-NOT:   ks.
//       CHECK:   return
func.func @empty_batch_memref(%x: memref<0x2xf32>, %k: memref<1x3x2x1xf32>, %y: memref<0x3xf32>,
                              %h: memref<0x3xf32>, %s: memref<3x1x1x1xf32>) {
  ks.matmul <1, 3, 2, 1>
    ins(%x, %k : memref<0x2xf32>, memref<1x3x2x1xf32>) outs(%y : memref<0x3xf32>)
  ks.chain [<1, 3, 2, 1>, <3, 1, 1, 1>]
    ins(%x, %k, %s : memref<0x2xf32>, memref<1x3x2x1xf32>, memref<3x1x1x1xf32>)
    outs(%h : memref<0x3xf32>)
    epilogue {
    ^bb0(%acc: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

// A batch that may be empty, and a batch of one, stay.

// CHECK-LABEL: func.func @keep_dynamic_batch(
//       CHECK:   ks.matmul
//       CHECK:   ks.matmul
func.func @keep_dynamic_batch(%x: memref<?x2xf32>, %k: memref<1x3x2x1xf32>, %y: memref<?x3xf32>,
                              %x1: memref<1x2xf32>, %y1: memref<1x3xf32>) {
  ks.matmul <1, 3, 2, 1>
    ins(%x, %k : memref<?x2xf32>, memref<1x3x2x1xf32>) outs(%y : memref<?x3xf32>)
  ks.matmul <1, 3, 2, 1>
    ins(%x1, %k : memref<1x2xf32>, memref<1x3x2x1xf32>) outs(%y1 : memref<1x3xf32>)
  return
}

// -----

// The batch of the input is known to be 0, that of outs is not: nothing is done.

// CHECK-LABEL: func.func @keep_empty_input(
//       CHECK:   ks.matmul
func.func @keep_empty_input(%x: memref<0x2xf32>, %k: memref<1x3x2x1xf32>, %y: memref<?x3xf32>) {
  ks.matmul <1, 3, 2, 1>
    ins(%x, %k : memref<0x2xf32>, memref<1x3x2x1xf32>) outs(%y : memref<?x3xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// Dead code
//===----------------------------------------------------------------------===//

// On tensors, what is not used is erased; on memrefs it is an effect.

// CHECK-LABEL: func.func @dead(
//  CHECK-NEXT:   ks.matmul <1, 3, 2, 1> ins({{.*}}) outs(%{{[^ ]*}} : memref<?x3xf32>)
//  CHECK-NEXT:   ks.pack_weights
//  CHECK-NEXT:   ks.to_dense
//  CHECK-NEXT:   return
func.func @dead(%x: tensor<?x2xf32>, %k: tensor<1x3x2x1xf32>, %init: tensor<?x3xf32>,
                %w: tensor<3x2xf32>, %p: tensor<6xf32>, %xm: memref<?x2xf32>,
                %km: memref<1x3x2x1xf32>, %ym: memref<?x3xf32>, %wm: memref<3x2xf32>,
                %pm: memref<6xf32>) {
  %y = ks.matmul <1, 3, 2, 1>
         ins(%x, %k : tensor<?x2xf32>, tensor<1x3x2x1xf32>)
         outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  %d = ks.to_dense [<1, 3, 2, 1>]
         ins(%k : tensor<1x3x2x1xf32>) outs(%w : tensor<3x2xf32>) -> tensor<3x2xf32>
  %q = ks.pack_weights <1, 3, 2, 1> into #ks.cpu_packing<vectors = 1, lanes = 3, n = 3, j = 1>
         ins(%k : tensor<1x3x2x1xf32>) outs(%p : tensor<6xf32>) -> tensor<6xf32>
  ks.matmul <1, 3, 2, 1>
    ins(%xm, %km : memref<?x2xf32>, memref<1x3x2x1xf32>) outs(%ym : memref<?x3xf32>)
  ks.pack_weights <1, 3, 2, 1> into #ks.cpu_packing<vectors = 1, lanes = 3, n = 3, j = 1>
    ins(%km : memref<1x3x2x1xf32>) outs(%pm : memref<6xf32>)
  ks.to_dense [<1, 3, 2, 1>] ins(%km : memref<1x3x2x1xf32>) outs(%wm : memref<3x2xf32>)
  return
}

// The outer chain reads what the inner one loads. Where it converts what is in
// between, both stay.

// CHECK-LABEL: func.func @flatten_load_as(
//       CHECK:   ks.chain [<1, 4, 4, 1>, <2, 2, 2, 1>, <2, 2, 2, 1>, <2, 2, 2, 1>] load_as(f16) ins({{.*}} : tensor<?x4xf32>
//       CHECK:   %[[H:.*]] = ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>] ins
//       CHECK:   ks.chain [<2, 2, 2, 1>, <1, 4, 4, 1>] load_as(f16) ins(%[[H]]
func.func @flatten_load_as(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf16>, %l: tensor<2x2x2x1xf16>,
                           %w: tensor<1x4x4x1xf32>, %h: tensor<?x4xf16>, %g: tensor<?x4xf32>)
    -> (tensor<?x4xf16>, tensor<?x4xf16>) {
  %0 = ks.chain [<1, 4, 4, 1>, <2, 2, 2, 1>] load_as(f16)
         ins(%x, %k, %l : tensor<?x4xf32>, tensor<1x4x4x1xf16>, tensor<2x2x2x1xf16>)
         outs(%h : tensor<?x4xf16>) -> tensor<?x4xf16>
  %1 = ks.chain [<2, 2, 2, 1>, <2, 2, 2, 1>]
         ins(%0, %l, %l : tensor<?x4xf16>, tensor<2x2x2x1xf16>, tensor<2x2x2x1xf16>)
         outs(%h : tensor<?x4xf16>) -> tensor<?x4xf16>
  %2 = ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>]
         ins(%x, %w, %w : tensor<?x4xf32>, tensor<1x4x4x1xf32>, tensor<1x4x4x1xf32>)
         outs(%g : tensor<?x4xf32>) -> tensor<?x4xf32>
  %3 = ks.chain [<2, 2, 2, 1>, <1, 4, 4, 1>] load_as(f16)
         ins(%2, %l, %k : tensor<?x4xf32>, tensor<2x2x2x1xf16>, tensor<1x4x4x1xf16>)
         outs(%h : tensor<?x4xf16>) -> tensor<?x4xf16>
  return %1, %3 : tensor<?x4xf16>, tensor<?x4xf16>
}
