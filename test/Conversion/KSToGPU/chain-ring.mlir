// Chains whose operands come through a ring: the plan is written by hand, the kernel is
// read.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize --cse | FileCheck %s

// A block takes eight entries through one of two slices, which has two of the four
// columns j. Three stages: two groups and their input twice, then all of the second
// factor.

//   CHECK-DAG: #[[GRID:.*]] = affine_map<()[s0] -> ((s0 ceildiv 8) * 2)>
// CHECK-LABEL: func.func @ring(
//       CHECK:   gpu.launch_func @ks_kernels::@ring_0 blocks in ({{.*}}) threads in (%c64, %c1, %c1) dynamic_shared_memory_size %c7040_i32
//       CHECK:   gpu.func @ring_0(%[[X:.*]]: memref<?x64xf16, {{.*}}>, %[[W0:.*]]: memref<2048xf16>, %[[W1:.*]]: memref<1024xf16>,
//       CHECK:     %[[WARP:.*]] = arith.divui %{{.*}}, %c32
//       CHECK:     %[[BLOCK:.*]] = gpu.block_id x
//       CHECK:     %[[SLICE:.*]] = arith.remui %[[BLOCK]], %c2
//       CHECK:     %[[TILE:.*]] = arith.divui %[[BLOCK]], %c2
//       CHECK:     %[[M:.*]] = arith.muli %[[TILE]], %c8
//       CHECK:     %[[H:.*]] = memref.view %{{.*}}[%c6144][] : {{.*}} to memref<1x8x40xf16, #gpu.address_space<workgroup>>

// All but one stage are filled. A part of the first factor's rows n is that of the slice.
//       CHECK:     scf.for %[[STAGE:.*]] = %c0 to %c2 step %c1 {
//       CHECK:       %[[IS_FIRST:.*]] = arith.cmpi slt, %[[STAGE]], %c2
//       CHECK:       scf.if %[[IS_FIRST]] {
//       CHECK:         %[[I:.*]] = arith.muli %[[STAGE]], %c2
//       CHECK:         %[[PLACE:.*]] = arith.remui %[[STAGE]], %c3
//       CHECK:         %[[BYTES:.*]] = arith.muli %[[PLACE]], %c2048
//       CHECK:         %[[WEIGHTS:.*]] = arith.addi %[[BYTES]], %c1024
//       CHECK:         %[[INPUT:.*]] = memref.view %{{.*}}[%[[BYTES]]][] : {{.*}} to memref<2x8x24xf16,
//       CHECK:         ks.copy_activations <4, 16, 16, 1> %[[X]][%[[M]], %{{.*}}, %c0, %c0] to %[[INPUT]]
//       CHECK:         memref.view %{{.*}}[%[[WEIGHTS]]][] : {{.*}} to memref<2x256xf16,
//       CHECK:         %[[GROUP:.*]] = arith.muli %{{.*}}, %c2
//       CHECK:         %[[PART:.*]] = arith.addi %[[GROUP]], %[[SLICE]]
//       CHECK:         %[[ELEMENT:.*]] = arith.muli %[[PART]], %c256
//       CHECK:         ks.copy_weights %[[W0]][%[[ELEMENT]]]
//       CHECK:       } else {
//       CHECK:         ks.copy_weights %[[W1]]
//       CHECK:       nvvm.cp.async.commit.group

// While a stage is multiplied the one after the next is under way.
//       CHECK:     scf.for %[[STAGE:.*]] = %c0 to %c2 step %c1 {
//       CHECK:       nvvm.cp.async.wait.group 1
//  CHECK-NEXT:       gpu.barrier
//       CHECK:       %[[LATER:.*]] = arith.addi %[[STAGE]], %c2
//       CHECK:       arith.cmpi slt, %[[LATER]], %c2
//       CHECK:       ks.copy_weights %[[W0]]
//       CHECK:       ks.copy_weights %[[W1]]
//       CHECK:       nvvm.cp.async.commit.group
//       CHECK:       ks.load_weights
//       CHECK:       ks.load_activations
//       CHECK:       ks.warp_mma
//       CHECK:       ks.store_intermediate <4, 8, 16, 1> {{.*}}, %[[H]][
//  CHECK-SAME:         as <a = 1, c = 16, d = 2, blocks = 1, depth = 16, slab = 2, rows = 8, pitch = 40>

// The second factor: its results are columns 2 slice + j of four.
//       CHECK:     nvvm.cp.async.wait.group 1
//  CHECK-NEXT:     gpu.barrier
//   CHECK-NOT:     ks.copy
//       CHECK:     ks.load_activations {{.*}} %[[H]][
//       CHECK:     ks.warp_mma
//       CHECK:     ks.store_fragment <1, 16, 16, 4>
func.func @ring(%x: memref<?x64xf16, strided<[?, 1], offset: ?>>, %k0: memref<2048xf16>, %k1: memref<1024xf16>,
                %y: memref<?x64xf16, strided<[?, 1], offset: ?>>) {
  ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]
    ins(%x, %k0, %k1 : memref<?x64xf16, strided<[?, 1], offset: ?>>, memref<2048xf16>, memref<1024xf16>)
    outs(%y : memref<?x64xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_chain_plan<entries = 8, slices = 2, warps = 2, stages = 3, factors = [
      <entries = 8, vector = 1, groups = 2, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 16, j = 1, parts = 2, run = 2>>,
      <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]>
  return
}

// k in chunks of 16, of an intermediate that is there as a whole: the second chunk begins
// one step later. One warp of four has nothing to do, and stores nothing.

// CHECK-LABEL: gpu.func @chunks_0(
//       CHECK:   ks.store_intermediate
//       CHECK:   scf.for %[[CHUNK:.*]] = %c0 to %c3 step %c1 iter_args(
//       CHECK:     ks.load_weights %{{.*}}[%{{.*}}, %c0, %c0, %c0]
//       CHECK:     %[[K:.*]] = arith.muli %{{.*}}, %c16
//       CHECK:     ks.load_activations {{.*}}[%{{.*}}, %{{.*}}, %[[K]]]
//       CHECK:     ks.warp_mma
//       CHECK:     scf.yield
//       CHECK:   scf.if %{{.*}} {
//       CHECK:     ks.store_fragment
func.func @chunks(%x: memref<?x48xf16, strided<[?, 1], offset: ?>>, %k0: memref<2304xf16>, %k1: memref<2304xf16>,
                  %y: memref<?x48xf16, strided<[?, 1], offset: ?>>) {
  ks.chain [<1, 48, 48, 1>, <1, 48, 48, 1>]
    ins(%x, %k0, %k1 : memref<?x48xf16, strided<[?, 1], offset: ?>>, memref<2304xf16>, memref<2304xf16>)
    outs(%y : memref<?x48xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_chain_plan<entries = 8, warps = 4, stages = 2, factors = [
      <entries = 8, vector = 1, blocks_n = 3, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 48, j = 1>>,
      <entries = 8, vector = 1, blocks_n = 3, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 16, j = 1>>]>
  return
}
