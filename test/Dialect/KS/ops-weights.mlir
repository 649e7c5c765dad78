// ks.pack_weights, ks.to_dense and ks.real_view, printed and parsed again.

// RUN: ks-opt %s | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | ks-opt | FileCheck %s
// RUN: ks-opt %s --emit-bytecode | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=GENERIC

// CHECK-LABEL: func.func @pack_weights(
//  CHECK-SAME:   %[[K:.*]]: tensor<6x64x64x1xf32>, %[[INIT:.*]]: tensor<24576xf32>
//       CHECK:   ks.pack_weights <6, 64, 64, 1> into #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>
//  CHECK-SAME:     ins(%[[K]] : tensor<6x64x64x1xf32>) outs(%[[INIT]] : tensor<24576xf32>) -> tensor<24576xf32>
// GENERIC-LABEL: sym_name = "pack_weights"
//       GENERIC:   "ks.pack_weights"(%{{.*}}, %{{.*}}) <{packing = #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>, pattern = #ks.pattern<6, 64, 64, 1>}>
func.func @pack_weights(%k: tensor<6x64x64x1xf32>, %init: tensor<24576xf32>)
    -> tensor<24576xf32> {
  %p = ks.pack_weights <6, 64, 64, 1>
         into #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>
         ins(%k : tensor<6x64x64x1xf32>)
         outs(%init : tensor<24576xf32>) -> tensor<24576xf32>
  return %p : tensor<24576xf32>
}

// f16 is packed as f32. A weight tied along both axes may be packed as if it was
// tied along one, or none.

// CHECK-LABEL: func.func @pack_tied(
//       CHECK:   ks.pack_weights <2, 4, 3, 4> into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1, tied = a|d>
//  CHECK-SAME:     ins({{.*}} : memref<1x4x3x1xf16>) outs({{.*}} : memref<12xf32>)
//   CHECK-NOT:     ->
//       CHECK:   ks.pack_weights <2, 4, 3, 4> into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1, tied = d>
//  CHECK-SAME:     outs({{.*}} : memref<24xf32>)
//       CHECK:   ks.pack_weights <2, 4, 3, 4> into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1> ins
//  CHECK-SAME:     outs({{.*}} : memref<96xf32>)
func.func @pack_tied(%k: memref<1x4x3x1xf16>, %both: memref<12xf32>, %one: memref<24xf32>,
                     %none: memref<96xf32>) {
  ks.pack_weights <2, 4, 3, 4>
    into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1, tied = a|d>
    ins(%k : memref<1x4x3x1xf16>) outs(%both : memref<12xf32>)
  ks.pack_weights <2, 4, 3, 4>
    into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1, tied = d>
    ins(%k : memref<1x4x3x1xf16>) outs(%one : memref<24xf32>)
  ks.pack_weights <2, 4, 3, 4>
    into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1, tied = none>
    ins(%k : memref<1x4x3x1xf16>) outs(%none : memref<96xf32>)
  return
}

// CHECK-LABEL: func.func @to_dense(
//       CHECK:   ks.to_dense [<6, 64, 64, 1>, <1, 768, 192, 2>]
//  CHECK-SAME:     ins({{.*}} : tensor<6x64x64x1xf32>, tensor<1x768x192x2xf32>)
//  CHECK-SAME:     outs({{.*}} : tensor<1536x384xf32>) -> tensor<1536x384xf32>
//       CHECK:   ks.to_dense [<2, 1, 3, 1>] ins({{.*}} : memref<1x1x3x1xcomplex<f64>>) outs({{.*}} : memref<2x6xcomplex<f64>>)
//   CHECK-NOT:     ->
//       CHECK:   return
func.func @to_dense(%k0: tensor<6x64x64x1xf32>, %k1: tensor<1x768x192x2xf32>,
                    %init: tensor<1536x384xf32>, %k: memref<1x1x3x1xcomplex<f64>>,
                    %w: memref<2x6xcomplex<f64>>) -> tensor<1536x384xf32> {
  %d = ks.to_dense [<6, 64, 64, 1>, <1, 768, 192, 2>]
         ins(%k0, %k1 : tensor<6x64x64x1xf32>, tensor<1x768x192x2xf32>)
         outs(%init : tensor<1536x384xf32>) -> tensor<1536x384xf32>
  ks.to_dense [<2, 1, 3, 1>] ins(%k : memref<1x1x3x1xcomplex<f64>>)
    outs(%w : memref<2x6xcomplex<f64>>)
  return %d : tensor<1536x384xf32>
}

// The inner axis is twice as long; so are offset and outer strides.

// CHECK-LABEL: func.func @real_view(
//       CHECK:   ks.real_view %{{.*}} : memref<?x8xcomplex<f32>, strided<[?, 1], offset: ?>> to memref<?x16xf32, strided<[?, 1], offset: ?>>
//       CHECK:   ks.real_view %{{.*}} : memref<4x?xcomplex<f64>, strided<[9, 1], offset: 3>, 2> to memref<4x?xf64, strided<[18, 1], offset: 6>, 2>
//       CHECK:   ks.real_view %{{.*}} : memref<5xcomplex<f32>> to memref<10xf32>
func.func @real_view(%a: memref<?x8xcomplex<f32>, strided<[?, 1], offset: ?>>,
                     %b: memref<4x?xcomplex<f64>, strided<[9, 1], offset: 3>, 2>,
                     %c: memref<5xcomplex<f32>>)
    -> (memref<?x16xf32, strided<[?, 1], offset: ?>>,
        memref<4x?xf64, strided<[18, 1], offset: 6>, 2>, memref<10xf32>) {
  %0 = ks.real_view %a : memref<?x8xcomplex<f32>, strided<[?, 1], offset: ?>>
         to memref<?x16xf32, strided<[?, 1], offset: ?>>
  %1 = ks.real_view %b : memref<4x?xcomplex<f64>, strided<[9, 1], offset: 3>, 2>
         to memref<4x?xf64, strided<[18, 1], offset: 6>, 2>
  %2 = ks.real_view %c : memref<5xcomplex<f32>> to memref<10xf32>
  return %0, %1, %2 : memref<?x16xf32, strided<[?, 1], offset: ?>>,
    memref<4x?xf64, strided<[18, 1], offset: 6>, 2>, memref<10xf32>
}
