// Kernels whose ring the copy engine fills.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize | FileCheck %s

// A group is a row of k and j for the engine: what is behind it is zero.

// CHECK-LABEL: func.func @resident(
//  CHECK-SAME:   %[[X:.*]]: memref<?x512xf16
//       CHECK:   %[[MAP:.*]] = ks.tensor_map %[[X]] sizes [256, 2, -1] strides [256, -1] box [32, 1, 16] swizzle 0
//       CHECK:   gpu.launch_func @ks_kernels::@resident_0
//  CHECK-SAME:     %[[MAP]] : !llvm.ptr
func.func @resident(%x: memref<?x512xf16, strided<[?, 1], offset: ?>>, %p: memref<8192xf16>,
                    %y: memref<?x128xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 16, 64, 4> ins(%x, %p : memref<?x512xf16, strided<[?, 1], offset: ?>>, memref<8192xf16>)
    outs(%y : memref<?x128xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 4, warps = [2, 1, 1], stages = 3, copies = bulk, weights = resident, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 16, j = 4>>
  return
}

// Part of the columns: a box has a row of 16 j, 32 bytes, for each of 4 k, and is
// swizzled.

// CHECK-LABEL: func.func @streamed(
//       CHECK:   ks.tensor_map %{{.*}} sizes [32, 64, 1, 48] strides [32, 2048, -1] box [16, 4, 1, 8] swizzle 32
func.func @streamed(%x: memref<48x2048xf16, strided<[?, 1], offset: ?>>, %p: memref<32768xf16>,
                    %y: memref<48x512xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <1, 16, 64, 32> ins(%x, %p : memref<48x2048xf16, strided<[?, 1], offset: ?>>, memref<32768xf16>)
    outs(%y : memref<48x512xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 8, batch_blocks = 40, vector = 8, warps = [1, 1, 2], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 32, j = 16>>
  return
}

// The first warp fills the ring, then all go on from tile to tile.

// CHECK-LABEL: gpu.func @resident_0(
//  CHECK-SAME:   %[[X:[a-z0-9]+]]: memref<?x512xf16{{[^%]*}}%[[P:[a-z0-9]+]]: memref<8192xf16>, %{{.*}}, %[[MAP:[a-z0-9]+]]: !llvm.ptr)
//       CHECK:   %[[XS:.*]] = memref.view {{.*}} to memref<3x2x16x32xf16, #gpu.address_space<workgroup>>
//       CHECK:   %[[WS:.*]] = memref.view {{.*}} to memref<4x1x4x1x32x8xf16, #gpu.address_space<workgroup>>
//       CHECK:   %[[BARRIERS:.*]] = nvgpu.mbarrier.create -> <{{.*}}num_barriers = 6>
//       CHECK:   nvgpu.mbarrier.init %[[BARRIERS]][%c0], %c1
//       CHECK:   nvgpu.mbarrier.init %[[BARRIERS]][%c3], %c2
//       CHECK:   nvvm.fence.mbarrier.init
//       CHECK:   gpu.barrier
//       CHECK:   scf.for %[[STAGE:.*]] = %c0 to %c3
//       CHECK:     %[[BYTES:.*]] = ks.bulk_copy_activations <2, 16, 64, 4> %[[MAP]], %[[X]]{{.*}} to %[[XS]][%[[STAGE]]] signal %[[BARRIERS]][%[[STAGE]]] depth 8 slab 4 flat true swizzle 0

// Resident weights come with the chunks of the first tile.

//       CHECK:     scf.if
//       CHECK:     scf.if
//       CHECK:       ks.bulk_copy_weights %[[P]][%{{.*}}] to %[[WS]][%{{.*}}] signal %[[BARRIERS]][%[[STAGE]]]
//       CHECK:     %[[MORE:.*]] = arith.select %{{.*}}, %c2048, %c0
//       CHECK:     %[[ALL:.*]] = arith.addi %[[BYTES]], %[[MORE]]
//       CHECK:     nvgpu.mbarrier.arrive.expect_tx %[[BARRIERS]][%[[STAGE]]], %[[ALL]]

// A warp waits for a stage, says when it has read it, and the first one refills
// it when all have.

//       CHECK:   scf.for %[[M:.*]] = {{.*}} iter_args(%{{.*}} = %c0, %{{.*}} = %false)
//       CHECK:     scf.for %[[K:.*]] = %c0 to %c4 {{.*}}iter_args(%{{.*}}, %[[STAGE:.*]] = %{{.*}}, %[[PHASE:.*]] = %{{.*}})
//       CHECK:       nvgpu.mbarrier.try_wait.parity %[[BARRIERS]][%[[STAGE]]], %[[PHASE]]
//       CHECK:       ks.load_weights %[[WS]][%[[K]], %c0, %c0, %c0]
//       CHECK:       ks.load_atoms <mma16, run_k = 2, run_n = 2> %[[XS]][%[[STAGE]], %c0, %{{.*}}, %c0] slab 4 swizzle 0
//       CHECK:       ks.warp_mma
//       CHECK:       nvvm.bar.warp.sync
//       CHECK:       %[[EMPTY:.*]] = arith.addi %[[STAGE]], %c3
//       CHECK:       nvgpu.mbarrier.arrive %[[BARRIERS]][%[[EMPTY]]]
//       CHECK:       scf.if
//       CHECK:         nvgpu.mbarrier.try_wait.parity %[[BARRIERS]][%{{.*}}], %[[PHASE]]
//       CHECK:         ks.bulk_copy_activations
//       CHECK:       arith.xori %[[PHASE]]
//       CHECK:     ks.store_fragment

// CHECK-LABEL: gpu.func @streamed_0(
//       CHECK:   %[[BYTES:.*]] = ks.bulk_copy_activations {{.*}} depth 4 slab 16 flat false swizzle 32
//       CHECK:   ks.bulk_copy_weights
//       CHECK:   %[[ALL:.*]] = arith.addi %[[BYTES]], %c16384
//       CHECK:   nvgpu.mbarrier.arrive.expect_tx %{{.*}}, %[[ALL]]
