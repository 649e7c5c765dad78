// ks.merge_weights as a kernel of one thread per element of the result.

// RUN: ks-opt %s --convert-ks-to-gpu --split-input-file | FileCheck %s

// 8 elements: one block of 256. Four products for each; the sum is in f32.

// CHECK-LABEL: func.func @product(
//       CHECK:   gpu.launch_func @ks_kernels::@product_0 blocks in (%c1{{.*}}) threads in (%c256
//       CHECK: gpu.func @product_0(%[[K2:.*]]: memref<1x4x2x1xf16>, %[[K1:.*]]: memref<1x4x4x1xf16>, %[[K:.*]]: memref<1x4x2x1xf16>) kernel
//       CHECK:   %[[IN:.*]] = arith.cmpi slt, %{{.*}}, %c8
//       CHECK:   scf.if %[[IN]] {
//       CHECK:     %[[SUM:.*]] = scf.for %[[T:.*]] = %c0{{.*}} to %c4{{.*}} step %c1{{.*}} iter_args(%[[ACC:.*]] = %{{.*}}) -> (f32) {
//       CHECK:       %[[X:.*]] = memref.load %[[K1]][
//       CHECK:       %[[Y:.*]] = memref.load %[[K2]][
//       CHECK:       arith.extf %[[X]]
//       CHECK:       arith.extf %[[Y]]
//       CHECK:       arith.mulf
//       CHECK:       arith.addf %[[ACC]],
//   CHECK-NOT:       arith.select
//       CHECK:     }
//       CHECK:     %[[R:.*]] = arith.truncf %[[SUM]] : f32 to f16
//       CHECK:     memref.store %[[R]], %[[K]]
func.func @product(%k2: memref<1x4x2x1xf16>, %k1: memref<1x4x4x1xf16>, %k: memref<1x4x2x1xf16>) {
  ks.merge_weights <1, 4, 2, 1>, <1, 4, 4, 1> into <1, 4, 2, 1>
    ins(%k2, %k1 : memref<1x4x2x1xf16>, memref<1x4x4x1xf16>) outs(%k : memref<1x4x2x1xf16>)
  return
}

// -----

// The dense matrix: a term counts where both factors have an element.

// CHECK-LABEL: func.func @dense(
//       CHECK: gpu.func @dense_0
//       CHECK:   scf.for {{.*}} to %c2{{.*}} -> (complex<f32>)
//       CHECK:     %[[SUM:.*]] = complex.add
//       CHECK:     arith.select %{{.*}}, %[[SUM]], %{{.*}} : complex<f32>
func.func @dense(%k2: memref<1x2x2x1xcomplex<f32>>, %k1: memref<2x2x2x1xcomplex<f32>>, %k: memref<1x4x4x1xcomplex<f32>>) {
  ks.merge_weights <1, 2, 2, 2>, <2, 2, 2, 1> into <1, 4, 4, 1>
    ins(%k2, %k1 : memref<1x2x2x1xcomplex<f32>>, memref<2x2x2x1xcomplex<f32>>) outs(%k : memref<1x4x4x1xcomplex<f32>>)
  return
}
