// Products of a BLAS as calls of the runtime, for rows of any pitch.

// RUN: ks-opt %s --convert-library-to-runtime --canonicalize | FileCheck %s

// CHECK-DAG: llvm.func @ksHasBlas() -> i32
// CHECK-DAG: llvm.func @ksBlasProductF32(!llvm.ptr, i64, !llvm.ptr, !llvm.ptr, i64, i64, i64, i64, i32)
// CHECK-DAG: llvm.func @ksBlasProductF64(!llvm.ptr, i64, !llvm.ptr, !llvm.ptr, i64, i64, i64, i64, i32)

// CHECK-LABEL: func.func @first(
//  CHECK-SAME:   %[[X:.*]]: memref<?x32xf32, {{.*}}>, %[[W:.*]]: memref<512xf32>, %[[Y:.*]]: memref<?x16xf32, {{.*}}>, %[[N:.*]]: index)
//   CHECK-DAG:   %[[B:.*]] = arith.constant 16 : i64
//   CHECK-DAG:   %[[C:.*]] = arith.constant 32 : i64
//   CHECK-DAG:   %[[ONE:.*]] = arith.constant 1 : i32
//       CHECK:   %[[HAS:.*]] = llvm.call @ksHasBlas() : () -> i32
//       CHECK:   %[[IS:.*]] = arith.cmpi ne, %[[HAS]], %c0_i32
//       CHECK:   scf.if %[[IS]] {
//       CHECK:     %[[XBASE:.*]], %[[XOFFSET:.*]], %{{.*}}:2, %[[XS:.*]]:2 = memref.extract_strided_metadata %[[X]]
//       CHECK:     memref.extract_aligned_pointer_as_index %[[X]]
//       CHECK:     arith.muli %[[XOFFSET]], %c4
//       CHECK:     %[[XPTR:.*]] = llvm.inttoptr
//       CHECK:     %[[WPTR:.*]] = llvm.inttoptr
//       CHECK:     %{{.*}}, %{{.*}}, %[[SIZES:.*]]:2, %[[YS:.*]]:2 = memref.extract_strided_metadata %[[Y]]
//       CHECK:     %[[YPTR:.*]] = llvm.inttoptr
//   CHECK-DAG:     %[[XPITCH:.*]] = arith.index_cast %[[XS]]#0
//   CHECK-DAG:     %[[YPITCH:.*]] = arith.index_cast %[[YS]]#0
//   CHECK-DAG:     %[[BATCH:.*]] = arith.index_cast %[[SIZES]]#0
//       CHECK:     llvm.call @ksBlasProductF32(%[[XPTR]], %[[XPITCH]], %[[WPTR]], %[[YPTR]], %[[YPITCH]], %[[BATCH]], %[[B]], %[[C]], %[[ONE]])
//       CHECK:   } else {
//       CHECK:     scf.for
func.func @first(%x: memref<?x32xf32, strided<[?, 1], offset: ?>>, %w: memref<512xf32>,
                 %y: memref<?x16xf32, strided<[?, 1], offset: ?>>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  ks.with_library blas {
    ks.library_product <1, 16, 32, 1> ins(%x, %w : memref<?x32xf32, strided<[?, 1], offset: ?>>, memref<512xf32>) outs(%y : memref<?x16xf32, strided<[?, 1], offset: ?>>)
  } else {
    scf.for %i = %c0 to %n step %c1 {
      memref.store %zero, %y[%i, %c0] : memref<?x16xf32, strided<[?, 1], offset: ?>>
    }
  }
  return
}

// CHECK-LABEL: func.func @last(
//   CHECK-DAG:   %[[ZERO:.*]] = arith.constant 0 : i32
//       CHECK:   %{{.*}}, %{{.*}}, %[[SIZES:.*]]:2, %{{.*}}:2 = memref.extract_strided_metadata %arg2
//       CHECK:   %[[BATCH:.*]] = arith.index_cast %[[SIZES]]#1
//       CHECK:   llvm.call @ksBlasProductF64({{.*}}, %[[BATCH]], {{.*}}, %[[ZERO]])
func.func @last(%x: memref<32x?xf64>, %w: memref<512xf64>, %y: memref<16x?xf64>) {
  ks.with_library blas {
    ks.library_product <1, 16, 32, 1> layout(batch_last) ins(%x, %w : memref<32x?xf64>, memref<512xf64>) outs(%y : memref<16x?xf64>)
  } else {
  }
  return
}
