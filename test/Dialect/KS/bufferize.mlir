// Upstream's One-Shot Bufferize on the ops of the dialect. An op bufferizes to itself
// on memrefs. outs is written and never read, so nothing is ever copied.

// RUN: ks-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" --cse --canonicalize --split-input-file \
// RUN:   | FileCheck %s --implicit-check-not=memref.copy --implicit-check-not=linalg.copy
// RUN: ks-opt %s --one-shot-bufferize=bufferize-function-boundaries --cse --canonicalize --split-input-file \
// RUN:   | FileCheck %s --check-prefix=DYNAMIC --implicit-check-not=memref.copy
// RUN: ks-opt %s --one-shot-bufferize="bufferize-function-boundaries test-analysis-only" --split-input-file \
// RUN:   | FileCheck %s --check-prefix=ANALYSIS

//===----------------------------------------------------------------------===//
// In place
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func.func @chain(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<?x6xf16>, %[[K0:[^:]*]]: memref<2x4x3x1xf16>, %[[K1:[^:]*]]: memref<1x4x4x2xf16>, %[[B:[^:]*]]: memref<8xf16>, %[[R:[^:]*]]: memref<?x8xf16>, %[[INIT:[^:]*]]: memref<?x8xf16>)
//  CHECK-NEXT:   ks.chain [<2, 4, 3, 1>, <1, 4, 4, 2>]
//  CHECK-SAME:     ins(%[[X]], %[[K0]], %[[K1]] : memref<?x6xf16>, memref<2x4x3x1xf16>, memref<1x4x4x2xf16>)
//  CHECK-SAME:     outs(%[[INIT]] : memref<?x8xf16>)
//  CHECK-SAME:     epilogue(%[[B]], %[[R]] : memref<8xf16>, memref<?x8xf16>) {
//  CHECK-NEXT:   ^bb0(%acc: f32, %{{.*}}: f16, %[[E:.*]]: f16):
//  CHECK-NEXT:     arith.extf %[[E]] : f16 to f32
//       CHECK:   } plan #ks.cpu_plan<{{.*}}> {my.note = "kept"}
//  CHECK-NEXT:   return %[[INIT]]

// Strides that are not known pass the verifier.
// DYNAMIC-LABEL: func.func @chain(
//       DYNAMIC:   ks.chain {{.*}} ins(%{{.*}} : memref<?x6xf16, strided<[?, ?], offset: ?>>, memref<2x4x3x1xf16, strided<[?, ?, ?, ?], offset: ?>>

// All operands are used in place; arguments are read, except outs.
// ANALYSIS-LABEL: func.func @chain(
//   ANALYSIS-SAME:   tensor<?x6xf16> {bufferization.access = "read"}
//   ANALYSIS-SAME:   tensor<2x4x3x1xf16> {bufferization.access = "read"}
//   ANALYSIS-SAME:   tensor<1x4x4x2xf16> {bufferization.access = "read"}
//   ANALYSIS-SAME:   tensor<8xf16> {bufferization.access = "read"}
//   ANALYSIS-SAME:   tensor<?x8xf16> {bufferization.access = "read"}
//   ANALYSIS-SAME:   tensor<?x8xf16> {bufferization.access = "write"})
//        ANALYSIS:   __inplace_operands_attr__ = ["true", "true", "true", "true", "true", "true"]
func.func @chain(%x: tensor<?x6xf16>, %k0: tensor<2x4x3x1xf16>, %k1: tensor<1x4x4x2xf16>,
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
         }
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>,
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
         {my.note = "kept"} -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// -----

// CHECK-LABEL: func.func @weights(
//  CHECK-SAME:   %[[K:[^:]*]]: memref<1x8x8x1xf32>, %[[W:[^:]*]]: memref<8x8xf32>, %[[P:[^:]*]]: memref<64xf32>)
//  CHECK-NEXT:   ks.to_dense [<1, 8, 8, 1>] ins(%[[K]] : memref<1x8x8x1xf32>) outs(%[[W]] : memref<8x8xf32>)
//  CHECK-NEXT:   ks.pack_weights <1, 8, 8, 1> into #ks.cpu_packing<vectors = 1, lanes = 8, n = 8, j = 1> ins(%[[K]] : memref<1x8x8x1xf32>) outs(%[[P]] : memref<64xf32>)
//  CHECK-NEXT:   return %[[W]], %[[P]]
// DYNAMIC-LABEL: func.func @weights(
// ANALYSIS-LABEL: func.func @weights(
//  ANALYSIS-SAME:   tensor<1x8x8x1xf32> {bufferization.access = "read"}
//  ANALYSIS-SAME:   tensor<8x8xf32> {bufferization.access = "write"}
//  ANALYSIS-SAME:   tensor<64xf32> {bufferization.access = "write"}
func.func @weights(%k: tensor<1x8x8x1xf32>, %w: tensor<8x8xf32>, %p: tensor<64xf32>)
    -> (tensor<8x8xf32>, tensor<64xf32>) {
  %0 = ks.to_dense [<1, 8, 8, 1>]
         ins(%k : tensor<1x8x8x1xf32>) outs(%w : tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = ks.pack_weights <1, 8, 8, 1> into #ks.cpu_packing<vectors = 1, lanes = 8, n = 8, j = 1>
         ins(%k : tensor<1x8x8x1xf32>) outs(%p : tensor<64xf32>) -> tensor<64xf32>
  return %0, %1 : tensor<8x8xf32>, tensor<64xf32>
}

// -----

// What stood in outs before does not matter: it is overwritten in place.

// CHECK-LABEL: func.func @in_sequence(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<4x8xf32>, %[[K:[^:]*]]: memref<1x8x8x1xf32>, %[[A:[^:]*]]: memref<4x8xf32>, %[[B:[^:]*]]: memref<4x8xf32>)
//   CHECK-NOT:   memref.alloc
//       CHECK:   linalg.fill ins(%{{.*}}) outs(%[[A]] : memref<4x8xf32>)
//       CHECK:   ks.matmul <1, 8, 8, 1> ins(%[[X]], %[[K]] : {{.*}}) outs(%[[A]] :
//       CHECK:   ks.matmul <1, 8, 8, 1> ins(%[[A]], %[[K]] : {{.*}}) outs(%[[B]] :
//       CHECK:   ks.matmul <1, 8, 8, 1> ins(%[[B]], %[[K]] : {{.*}}) outs(%[[A]] :
//       CHECK:   return %[[A]]
// DYNAMIC-LABEL: func.func @in_sequence(
// ANALYSIS-LABEL: func.func @in_sequence(
func.func @in_sequence(%x: tensor<4x8xf32>, %k: tensor<1x8x8x1xf32>, %a: tensor<4x8xf32>,
                       %b: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %one = arith.constant 1.0 : f32
  %0 = linalg.fill ins(%one : f32) outs(%a : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = ks.matmul <1, 8, 8, 1>
         ins(%x, %k : tensor<4x8xf32>, tensor<1x8x8x1xf32>)
         outs(%0 : tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = ks.matmul <1, 8, 8, 1>
         ins(%1, %k : tensor<4x8xf32>, tensor<1x8x8x1xf32>)
         outs(%b : tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = ks.matmul <1, 8, 8, 1>
         ins(%2, %k : tensor<4x8xf32>, tensor<1x8x8x1xf32>)
         outs(%1 : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}

// -----

// Into a slice of a larger matrix: the result is computed where it belongs, in rows of
// another pitch.

// CHECK-LABEL: func.func @into_slice(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<4x8xf32>, %[[K:[^:]*]]: memref<1x8x8x1xf32>, %[[ALL:[^:]*]]: memref<4x24xf32>)
//   CHECK-NOT:   memref.alloc
//       CHECK:   %[[PART:.*]] = memref.subview %[[ALL]][0, 8] [4, 8] [1, 1]
//       CHECK:   ks.matmul <1, 8, 8, 1> ins(%[[X]], %[[K]] : {{.*}}) outs(%[[PART]] : memref<4x8xf32, strided<[24, 1], offset: 8>>)
//       CHECK:   return %[[ALL]]
// DYNAMIC-LABEL: func.func @into_slice(
// ANALYSIS-LABEL: func.func @into_slice(
func.func @into_slice(%x: tensor<4x8xf32>, %k: tensor<1x8x8x1xf32>, %all: tensor<4x24xf32>)
    -> tensor<4x24xf32> {
  %part = tensor.extract_slice %all[0, 8] [4, 8] [1, 1] : tensor<4x24xf32> to tensor<4x8xf32>
  %y = ks.matmul <1, 8, 8, 1>
         ins(%x, %k : tensor<4x8xf32>, tensor<1x8x8x1xf32>)
         outs(%part : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = tensor.insert_slice %y into %all[0, 8] [4, 8] [1, 1] : tensor<4x8xf32> into tensor<4x24xf32>
  return %r : tensor<4x24xf32>
}

// -----

//===----------------------------------------------------------------------===//
// Where memory is needed
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func.func @empty(
//       CHECK:   %[[Y:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x8xf32>
//       CHECK:   ks.matmul <2, 4, 3, 1> ins({{.*}}) outs(%[[Y]] : memref<?x8xf32>)
//       CHECK:   return %[[Y]]
// DYNAMIC-LABEL: func.func @empty(
// ANALYSIS-LABEL: func.func @empty(
func.func @empty(%x: tensor<?x6xf32>, %k: tensor<2x4x3x1xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x6xf32>
  %init = tensor.empty(%m) : tensor<?x8xf32>
  %y = ks.matmul <2, 4, 3, 1>
         ins(%x, %k : tensor<?x6xf32>, tensor<2x4x3x1xf32>)
         outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// A product cannot run in place: neither over its input ...

// CHECK-LABEL: func.func @over_input(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<4x8xf32>
//       CHECK:   %[[Y:.*]] = memref.alloc() {{.*}} : memref<4x8xf32>
//       CHECK:   ks.matmul <1, 8, 8, 1> ins(%[[X]], {{.*}}) outs(%[[Y]] : memref<4x8xf32>)
//       CHECK:   return %[[Y]]
// DYNAMIC-LABEL: func.func @over_input(
// ANALYSIS-LABEL: func.func @over_input(
//        ANALYSIS:   __inplace_operands_attr__ = ["true", "true", "false"]
func.func @over_input(%x: tensor<4x8xf32>, %k: tensor<1x8x8x1xf32>) -> tensor<4x8xf32> {
  %y = ks.matmul <1, 8, 8, 1>
         ins(%x, %k : tensor<4x8xf32>, tensor<1x8x8x1xf32>)
         outs(%x : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// ... nor over its residual; bufferize-overlap.mlir has slices that overlap.

// CHECK-LABEL: func.func @over_residual(
//  CHECK-SAME:   %[[R:[^:]*]]: memref<4x8xf32>)
//       CHECK:   %[[Y:.*]] = memref.alloc() {{.*}} : memref<4x8xf32>
//       CHECK:   ks.matmul {{.*}} outs(%[[Y]] : memref<4x8xf32>) epilogue(%[[R]] : memref<4x8xf32>)
// DYNAMIC-LABEL: func.func @over_residual(
// ANALYSIS-LABEL: func.func @over_residual(
//        ANALYSIS:   __inplace_operands_attr__ = ["true", "true", "true", "false"]
func.func @over_residual(%x: tensor<4x8xf32>, %k: tensor<1x8x8x1xf32>, %r: tensor<4x8xf32>)
    -> tensor<4x8xf32> {
  %y = ks.matmul <1, 8, 8, 1>
         ins(%x, %k : tensor<4x8xf32>, tensor<1x8x8x1xf32>)
         outs(%r : tensor<4x8xf32>)
         epilogue(%r : tensor<4x8xf32>) {
         ^bb0(%acc: f32, %e: f32):
           %0 = arith.addf %acc, %e : f32
           ks.yield %0 : f32
         } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// outs is read later: another buffer, into which nothing is copied.

// CHECK-LABEL: func.func @read_later(
//  CHECK-SAME:   %[[INIT:[^:]*]]: memref<4x8xf32>)
//       CHECK:   %[[Y:.*]] = memref.alloc() {{.*}} : memref<4x8xf32>
//       CHECK:   ks.matmul <1, 8, 8, 1> ins({{.*}}) outs(%[[Y]] : memref<4x8xf32>)
//       CHECK:   return %[[Y]], %[[INIT]]
// DYNAMIC-LABEL: func.func @read_later(
// ANALYSIS-LABEL: func.func @read_later(
//        ANALYSIS:   __inplace_operands_attr__ = ["true", "true", "false"]
func.func @read_later(%x: tensor<4x8xf32>, %k: tensor<1x8x8x1xf32>, %init: tensor<4x8xf32>)
    -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %y = ks.matmul <1, 8, 8, 1>
         ins(%x, %k : tensor<4x8xf32>, tensor<1x8x8x1xf32>)
         outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %y, %init : tensor<4x8xf32>, tensor<4x8xf32>
}
