// ks.real_view on memref descriptors: what is counted in complex elements is
// counted in reals.

// RUN: ks-opt %s --convert-ks-to-llvm --convert-func-to-llvm --reconcile-unrealized-casts --canonicalize --cse | FileCheck %s

// Offset, outer stride and inner size are twice what they were; the rest stays.

// CHECK-LABEL: llvm.func @rank_2(
//  CHECK-SAME:   %[[ALLOCATED:.*]]: !llvm.ptr, %[[ALIGNED:.*]]: !llvm.ptr, %[[OFFSET:.*]]: i64, %[[SIZE0:.*]]: i64, %[[SIZE1:.*]]: i64, %[[STRIDE0:.*]]: i64, %[[STRIDE1:.*]]: i64)
//   CHECK-DAG:   %[[TWO:.*]] = llvm.mlir.constant(2 : index) : i64
//       CHECK:   llvm.insertvalue %[[ALLOCATED]], %{{.*}}[0]
//       CHECK:   llvm.insertvalue %[[ALIGNED]], %{{.*}}[1]
//       CHECK:   %[[OFFSET2:.*]] = llvm.mul %[[OFFSET]], %[[TWO]]
//       CHECK:   llvm.insertvalue %[[OFFSET2]], %{{.*}}[2]
//       CHECK:   llvm.insertvalue %[[SIZE0]], %{{.*}}[3, 0]
//       CHECK:   %[[STRIDE02:.*]] = llvm.mul %[[STRIDE0]], %[[TWO]]
//       CHECK:   llvm.insertvalue %[[STRIDE02]], %{{.*}}[4, 0]
//       CHECK:   %[[SIZE12:.*]] = llvm.mul %[[SIZE1]], %[[TWO]]
//       CHECK:   llvm.insertvalue %[[SIZE12]], %{{.*}}[3, 1]
//       CHECK:   %[[VIEW:.*]] = llvm.insertvalue %[[STRIDE1]], %{{.*}}[4, 1]
//       CHECK:   llvm.return %[[VIEW]]
func.func @rank_2(%z: memref<?x8xcomplex<f32>, strided<[?, 1], offset: ?>>)
    -> memref<?x16xf32, strided<[?, 1], offset: ?>> {
  %r = ks.real_view %z : memref<?x8xcomplex<f32>, strided<[?, 1], offset: ?>>
         to memref<?x16xf32, strided<[?, 1], offset: ?>>
  return %r : memref<?x16xf32, strided<[?, 1], offset: ?>>
}

// CHECK-LABEL: llvm.func @rank_1(
//  CHECK-SAME:   %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64, %[[SIZE:.*]]: i64, %[[STRIDE:.*]]: i64)
//       CHECK:   %[[SIZE2:.*]] = llvm.mul %[[SIZE]],
//       CHECK:   llvm.insertvalue %[[SIZE2]], %{{.*}}[3, 0]
//       CHECK:   llvm.insertvalue %[[STRIDE]], %{{.*}}[4, 0]
func.func @rank_1(%z: memref<5xcomplex<f64>>) -> memref<10xf64> {
  %r = ks.real_view %z : memref<5xcomplex<f64>> to memref<10xf64>
  return %r : memref<10xf64>
}

// Ops of other dialects are none of this pass' business.

// CHECK-LABEL: llvm.func @others(
//       CHECK:   memref.load
func.func @others(%m: memref<2xf32>, %i: index) -> f32 {
  %v = memref.load %m[%i] : memref<2xf32>
  return %v : f32
}
