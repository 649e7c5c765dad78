// Chains: all factors run on a block of the batch, and hand their results on in
// scratch memory.

// RUN: ks-opt %s --convert-ks-to-vector --canonicalize --cse | FileCheck %s

// Two buffers take turns. Each factor's result is rounded to the element type;
// the epilogue sees the last one only.

// CHECK-LABEL: func.func @ping_pong(
//  CHECK-SAME:   %[[X:.*]]: memref<?x2xf16>, %[[P0:.*]]: memref<8xf32>, %[[P1:.*]]: memref<16xf32>, %[[P2:.*]]: memref<16xf32>, %[[P3:.*]]: memref<8xf32>, %[[Y:.*]]: memref<?x2xf16>)
//       CHECK:   scf.parallel (%[[BEGIN:.*]]) =
//       CHECK:     %[[SIZE:.*]] = arith.minsi
//       CHECK:     %[[A:.*]] = memref.alloc(%[[SIZE]]) {alignment = 64 : i64} : memref<?x4xf16>
//       CHECK:     %[[B:.*]] = memref.alloc(%[[SIZE]]) {alignment = 64 : i64} : memref<?x4xf16>
//       CHECK:     scf.for %[[M:.*]] =
//       CHECK:       vector.load %[[P0]]
//       CHECK:       %[[ROW:.*]] = arith.addi %[[M]], %[[BEGIN]]
//       CHECK:       memref.load %[[X]][%[[ROW]],
//   CHECK-NOT:       math.absf
//       CHECK:       %[[R:.*]] = arith.truncf
//       CHECK:       vector.store %[[R]], %[[A]][%[[M]],
//       CHECK:     scf.for %[[M1:.*]] =
//       CHECK:       vector.load %[[P1]]
//       CHECK:       memref.load %[[A]][%[[M1]],
//       CHECK:       vector.store %{{.*}}, %[[B]][%[[M1]],
//       CHECK:     scf.for %[[M2:.*]] =
//       CHECK:       vector.load %[[P2]]
//       CHECK:       memref.load %[[B]][%[[M2]],
//       CHECK:       vector.store %{{.*}}, %[[A]][%[[M2]],
//   CHECK-NOT:       math.absf
//       CHECK:     scf.for %[[M3:.*]] =
//       CHECK:       vector.load %[[P3]]
//       CHECK:       memref.load %[[A]][%[[M3]],
//       CHECK:       math.absf
//       CHECK:       %[[ROW3:.*]] = arith.addi %[[M3]], %[[BEGIN]]
//       CHECK:       vector.store %{{.*}}, %[[Y]][%[[ROW3]],
//       CHECK:     memref.dealloc %[[A]]
//  CHECK-NEXT:     memref.dealloc %[[B]]
func.func @ping_pong(%x: memref<?x2xf16>, %p0: memref<8xf32>, %p1: memref<16xf32>,
                     %p2: memref<16xf32>, %p3: memref<8xf32>, %y: memref<?x2xf16>) {
  ks.chain [<1, 4, 2, 1>, <1, 4, 4, 1>, <1, 4, 4, 1>, <1, 2, 4, 1>]
    ins(%x, %p0, %p1, %p2, %p3 : memref<?x2xf16>, memref<8xf32>, memref<16xf32>,
        memref<16xf32>, memref<8xf32>)
    outs(%y : memref<?x2xf16>)
    epilogue {
    ^bb0(%acc: f32):
      %0 = math.absf %acc : f32
      ks.yield %0 : f32
    }
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>,
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>,
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>,
      <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// Two factors need one buffer. Its rows are an odd number of cache lines apart:
// 32 elements of f32 are 2 lines, so it takes 3.

// CHECK-LABEL: func.func @odd_pitch(
//       CHECK:   %[[A:.*]] = memref.alloc() {alignment = 64 : i64} : memref<3x48xf32>
//   CHECK-NOT:   memref.alloc
//       CHECK:   memref.dealloc %[[A]]
func.func @odd_pitch(%x: memref<3x32xf32>, %p: memref<32xf32>, %y: memref<3x32xf32>) {
  ks.chain [<32, 1, 1, 1>, <32, 1, 1, 1>]
    ins(%x, %p, %p : memref<3x32xf32>, memref<32xf32>, memref<32xf32>)
    outs(%y : memref<3x32xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 1, n = 1, j = 1>>,
      <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
  return
}

// The buffer is as wide as the widest result between factors, here of factor 0,
// and complex where the program is; batch-last it has the batch in dimension 1.

// CHECK-LABEL: func.func @batch_last_complex(
//       CHECK:   %[[A:.*]] = memref.alloc() {alignment = 64 : i64} : memref<6x4xcomplex<f32>>
//       CHECK:   ks.real_view %[[A]] : memref<6x4xcomplex<f32>> to memref<6x8xf32>
func.func @batch_last_complex(%x: memref<1x4xcomplex<f32>>, %p: memref<24xf32>,
                              %y: memref<1x4xcomplex<f32>>) {
  ks.chain [<1, 6, 1, 1>, <1, 1, 6, 1>] layout(batch_last)
    ins(%x, %p, %p : memref<1x4xcomplex<f32>>, memref<24xf32>, memref<24xf32>)
    outs(%y : memref<1x4xcomplex<f32>>)
    plan #ks.cpu_plan<batch_block = 8, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 1, n = 1, j = 1>>,
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
  return
}

// A staged input is copied row by row first, vectors of 4, the last shifted back
// to the end of the row; the product reads the copy.

// CHECK-LABEL: func.func @staged_input(
//  CHECK-SAME:   %[[X:.*]]: memref<?x6xf32>, %[[P:.*]]: memref<24xf32>,
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C2:.*]] = arith.constant 2 : index
//   CHECK-DAG:   %[[C4:.*]] = arith.constant 4 : index
//   CHECK-DAG:   %[[C6:.*]] = arith.constant 6 : index
//       CHECK:   scf.parallel (%[[BEGIN:.*]]) =
//       CHECK:     %[[S:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x6xf32>
//       CHECK:     scf.for %[[M:.*]] =
//       CHECK:       scf.for %[[COL:.*]] = %[[C0]] to %[[C6]] step %[[C4]] {
//       CHECK:         %[[AT:.*]] = arith.minsi %[[COL]], %[[C2]]
//       CHECK:         %[[ROW:.*]] = arith.addi %[[M]], %[[BEGIN]]
//       CHECK:         %[[V:.*]] = vector.load %[[X]][%[[ROW]], %[[AT]]] : memref<?x6xf32>, vector<4xf32>
//       CHECK:         vector.store %[[V]], %[[S]][%[[M]], %[[AT]]]
//       CHECK:     scf.for %[[M1:.*]] =
//   CHECK-NOT:       %[[X]]
//       CHECK:       memref.load %[[S]][%[[M1]],
//       CHECK:     memref.dealloc %[[S]]
func.func @staged_input(%x: memref<?x6xf32>, %p: memref<24xf32>, %y: memref<?x1xf32>) {
  ks.matmul <1, 1, 6, 1> ins(%x, %p : memref<?x6xf32>, memref<24xf32>)
    outs(%y : memref<?x1xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, stage_input = true, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 1, j = 1>>]>
  return
}
