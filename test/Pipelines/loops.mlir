// ks-to-loops: the reference. No plan, no packing, no vectors: linalg, and loops
// over scalars.

// RUN: ks-opt %s --ks-to-loops="to=math"    | FileCheck %s --check-prefix=MATH
// RUN: ks-opt %s --ks-to-loops="to=plans"   | FileCheck %s --check-prefix=LINALG
// RUN: ks-opt %s --ks-to-loops="to=buffers" | FileCheck %s --check-prefix=BUFFERS
// RUN: ks-opt %s --ks-to-loops="to=tiles"   | FileCheck %s --check-prefix=LOOPS
// RUN: ks-opt %s --ks-to-loops="to=machine" | FileCheck %s --check-prefix=MACHINE
// RUN: ks-opt %s --ks-to-loops              | FileCheck %s --check-prefix=MACHINE
// RUN: not ks-opt %s --ks-to-loops="to=moon" 2>&1 | FileCheck %s --check-prefix=BAD

// BAD: {{[Cc]}}annot find option named 'moon'

//    MATH-LABEL: func.func @product(
//          MATH:   ks.matmul
//      MATH-NOT:   linalg

// The sum over k, as linalg states it, in the caller's memory.

//  LINALG-LABEL: func.func @product(
//   LINALG-SAME:   %[[OUT:[^ ]*]]: tensor<?x6xf32> {ks.result_dims = array<i64: 0, 0, -1, 6>})
//    LINALG-NOT:   ks.
//        LINALG:   linalg.generic {{.*}}iterator_types = [{{.*}}"reduction"
//        LINALG:     arith.mulf
//        LINALG:     arith.addf

// BUFFERS-LABEL: func.func @product(
//  BUFFERS-SAME:   memref<?x4xf32, strided<[?, 1], offset: ?>>
//   BUFFERS-NOT:   tensor
//       BUFFERS:   linalg.generic

//   LOOPS-LABEL: func.func @product(
//     LOOPS-NOT:   linalg
//     LOOPS-NOT:   vector
//         LOOPS:   scf.for
//         LOOPS:     arith.mulf {{.*}} : f32
//         LOOPS:     memref.store

// MACHINE-LABEL: llvm.func @product(
//   MACHINE-NOT:   unrealized_conversion_cast
//   MACHINE-NOT:   ksParallelFor
//       MACHINE:   llvm.fmul {{.*}} : f32
//       MACHINE: llvm.func @_mlir_ciface_product(
func.func @product(%x: tensor<?x4xf32>, %k: tensor<1x6x4x1xf32>) -> tensor<?x6xf32> {
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %x, %c0 : tensor<?x4xf32>
  %init = tensor.empty(%batch) : tensor<?x6xf32>
  %y = ks.matmul <1, 6, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x6x4x1xf32>)
         outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// Everything the dialect has gets through: complex numbers, bf16 with an
// epilogue, batch-last, several factors, to_dense.

// MACHINE-LABEL: llvm.func @complex(
// MACHINE-LABEL: llvm.func @bf16(
// MACHINE-LABEL: llvm.func @dense(
//   MACHINE-NOT:   unrealized_conversion_cast
func.func @complex(%x: tensor<4x?xcomplex<f64>>, %k: tensor<1x4x4x1xcomplex<f64>>,
                   %init: tensor<4x?xcomplex<f64>>) -> tensor<4x?xcomplex<f64>> {
  %y = ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>] layout(batch_last)
         ins(%x, %k, %k : tensor<4x?xcomplex<f64>>, tensor<1x4x4x1xcomplex<f64>>, tensor<1x4x4x1xcomplex<f64>>)
         outs(%init : tensor<4x?xcomplex<f64>>) -> tensor<4x?xcomplex<f64>>
  return %y : tensor<4x?xcomplex<f64>>
}
func.func @bf16(%x: tensor<?x4xbf16>, %k: tensor<1x4x4x1xbf16>, %init: tensor<?x4xbf16>)
    -> tensor<?x4xbf16> {
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xbf16>, tensor<1x4x4x1xbf16>)
         outs(%init : tensor<?x4xbf16>) epilogue {
         ^bb0(%acc: f32):
           %0 = math.tanh %acc : f32
           ks.yield %0 : f32
         } -> tensor<?x4xbf16>
  return %y : tensor<?x4xbf16>
}
func.func @dense(%k: tensor<1x4x4x1xf32>, %init: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %y = ks.to_dense [<1, 4, 4, 1>] ins(%k : tensor<1x4x4x1xf32>)
         outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
