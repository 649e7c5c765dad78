// Batch-first plans, written by hand, as vector code: rows of a tile are entries
// of the batch, vectors cover (n, j). ks-select-plan's tests choose plans; here
// nothing is chosen.

// RUN: ks-opt %s --convert-ks-to-vector --canonicalize --cse | FileCheck %s

// d = 1: an element of X is broadcast to lanes that run along n. Two rows by two
// vectors are four accumulators. The batch is cut into blocks of 4; a block into
// tiles of 2 rows, and single rows for the rest.

// CHECK-LABEL: func.func @d_is_1(
//  CHECK-SAME:   %[[X:.*]]: memref<?x6xf32>, %[[P:.*]]: memref<24xf32>, %[[Y:.*]]: memref<?x8xf32>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C1:.*]] = arith.constant 1 : index
//   CHECK-DAG:   %[[C2:.*]] = arith.constant 2 : index
//   CHECK-DAG:   %[[C3:.*]] = arith.constant 3 : index
//   CHECK-DAG:   %[[C4:.*]] = arith.constant 4 : index
//   CHECK-DAG:   %[[C12:.*]] = arith.constant 12 : index
//   CHECK-DAG:   %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<2xf32>
//       CHECK:   %[[BATCH:.*]] = memref.dim %[[Y]], %[[C0]]
//       CHECK:   scf.parallel (%[[BEGIN:.*]]) = (%[[C0]]) to (%[[BATCH]]) step (%[[C4]])
//       CHECK:     %[[LEFT:.*]] = arith.subi %[[BATCH]], %[[BEGIN]]
//       CHECK:     %[[BLOCK:.*]] = arith.minsi %[[LEFT]], %[[C4]]
//       CHECK:     scf.for %[[I:.*]] = %[[C0]] to %[[C2]] step %[[C1]] {
//       CHECK:       %[[PANEL:.*]] = arith.muli %[[I]], %[[C12]]
//       CHECK:       %[[REST:.*]] = arith.remui %[[BLOCK]], %[[C2]]
//       CHECK:       %[[WHOLE:.*]] = arith.subi %[[BLOCK]], %[[REST]]
//       CHECK:       scf.for %[[M:.*]] = %[[C0]] to %[[WHOLE]] step %[[C2]] {
//       CHECK:         %[[ACC:.*]]:4 = scf.for %[[K:.*]] = %[[C0]] to %[[C3]] step %[[C1]] iter_args(%[[A0:.*]] = %[[ZERO]], %[[A1:.*]] = %[[ZERO]], %[[A2:.*]] = %[[ZERO]], %[[A3:.*]] = %[[ZERO]])
//       CHECK:           %[[K4:.*]] = arith.muli %[[K]], %[[C4]]
//       CHECK:           %[[AT:.*]] = arith.addi %[[PANEL]], %[[K4]]
//       CHECK:           %[[W0:.*]] = vector.load %[[P]][%[[AT]]] : memref<24xf32>, vector<2xf32>
//       CHECK:           %[[W1:.*]] = vector.load %[[P]]
//       CHECK:           %[[COL0:.*]] = arith.muli %[[I]], %[[C3]]
//       CHECK:           %[[COL:.*]] = arith.addi %[[COL0]], %[[K]]
//       CHECK:           %[[ROW:.*]] = arith.addi %[[M]], %[[BEGIN]]
//       CHECK:           %[[S0:.*]] = memref.load %[[X]][%[[ROW]], %[[COL]]]
//       CHECK:           %[[B0:.*]] = vector.broadcast %[[S0]] : f32 to vector<2xf32>
//       CHECK:           %[[M0:.*]] = arith.mulf %[[B0]], %[[W0]] fastmath<contract>
//       CHECK:           %[[R0:.*]] = arith.addf %[[M0]], %[[A0]] fastmath<contract>
//       CHECK:           %[[M1:.*]] = arith.mulf %[[B0]], %[[W1]] fastmath<contract>
//       CHECK:           %[[R1:.*]] = arith.addf %[[M1]], %[[A1]] fastmath<contract>
//       CHECK:           memref.load %[[X]]
//       CHECK:           %[[B1:.*]] = vector.broadcast
//       CHECK:           arith.mulf %[[B1]], %[[W0]]
//       CHECK:           arith.mulf %[[B1]], %[[W1]]
//       CHECK:           scf.yield %[[R0]], %[[R1]], %{{.*}}, %{{.*}}
//       CHECK:         %[[ROW0:.*]] = arith.addi %[[M]], %[[BEGIN]]
//       CHECK:         %[[F0:.*]] = arith.muli %[[I]], %[[C4]]
//       CHECK:         vector.store %[[ACC]]#0, %[[Y]][%[[ROW0]], %[[F0]]]
//       CHECK:         %[[F1:.*]] = arith.addi %[[F0]], %[[C2]]
//       CHECK:         vector.store %[[ACC]]#1, %[[Y]][%[[ROW0]], %[[F1]]]
//       CHECK:         vector.store %[[ACC]]#2, %[[Y]][%[[ROW1:.*]], %[[F0]]]
//       CHECK:         vector.store %[[ACC]]#3, %[[Y]][%[[ROW1]], %[[F1]]]
//       CHECK:       scf.for %{{.*}} = %[[WHOLE]] to %[[BLOCK]] step %[[C1]] {
//       CHECK:         %[[REM:.*]]:2 = scf.for
//       CHECK:         vector.store %[[REM]]#0, %[[Y]]
//       CHECK:         vector.store %[[REM]]#1, %[[Y]]
//   CHECK-NOT:         vector.store
func.func @d_is_1(%x: memref<?x6xf32>, %p: memref<24xf32>, %y: memref<?x8xf32>) {
  ks.matmul <2, 4, 3, 1> ins(%x, %p : memref<?x6xf32>, memref<24xf32>)
    outs(%y : memref<?x8xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = batch, tiles = [
      <rows = 2, vectors = 2, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 2, lanes = 2, n = 2, j = 1>>]>
  return
}

// d between: two elements of X, side by side, are replicated for two n. The
// result is contiguous, since j = d. `unroll` steps of k stand in one iteration.

// CHECK-LABEL: func.func @d_between(
//  CHECK-SAME:   %[[X:.*]]: memref<5x8xf32>, %[[P:.*]]: memref<32xf32>, %[[Y:.*]]: memref<5x8xf32>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C1:.*]] = arith.constant 1 : index
//   CHECK-DAG:   %[[C2:.*]] = arith.constant 2 : index
//   CHECK-DAG:   %[[C4:.*]] = arith.constant 4 : index
//   CHECK-DAG:   %[[C5:.*]] = arith.constant 5 : index
//   CHECK-DAG:   %[[C16:.*]] = arith.constant 16 : index
//   CHECK-NOT:   scf.parallel
//       CHECK:   scf.for %[[BLOCK:.*]] = %[[C0]] to %[[C2]] step %[[C1]] {
//       CHECK:     arith.muli %[[BLOCK]], %[[C16]]
//       CHECK:     scf.for %[[M:.*]] = %[[C0]] to %[[C5]] step %[[C1]] {
//       CHECK:       %[[ACC:.*]] = scf.for %[[K:.*]] = %[[C0]] to %[[C4]] step %[[C2]] iter_args
//       CHECK:         %[[COL:.*]] = arith.muli %[[K]], %[[C2]]
//       CHECK:         %[[V:.*]] = vector.load %[[X]][%[[M]], %[[COL]]] : memref<5x8xf32>, vector<2xf32>
//       CHECK:         %[[S:.*]] = vector.shuffle %[[V]], %[[V]] [0, 1, 0, 1] : vector<2xf32>, vector<2xf32>
//       CHECK:         arith.mulf %[[S]], %{{.*}} fastmath<contract> : vector<4xf32>
//       CHECK:         arith.addi %[[K]], %[[C1]]
//       CHECK:         vector.load %[[X]]
//       CHECK:         arith.mulf
//   CHECK-NOT:         arith.mulf
//       CHECK:       %[[F:.*]] = arith.muli %[[BLOCK]], %[[C4]]
//       CHECK:       vector.store %[[ACC]], %[[Y]][%[[M]], %[[F]]] : memref<5x8xf32>, vector<4xf32>
func.func @d_between(%x: memref<5x8xf32>, %p: memref<32xf32>, %y: memref<5x8xf32>) {
  ks.matmul <1, 4, 4, 2> ins(%x, %p : memref<5x8xf32>, memref<32xf32>)
    outs(%y : memref<5x8xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 2, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 2, j = 2>>]>
  return
}

// d of two vectors: X is loaded as it lies, at column k*d + j0. All of k is
// unrolled, so there is no loop along it.

// CHECK-LABEL: func.func @wide_d(
//  CHECK-SAME:   %[[X:.*]]: memref<1x16xf32>, %[[P:.*]]: memref<48xf32>, %[[Y:.*]]: memref<1x24xf32>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C4:.*]] = arith.constant 4 : index
//   CHECK-DAG:   %[[C8:.*]] = arith.constant 8 : index
//   CHECK-NOT:   vector.shuffle
//   CHECK-NOT:   iter_args
//       CHECK:   scf.for %[[BJ:.*]] = %[[C0]]
//       CHECK:   %[[J0:.*]] = arith.muli %[[BJ]], %[[C4]]
//       CHECK:   vector.load %[[X]][%[[C0]], %[[J0]]] : memref<1x16xf32>, vector<4xf32>
//       CHECK:   %[[J1:.*]] = arith.addi %[[J0]], %[[C8]]
//       CHECK:   vector.load %[[X]][%[[C0]], %[[J1]]] : memref<1x16xf32>, vector<4xf32>
//       CHECK:   vector.store %{{.*}}, %[[Y]][%[[C0]], %{{.*}}] : memref<1x24xf32>, vector<4xf32>
func.func @wide_d(%x: memref<1x16xf32>, %p: memref<48xf32>, %y: memref<1x24xf32>) {
  ks.matmul <1, 3, 2, 8> ins(%x, %p : memref<1x16xf32>, memref<48xf32>)
    outs(%y : memref<1x24xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 2, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 1, j = 4>>]>
  return
}

// j = 2 divides d = 4, and n = 2: the two n of a vector are d apart in the
// result, so it is stored in two pieces.

// CHECK-LABEL: func.func @pieces(
//  CHECK-SAME:   %[[X:.*]]: memref<4x8xf32>, %[[P:.*]]: memref<16xf32>, %[[Y:.*]]: memref<4x8xf32>)
//   CHECK-DAG:   %[[C2:.*]] = arith.constant 2 : index
//   CHECK-DAG:   %[[C4:.*]] = arith.constant 4 : index
//       CHECK:   %[[J0:.*]] = arith.muli %{{.*}}, %[[C2]]
//       CHECK:   vector.shuffle %{{.*}}, %{{.*}} [0, 1, 0, 1]
//       CHECK:   %[[LOW:.*]] = vector.extract_strided_slice %[[ACC:.*]] {offsets = [0], sizes = [2], strides = [1]}
//       CHECK:   vector.store %[[LOW]], %[[Y]][%[[M:.*]], %[[J0]]] : memref<4x8xf32>, vector<2xf32>
//       CHECK:   %[[HIGH:.*]] = vector.extract_strided_slice %[[ACC]] {offsets = [2], sizes = [2], strides = [1]}
//       CHECK:   vector.store %[[HIGH]], %[[Y]][%[[M]], %[[J4:.*]]] : memref<4x8xf32>, vector<2xf32>
func.func @pieces(%x: memref<4x8xf32>, %p: memref<16xf32>, %y: memref<4x8xf32>) {
  ks.matmul <1, 2, 2, 4> ins(%x, %p : memref<4x8xf32>, memref<16xf32>)
    outs(%y : memref<4x8xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 2, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 2, j = 2>>]>
  return
}

// d = 3 leaves two lanes of eight: they repeat an element of X, meet zeros in
// the packed weight, and are not stored. The load of three elements is masked,
// lest it read past the end of the memory.

// CHECK-LABEL: func.func @padding_lanes(
//  CHECK-SAME:   %[[X:.*]]: memref<4x3xf32>, %[[P:.*]]: memref<8xf32>, %[[Y:.*]]: memref<4x6xf32>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[MASK:.*]] = arith.constant dense<[true, true, true, false]> : vector<4xi1>
//       CHECK:   %[[W:.*]] = vector.load %[[P]][%[[C0]]] : memref<8xf32>, vector<8xf32>
//       CHECK:   %[[V:.*]] = vector.maskedload %[[X]][%[[M:.*]], %[[C0]]], %[[MASK]], %{{.*}} : memref<4x3xf32>, vector<4xi1>, vector<4xf32> into vector<4xf32>
//       CHECK:   %[[S:.*]] = vector.shuffle %[[V]], %[[V]] [0, 1, 2, 0, 1, 2, 0, 0]
//       CHECK:   arith.mulf %[[S]], %[[W]]
//       CHECK:   %[[SIX:.*]] = vector.extract_strided_slice %{{.*}} {offsets = [0], sizes = [6], strides = [1]}
//       CHECK:   vector.store %[[SIX]], %[[Y]][%[[M]], %[[C0]]] : memref<4x6xf32>, vector<6xf32>
func.func @padding_lanes(%x: memref<4x3xf32>, %p: memref<8xf32>, %y: memref<4x6xf32>) {
  ks.matmul <1, 2, 1, 3> ins(%x, %p : memref<4x3xf32>, memref<8xf32>)
    outs(%y : memref<4x6xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 8, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 8, n = 2, j = 3>>]>
  return
}

// b = 3 in blocks of 2, d = 5 in blocks of 2: the last blocks are shifted back,
// n0 = min(2 * block, 3 - 2) and j0 = min(2 * block, 5 - 2), and overlap their
// neighbours. Panels are still counted by blocks.

// CHECK-LABEL: func.func @overlapping_edges(
//  CHECK-SAME:   %[[X:.*]]: memref<4x5xf32>, %[[P:.*]]: memref<24xf32>, %[[Y:.*]]: memref<4x15xf32>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C1:.*]] = arith.constant 1 : index
//   CHECK-DAG:   %[[C2:.*]] = arith.constant 2 : index
//   CHECK-DAG:   %[[C3:.*]] = arith.constant 3 : index
//   CHECK-DAG:   %[[C4:.*]] = arith.constant 4 : index
//   CHECK-DAG:   %[[C5:.*]] = arith.constant 5 : index
//       CHECK:   scf.for %[[BJ:.*]] = %[[C0]] to %[[C3]] step %[[C1]] {
//       CHECK:     scf.for %[[BN:.*]] = %[[C0]] to %[[C2]] step %[[C1]] {
//       CHECK:       %[[BJ2:.*]] = arith.muli %[[BJ]], %[[C2]]
//       CHECK:       %[[NUMBER:.*]] = arith.addi %[[BJ2]], %[[BN]]
//       CHECK:       %[[BN2:.*]] = arith.muli %[[BN]], %[[C2]]
//       CHECK:       %[[N0:.*]] = arith.minsi %[[BN2]], %[[C1]]
//       CHECK:       %[[J0:.*]] = arith.minsi %[[BJ2]], %[[C3]]
//       CHECK:       %[[PANEL:.*]] = arith.muli %[[NUMBER]], %[[C4]]
//       CHECK:       vector.load %[[P]][%[[PANEL]]]
//       CHECK:       vector.load %[[X]][%[[M:.*]], %[[J0]]] : memref<4x5xf32>, vector<2xf32>
//       CHECK:       %[[ROW:.*]] = arith.muli %[[N0]], %[[C5]]
//       CHECK:       %[[F:.*]] = arith.addi %[[ROW]], %[[J0]]
//       CHECK:       vector.store %{{.*}}, %[[Y]][%[[M]], %[[F]]]
func.func @overlapping_edges(%x: memref<4x5xf32>, %p: memref<24xf32>, %y: memref<4x15xf32>) {
  ks.matmul <1, 3, 1, 5> ins(%x, %p : memref<4x5xf32>, memref<24xf32>)
    outs(%y : memref<4x15xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 2, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 2, lanes = 2, n = 1, j = 2>>]>
  return
}

// A weight tied along a and d has one panel: its offset does not depend on i or
// the j block.

// CHECK-LABEL: func.func @tied(
//  CHECK-SAME:   %[[X:.*]]: memref<4x8xf32>, %[[P:.*]]: memref<2xf32>,
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//       CHECK:   scf.for
//       CHECK:     scf.for
//       CHECK:       scf.for
//       CHECK:         vector.load %[[P]][%[[C0]]] : memref<2xf32>, vector<2xf32>
func.func @tied(%x: memref<4x8xf32>, %p: memref<2xf32>, %y: memref<4x8xf32>) {
  ks.matmul <2, 1, 1, 4> ins(%x, %p : memref<4x8xf32>, memref<2xf32>)
    outs(%y : memref<4x8xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 1, j = 2, tied = a|d>>]>
  return
}

// f16 is extended before it is multiplied, and rounded once, when the sum is
// stored. Packed weights are f32.

// CHECK-LABEL: func.func @f16(
//  CHECK-SAME:   %[[X:.*]]: memref<4x2xf16>, %[[P:.*]]: memref<8xf32>, %[[Y:.*]]: memref<4x4xf16>)
//       CHECK:   %[[S:.*]] = memref.load %[[X]]
//       CHECK:   %[[E:.*]] = arith.extf %[[S]] : f16 to f32
//       CHECK:   vector.broadcast %[[E]] : f32 to vector<4xf32>
//       CHECK:   arith.addf {{.*}} : vector<4xf32>
//   CHECK-NOT:   arith.truncf
//       CHECK:   %[[ACC:.*]] = arith.addf {{.*}} : vector<4xf32>
//       CHECK:   %[[R:.*]] = arith.truncf %[[ACC]] : vector<4xf32> to vector<4xf16>
//       CHECK:   vector.store %[[R]], %[[Y]]
func.func @f16(%x: memref<4x2xf16>, %p: memref<8xf32>, %y: memref<4x4xf16>) {
  ks.matmul <1, 4, 2, 1> ins(%x, %p : memref<4x2xf16>, memref<8xf32>)
    outs(%y : memref<4x4xf16>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 2, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
  return
}

// f64 accumulates in f64, and nothing is converted.

// CHECK-LABEL: func.func @f64(
//   CHECK-NOT:   arith.extf
//       CHECK:   arith.mulf {{.*}} : vector<2xf64>
//   CHECK-NOT:   arith.truncf
//       CHECK:   return
func.func @f64(%x: memref<4x2xf64>, %p: memref<4xf64>, %y: memref<4x2xf64>) {
  ks.matmul <1, 2, 2, 1> ins(%x, %p : memref<4x2xf64>, memref<4xf64>)
    outs(%y : memref<4x2xf64>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 2, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// Stationary activations: a row meets all panels before the next row does.

// CHECK-LABEL: func.func @stationary_activations(
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C1:.*]] = arith.constant 1 : index
//   CHECK-DAG:   %[[BATCH:.*]] = arith.constant 7 : index
//   CHECK-DAG:   %[[GROUPS:.*]] = arith.constant 3 : index
//       CHECK:   scf.for %{{.*}} = %[[C0]] to %[[BATCH]] step %[[C1]] {
//       CHECK:     scf.for %{{.*}} = %[[C0]] to %[[GROUPS]] step %[[C1]] {
func.func @stationary_activations(%x: memref<7x3xf32>, %p: memref<6xf32>, %y: memref<7x6xf32>) {
  ks.matmul <3, 2, 1, 1> ins(%x, %p : memref<7x3xf32>, memref<6xf32>)
    outs(%y : memref<7x6xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = none, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = activations,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// A batch of 0 leaves nothing.

// CHECK-LABEL: func.func @empty_batch(
//  CHECK-NEXT:   return
func.func @empty_batch(%x: memref<0x3xf32>, %p: memref<6xf32>, %y: memref<0x6xf32>) {
  ks.matmul <3, 2, 1, 1> ins(%x, %p : memref<0x3xf32>, memref<6xf32>)
    outs(%y : memref<0x6xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}
