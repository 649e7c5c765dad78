// Epilogues are inlined once per accumulator vector, before it is rounded.

// RUN: ks-opt %s --convert-ks-to-vector --canonicalize --cse | FileCheck %s

// Elementwise ops apply to whole vectors; constants become splats. A bias is
// read by feature, a residual by batch and feature, with the offset of the
// block.

// CHECK-LABEL: func.func @on_vectors(
//  CHECK-SAME:   %[[X:.*]]: memref<?x1xf16>, %[[P:.*]]: memref<4xf32>, %[[BIAS:.*]]: memref<4xf16>, %[[RES:.*]]: memref<?x4xf16>, %[[Y:.*]]: memref<?x4xf16>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[HALF:.*]] = arith.constant dense<5.000000e-01> : vector<4xf32>
//       CHECK:   scf.parallel (%[[BEGIN:.*]]) =
//       CHECK:     scf.for %[[M:.*]] =
//       CHECK:       %[[ROW:.*]] = arith.addi %[[M]], %[[BEGIN]]
//       CHECK:       %[[ACC:.*]] = arith.addf {{.*}} fastmath<contract> : vector<4xf32>
//  CHECK-NEXT:       %[[B:.*]] = vector.load %[[BIAS]][%[[C0]]] : memref<4xf16>, vector<4xf16>
//  CHECK-NEXT:       %[[R:.*]] = vector.load %[[RES]][%[[ROW]], %[[C0]]] : memref<?x4xf16>, vector<4xf16>
//  CHECK-NEXT:       %[[B32:.*]] = arith.extf %[[B]] : vector<4xf16> to vector<4xf32>
//  CHECK-NEXT:       %[[R32:.*]] = arith.extf %[[R]] : vector<4xf16> to vector<4xf32>
//  CHECK-NEXT:       %[[S0:.*]] = arith.addf %[[ACC]], %[[B32]] : vector<4xf32>
//  CHECK-NEXT:       %[[S1:.*]] = math.tanh %[[S0]] : vector<4xf32>
//  CHECK-NEXT:       %[[S2:.*]] = arith.mulf %[[S1]], %[[HALF]] : vector<4xf32>
//  CHECK-NEXT:       %[[S3:.*]] = arith.addf %[[S2]], %[[R32]] : vector<4xf32>
//  CHECK-NEXT:       %[[OUT:.*]] = arith.truncf %[[S3]] : vector<4xf32> to vector<4xf16>
//  CHECK-NEXT:       vector.store %[[OUT]], %[[Y]][%[[ROW]], %[[C0]]]
func.func @on_vectors(%x: memref<?x1xf16>, %p: memref<4xf32>, %bias: memref<4xf16>,
                      %residual: memref<?x4xf16>, %y: memref<?x4xf16>) {
  ks.matmul <1, 4, 1, 1> ins(%x, %p : memref<?x1xf16>, memref<4xf32>)
    outs(%y : memref<?x4xf16>)
    epilogue(%bias, %residual : memref<4xf16>, memref<?x4xf16>) {
    ^bb0(%acc: f32, %b: f16, %r: f16):
      %half = arith.constant 0.5 : f32
      %b32 = arith.extf %b : f16 to f32
      %r32 = arith.extf %r : f16 to f32
      %0 = arith.addf %acc, %b32 : f32
      %1 = math.tanh %0 : f32
      %2 = arith.mulf %1, %half : f32
      %3 = arith.addf %2, %r32 : f32
      ks.yield %3 : f32
    }
    plan #ks.cpu_plan<batch_block = 4, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
  return
}

// Other types inside the epilogue become vectors too.

// CHECK-LABEL: func.func @other_types(
//       CHECK:   %[[I:.*]] = arith.fptosi %[[ACC:.*]] : vector<2xf32> to vector<2xi32>
//       CHECK:   %[[F:.*]] = arith.sitofp %[[I]] : vector<2xi32> to vector<2xf32>
//       CHECK:   %[[C:.*]] = arith.cmpf ogt, %[[F]], %[[ACC]] : vector<2xf32>
//       CHECK:   arith.select %[[C]], %[[ACC]], %[[F]] : vector<2xi1>, vector<2xf32>
func.func @other_types(%x: memref<1x1xf32>, %p: memref<2xf32>, %y: memref<1x2xf32>) {
  ks.matmul <1, 2, 1, 1> ins(%x, %p : memref<1x1xf32>, memref<2xf32>)
    outs(%y : memref<1x2xf32>)
    epilogue {
    ^bb0(%acc: f32):
      %i = arith.fptosi %acc : f32 to i32
      %f = arith.sitofp %i : i32 to f32
      %c = arith.cmpf ogt, %f, %acc : f32
      %s = arith.select %c, %acc, %f : f32
      ks.yield %s : f32
    }
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// What is stored in pieces is read in pieces.

// CHECK-LABEL: func.func @pieces(
//  CHECK-SAME:   %[[X:.*]]: memref<1x4xf32>, %[[P:.*]]: memref<8xf32>, %[[BIAS:.*]]: memref<8xf32>,
//   CHECK-DAG:   %[[C4:.*]] = arith.constant 4 : index
//       CHECK:   %[[B0:.*]] = vector.load %[[BIAS]][%[[J0:.*]]] : memref<8xf32>, vector<2xf32>
//       CHECK:   %[[V0:.*]] = vector.insert_strided_slice %[[B0]], %{{.*}} {offsets = [0], strides = [1]}
//       CHECK:   %[[J1:.*]] = arith.addi %[[J0]], %[[C4]]
//       CHECK:   %[[B1:.*]] = vector.load %[[BIAS]][%[[J1]]] : memref<8xf32>, vector<2xf32>
//       CHECK:   %[[V1:.*]] = vector.insert_strided_slice %[[B1]], %[[V0]] {offsets = [2], strides = [1]}
//       CHECK:   arith.addf %{{.*}}, %[[V1]] : vector<4xf32>
func.func @pieces(%x: memref<1x4xf32>, %p: memref<8xf32>, %bias: memref<8xf32>,
                  %y: memref<1x8xf32>) {
  ks.matmul <1, 2, 1, 4> ins(%x, %p : memref<1x4xf32>, memref<8xf32>)
    outs(%y : memref<1x8xf32>)
    epilogue(%bias : memref<8xf32>) {
    ^bb0(%acc: f32, %b: f32):
      %0 = arith.addf %acc, %b : f32
      ks.yield %0 : f32
    }
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 2, j = 2>>]>
  return
}

// A bias that does not fill the vector is read under a mask.

// CHECK-LABEL: func.func @padding_lanes(
//  CHECK-SAME:   %[[BIAS:[a-z0-9]*]]: memref<3xf32>,
//   CHECK-DAG:   %[[MASK:.*]] = arith.constant dense<[true, true, true, false]>
//       CHECK:   vector.maskedload %[[BIAS]][%{{.*}}], %[[MASK]], %{{.*}} : memref<3xf32>
func.func @padding_lanes(%x: memref<1x1xf32>, %p: memref<4xf32>, %bias: memref<3xf32>,
                         %y: memref<1x3xf32>) {
  ks.matmul <1, 3, 1, 1> ins(%x, %p : memref<1x1xf32>, memref<4xf32>)
    outs(%y : memref<1x3xf32>)
    epilogue(%bias : memref<3xf32>) {
    ^bb0(%acc: f32, %b: f32):
      %0 = arith.addf %acc, %b : f32
      ks.yield %0 : f32
    }
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 3, j = 1>>]>
  return
}

// Batch-last, a feature is a row: its bias is broadcast.

// CHECK-LABEL: func.func @batch_last(
//  CHECK-SAME:   %[[BIAS:[a-z0-9]*]]: memref<2xf32>, %[[RES:[a-z0-9]*]]: memref<2x4xf32>,
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C1:.*]] = arith.constant 1 : index
//       CHECK:   %[[S0:.*]] = memref.load %[[BIAS]][%[[C0]]]
//       CHECK:   vector.broadcast %[[S0]] : f32 to vector<4xf32>
//       CHECK:   vector.load %[[RES]][%[[C0]], %[[C0]]] : memref<2x4xf32>, vector<4xf32>
//       CHECK:   math.fma
//       CHECK:   %[[S1:.*]] = memref.load %[[BIAS]][%[[C1]]]
//       CHECK:   vector.load %[[RES]][%[[C1]], %[[C0]]] : memref<2x4xf32>, vector<4xf32>
func.func @batch_last(%x: memref<1x4xf32>, %p: memref<2xf32>, %bias: memref<2xf32>,
                      %residual: memref<2x4xf32>, %y: memref<2x4xf32>) {
  ks.matmul <1, 2, 1, 1> layout(batch_last)
    ins(%x, %p : memref<1x4xf32>, memref<2xf32>) outs(%y : memref<2x4xf32>)
    epilogue(%bias, %residual : memref<2xf32>, memref<2x4xf32>) {
    ^bb0(%acc: f32, %b: f32, %r: f32):
      %0 = math.fma %b, %r, %acc : f32
      ks.yield %0 : f32
    }
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 2, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// Complex arithmetic goes number by number: lanes 0 and 1, then 2 and 3.

// CHECK-LABEL: func.func @complex(
//       CHECK:   %[[RE0:.*]] = vector.extract %[[ACC:.*]][0] : f32 from vector<4xf32>
//       CHECK:   %[[IM0:.*]] = vector.extract %[[ACC]][1]
//       CHECK:   %[[Z0:.*]] = complex.create %[[RE0]], %[[IM0]]
//       CHECK:   %[[B0:.*]] = complex.create
//       CHECK:   %[[P0:.*]] = complex.mul %[[Z0]], %[[B0]]
//       CHECK:   %[[PR0:.*]] = complex.re %[[P0]]
//       CHECK:   %[[PI0:.*]] = complex.im %[[P0]]
//       CHECK:   vector.extract %[[ACC]][2]
//       CHECK:   vector.extract %[[ACC]][3]
//       CHECK:   %[[P1:.*]] = complex.mul
//       CHECK:   %[[PR1:.*]] = complex.re %[[P1]]
//       CHECK:   %[[PI1:.*]] = complex.im %[[P1]]
//       CHECK:   %[[V:.*]] = vector.from_elements %[[PR0]], %[[PI0]], %[[PR1]], %[[PI1]] : vector<4xf32>
//       CHECK:   vector.store %[[V]]
func.func @complex(%x: memref<1x1xcomplex<f32>>, %p: memref<8xf32>, %bias: memref<2xcomplex<f32>>,
                   %y: memref<1x2xcomplex<f32>>) {
  ks.matmul <1, 2, 1, 1> ins(%x, %p : memref<1x1xcomplex<f32>>, memref<8xf32>)
    outs(%y : memref<1x2xcomplex<f32>>)
    epilogue(%bias : memref<2xcomplex<f32>>) {
    ^bb0(%acc: complex<f32>, %b: complex<f32>):
      %0 = complex.mul %acc, %b : complex<f32>
      ks.yield %0 : complex<f32>
    }
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// So does a real epilogue with complex numbers in it.

// CHECK-LABEL: func.func @through_complex(
//       CHECK:   %[[A0:.*]] = vector.extract %[[ACC:.*]][0] : f32 from vector<2xf32>
//       CHECK:   complex.create %[[A0]], %[[A0]]
//       CHECK:   %[[R0:.*]] = complex.abs
//       CHECK:   vector.extract %[[ACC]][1] : f32 from vector<2xf32>
//       CHECK:   %[[R1:.*]] = complex.abs
//       CHECK:   vector.from_elements %[[R0]], %[[R1]] : vector<2xf32>
func.func @through_complex(%x: memref<1x1xf32>, %p: memref<2xf32>, %y: memref<1x2xf32>) {
  ks.matmul <1, 2, 1, 1> ins(%x, %p : memref<1x1xf32>, memref<2xf32>)
    outs(%y : memref<1x2xf32>)
    epilogue {
    ^bb0(%acc: f32):
      %z = complex.create %acc, %acc : complex<f32>
      %0 = complex.abs %z : complex<f32>
      ks.yield %0 : f32
    }
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}
