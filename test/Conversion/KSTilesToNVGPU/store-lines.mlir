// Results that are put together in shared memory, and stored in whole lines.

// RUN: ks-opt %s --pass-pipeline="builtin.module(gpu.module(convert-ks-tiles-to-nvgpu,cse))" | FileCheck %s

gpu.module @kernels {
  // A lane has 8 n of 3 columns, 48 bytes, of two tiles of entries: 16 rows of 192
  // bytes, which 32 lanes store by 16 bytes each time. Where memory is not
  // aligned, elements are stored from registers.
  // CHECK-LABEL: gpu.func @flat(
  //       CHECK:   %[[ALIGNED:.*]] = arith.cmpi eq
  //       CHECK:   scf.if %[[ALIGNED]] {
  // CHECK-COUNT-6:   vector.store {{.*}} {alignment = 16 : i64} : memref<4x2x16x104xf16, 3>, vector<8xf16>
  //   CHECK-NOT:     vector.store
  //       CHECK:     nvvm.bar.warp.sync
  // CHECK-COUNT-6:   st.global.v4.b32
  //   CHECK-NOT:     st.global.v4
  // One round: its buffer is free again when all have read it.
  //       CHECK:     nvvm.bar.warp.sync
  //       CHECK:   } else {
  // CHECK-COUNT-48:  st.global.b16
  gpu.func @flat(%y: memref<?x384xf16, strided<[?, 1], offset: ?>>, %f: vector<3x4x2x2xf16>, %s: memref<4x2x16x104xf16, 3>) kernel {
    %c = arith.constant 0 : index
    ks.store_lines <1, 128, 128, 3> <wgmma16_rs, run_k = 4, run_n = 8> %f, %y[%c, %c, %c, %c] through %s[%c] part %c of 1
      : vector<3x4x2x2xf16> to memref<?x384xf16, strided<[?, 1], offset: ?>>, memref<4x2x16x104xf16, 3>
    gpu.return
  }

  // Two warps have 8 columns each: what belongs to 4 n is stored by both, who wait
  // for each other at a barrier of their own, in two rounds.
  // CHECK-LABEL: gpu.func @pair(
  // CHECK-COUNT-2:   vector.store {{.*}} : memref<4x2x16x72xf16, 3>, vector<8xf16>
  //       CHECK:     %[[COUNT:.*]] = arith.index_cast %c64 : index to i32
  //       CHECK:     nvvm.barrier id = %[[ID:.*]] number_of_threads = %[[COUNT]]
  // CHECK-COUNT-2:   st.global.v4.b32
  // CHECK-COUNT-2:   vector.store {{.*}} : memref<4x2x16x72xf16, 3>, vector<8xf16>
  //       CHECK:     nvvm.barrier id = %[[ID]] number_of_threads = %[[COUNT]]
  // CHECK-COUNT-2:   st.global.v4.b32
  //   CHECK-NOT:     nvvm.barrier
  //       CHECK:   } else {
  gpu.func @pair(%y: memref<?x4096xf16, strided<[?, 1], offset: ?>>, %f: vector<8x1x2x2xf16>, %s: memref<4x2x16x72xf16, 3>, %part: index) kernel {
    %c = arith.constant 0 : index
    ks.store_lines <1, 64, 64, 64> <wgmma16_rs, run_k = 1, run_n = 1> %f, %y[%c, %c, %c, %c] through %s[%c] part %part of 2
      : vector<8x1x2x2xf16> to memref<?x4096xf16, strided<[?, 1], offset: ?>>, memref<4x2x16x72xf16, 3>
    gpu.return
  }
}
