// Rows that begin anywhere: they keep in shared memory the distance from a multiple of
// 16 bytes that they have in memory, activations as well as results. All 67 columns are
// one slab, of 5 warps with 14 each, the last of which begins at column 53.

// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize --cse | FileCheck %s

// CHECK-LABEL: gpu.func @odd_0(
//  CHECK-SAME:   %[[X:.*]]: memref<?x1474xf16, {{.*}}>, %{{.*}}: memref<34304xf16>, %[[Y:.*]]: memref<?x1340xf16, {{.*}}>) kernel
//   CHECK-DAG:   %[[LAST:.*]] = arith.constant 53 : index
//       CHECK:   %[[J:.*]] = arith.minsi %{{.*}}, %[[LAST]]
//       CHECK:   %[[XS:.*]] = memref.view {{.*}} to memref<2x8x{{.*}}xf16, #gpu.address_space<workgroup>>
//       CHECK:   ks.copy_activations <2, 10, 11, 67> %[[X]][{{.*}}] to %[[XS]][{{.*}}] depth 16 slab 67 rows 8 width 1072 threads 160 shifted
//       CHECK:   scf.for %[[M:[a-z0-9]+]] =
//       CHECK:     ks.copy_activations {{.*}} shifted
//       CHECK:     %[[FIRST:.*]] = arith.muli %{{.*}}, %c737
//       CHECK:     ks.load_activations <mma16, run_k = 1, run_n = 1> %[[XS]][%{{.*}}, %{{.*}}, %[[J]]] slab 67 shifted[%[[FIRST]], %{{.*}}]
//       CHECK:     %[[YS:.*]] = memref.view {{.*}} to memref<8x1080xf16, #gpu.address_space<workgroup>>
//       CHECK:     ks.store_rows <2, 10, 11, 67> <mma16, run_k = 1, run_n = 1> %{{.*}}, %[[Y]][{{.*}}, %[[J]]] through %[[YS]] first[{{.*}}, %{{.*}}] rows 16 threads 160
func.func @odd(%x: memref<?x1474xf16, strided<[?, 1], offset: ?>>, %p: memref<34304xf16>,
               %y: memref<?x1340xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 10, 11, 67> ins(%x, %p : memref<?x1474xf16, strided<[?, 1], offset: ?>>, memref<34304xf16>)
    outs(%y : memref<?x1340xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 8, batch_blocks = 40, vector = 14, warps = [1, 1, 5], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 67>>
  return
}
