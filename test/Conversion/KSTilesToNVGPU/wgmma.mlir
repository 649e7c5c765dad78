// Tile ops of four warps as wgmma.

// RUN: ks-opt %s --pass-pipeline="builtin.module(gpu.module(convert-ks-tiles-to-nvgpu,cse))" | FileCheck %s

gpu.module @kernels {
  // 32 k are two steps, of two tiles each. Weights are in core matrices, activations
  // in rows of 64 k, swizzled by 128 bytes.
  // CHECK-LABEL: gpu.func @first(
  //   CHECK-DAG:   arith.constant 34363932672 : i64
  //   CHECK-DAG:   arith.constant 4611686293305360384 : i64
  //       CHECK:   nvvm.wgmma.fence.aligned
  // CHECK-COUNT-4: nvvm.wgmma.mma_async {{.*}} <m = 64, n = 16, k = 16>, D[<f32>, <one>], A[<f16>, <one>, <row>], B[<f16>, <one>, <col>]
  //   CHECK-NOT:   nvvm.wgmma.mma_async
  //       CHECK:   nvvm.wgmma.commit.group.sync.aligned
  //       CHECK:   nvvm.wgmma.wait.group.sync.aligned 1
  gpu.func @first(%w: memref<1x2x1x8x32x8xf16, 3>, %x: memref<2x1x16x64xf16, 3>, %acc: vector<1x2x2x4xf32>, %out: memref<4xf32>) kernel {
    %c = arith.constant 0 : index
    %s = ks.warpgroup_mma %w[%c], %x[%c, %c], %acc : memref<1x2x1x8x32x8xf16, 3>, memref<2x1x16x64xf16, 3> to vector<1x2x2x4xf32>
    %e = vector.extract %s[0, 0, 0] : vector<4xf32> from vector<1x2x2x4xf32>
    vector.store %e, %out[%c] : memref<4xf32>, vector<4xf32>
    gpu.return
  }

  // Batch-last, entries of the batch are contiguous: B is transposed.
  // CHECK-LABEL: gpu.func @last(
  //       CHECK:   nvvm.wgmma.mma_async {{.*}} <m = 64, n = 64, k = 16>, {{.*}}, B[<bf16>, <one>, <row>]
  gpu.func @last(%w: memref<1x1x1x4x32x8xbf16, 3>, %x: memref<2x1x16x64xbf16, 3>, %acc: vector<1x1x8x4xf32>, %out: memref<4xf32>) kernel {
    %c = arith.constant 0 : index
    %s = ks.warpgroup_mma %w[%c], %x[%c, %c], %acc layout batch_last : memref<1x1x1x4x32x8xbf16, 3>, memref<2x1x16x64xbf16, 3> to vector<1x1x8x4xf32>
    %e = vector.extract %s[0, 0, 0] : vector<4xf32> from vector<1x1x8x4xf32>
    vector.store %e, %out[%c] : memref<4xf32>, vector<4xf32>
    gpu.return
  }

  // Two columns, of 32 n each: activations are this lane's, weights core matrices.
  // CHECK-LABEL: gpu.func @registers(
  //       CHECK:   nvvm.wgmma.fence.aligned
  // CHECK-COUNT-2: wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16
  //   CHECK-NOT:   wgmma.mma_async
  //       CHECK:   nvvm.wgmma.commit.group.sync.aligned
  //       CHECK:   nvvm.wgmma.wait.group.sync.aligned 1
  gpu.func @registers(%w: memref<1x1x2x4x32x4xf16, 3>, %a: vector<2x2x4xf16>, %acc: vector<2x4x2x2xf32>, %out: memref<2xf32>) kernel {
    %c = arith.constant 0 : index
    %s = ks.warpgroup_mma_registers pending %w[%c, %c, %c, %c], %a, %acc : memref<1x1x2x4x32x4xf16, 3>, vector<2x2x4xf16> to vector<2x4x2x2xf32>
    %e = vector.extract %s[0, 0, 0] : vector<2xf32> from vector<2x4x2x2xf32>
    vector.store %e, %out[%c] : memref<2xf32>, vector<2xf32>
    gpu.return
  }

  // Two planes of 64 k, of which rows are swizzled by 128 bytes: both operands are in
  // shared memory. The next column's plane is 8 KiB further on.
  // CHECK-LABEL: gpu.func @planes(
  //   CHECK-DAG:   %[[W:.*]] = arith.constant 68720001024 : i64
  //   CHECK-DAG:   %[[WD:.*]] = arith.ori %{{.*}}, %[[W]] : i64
  //   CHECK-DAG:   %[[X:.*]] = arith.constant 4611686293305360384 : i64
  //   CHECK-DAG:   %[[XD:.*]] = arith.ori %{{.*}}, %[[X]] : i64
  //       CHECK:   nvvm.wgmma.fence.aligned
  //       CHECK:   nvvm.wgmma.mma_async %[[XD]], %[[WD]], {{.*}} <m = 64, n = 32, k = 16>, D[<f32>, <one>], A[<f16>, <one>, <row>], B[<f16>, <one>, <col>]
  //       CHECK:   %[[PLANE:.*]] = arith.constant 512 : i64
  // CHECK-COUNT-3: nvvm.wgmma.mma_async
  //       CHECK:   %[[NEXT:.*]] = arith.addi %[[XD]], %[[PLANE]] : i64
  //       CHECK:   nvvm.wgmma.mma_async %[[NEXT]],
  // CHECK-COUNT-3: nvvm.wgmma.mma_async
  //   CHECK-NOT:   nvvm.wgmma.mma_async
  //       CHECK:   nvvm.wgmma.commit.group.sync.aligned
  //       CHECK:   nvvm.wgmma.wait.group.sync.aligned 1
  gpu.func @planes(%w: memref<2x4x8x4x16x8xf16, 3>, %x: memref<2x1x512x64xf16, 3>, %acc: vector<2x4x2x2xf32>, %out: memref<2xf32>) kernel {
    %c = arith.constant 0 : index
    %s = ks.warpgroup_mma_planes %w[%c, %c, %c], %x[%c, %c, %c] of 64, %acc : memref<2x4x8x4x16x8xf16, 3>, memref<2x1x512x64xf16, 3> to vector<2x4x2x2xf32>
    %e = vector.extract %s[0, 0, 0] : vector<2xf32> from vector<2x4x2x2xf32>
    vector.store %e, %out[%c] : memref<2xf32>, vector<2xf32>
    gpu.return
  }

  // What uses the registers stays behind the wait.
  // CHECK-LABEL: gpu.func @wait(
  //       CHECK:   nvvm.wgmma.wait.group.sync.aligned 0
  //       CHECK:   llvm.inline_asm has_side_effects "", "=f,=f,=f,=f,0,1,2,3"
  gpu.func @wait(%acc: vector<1x1x1x4xf32>, %out: memref<4xf32>) kernel {
    %c = arith.constant 0 : index
    %s = ks.warpgroup_wait %acc : vector<1x1x1x4xf32>
    %e = vector.extract %s[0, 0, 0] : vector<4xf32> from vector<1x1x1x4xf32>
    vector.store %e, %out[%c] : memref<4xf32>, vector<4xf32>
    gpu.return
  }

  // 8 tiles of 4 numbers are 16 registers: four matrices of 4 by 4, each of which is
  // transposed by four exchanges.
  // CHECK-LABEL: gpu.func @exchange(
  // CHECK-COUNT-16: nvvm.shfl.sync bfly
  //   CHECK-NOT:   nvvm.shfl.sync
  gpu.func @exchange(%v: vector<1x1x8x4xf16>, %out: memref<4xf16>) kernel {
    %c = arith.constant 0 : index
    %s = ks.exchange_entries %v : vector<1x1x8x4xf16> to vector<8x1x1x4xf16>
    %e = vector.extract %s[0, 0, 0] : vector<4xf16> from vector<8x1x1x4xf16>
    vector.store %e, %out[%c] : memref<4xf16>, vector<4xf16>
    gpu.return
  }
}
