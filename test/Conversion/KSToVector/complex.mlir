// Complex numbers are pairs of neighbouring lanes. A step of k multiplies x by
// (re, re) and x with its parts swapped by (-im, im).

// RUN: ks-opt %s --convert-ks-to-vector --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @d_is_1(
//  CHECK-SAME:   %[[X:.*]]: memref<4x2xcomplex<f32>, strided<[?, 1], offset: ?>>, %[[P:.*]]: memref<16xf32>, %[[Y:.*]]: memref<4x2xcomplex<f32>>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C2:.*]] = arith.constant 2 : index
//   CHECK-DAG:   %[[C4:.*]] = arith.constant 4 : index
//   CHECK-DAG:   %[[C8:.*]] = arith.constant 8 : index
//   CHECK-DAG:   %[[XR:.*]] = ks.real_view %[[X]] : memref<4x2xcomplex<f32>, strided<[?, 1], offset: ?>> to memref<4x4xf32, strided<[?, 1], offset: ?>>
//   CHECK-DAG:   %[[YR:.*]] = ks.real_view %[[Y]] : memref<4x2xcomplex<f32>> to memref<4x4xf32>
//       CHECK:   scf.for %[[M:.*]] = %[[C0]] to %[[C4]]
//       CHECK:     %[[ACC:.*]] = scf.for %[[K:.*]] = %[[C0]] to %[[C2]] {{.*}} -> (vector<4xf32>)
//       CHECK:       %[[AT:.*]] = arith.muli %[[K]], %[[C8]]
//       CHECK:       %[[RE:.*]] = vector.load %[[P]][%[[AT]]] : memref<16xf32>, vector<4xf32>
//       CHECK:       %[[COL:.*]] = arith.muli %[[K]], %[[C2]]
//       CHECK:       %[[PAIR:.*]] = vector.load %[[XR]][%[[M]], %[[COL]]] : {{.*}}, vector<2xf32>
//       CHECK:       %[[S:.*]] = vector.shuffle %[[PAIR]], %[[PAIR]] [0, 1, 0, 1]
//       CHECK:       arith.mulf %[[S]], %[[RE]]
//       CHECK:       %[[AT4:.*]] = arith.addi %[[AT]], %[[C4]]
//       CHECK:       %[[IM:.*]] = vector.load %[[P]][%[[AT4]]] : memref<16xf32>, vector<4xf32>
//       CHECK:       %[[SWAPPED:.*]] = vector.shuffle %[[PAIR]], %[[PAIR]] [1, 0, 1, 0]
//       CHECK:       arith.mulf %[[SWAPPED]], %[[IM]]
//       CHECK:     vector.store %[[ACC]], %[[YR]][%[[M]], %[[C0]]] : memref<4x4xf32>, vector<4xf32>
func.func @d_is_1(%x: memref<4x2xcomplex<f32>, strided<[?, 1], offset: ?>>, %p: memref<16xf32>,
                  %y: memref<4x2xcomplex<f32>>) {
  ks.matmul <1, 2, 2, 1>
    ins(%x, %p : memref<4x2xcomplex<f32>, strided<[?, 1], offset: ?>>, memref<16xf32>)
    outs(%y : memref<4x2xcomplex<f32>>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// d = 2: two numbers at once, replicated for two n.

// CHECK-LABEL: func.func @d_is_2(
//       CHECK:   vector.load {{.*}} : memref<4x4xf64>, vector<4xf64>
//       CHECK:   vector.shuffle {{.*}} [0, 1, 2, 3, 0, 1, 2, 3]
//       CHECK:   vector.shuffle {{.*}} [1, 0, 3, 2, 1, 0, 3, 2]
//       CHECK:   vector.store {{.*}} : memref<4x8xf64>, vector<8xf64>
func.func @d_is_2(%x: memref<4x2xcomplex<f64>>, %p: memref<16xf64>, %y: memref<4x4xcomplex<f64>>) {
  ks.matmul <1, 2, 1, 2> ins(%x, %p : memref<4x2xcomplex<f64>>, memref<16xf64>)
    outs(%y : memref<4x4xcomplex<f64>>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 2, j = 2>>]>
  return
}

// Batch-last, the vector is a load of the input, and its swapped form; a weight
// is a pair, replicated.

// CHECK-LABEL: func.func @batch_last(
//  CHECK-SAME:   %[[X:.*]]: memref<1x4xcomplex<f32>>, %[[P:.*]]: memref<4xf32>,
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C2:.*]] = arith.constant 2 : index
//   CHECK-DAG:   %[[XR:.*]] = ks.real_view %[[X]]
//       CHECK:   %[[V:.*]] = vector.load %[[XR]]{{.*}} : memref<1x8xf32>, vector<8xf32>
//       CHECK:   %[[RE:.*]] = vector.load %[[P]][%[[C0]]] : memref<4xf32>, vector<2xf32>
//       CHECK:   %[[RES:.*]] = vector.shuffle %[[RE]], %[[RE]] [0, 1, 0, 1, 0, 1, 0, 1]
//       CHECK:   arith.mulf %[[RES]], %[[V]]
//       CHECK:   %[[W:.*]] = vector.shuffle %[[V]], %[[V]] [1, 0, 3, 2, 5, 4, 7, 6]
//       CHECK:   %[[IM:.*]] = vector.load %[[P]][%[[C2]]] : memref<4xf32>, vector<2xf32>
//       CHECK:   %[[IMS:.*]] = vector.shuffle %[[IM]], %[[IM]] [0, 1, 0, 1, 0, 1, 0, 1]
//       CHECK:   arith.mulf %[[IMS]], %[[W]]
func.func @batch_last(%x: memref<1x4xcomplex<f32>>, %p: memref<4xf32>,
                      %y: memref<1x4xcomplex<f32>>) {
  ks.matmul <1, 1, 1, 1> layout(batch_last)
    ins(%x, %p : memref<1x4xcomplex<f32>>, memref<4xf32>)
    outs(%y : memref<1x4xcomplex<f32>>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
  return
}
