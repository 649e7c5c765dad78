// Tile ops as copies, loads, multiplications and stores.

// RUN: ks-opt %s --pass-pipeline="builtin.module(gpu.module(convert-ks-tiles-to-nvgpu,cse))" | FileCheck %s

gpu.module @kernels {
  // 8 rows of 64 elements are 64 pieces of 16 bytes: two for each thread. They
  // need pointer and pitch to be multiples of 16.
  // CHECK-LABEL: gpu.func @copy(
  //       CHECK:   memref.extract_strided_metadata %arg0
  //       CHECK:   %[[ALIGNED:.*]] = arith.cmpi eq
  //       CHECK:   scf.if %[[ALIGNED]] {
  // CHECK-COUNT-2:   nvgpu.device_async_copy %arg0[{{.*}}], %arg1[{{.*}}], 8 {bypassL1}
  //       CHECK:   } else {
  //       CHECK:     scf.for
  //       CHECK:       memref.load %arg0
  //       CHECK:       memref.store {{.*}}, %arg1
  //       CHECK:   nvgpu.device_async_copy %arg2[{{.*}}], %arg3[{{.*}}], 8 {bypassL1}
  gpu.func @copy(%x: memref<?x64xf16, strided<[?, 1], offset: ?>>, %xs: memref<1x8x72xf16, 3>,
                 %p: memref<256xf16>, %ws: memref<1x1x1x1x32x8xf16, 3>) kernel {
    %c = arith.constant 0 : index
    ks.copy_activations <1, 16, 16, 4> %x[%c, %c, %c, %c] to %xs[%c]
      depth 16 slab 4 rows 8 width 64 threads 32 : memref<?x64xf16, strided<[?, 1], offset: ?>> to memref<1x8x72xf16, 3>
    ks.copy_weights %p[%c] to %ws[%c] threads 32 : memref<256xf16> to memref<1x1x1x1x32x8xf16, 3>
    gpu.return
  }

  // c·d = 15 elements of 2 bytes: no piece of 4 bytes lies inside.
  // CHECK-LABEL: gpu.func @odd(
  //   CHECK-NOT:   nvgpu.device_async_copy
  //       CHECK:   scf.for
  //       CHECK:     scf.if
  //       CHECK:       memref.load %arg0
  gpu.func @odd(%x: memref<?x15xf16>, %xs: memref<1x8x56xf16, 3>) kernel {
    %c = arith.constant 0 : index
    ks.copy_activations <1, 7, 5, 3> %x[%c, %c, %c, %c] to %xs[%c]
      depth 16 slab 3 rows 8 width 48 threads 32 : memref<?x15xf16> to memref<1x8x56xf16, 3>
    gpu.return
  }

  // What is converted goes through registers: 16 bytes of f32, which become 8 of f16.
  // CHECK-LABEL: gpu.func @convert(
  //       CHECK:   scf.if
  // CHECK-COUNT-4:   vector.load %arg0[{{.*}}] {alignment = 16 : i64} : {{.*}}, vector<4xf32>
  //       CHECK:     %[[C:.*]] = arith.truncf {{.*}} : vector<4xf32> to vector<4xf16>
  //       CHECK:     vector.store %[[C]], %arg1[{{.*}}] {alignment = 8 : i64}
  //       CHECK:   } else {
  //       CHECK:     memref.load %arg0
  //       CHECK:     arith.truncf {{.*}} : f32 to f16
  //       CHECK:     memref.store
  //   CHECK-NOT:   nvgpu.device_async_copy
  gpu.func @convert(%x: memref<?x64xf32, strided<[?, 1], offset: ?>>, %xs: memref<1x8x72xf16, 3>) kernel {
    %c = arith.constant 0 : index
    ks.copy_activations <1, 16, 16, 4> %x[%c, %c, %c, %c] to %xs[%c]
      depth 16 slab 4 rows 8 width 64 threads 32 : memref<?x64xf32, strided<[?, 1], offset: ?>> to memref<1x8x72xf16, 3>
    gpu.return
  }

  // Groups that end within a chunk of k: pieces behind them are zeros.
  // CHECK-LABEL: gpu.func @convert_edge(
  //       CHECK:   %[[PIECE:.*]] = scf.if %{{.*}} -> (vector<4xf32>) {
  //       CHECK:     vector.load %arg0[{{.*}}] {alignment = 8 : i64} : {{.*}}, vector<4xf16>
  //       CHECK:     arith.extf {{.*}} : vector<4xf16> to vector<4xf32>
  //       CHECK:   } else {
  //       CHECK:     arith.constant dense<0.000000e+00> : vector<4xf32>
  //       CHECK:   vector.store %[[PIECE]], %arg1[{{.*}}] {alignment = 16 : i64}
  gpu.func @convert_edge(%x: memref<?x48xf16, strided<[?, 1], offset: ?>>, %xs: memref<1x8x72xf32, 3>) kernel {
    %c = arith.constant 0 : index
    ks.copy_activations <1, 16, 12, 4> %x[%c, %c, %c, %c] to %xs[%c]
      depth 16 slab 4 rows 8 width 64 threads 32 : memref<?x48xf16, strided<[?, 1], offset: ?>> to memref<1x8x72xf32, 3>
    gpu.return
  }

  // Columns j contiguous: a lane's piece is a run of 2 k with their 4 columns.
  // CHECK-LABEL: gpu.func @multiply(
  //       CHECK:   vector.load %arg1[{{.*}}] {alignment = 16 : i64} : memref<1x1x4x1x32x8xf16, 3>, vector<8xf16>
  // CHECK-COUNT-2: vector.load %arg0[{{.*}}] {alignment = 16 : i64} : memref<1x8x72xf16, 3>, vector<8xf16>
  // CHECK-COUNT-4: nvvm.mma.sync A[{{.*}}] B[{{.*}}] C[{{.*}}] {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, shape = #nvvm.shape<m = 16, n = 8, k = 16>}
  //   CHECK-NOT:   nvvm.mma.sync
  gpu.func @multiply(%xs: memref<1x8x72xf16, 3>, %ws: memref<1x1x4x1x32x8xf16, 3>, %out: memref<64xf32>) kernel {
    %c = arith.constant 0 : index
    %acc = arith.constant dense<0.0> : vector<4x1x1x4xf32>
    %w = ks.load_weights %ws[%c, %c, %c, %c] : memref<1x1x4x1x32x8xf16, 3> to vector<4x1x8xf16>
    %a = ks.load_activations <mma16, run_k = 2, run_n = 2> %xs[%c, %c, %c] slab 4 : memref<1x8x72xf16, 3> to vector<4x1x4xf16>
    %s = ks.warp_mma <mma16, run_k = 2, run_n = 2> %w, %a, %acc : vector<4x1x8xf16>, vector<4x1x4xf16> to vector<4x1x1x4xf32>
    %e = vector.extract %s[0, 0, 0] : vector<4xf32> from vector<4x1x1x4xf32>
    vector.store %e, %out[%c] : memref<64xf32>, vector<4xf32>
    gpu.return
  }

  // Loops carry the elements of an accumulator, and whatever else they did.
  // CHECK-LABEL: gpu.func @carry(
  //       CHECK:   %[[LOOP:.*]]:5 = scf.for {{.*}} iter_args(%[[A:.*]] = %[[ZERO:.*]], %[[B:.*]] = %[[ZERO]], %[[C:.*]] = %[[ZERO]], %[[D:.*]] = %[[ZERO]], {{.*}}) -> (f32, f32, f32, f32, index)
  //       CHECK:     nvvm.mma.sync A[{{.*}}] B[{{.*}}] C[%[[A]], %[[B]], %[[C]], %[[D]]]
  //       CHECK:     scf.yield {{.*}} : f32, f32, f32, f32, index
  //       CHECK:   %[[SUM:.*]] = vector.from_elements %[[LOOP]]#0, %[[LOOP]]#1, %[[LOOP]]#2, %[[LOOP]]#3 : vector<4xf32>
  //       CHECK:   arith.truncf %[[SUM]] : vector<4xf32> to vector<4xf16>
  //   CHECK-NOT:   builtin.unrealized_conversion_cast
  //       CHECK:   gpu.return
  gpu.func @carry(%xs: memref<1x8x24xf16, 3>, %ws: memref<1x1x1x1x32x8xf16, 3>, %y: memref<?x16xf16>) kernel {
    %c = arith.constant 0 : index
    %one = arith.constant 1 : index
    %four = arith.constant 4 : index
    %zero = arith.constant dense<0.0> : vector<1x1x1x4xf32>
    %sum:2 = scf.for %i = %c to %four step %one iter_args(%acc = %zero, %stage = %c) -> (vector<1x1x1x4xf32>, index) {
      %w = ks.load_weights %ws[%c, %c, %c, %c] : memref<1x1x1x1x32x8xf16, 3> to vector<1x1x8xf16>
      %a = ks.load_activations <mma16, run_k = 1, run_n = 1> %xs[%stage, %c, %c] slab 1 : memref<1x8x24xf16, 3> to vector<1x1x4xf16>
      %s = ks.warp_mma <mma16, run_k = 1, run_n = 1> %w, %a, %acc : vector<1x1x8xf16>, vector<1x1x4xf16> to vector<1x1x1x4xf32>
      scf.yield %s, %stage : vector<1x1x1x4xf32>, index
    }
    %rounded = arith.truncf %sum#0 : vector<1x1x1x4xf32> to vector<1x1x1x4xf16>
    ks.store_fragment <1, 16, 16, 1> <mma16, run_k = 1, run_n = 1> %rounded, %y[%c, %c, %c, %c]
      : vector<1x1x1x4xf16> to memref<?x16xf16>
    gpu.return
  }

  // For ops that know nothing of fragments they are put together again.
  // CHECK-LABEL: gpu.func @foreign(
  //       CHECK:   %[[WHOLE:.*]] = vector.insert {{.*}} [0, 0, 0] : vector<4xf32> into vector<1x1x1x4xf32>
  //       CHECK:   arith.negf %[[WHOLE]]
  //   CHECK-NOT:   builtin.unrealized_conversion_cast
  //       CHECK:   gpu.return
  gpu.func @foreign(%xs: memref<1x8x24xf16, 3>, %ws: memref<1x1x1x1x32x8xf16, 3>, %out: memref<1xvector<1x1x1x4xf32>>) kernel {
    %c = arith.constant 0 : index
    %zero = arith.constant dense<0.0> : vector<1x1x1x4xf32>
    %w = ks.load_weights %ws[%c, %c, %c, %c] : memref<1x1x1x1x32x8xf16, 3> to vector<1x1x8xf16>
    %a = ks.load_activations <mma16, run_k = 1, run_n = 1> %xs[%c, %c, %c] slab 1 : memref<1x8x24xf16, 3> to vector<1x1x4xf16>
    %s = ks.warp_mma <mma16, run_k = 1, run_n = 1> %w, %a, %zero : vector<1x1x8xf16>, vector<1x1x4xf16> to vector<1x1x1x4xf32>
    %n = arith.negf %s : vector<1x1x1x4xf32>
    memref.store %n, %out[%c] : memref<1xvector<1x1x1x4xf32>>
    gpu.return
  }

  // tf32: activations are rounded, weights were; two of m16n8k8.
  // CHECK-LABEL: gpu.func @tf32(
  // CHECK-COUNT-4: nvvm.convert.float.to.tf32
  // CHECK-COUNT-2: nvvm.mma.sync {{.*}} multiplicandAPtxType = #nvvm.mma_type<tf32>, {{.*}} shape = #nvvm.shape<m = 16, n = 8, k = 8>
  gpu.func @tf32(%w: vector<1x1x8xf32>, %x: vector<1x1x4xf32>, %acc: vector<1x1x1x4xf32>, %out: memref<64xf32>) {
    %c = arith.constant 0 : index
    %s = ks.warp_mma <mma8, run_k = 1, run_n = 1> %w, %x, %acc : vector<1x1x8xf32>, vector<1x1x4xf32> to vector<1x1x1x4xf32>
    %e = vector.extract %s[0, 0, 0] : vector<4xf32> from vector<1x1x1x4xf32>
    vector.store %e, %out[%c] : memref<64xf32>, vector<4xf32>
    gpu.return
  }

  // f32 as three bf16: six of m16n8k16. Sums of high products begin anew.
  // CHECK-LABEL: gpu.func @split(
  // CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.ff2bf16x2.rz"
  // CHECK-COUNT-4: llvm.call_intrinsic "llvm.nvvm.prmt"
  //       CHECK:   %[[HIGH:.*]] = nvvm.mma.sync A[{{.*}}] B[{{.*}}] C[%cst{{.*}}] {{.*}} multiplicandAPtxType = #nvvm.mma_type<bf16>, {{.*}} shape = #nvvm.shape<m = 16, n = 8, k = 16>
  // CHECK-COUNT-5: nvvm.mma.sync
  //   CHECK-NOT:   nvvm.mma.sync
  //       CHECK:   arith.addf %{{.*}}, %{{.*}} : f32
  //       CHECK:   arith.cmpf olt
  //       CHECK:   arith.select
  gpu.func @split(%w: vector<1x1x24xbf16>, %x: vector<1x1x4xf32>, %acc: vector<1x1x1x8xf32>, %out: memref<64xf32>) {
    %c = arith.constant 0 : index
    %s = ks.warp_mma <mma16_split, run_k = 1, run_n = 1> %w, %x, %acc : vector<1x1x24xbf16>, vector<1x1x4xf32> to vector<1x1x1x8xf32>
    %y = ks.join_parts %s : vector<1x1x1x8xf32> to vector<1x1x1x4xf32>
    %e = vector.extract %y[0, 0, 0] : vector<4xf32> from vector<1x1x1x4xf32>
    vector.store %e, %out[%c] : memref<64xf32>, vector<4xf32>
    gpu.return
  }

  // Complex numbers: four FMAs for each of four k.
  // CHECK-LABEL: gpu.func @complex(
  // CHECK-COUNT-16: llvm.intr.fma
  //   CHECK-NOT:   llvm.intr.fma
  gpu.func @complex(%w: vector<1x1x8xf64>, %x: vector<1x1x8xf64>, %acc: vector<1x1x1x2xf64>, %out: memref<64xf64>) {
    %c = arith.constant 0 : index
    %s = ks.warp_mma <fma, run_k = 1, run_n = 1> %w, %x, %acc : vector<1x1x8xf64>, vector<1x1x8xf64> to vector<1x1x1x2xf64>
    %e = vector.extract %s[0, 0, 0] : vector<2xf64> from vector<1x1x1x2xf64>
    vector.store %e, %out[%c] : memref<64xf64>, vector<2xf64>
    gpu.return
  }

  // 16 bytes where all is inside and aligned: two n with their four columns.
  // CHECK-LABEL: gpu.func @store(
  //       CHECK:   scf.if
  // CHECK-COUNT-2:   nvvm.inline_ptx "st.global.v4.b32 {{.*}}, predicate =
  //       CHECK:   } else {
  // CHECK-COUNT-16:  nvvm.inline_ptx "st.global.b16 {{.*}}, predicate =
  gpu.func @store(%v: vector<4x1x1x4xf16>, %y: memref<?x64xf16>) kernel {
    %c = arith.constant 0 : index
    ks.store_fragment <1, 16, 16, 4> <mma16, run_k = 2, run_n = 2> %v, %y[%c, %c, %c, %c]
      : vector<4x1x1x4xf16> to memref<?x64xf16>
    gpu.return
  }
}
