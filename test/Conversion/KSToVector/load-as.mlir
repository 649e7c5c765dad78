// An input of another type than the product, and a result of yet another one.

// RUN: ks-opt %s --convert-ks-to-vector --canonicalize --cse | FileCheck %s

// Batch-first, each element is converted once, as rows are staged.

// CHECK-LABEL: func.func @batch_first(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<?x6xf32>
//       CHECK:   scf.parallel (%[[BEGIN:.*]]) =
//       CHECK:     %[[S:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x6xf16>
//       CHECK:     scf.for
//       CHECK:         %[[V:.*]] = vector.load %[[X]]{{.*}} : memref<?x6xf32>, vector<4xf32>
//       CHECK:         %[[N:.*]] = arith.truncf %[[V]] : vector<4xf32> to vector<4xf16>
//       CHECK:         vector.store %[[N]], %[[S]]
//   CHECK-NOT:   %[[X]]
//       CHECK:       %[[E:.*]] = memref.load %[[S]]
//       CHECK:       arith.extf %[[E]] : f16 to f32
//       CHECK:     %[[R:.*]] = arith.extf %{{.*}} : vector<4xf32> to vector<4xf64>
//       CHECK:     %[[ONE:.*]] = vector.extract_strided_slice %[[R]]
//       CHECK:     vector.store %[[ONE]], %{{.*}} : memref<?x1xf64>, vector<1xf64>
func.func @batch_first(%x: memref<?x6xf32>, %p: memref<24xf32>, %y: memref<?x1xf64>) {
  ks.matmul <1, 1, 6, 1> load_as(f16) ins(%x, %p : memref<?x6xf32>, memref<24xf32>)
    outs(%y : memref<?x1xf64>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 1, j = 1>>]>
  return
}

// Where blocks of the batch are not shared out to threads, the rows that are converted
// are.

// CHECK-LABEL: func.func @parallel_panels(
//       CHECK:   memref.alloc(%{{.*}}) {{.*}} : memref<?x6xf32>
//       CHECK:   scf.parallel
//       CHECK:     arith.extf %{{.*}} : vector<6xbf16> to vector<6xf32>
//       CHECK:   scf.parallel
func.func @parallel_panels(%x: memref<?x6xbf16>, %p: memref<72xf32>, %y: memref<?x12xf32>) {
  ks.matmul <1, 12, 6, 1> load_as(f32) ins(%x, %p : memref<?x6xbf16>, memref<72xf32>)
    outs(%y : memref<?x12xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = group|panel, tiles = [
      <rows = 1, vectors = 1, lanes = 6, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 6, n = 6, j = 1>>]>
  return
}

// Batch-last, vectors are converted as they are loaded: each is for all rows of a tile.

// CHECK-LABEL: func.func @batch_last(
//  CHECK-SAME:   %[[X:[^:]*]]: memref<4x?xf32>
//   CHECK-NOT:   memref.alloc
//       CHECK:   %[[V:.*]] = vector.load %[[X]]{{.*}} : memref<4x?xf32>, vector<4xf32>
//       CHECK:   %[[N:.*]] = arith.truncf %[[V]] : vector<4xf32> to vector<4xf16>
//       CHECK:   arith.extf %[[N]] : vector<4xf16> to vector<4xf32>
//       CHECK:   %[[M:.*]] = vector.maskedload %[[X]]
//       CHECK:   arith.truncf %[[M]] : vector<4xf32> to vector<4xf16>
func.func @batch_last(%x: memref<4x?xf32>, %p: memref<8xf32>, %y: memref<4x?xf16>) {
  ks.matmul <1, 2, 2, 2> layout(batch_last) load_as(f16) ins(%x, %p : memref<4x?xf32>, memref<8xf32>)
    outs(%y : memref<4x?xf16>)
    plan #ks.cpu_plan<batch_block = 16, parallel = batch, tiles = [
      <rows = 2, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}
