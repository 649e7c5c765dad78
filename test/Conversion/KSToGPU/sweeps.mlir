// Two sweeps over the batch: blocks of the first group of slabs come first.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize | FileCheck %s

// Of eight slabs four are swept together: those of group 0, then those of group 1.

// CHECK-LABEL: gpu.func @sweeps_0(
//   CHECK-DAG:   %[[BLOCK:.*]] = gpu.block_id x
//   CHECK-DAG:   %[[GRID:.*]] = gpu.grid_dim x
//       CHECK:   %[[BATCH_BLOCKS:.*]] = arith.divui %[[GRID]], %c8
//       CHECK:   %[[REST:.*]] = arith.divui %[[BLOCK]], %c4
//       CHECK:   %[[BATCH_BLOCK:.*]] = arith.remui %[[REST]], %[[BATCH_BLOCKS]]
//       CHECK:   %[[SWEEP:.*]] = arith.divui %[[REST]], %[[BATCH_BLOCKS]]
//       CHECK:   %[[FIRST:.*]] = arith.muli %[[SWEEP]], %c4
//       CHECK:   %[[IN_SWEEP:.*]] = arith.remui %[[BLOCK]], %c4
//       CHECK:   %[[SLAB:.*]] = arith.addi %[[FIRST]], %[[IN_SWEEP]]
//       CHECK:   arith.divui %[[SLAB]], %c2
//       CHECK:   arith.muli %[[BATCH_BLOCK]], %c16
//       CHECK:   arith.muli %[[BATCH_BLOCKS]], %c16
func.func @sweeps(%x: memref<?x2048xf16, strided<[?, 1], offset: ?>>, %p: memref<65536xf16>,
                  %y: memref<?x1024xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 32, 64, 16> ins(%x, %p : memref<?x2048xf16, strided<[?, 1], offset: ?>>, memref<65536xf16>)
    outs(%y : memref<?x1024xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 8, warps = [2, 1, 1], stages = 3, sweeps = 2, copies = bulk, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 8>>
  return
}
