// Rows that begin anywhere, copied and stored by 16 bytes.

// RUN: ks-opt %s -allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(convert-ks-tiles-to-nvgpu,cse))" | FileCheck %s

gpu.module @kernels {
  // 48 elements that begin within 16 bytes lie in 7 pieces of them. What is behind the
  // end of the group is not read.
  // CHECK-LABEL: gpu.func @copy(
  //       CHECK:   %[[ALIGNED:.*]] = arith.cmpi eq
  //       CHECK:   scf.if %[[ALIGNED]] {
  //       CHECK:     arith.divui %{{.*}}, %c7 : index
  //       CHECK:     %[[PITCH:.*]] = arith.muli %{{.*}}, %strides#0
  //       CHECK:     %[[AT:.*]] = arith.addi %{{.*}}, %[[PITCH]]
  //       CHECK:     %[[SHIFT:.*]] = arith.remui %[[AT]], %c8
  //       CHECK:     %[[END:.*]] = arith.addi %[[SHIFT]], %c195
  //       CHECK:     %[[LEFT:.*]] = arith.maxsi
  //       CHECK:     nvgpu.device_async_copy {{.*}}, 8, %[[LEFT]] {bypassL1}
  //       CHECK:   } else {
  //       CHECK:     memref.store
  gpu.func @copy(%x: memref<?x585xf16, strided<[?, 1], offset: ?>>, %s: memref<2x8x72xf16, 3>, %i: index) kernel {
    %c = arith.constant 0 : index
    ks.copy_activations <3, 211, 65, 3> %x[%c, %i, %c, %c] to %s[%c] depth 16 slab 3 rows 8 width 48 threads 64 shifted
      : memref<?x585xf16, strided<[?, 1], offset: ?>> to memref<2x8x72xf16, 3>
    gpu.return
  }

  // 12 elements from anywhere are in 7 words.
  // CHECK-LABEL: gpu.func @load(
  //       CHECK:   %[[AT:.*]] = arith.addi %arg1
  //       CHECK:   %[[SHIFT:.*]] = arith.remui %[[AT]], %c8
  //       CHECK:   arith.addi %[[SHIFT]]
  // CHECK-COUNT-7:  vector.load {{.*}} {alignment = 4 : i64} : memref<2x8x72xf16, 3>, vector<2xf16>
  //   CHECK-NOT:   vector.load
  // CHECK-COUNT-6:  llvm.intr.fshr
  gpu.func @load(%s: memref<2x8x72xf16, 3>, %first: index, %pitch: index) kernel {
    %c = arith.constant 0 : index
    %f = ks.load_activations <mma16, run_k = 4, run_n = 4> %s[%c, %c, %c] slab 3 shifted[%first, %pitch] : memref<2x8x72xf16, 3> to vector<3x1x4xf16>
    "test.use"(%f) : (vector<3x1x4xf16>) -> ()
    gpu.return
  }

  // A warp's 16 n of 3 columns, and the other one's: 96 elements of 8 entries, in 13
  // pieces each. Of those at both ends of a row, accesses of 1, 2 and 4 elements, and
  // of 4, 2 and 1. Where memory does not begin at 16 bytes, single elements.
  // CHECK-LABEL: gpu.func @store(
  // CHECK-COUNT-12:  memref.store
  //       CHECK:   gpu.barrier
  //       CHECK:   scf.if
  // CHECK-COUNT-2:   st.global.v4.b32
  //   CHECK-NOT:     st.global.v4
  //       CHECK:     st.global.b16
  //       CHECK:     st.global.b32
  //       CHECK:     st.global.v2.b32
  //       CHECK:     st.global.v2.b32
  //       CHECK:     st.global.b32
  //       CHECK:     st.global.b16
  //       CHECK:   } else {
  //       CHECK:     st.global.b16
  gpu.func @store(%y: memref<?x1899xf16, strided<[?, 1], offset: ?>>, %f: vector<3x1x1x4xf16>, %s: memref<8x104xf16, 3>, %n: index) kernel {
    %c = arith.constant 0 : index
    ks.store_rows <3, 211, 65, 3> <mma16, run_k = 4, run_n = 1> %f, %y[%c, %c, %n, %c] through %s first[%c, %c] rows 32 threads 64
      : vector<3x1x1x4xf16> to memref<?x1899xf16, strided<[?, 1], offset: ?>>, memref<8x104xf16, 3>
    gpu.return
  }
}
