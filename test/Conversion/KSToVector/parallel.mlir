// What `parallel` in a plan shares out.

// RUN: ks-opt %s --convert-ks-to-vector --cse | FileCheck %s

// Blocks of the batch: everything else runs in them.

// CHECK-LABEL: func.func @batch(
//       CHECK:   scf.parallel ({{.*}}) step (%[[C4:.*]]) {
//   CHECK-NOT:     scf.parallel
//       CHECK:     scf.for
//       CHECK:       scf.for
//       CHECK:         scf.for
//       CHECK:           scf.for
func.func @batch(%x: memref<?x8xf32>, %p: memref<32xf32>, %y: memref<?x16xf32>) {
  ks.matmul <2, 4, 2, 2> ins(%x, %p : memref<?x8xf32>, memref<32xf32>)
    outs(%y : memref<?x16xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 2, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// Groups and panels: three loops, over i, j blocks and n blocks. The batch is
// not cut into blocks.

// CHECK-LABEL: func.func @groups_and_panels(
//       CHECK:   %[[BATCH:.*]] = memref.dim
//       CHECK:   scf.parallel (%[[I:.*]]) =
//       CHECK:     scf.parallel (%[[BJ:.*]]) =
//       CHECK:       scf.parallel (%[[BN:.*]]) =
//       CHECK:         scf.for %{{.*}} = %{{.*}} to %[[BATCH]]
//   CHECK-NOT:   minsi
//       CHECK:   return
func.func @groups_and_panels(%x: memref<?x8xf32>, %p: memref<32xf32>, %y: memref<?x16xf32>) {
  ks.matmul <2, 4, 2, 2> ins(%x, %p : memref<?x8xf32>, memref<32xf32>)
    outs(%y : memref<?x16xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = group|panel, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 2, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// CHECK-LABEL: func.func @groups(
//       CHECK:   scf.parallel
//   CHECK-NOT:   scf.parallel
//       CHECK:   return
func.func @groups(%x: memref<?x8xf32>, %p: memref<32xf32>, %y: memref<?x16xf32>) {
  ks.matmul <2, 4, 2, 2> ins(%x, %p : memref<?x8xf32>, memref<32xf32>)
    outs(%y : memref<?x16xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = group, tiles = [
      <rows = 1, vectors = 1, lanes = 2, unroll = 2, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// The factors of a chain run one after another; scratch is shared.

// CHECK-LABEL: func.func @chain(
//       CHECK:   memref.alloc(%{{.*}}) {{.*}} : memref<?x2xf32>
//       CHECK:   scf.parallel
//       CHECK:   scf.reduce
//       CHECK:   scf.parallel
//       CHECK:   scf.reduce
//       CHECK:   memref.dealloc
func.func @chain(%x: memref<?x2xf32>, %p: memref<2xf32>, %y: memref<?x2xf32>) {
  ks.chain [<2, 1, 1, 1>, <2, 1, 1, 1>]
    ins(%x, %p, %p : memref<?x2xf32>, memref<2xf32>, memref<2xf32>)
    outs(%y : memref<?x2xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = group, tiles = [
      <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 1, n = 1, j = 1>>,
      <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
  return
}

// A static batch of one block needs no loop, and a last block that is as large
// as the others no minimum.

// CHECK-LABEL: func.func @one_block(
//   CHECK-NOT:   scf.parallel
//       CHECK:   return
// CHECK-LABEL: func.func @whole_blocks(
//       CHECK:   scf.parallel
//   CHECK-NOT:   arith.minsi
//       CHECK:   return
func.func @one_block(%x: memref<4x2xf32>, %p: memref<2xf32>, %y: memref<4x2xf32>) {
  ks.matmul <2, 1, 1, 1> ins(%x, %p : memref<4x2xf32>, memref<2xf32>)
    outs(%y : memref<4x2xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
  return
}
func.func @whole_blocks(%x: memref<8x2xf32>, %p: memref<2xf32>, %y: memref<8x2xf32>) {
  ks.matmul <2, 1, 1, 1> ins(%x, %p : memref<8x2xf32>, memref<2xf32>)
    outs(%y : memref<8x2xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
  return
}
