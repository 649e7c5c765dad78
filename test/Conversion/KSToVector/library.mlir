// Plans of a BLAS: its product, or our own loops; so is packing.

// RUN: ks-opt %s --convert-ks-to-vector --canonicalize | FileCheck %s

#own = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [<rows = 4, vectors = 2, lanes = 8, unroll = 1, stationary = weights, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]>

// CHECK-LABEL: func.func @product(
//  CHECK-SAME:   %[[X:.*]]: memref<?x32xf32, {{.*}}>, %[[P:.*]]: memref<512xf32>, %[[Y:.*]]: memref<?x16xf32, {{.*}}>)
//       CHECK:   ks.with_library blas {
//  CHECK-NEXT:     ks.library_product <1, 16, 32, 1> ins(%[[X]], %[[P]] : {{.*}}) outs(%[[Y]] : {{.*}})
//  CHECK-NEXT:   } else {
//       CHECK:     scf.parallel
//       CHECK:       vector.load %[[P]]
//   CHECK-NOT:   ks.matmul
func.func @product(%x: memref<?x32xf32, strided<[?, 1], offset: ?>>, %p: memref<512xf32>,
                   %y: memref<?x16xf32, strided<[?, 1], offset: ?>>) {
  ks.matmul <1, 16, 32, 1> ins(%x, %p : memref<?x32xf32, strided<[?, 1], offset: ?>>, memref<512xf32>)
    outs(%y : memref<?x16xf32, strided<[?, 1], offset: ?>>) plan #ks.library_plan<blas, fallback = #own>
  return
}

// CHECK-LABEL: func.func @pack(
//  CHECK-SAME:   %[[K:.*]]: memref<1x16x32x1xf32>, %[[P:.*]]: memref<512xf32>)
//       CHECK:   ks.with_library blas {
//       CHECK:     scf.for %[[N:.*]] = %c0 to %c16
//       CHECK:       scf.for %[[C:.*]] = %c0 to %c32
//       CHECK:         %[[V:.*]] = memref.load %[[K]][%c0, %[[N]], %[[C]], %c0]
//       CHECK:         %[[ROW:.*]] = arith.muli %[[N]], %c32
//       CHECK:         %[[AT:.*]] = arith.addi %[[ROW]], %[[C]]
//       CHECK:         memref.store %[[V]], %[[P]][%[[AT]]]
//       CHECK:   } else {
//       CHECK:     memref.store
//   CHECK-NOT:   ks.pack_weights
func.func @pack(%k: memref<1x16x32x1xf32>, %p: memref<512xf32>) {
  ks.pack_weights <1, 16, 32, 1> into #ks.library_packing<fallback = #ks.cpu_packing<vectors = 2, lanes = 8, n = 8, j = 1>>
    ins(%k : memref<1x16x32x1xf32>) outs(%p : memref<512xf32>)
  return
}
