// RUN: ks-opt %s --convert-ks-to-linalg --split-input-file | FileCheck %s --implicit-check-not=ks.

// Loops of a product: m (batch), i, n, j and the sum over k. Activations are indexed as
// (m, i, n or k, j), weights as (i, n, k, j). ks-to-linalg-types.mlir has element types.

//===----------------------------------------------------------------------===//
// Layouts and ties
//===----------------------------------------------------------------------===//

// CHECK-DAG: #[[X_MAP:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4, d3)>
// CHECK-DAG: #[[K_MAP:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d4, d3)>
// CHECK-DAG: #[[Y_MAP:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>

// CHECK-LABEL: func.func @batch_first(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<?x40xf32>, %[[K:[^:]*]]: tensor<2x3x4x5xf32>, %[[INIT:[^:]*]]: tensor<?x30xf32>
//       CHECK:   %[[M:.*]] = tensor.dim %[[INIT]], %{{.*}}
//       CHECK:   %[[OUT:.*]] = tensor.expand_shape %[[INIT]] {{\[\[}}0], [1, 2, 3]] output_shape [%[[M]], 2, 3, 5]
//       CHECK:   %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
//       CHECK:   %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%[[OUT]] : tensor<?x2x3x5xf32>)
//       CHECK:   %[[IN:.*]] = tensor.expand_shape %[[X]] {{\[\[}}0], [1, 2, 3]] output_shape [%[[M]], 2, 4, 5]
//       CHECK:   %[[SUM:.*]] = linalg.generic
//  CHECK-SAME:     indexing_maps = [#[[X_MAP]], #[[K_MAP]], #[[Y_MAP]]]
//  CHECK-SAME:     iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]
//  CHECK-SAME:     ins(%[[IN]], %[[K]] : tensor<?x2x4x5xf32>, tensor<2x3x4x5xf32>)
//  CHECK-SAME:     outs(%[[FILL]] : tensor<?x2x3x5xf32>)
//  CHECK-NEXT:   ^bb0(%[[XE:.*]]: f32, %[[KE:.*]]: f32, %[[ACC:.*]]: f32):
//  CHECK-NEXT:     %[[P:.*]] = arith.mulf %[[KE]], %[[XE]] : f32
//  CHECK-NEXT:     %[[S:.*]] = arith.addf %[[ACC]], %[[P]] : f32
//  CHECK-NEXT:     linalg.yield %[[S]] : f32
//   CHECK-NOT:   linalg.
//       CHECK:   %[[Y:.*]] = tensor.collapse_shape %[[SUM]] {{\[\[}}0], [1, 2, 3]] : tensor<?x2x3x5xf32> into tensor<?x30xf32>
//       CHECK:   return %[[Y]]
func.func @batch_first(%x: tensor<?x40xf32>, %k: tensor<2x3x4x5xf32>, %init: tensor<?x30xf32>)
    -> tensor<?x30xf32> {
  %y = ks.matmul <2, 3, 4, 5>
         ins(%x, %k : tensor<?x40xf32>, tensor<2x3x4x5xf32>)
         outs(%init : tensor<?x30xf32>) -> tensor<?x30xf32>
  return %y : tensor<?x30xf32>
}

// -----

// CHECK-DAG: #[[X_MAP:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d4, d3, d0)>
// CHECK-DAG: #[[K_MAP:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d4, d3)>
// CHECK-DAG: #[[Y_MAP:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d3, d0)>

// CHECK-LABEL: func.func @batch_last(
//  CHECK-SAME:   %[[X:[^:]*]]: tensor<40x?xf32>, %[[K:[^:]*]]: tensor<2x3x4x5xf32>, %[[INIT:[^:]*]]: tensor<30x?xf32>
//       CHECK:   %[[C1:.*]] = arith.constant 1 : index
//       CHECK:   %[[M:.*]] = tensor.dim %[[INIT]], %[[C1]]
//       CHECK:   tensor.expand_shape %[[INIT]] {{\[\[}}0, 1, 2], [3]] output_shape [2, 3, 5, %[[M]]]
//       CHECK:   %[[IN:.*]] = tensor.expand_shape %[[X]] {{\[\[}}0, 1, 2], [3]] output_shape [2, 4, 5, %[[M]]]
//       CHECK:   linalg.generic
//  CHECK-SAME:     indexing_maps = [#[[X_MAP]], #[[K_MAP]], #[[Y_MAP]]]
//  CHECK-SAME:     ins(%[[IN]], %[[K]] : tensor<2x4x5x?xf32>, tensor<2x3x4x5xf32>)
//       CHECK:   tensor.collapse_shape {{.*}} {{\[\[}}0, 1, 2], [3]] : tensor<2x3x5x?xf32> into tensor<30x?xf32>
func.func @batch_last(%x: tensor<40x?xf32>, %k: tensor<2x3x4x5xf32>, %init: tensor<30x?xf32>)
    -> tensor<30x?xf32> {
  %y = ks.matmul <2, 3, 4, 5> layout(batch_last)
         ins(%x, %k : tensor<40x?xf32>, tensor<2x3x4x5xf32>)
         outs(%init : tensor<30x?xf32>) -> tensor<30x?xf32>
  return %y : tensor<30x?xf32>
}

// -----

// A tied axis is read at 0.

// CHECK-DAG: #[[TIED_A:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (0, d2, d4, d3)>
// CHECK-DAG: #[[TIED_D:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d4, 0)>
// CHECK-DAG: #[[TIED:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (0, d2, d4, 0)>

// CHECK-LABEL: func.func @tied(
//  CHECK-SAME:   %[[KA:[^:]*]]: tensor<1x3x3x5xf32>, %[[KD:[^:]*]]: tensor<2x3x3x1xf32>, %[[K:[^:]*]]: tensor<1x3x3x1xf32>
//       CHECK:   linalg.generic {indexing_maps = [#{{.*}}, #[[TIED_A]], #{{.*}}], {{.*}} ins(%{{.*}}, %[[KA]] :
//       CHECK:   linalg.generic {indexing_maps = [#{{.*}}, #[[TIED_D]], #{{.*}}], {{.*}} ins(%{{.*}}, %[[KD]] :
//       CHECK:   linalg.generic {indexing_maps = [#{{.*}}, #[[TIED]], #{{.*}}], {{.*}} ins(%{{.*}}, %[[K]] :
func.func @tied(%x: tensor<?x30xf32>, %ka: tensor<1x3x3x5xf32>, %kd: tensor<2x3x3x1xf32>,
                %k: tensor<1x3x3x1xf32>, %init: tensor<?x30xf32>) -> tensor<?x30xf32> {
  %y = ks.chain [<2, 3, 3, 5>, <2, 3, 3, 5>, <2, 3, 3, 5>]
         ins(%x, %ka, %kd, %k : tensor<?x30xf32>, tensor<1x3x3x5xf32>, tensor<2x3x3x1xf32>,
             tensor<1x3x3x1xf32>)
         outs(%init : tensor<?x30xf32>) -> tensor<?x30xf32>
  return %y : tensor<?x30xf32>
}

// -----

// One of the two batches is known, the other is not.

// CHECK-LABEL: func.func @known_input(
//       CHECK:   tensor.expand_shape %{{.*}} output_shape [4, 2, 3, 1] : tensor<4x6xf32> into tensor<4x2x3x1xf32>
//       CHECK:   linalg.generic {{.*}} ins({{.*}} : tensor<4x2x3x1xf32>, tensor<2x4x3x1xf32>) outs({{.*}} : tensor<?x2x4x1xf32>)
// CHECK-LABEL: func.func @known_outs(
//       CHECK:   tensor.expand_shape %{{.*}} output_shape [4, 2, 3, 1] : tensor<?x6xf32> into tensor<?x2x3x1xf32>
//       CHECK:   linalg.generic {{.*}} ins({{.*}} : tensor<?x2x3x1xf32>, tensor<2x4x3x1xf32>) outs({{.*}} : tensor<4x2x4x1xf32>)
func.func @known_input(%x: tensor<4x6xf32>, %k: tensor<2x4x3x1xf32>, %init: tensor<?x8xf32>)
    -> tensor<?x8xf32> {
  %y = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<4x6xf32>, tensor<2x4x3x1xf32>)
         outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
func.func @known_outs(%x: tensor<?x6xf32>, %k: tensor<2x4x3x1xf32>, %init: tensor<4x8xf32>)
    -> tensor<4x8xf32> {
  %y = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<?x6xf32>, tensor<2x4x3x1xf32>)
         outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

//===----------------------------------------------------------------------===//
// Chains and epilogues
//===----------------------------------------------------------------------===//

// The first factor's result is rounded to f16 and is the second's input. The epilogue
// gets the f32 accumulator of the last one; a bias is read along the features only.

// CHECK-DAG: #[[ALL:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
// CHECK-DAG: #[[FEATURES:.*]] = affine_map<(d0, d1, d2, d3) -> (d1, d2, d3)>

// CHECK-LABEL: func.func @chain(
//  CHECK-SAME:   %[[BIAS:[^:]*]]: tensor<8xf16>, %[[RES:[^:]*]]: tensor<?x8xf16>, %[[INIT:[^:]*]]: tensor<?x8xf16>
//       CHECK:   %[[H_INIT:.*]] = tensor.empty(%[[M:.*]]) : tensor<?x2x4x1xf16>
//       CHECK:   %[[H_ACC:.*]] = tensor.empty(%[[M]]) : tensor<?x2x4x1xf32>
//       CHECK:   %[[SUM0:.*]] = linalg.generic {{.*}} outs({{.*}} : tensor<?x2x4x1xf32>)
//       CHECK:   %[[H4:.*]] = linalg.generic {indexing_maps = [#[[ALL]], #[[ALL]]], {{.*}} ins(%[[SUM0]] : tensor<?x2x4x1xf32>) outs(%[[H_INIT]] : tensor<?x2x4x1xf16>)
//       CHECK:     arith.truncf %{{.*}} : f32 to f16
//       CHECK:   %[[H:.*]] = tensor.collapse_shape %[[H4]]
//       CHECK:   %[[OUT:.*]] = tensor.expand_shape %[[INIT]] {{.*}} into tensor<?x1x4x2xf16>
//       CHECK:   %[[H_IN:.*]] = tensor.expand_shape %[[H]] {{.*}} into tensor<?x1x4x2xf16>
//       CHECK:   %[[SUM1:.*]] = linalg.generic {{.*}} ins(%[[H_IN]], {{.*}} outs({{.*}} : tensor<?x1x4x2xf32>)
//       CHECK:   %[[B:.*]] = tensor.expand_shape %[[BIAS]] {{\[\[}}0, 1, 2]] output_shape [1, 4, 2] : tensor<8xf16> into tensor<1x4x2xf16>
//       CHECK:   %[[R:.*]] = tensor.expand_shape %[[RES]] {{\[\[}}0], [1, 2, 3]] output_shape [%[[M]], 1, 4, 2]
//       CHECK:   %[[Y4:.*]] = linalg.generic
//  CHECK-SAME:     indexing_maps = [#[[ALL]], #[[FEATURES]], #[[ALL]], #[[ALL]]]
//  CHECK-SAME:     iterator_types = ["parallel", "parallel", "parallel", "parallel"]
//  CHECK-SAME:     ins(%[[SUM1]], %[[B]], %[[R]] : tensor<?x1x4x2xf32>, tensor<1x4x2xf16>, tensor<?x1x4x2xf16>)
//  CHECK-SAME:     outs(%[[OUT]] : tensor<?x1x4x2xf16>)
//  CHECK-NEXT:   ^bb0(%[[ACC:.*]]: f32, %[[BE:.*]]: f16, %[[RE:.*]]: f16, %{{.*}}: f16):
//  CHECK-NEXT:     %[[B32:.*]] = arith.extf %[[BE]] : f16 to f32
//  CHECK-NEXT:     %[[R32:.*]] = arith.extf %[[RE]] : f16 to f32
//  CHECK-NEXT:     %[[FMA:.*]] = math.fma %[[ACC]], %[[B32]], %[[R32]] : f32
//  CHECK-NEXT:     %[[T:.*]] = arith.truncf %[[FMA]] : f32 to f16
//  CHECK-NEXT:     linalg.yield %[[T]] : f16
//       CHECK:   %[[Y:.*]] = tensor.collapse_shape %[[Y4]]
//       CHECK:   return %[[Y]]
func.func @chain(%x: tensor<?x6xf16>, %k0: tensor<2x4x3x1xf16>, %k1: tensor<1x4x4x2xf16>,
                 %bias: tensor<8xf16>, %residual: tensor<?x8xf16>, %init: tensor<?x8xf16>)
    -> tensor<?x8xf16> {
  %y = ks.chain [<2, 4, 3, 1>, <1, 4, 4, 2>]
         ins(%x, %k0, %k1 : tensor<?x6xf16>, tensor<2x4x3x1xf16>, tensor<1x4x4x2xf16>)
         outs(%init : tensor<?x8xf16>)
         epilogue(%bias, %residual : tensor<8xf16>, tensor<?x8xf16>) {
         ^bb0(%acc: f32, %b: f16, %r: f16):
           %b32 = arith.extf %b : f16 to f32
           %r32 = arith.extf %r : f16 to f32
           %0 = math.fma %acc, %b32, %r32 : f32
           ks.yield %0 : f32
         } -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// -----

// f32 needs no rounding: only an epilogue is an op of its own, even if it does nothing.

// CHECK-DAG: #[[ALL:.*]] = affine_map<(d0, d1, d2, d3) -> (d1, d2, d3, d0)>
// CHECK-DAG: #[[FEATURES:.*]] = affine_map<(d0, d1, d2, d3) -> (d1, d2, d3)>

// CHECK-LABEL: func.func @epilogue_batch_last(
//       CHECK:   %[[SUM0:.*]] = linalg.generic {{.*}} iterator_types = [{{.*}}"reduction"]
//       CHECK:   tensor.collapse_shape %[[SUM0]] {{.*}} : tensor<2x4x1x7xf32> into tensor<8x7xf32>
//       CHECK:   %[[SUM1:.*]] = linalg.generic {{.*}} iterator_types = [{{.*}}"reduction"]
//       CHECK:   linalg.generic {indexing_maps = [#[[ALL]], #[[FEATURES]], #[[ALL]], #[[ALL]]]
//  CHECK-SAME:     ins(%[[SUM1]], %{{.*}}, %{{.*}} : tensor<1x4x2x7xf32>, tensor<1x4x2xf32>, tensor<1x4x2x7xf32>)
//  CHECK-NEXT:   ^bb0(%[[ACC:.*]]: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32):
//  CHECK-NEXT:     linalg.yield %[[ACC]] : f32
func.func @epilogue_batch_last(%x: tensor<6x7xf32>, %k0: tensor<2x4x3x1xf32>,
                               %k1: tensor<1x4x4x2xf32>, %bias: tensor<8xf32>,
                               %residual: tensor<8x7xf32>, %init: tensor<8x7xf32>)
    -> tensor<8x7xf32> {
  %y = ks.chain [<2, 4, 3, 1>, <1, 4, 4, 2>] layout(batch_last)
         ins(%x, %k0, %k1 : tensor<6x7xf32>, tensor<2x4x3x1xf32>, tensor<1x4x4x2xf32>)
         outs(%init : tensor<8x7xf32>)
         epilogue(%bias, %residual : tensor<8xf32>, tensor<8x7xf32>) {
         ^bb0(%acc: f32, %b: f32, %r: f32):
           ks.yield %acc : f32
         } -> tensor<8x7xf32>
  return %y : tensor<8x7xf32>
}

// -----

// Plans and tf32 are no part of the meaning.

// CHECK-LABEL: func.func @plan(
//       CHECK:   linalg.generic
func.func @plan(%x: tensor<?x6xf32>, %k: tensor<2x4x3x1xf32>, %init: tensor<?x8xf32>)
    -> tensor<?x8xf32> {
  %y = ks.matmul <2, 4, 3, 1> precision(tf32)
         ins(%x, %k : tensor<?x6xf32>, tensor<2x4x3x1xf32>)
         outs(%init : tensor<?x8xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
         -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

//===----------------------------------------------------------------------===//
// ks.to_dense
//===----------------------------------------------------------------------===//

// The chain, batch-last, applied to the identity.

// CHECK-LABEL: func.func @to_dense(
//  CHECK-SAME:   %[[INIT:[^:]*]]: tensor<8x6xf16>
//       CHECK:   %[[EMPTY:.*]] = tensor.empty() : tensor<6x6xf16>
//       CHECK:   %[[ID:.*]] = linalg.generic {{.*}} outs(%[[EMPTY]] : tensor<6x6xf16>)
//   CHECK-DAG:     %[[ROW:.*]] = linalg.index 0 : index
//   CHECK-DAG:     %[[COL:.*]] = linalg.index 1 : index
//   CHECK-DAG:     %[[EQ:.*]] = arith.cmpi eq, %[[ROW]], %[[COL]] : index
//   CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f16
//   CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f16
//       CHECK:     %[[E:.*]] = arith.select %[[EQ]], %[[ONE]], %[[ZERO]] : f16
//       CHECK:     linalg.yield %[[E]]
//       CHECK:   %[[IN:.*]] = tensor.expand_shape %[[ID]] {{\[\[}}0, 1, 2], [3]] output_shape [2, 3, 1, 6]
//       CHECK:   linalg.generic {{.*}} ins(%[[IN]], %{{.*}} : tensor<2x3x1x6xf16>, tensor<1x4x3x1xf16>)
//       CHECK:   arith.truncf
//       CHECK:   tensor.expand_shape %[[INIT]] {{.*}} into tensor<1x4x2x6xf16>
//       CHECK:   linalg.generic {{.*}} ins({{.*}} : tensor<1x4x2x6xf16>, tensor<1x4x4x2xf16>)
//       CHECK:   arith.truncf
//       CHECK:   tensor.collapse_shape {{.*}} : tensor<1x4x2x6xf16> into tensor<8x6xf16>
func.func @to_dense(%k0: tensor<1x4x3x1xf16>, %k1: tensor<1x4x4x2xf16>, %init: tensor<8x6xf16>)
    -> tensor<8x6xf16> {
  %w = ks.to_dense [<2, 4, 3, 1>, <1, 4, 4, 2>]
         ins(%k0, %k1 : tensor<1x4x3x1xf16>, tensor<1x4x4x2xf16>)
         outs(%init : tensor<8x6xf16>) -> tensor<8x6xf16>
  return %w : tensor<8x6xf16>
}
