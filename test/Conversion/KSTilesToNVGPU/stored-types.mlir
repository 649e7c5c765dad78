// Results of another type than the product.

// RUN: ks-opt %s --pass-pipeline="builtin.module(gpu.module(convert-ks-tiles-to-nvgpu,cse))" | FileCheck %s

gpu.module @kernels {
  // Eight f16 are as wide as an access, so that lane t has entries 8·t of half a tile, and
  // 8·t + 32; of f32 they are two accesses each.
  // CHECK-LABEL: gpu.func @wide_vectors(
  //       CHECK:   scf.if
  //       CHECK:     %[[T:.*]] = arith.remui %{{.*}}, %c4
  //       CHECK:     arith.muli %[[T]], %c8
  //       CHECK:     nvvm.inline_ptx "st.global.v4.b32 [$0+0], {$1, $2, $3, $4};"
  //       CHECK:     nvvm.inline_ptx "st.global.v4.b32 [$0+16], {$1, $2, $3, $4};"
  //       CHECK:     nvvm.inline_ptx "st.global.v4.b32 [$0+128], {$1, $2, $3, $4};"
  //       CHECK:     nvvm.inline_ptx "st.global.v4.b32 [$0+144], {$1, $2, $3, $4};"
  gpu.func @wide_vectors(%v: vector<8x1x1x4xf32>, %y: memref<16x?xf32, strided<[?, 1], offset: ?>>) kernel {
    %c = arith.constant 0 : index
    ks.store_fragment <1, 16, 16, 1> <mma16, run_k = 1, run_n = 1> %v, %y[%c, %c, %c, %c] layout batch_last multiplied as f16
      : vector<8x1x1x4xf32> to memref<16x?xf32, strided<[?, 1], offset: ?>>
    gpu.return
  }

  // Four f32 are, too, of which f16 are half an access: a residual of f16 is read where
  // the sums are.
  // CHECK-LABEL: gpu.func @narrow_residual(
  //   CHECK-DAG:   %[[T:.*]] = arith.remui %{{.*}}, %c4
  //       CHECK:   %[[E:.*]] = arith.muli %[[T]], %c4
  //       CHECK:   arith.addi %[[E]], %c16
  gpu.func @narrow_residual(%r: memref<16x?xf16, strided<[?, 1], offset: ?>>, %out: memref<1xvector<4x1x1x4xf16>>) kernel {
    %c = arith.constant 0 : index
    %n = arith.constant 100 : index
    %e = ks.load_fragment <1, 16, 16, 1> <mma8, run_k = 1, run_n = 1> %r[%c, %c, %c, %c] batch %n layout batch_last multiplied as f32
      : memref<16x?xf16, strided<[?, 1], offset: ?>> to vector<4x1x1x4xf16>
    memref.store %e, %out[%c] : memref<1xvector<4x1x1x4xf16>>
    gpu.return
  }

  // Without it, pairs of vectors are neighbours.
  // CHECK-LABEL: gpu.func @one_type(
  //   CHECK-DAG:   %[[T:.*]] = arith.remui %{{.*}}, %c4
  //       CHECK:   %[[M:.*]] = arith.muli %[[T]], %c2
  //       CHECK:   arith.muli %[[M]], %c4
  gpu.func @one_type(%r: memref<16x?xf16, strided<[?, 1], offset: ?>>, %out: memref<1xvector<4x1x1x4xf16>>) kernel {
    %c = arith.constant 0 : index
    %n = arith.constant 100 : index
    %e = ks.load_fragment <1, 16, 16, 1> <mma16, run_k = 1, run_n = 1> %r[%c, %c, %c, %c] batch %n layout batch_last
      : memref<16x?xf16, strided<[?, 1], offset: ?>> to vector<4x1x1x4xf16>
    memref.store %e, %out[%c] : memref<1xvector<4x1x1x4xf16>>
    gpu.return
  }

  // Fragments are extended vector by vector.
  // CHECK-LABEL: gpu.func @extend(
  // CHECK-COUNT-2: arith.extf {{.*}} : vector<4xf32> to vector<4xf64>
  //       CHECK:   nvvm.inline_ptx "st.global.v2.b64 [$0+0], {$1, $2};"
  gpu.func @extend(%v: vector<2x1x1x4xf32>, %y: memref<?x32xf64, strided<[?, 1], offset: ?>>) kernel {
    %c = arith.constant 0 : index
    %w = arith.extf %v : vector<2x1x1x4xf32> to vector<2x1x1x4xf64>
    ks.store_fragment <1, 16, 16, 2> <mma16, run_k = 1, run_n = 1> %w, %y[%c, %c, %c, %c] multiplied as f16
      : vector<2x1x1x4xf64> to memref<?x32xf64, strided<[?, 1], offset: ?>>
    gpu.return
  }
}
