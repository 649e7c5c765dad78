// Batch-last plans: rows of a tile are rows n of the matrix, vectors cover the
// batch.

// RUN: ks-opt %s --convert-ks-to-vector --canonicalize --cse | FileCheck %s

// Whole tiles take 2 vectors of 4 entries; what is left goes vector by vector,
// under a mask of as many lanes as there are entries.

// CHECK-LABEL: func.func @whole_and_rest(
//  CHECK-SAME:   %[[X:.*]]: memref<4x?xf32>, %[[P:.*]]: memref<8xf32>, %[[Y:.*]]: memref<4x?xf32, strided<[?, 1], offset: ?>>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C1:.*]] = arith.constant 1 : index
//   CHECK-DAG:   %[[C2:.*]] = arith.constant 2 : index
//   CHECK-DAG:   %[[C4:.*]] = arith.constant 4 : index
//   CHECK-DAG:   %[[C8:.*]] = arith.constant 8 : index
//   CHECK-DAG:   %[[C16:.*]] = arith.constant 16 : index
//       CHECK:   %[[BATCH:.*]] = memref.dim %[[Y]], %[[C1]]
//       CHECK:   scf.parallel (%[[BEGIN:.*]]) = (%[[C0]]) to (%[[BATCH]]) step (%[[C16]])
//       CHECK:     scf.for %[[J:.*]] = %[[C0]] to %[[C2]]
//       CHECK:       %[[PANEL:.*]] = arith.muli %[[J]], %[[C4]]
//       CHECK:       scf.for %[[M:.*]] = %[[C0]] to %[[WHOLE:.*]] step %[[C8]] {
//       CHECK:         %[[ACC:.*]]:4 = scf.for %[[K:[^ ]*]] =
//       CHECK:           %[[K2:.*]] = arith.muli %[[K]], %[[C2]]
//       CHECK:           %[[ROW:.*]] = arith.addi %[[K2]], %[[J]]
//       CHECK:           %[[COL:.*]] = arith.addi %[[M]], %[[BEGIN]]
//       CHECK:           %[[V0:.*]] = vector.load %[[X]][%[[ROW]], %[[COL]]] : memref<4x?xf32>, vector<4xf32>
//       CHECK:           %[[V1:.*]] = vector.load %[[X]][%[[ROW]], %{{.*}}] : memref<4x?xf32>, vector<4xf32>
//       CHECK:           %[[AT:.*]] = arith.addi %[[PANEL]], %[[K2]]
//       CHECK:           %[[W0:.*]] = memref.load %[[P]][%[[AT]]]
//       CHECK:           %[[B0:.*]] = vector.broadcast %[[W0]] : f32 to vector<4xf32>
//       CHECK:           arith.mulf %[[B0]], %[[V0]]
//       CHECK:           arith.mulf %[[B0]], %[[V1]]
//       CHECK:           %[[AT1:.*]] = arith.addi %[[AT]], %[[C1]]
//       CHECK:           memref.load %[[P]][%[[AT1]]]
//       CHECK:         vector.store %[[ACC]]#0, %[[Y]][%[[J]], %{{.*}}]
//       CHECK:         vector.store %[[ACC]]#1, %[[Y]][%[[J]], %{{.*}}]
//       CHECK:         %[[ROW1:.*]] = arith.addi %[[J]], %[[C2]]
//       CHECK:         vector.store %[[ACC]]#2, %[[Y]][%[[ROW1]], %{{.*}}]
//       CHECK:       scf.for %[[R:.*]] = %[[WHOLE]] to %[[BLOCK:.*]] step %[[C4]] {
//       CHECK:         %[[LEFT:.*]] = arith.subi %[[BLOCK]], %[[R]]
//       CHECK:         %[[MASK:.*]] = vector.create_mask %[[LEFT]] : vector<4xi1>
//       CHECK:         scf.for
//       CHECK:           vector.maskedload %[[X]]{{.*}}, %[[MASK]]
//   CHECK-NOT:           vector.load
//       CHECK:         vector.maskedstore %[[Y]][%[[J]], %{{.*}}], %[[MASK]]
//       CHECK:         vector.maskedstore %[[Y]]{{.*}}, %[[MASK]]
func.func @whole_and_rest(%x: memref<4x?xf32>, %p: memref<8xf32>,
                          %y: memref<4x?xf32, strided<[?, 1], offset: ?>>) {
  ks.matmul <1, 2, 2, 2> layout(batch_last) ins(%x, %p : memref<4x?xf32>, memref<8xf32>)
    outs(%y : memref<4x?xf32, strided<[?, 1], offset: ?>>)
    plan #ks.cpu_plan<batch_block = 16, parallel = batch, tiles = [
      <rows = 2, vectors = 2, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// A static batch that divides needs no mask; one that is smaller than a vector
// needs nothing else. f16 is converted under the same mask.

// CHECK-LABEL: func.func @divides(
//   CHECK-NOT:   mask
//       CHECK:   return
func.func @divides(%x: memref<1x8xf32>, %p: memref<2xf32>, %y: memref<2x8xf32>) {
  ks.matmul <1, 2, 1, 1> layout(batch_last) ins(%x, %p : memref<1x8xf32>, memref<2xf32>)
    outs(%y : memref<2x8xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 2, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// CHECK-LABEL: func.func @smaller_than_a_vector(
//   CHECK-NOT:   vector.load
//       CHECK:   %[[MASK:.*]] = vector.constant_mask [3] : vector<4xi1>
//       CHECK:   %[[V:.*]] = vector.maskedload %{{.*}}, %[[MASK]], %{{.*}} : memref<1x3xf16>
//       CHECK:   arith.extf %[[V]] : vector<4xf16> to vector<4xf32>
//       CHECK:   %[[R:.*]] = arith.truncf %{{.*}} : vector<4xf32> to vector<4xf16>
//       CHECK:   vector.maskedstore %{{.*}}, %[[MASK]], %[[R]]
//   CHECK-NOT:   vector.store
func.func @smaller_than_a_vector(%x: memref<1x3xf16>, %p: memref<1xf32>, %y: memref<1x3xf16>) {
  ks.matmul <1, 1, 1, 1> layout(batch_last) ins(%x, %p : memref<1x3xf16>, memref<1xf32>)
    outs(%y : memref<1x3xf16>)
    plan #ks.cpu_plan<batch_block = 8, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
  return
}
