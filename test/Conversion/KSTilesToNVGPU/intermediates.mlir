// From one factor of a chain to the next, through shared memory.

// RUN: ks-opt %s --pass-pipeline="builtin.module(gpu.module(convert-ks-tiles-to-nvgpu,cse))" | FileCheck %s

gpu.module @kernels {
  // A lane has eight neighbouring n of two entries in each of four tiles. They are
  // eight columns j of the next factor, and belong to one of four blocks: 16 bytes a
  // store, to the shared memory of that block.
  // CHECK-LABEL: gpu.func @remote(
  //       CHECK:   arith.divui %{{.*}}, %c16
  //       CHECK:   nvvm.mapa
  // CHECK-COUNT-8: llvm.store %{{.*}}, %{{.*}} {alignment = 16 : i64} : vector<8xf16>, !llvm.ptr<7>
  //   CHECK-NOT:   llvm.store
  gpu.func @remote(%f: vector<1x4x4x4xf16>, %s: memref<1x32x1032xf16, 3>, %i: index) kernel {
    %c = arith.constant 0 : index
    ks.store_intermediate <64, 64, 64, 1> <mma16, run_k = 2, run_n = 8> %f, %s[%c, %i, %c, %c]
      as <a = 1, c = 64, d = 64, blocks = 4, along_j = true, depth = 64, slab = 16, rows = 32, pitch = 1032>
      : vector<1x4x4x4xf16> to memref<1x32x1032xf16, 3>
    gpu.return
  }

  // Neighbours are neighbours in the buffer if a group is one piece of memory: two n of
  // two columns; rows n from 24 on are not there.
  // CHECK-LABEL: gpu.func @local(
  //   CHECK-NOT:   nvvm.mapa
  //       CHECK:   scf.if
  //       CHECK:     llvm.store %{{.*}}, %{{.*}} {alignment = 8 : i64} : vector<4xf16>, !llvm.ptr<3>
  gpu.func @local(%f: vector<2x2x1x4xf16>, %s: memref<4x8x32xf16, 3>, %n: index) kernel {
    %c = arith.constant 0 : index
    ks.store_intermediate <2, 24, 16, 2> <mma16, run_k = 1, run_n = 2> %f, %s[%c, %c, %n, %c]
      as <a = 4, c = 12, d = 2, blocks = 1, depth = 16, slab = 2, rows = 8, pitch = 40>
      : vector<2x2x1x4xf16> to memref<4x8x32xf16, 3>
    gpu.return
  }

  // Batch-last, entries are neighbours.
  // CHECK-LABEL: gpu.func @last(
  // CHECK-COUNT-4: llvm.store %{{.*}}, %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
  //   CHECK-NOT:   llvm.store
  gpu.func @last(%f: vector<4x2x2x1xf32>, %s: memref<8x4x72xf32, 3>) kernel {
    %c = arith.constant 0 : index
    ks.store_intermediate <1, 8, 16, 4> <fma, run_k = 1, run_n = 1> %f, %s[%c, %c, %c, %c]
      as <a = 4, c = 4, d = 2, blocks = 1, depth = 4, slab = 1, rows = 4, pitch = 72> layout batch_last
      : vector<4x2x2x1xf32> to memref<8x4x72xf32, 3>
    gpu.return
  }

  // Whole rows, by 16 bytes a lane where memory is aligned; entries beyond the batch
  // are not stored.
  // CHECK-LABEL: gpu.func @rows(
  //       CHECK:   %[[ALIGNED:.*]] = arith.cmpi eq
  //       CHECK:   scf.if %[[ALIGNED]] {
  // CHECK-COUNT-2:   vector.load {{.*}} : memref<1x32x40xf16, 3>, vector<8xf16>
  //       CHECK:     %[[INSIDE:.*]] = arith.cmpi slt
  //       CHECK:     nvvm.inline_ptx "st.global.v4.b32
  //       CHECK:   } else {
  //       CHECK:     st.global.b16
  gpu.func @rows(%s: memref<1x32x40xf16, 3>, %y: memref<?x64xf16, strided<[?, 1], offset: ?>>, %m: index, %f: index) kernel {
    ks.copy_rows %s to %y[%m, %f] width 32 threads 64 : memref<1x32x40xf16, 3> to memref<?x64xf16, strided<[?, 1], offset: ?>>
    gpu.return
  }
}
