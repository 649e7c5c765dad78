// Kernels that may be launched while earlier ones are running: nothing in global
// memory is read or written before they wait; then the next kernel may begin.

// RUN: ks-opt %s --convert-ks-to-gpu=overlap-launches --canonicalize | FileCheck %s
// RUN: ks-opt %s --convert-ks-to-gpu --canonicalize | FileCheck %s --check-prefix=OFF

// OFF-NOT: griddepcontrol

func.func @bulk(%x: memref<?x512xf16, strided<[?, 1], offset: ?>>, %p: memref<8192xf16>,
                %y: memref<?x128xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 16, 64, 4> ins(%x, %p : memref<?x512xf16, strided<[?, 1], offset: ?>>, memref<8192xf16>)
    outs(%y : memref<?x128xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 4, warps = [2, 1, 1], stages = 3, copies = bulk, weights = resident, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 16, j = 4>>
  return
}

func.func @cp_async(%x: memref<?x512xf16, strided<[?, 1], offset: ?>>, %p: memref<8192xf16>,
                    %y: memref<?x128xf16, strided<[?, 1], offset: ?>>) {
  ks.matmul <2, 16, 64, 4> ins(%x, %p : memref<?x512xf16, strided<[?, 1], offset: ?>>, memref<8192xf16>)
    outs(%y : memref<?x128xf16, strided<[?, 1], offset: ?>>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 4, warps = [2, 1, 1], stages = 3, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 16, j = 4>>
  return
}

// What packs is no product, and is not followed by another in a hurry.

func.func @pack(%k: memref<2x16x64x4xf16, strided<[?, ?, ?, 1], offset: ?>>, %p: memref<8192xf16>) {
  ks.pack_weights <2, 16, 64, 4> into #ks.gpu_packing<fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 16, j = 4>
    ins(%k : memref<2x16x64x4xf16, strided<[?, ?, ?, 1], offset: ?>>) outs(%p : memref<8192xf16>)
  return
}

// CHECK-LABEL: gpu.func @bulk_0(
//       CHECK:   nvgpu.mbarrier.init
//   CHECK-NOT:   ks.bulk_copy
//       CHECK:   nvvm.griddepcontrol wait
//  CHECK-NEXT:   nvvm.griddepcontrol launch_dependents
//       CHECK:   ks.bulk_copy_weights
// CHECK-LABEL: gpu.func @cp_async_0(
//   CHECK-NOT:   ks.copy
//       CHECK:   nvvm.griddepcontrol wait
//  CHECK-NEXT:   nvvm.griddepcontrol launch_dependents
//       CHECK:   ks.copy_activations
// CHECK-LABEL: gpu.func @pack_0(
//   CHECK-NOT:   griddepcontrol
