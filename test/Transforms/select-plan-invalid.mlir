// What ks-select-plan refuses. Plans that are written by hand and do not fit
// are refused when they are read; test/Dialect/KS/plan-invalid.mlir has the
// tiles, and the end of this file staging.

// RUN: echo "" | not ks-opt --ks-select-plan="target=pdp-11" 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: echo "" | not ks-opt --ks-select-plan="target=" 2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: echo "" | not ks-opt --ks-select-plan="threads=-1" 2>&1 | FileCheck %s --check-prefix=THREADS
// RUN: echo "" | not ks-opt --ks-select-plan="threads=many" 2>&1 | FileCheck %s --check-prefix=MANY
// RUN: ks-opt %s --split-input-file --verify-diagnostics --ks-select-plan="target=x86-64-v3 threads=1"

// TARGET: error: unknown target 'pdp-11'; expected one of host, x86-64-v2, x86-64-v3, x86-64-v4, aarch64
// EMPTY: error: unknown target ''; expected one of host,
// THREADS: error: got threads = -1; expected 0 (those of the target) or more
// MANY: threads{{.*}}many

func.func @staged_batch_last(%x: memref<6x?xf32>, %k: memref<1x6x6x1xf32>, %y: memref<6x?xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: it stages the input with layout batch_last and parallel = batch; expected layout batch_first and parallel = batch}}
  ks.matmul <1, 6, 6, 1> layout(batch_last)
    ins(%x, %k : memref<6x?xf32>, memref<1x6x6x1xf32>) outs(%y : memref<6x?xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, stage_input = true, tiles = [
      <rows = 2, vectors = 1, lanes = 8, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
  return
}

// -----

func.func @staged_parallel_groups(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>,
                                  %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: it stages the input with layout batch_first and parallel = group|panel; expected layout batch_first and parallel = batch}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = group|panel, stage_input = true, tiles = [
      <rows = 1, vectors = 1, lanes = 6, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 6, n = 6, j = 1>>]>
  return
}
