// Copies by the copy engine, and loads of what they bring.

// RUN: ks-opt %s --pass-pipeline="builtin.module(gpu.module(convert-ks-tiles-to-nvgpu,cse))" | FileCheck %s

!barriers = !nvgpu.mbarrier.group<memorySpace = #gpu.address_space<workgroup>, num_barriers = 5>

gpu.module @kernels {
  // Two atoms of 4 k are two boxes of the map, which the first lane asks for;
  // where pointer or pitch do not allow it, lanes copy elements, zero outside of
  // the pattern and the batch, and the barrier has nothing to expect.
  // CHECK-LABEL: gpu.func @activations(
  //       CHECK:   %[[ALIGNED:.*]] = arith.cmpi eq
  //       CHECK:   scf.if %[[ALIGNED]] {
  //       CHECK:     %[[FIRST:.*]] = arith.cmpi slt, %{{.*}}, %c1
  //       CHECK:     scf.if %[[FIRST]] {
  // CHECK-COUNT-2:     nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %arg0, %{{.*}}, box[%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}]
  //       CHECK:   } else {
  //       CHECK:     scf.for
  //       CHECK:       scf.if
  //       CHECK:         memref.load %arg1
  //       CHECK:       memref.store {{.*}}, %arg2
  //       CHECK:     nvvm.bar.warp.sync
  //       CHECK:   %[[BYTES:.*]] = arith.select %[[ALIGNED]], %c2048, %c0
  //       CHECK:   nvgpu.mbarrier.arrive.expect_tx %{{.*}}, %[[BYTES]]
  gpu.func @activations(%map: !llvm.ptr, %x: memref<?x1024xf16, strided<[?, 1], offset: ?>>,
                        %xs: memref<2x2x8x64xf16, 3>) kernel {
    %c = arith.constant 0 : index
    %barriers = nvgpu.mbarrier.create -> !barriers
    %bytes = ks.bulk_copy_activations <1, 16, 32, 32> %map, %x[%c, %c, %c, %c] to %xs[%c] signal %barriers[%c]
      depth 4 slab 16 flat false swizzle 32
      : !llvm.ptr, memref<?x1024xf16, strided<[?, 1], offset: ?>> to memref<2x2x8x64xf16, 3>, !barriers
    nvgpu.mbarrier.arrive.expect_tx %barriers[%c], %bytes : !barriers
    gpu.return
  }

  // Of a cluster of two, each block copies four of the entries, to both.
  // CHECK-LABEL: gpu.func @cluster(
  //       CHECK:   %[[RANK:.*]] = arith.remui %block_id_x, %c2
  //       CHECK:   arith.muli %[[RANK]], %c4
  //       CHECK:   %[[BOTH:.*]] = arith.constant 3 : i16
  // CHECK-COUNT-2: nvvm.cp.async.bulk.tensor.shared.cluster.global {{.*}} multicast_mask = %[[BOTH]]
  //       CHECK:   %[[BARRIER:.*]] = nvvm.mapa %{{.*}}, %{{.*}} : !llvm.ptr<3> -> !llvm.ptr<7>
  //       CHECK:   nvvm.mbarrier.arrive %[[BARRIER]] : !llvm.ptr<7>
  gpu.func @cluster(%map: !llvm.ptr, %x: memref<?x1024xf16, strided<[?, 1], offset: ?>>,
                    %xs: memref<2x2x8x64xf16, 3>, %rank: index) kernel {
    %c = arith.constant 0 : index
    %barriers = nvgpu.mbarrier.create -> !barriers
    %bytes = ks.bulk_copy_activations <1, 16, 32, 32> %map, %x[%c, %c, %c, %c] to %xs[%c] signal %barriers[%c]
      depth 4 slab 16 flat false swizzle 32 cluster 2
      : !llvm.ptr, memref<?x1024xf16, strided<[?, 1], offset: ?>> to memref<2x2x8x64xf16, 3>, !barriers
    nvgpu.mbarrier.arrive.expect_tx %barriers[%c], %bytes : !barriers
    ks.arrive_in_cluster %barriers[%c] of %rank : !barriers
    gpu.return
  }

  // CHECK-LABEL: gpu.func @weights(
  //   CHECK-DAG:   %[[BYTES:.*]] = arith.constant 512 : i32
  //       CHECK:   nvvm.cp.async.bulk.shared.cluster.global %{{.*}}, %{{.*}}, %{{.*}}, %[[BYTES]]
  gpu.func @weights(%p: memref<256xf16>, %ws: memref<1x1x1x1x32x8xf16, 3>) kernel {
    %c = arith.constant 0 : index
    %barriers = nvgpu.mbarrier.create -> !barriers
    ks.bulk_copy_weights %p[%c] to %ws[%c] signal %barriers[%c] : memref<256xf16> to memref<1x1x1x1x32x8xf16, 3>, !barriers
    gpu.return
  }

  // Rows of a box are 128 bytes: those of odd entries have their halves of 16
  // bytes exchanged.
  // CHECK-LABEL: gpu.func @load(
  //       CHECK:   %[[ABOVE:.*]] = arith.divui %[[OFFSET:.*]], %c128
  //       CHECK:   %[[ODD:.*]] = arith.remui %[[ABOVE]], %c2
  //       CHECK:   %[[PIECE:.*]] = arith.muli %[[ODD]], %c16
  //       CHECK:   arith.xori %[[OFFSET]], %[[PIECE]]
  // CHECK-COUNT-4: vector.load %arg0[{{.*}}] {alignment = 16 : i64} : memref<2x4x8x64xf16, 3>, vector<8xf16>
  //   CHECK-NOT:   vector.load
  gpu.func @load(%xs: memref<2x4x8x64xf16, 3>, %column: index, %out: memref<64xf16>) kernel {
    %c = arith.constant 0 : index
    %a = ks.load_atoms <mma16, run_k = 1, run_n = 1> %xs[%c, %c, %c, %column] slab 16 swizzle 32 : memref<2x4x8x64xf16, 3> to vector<8x1x4xf16>
    %e = vector.extract %a[0, 0] : vector<4xf16> from vector<8x1x4xf16>
    vector.store %e, %out[%c] : memref<64xf16>, vector<4xf16>
    gpu.return
  }
}
