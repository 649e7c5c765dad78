// What permits to merge factors: fastmath of products, ks.frozen of arguments.
// Both survive what happens to products.

// RUN: ks-opt %s | ks-opt | FileCheck %s
// RUN: ks-opt %s --canonicalize | FileCheck %s --check-prefix=CANON
// RUN: ks-opt %s --ks-split-chains | FileCheck %s --check-prefix=SPLIT
// RUN: ks-opt %s --ks-bufferize | FileCheck %s --check-prefix=BUFFERS

// CHECK-LABEL: func.func @chain(
//  CHECK-SAME:   %{{.*}}: tensor<?x4xf32>, %{{.*}}: tensor<2x2x2x1xf32> {ks.frozen}, %{{.*}}: tensor<1x2x2x2xf32> {ks.frozen}
//       CHECK:   ks.chain [<2, 2, 2, 1>, <1, 2, 2, 2>] fastmath<reassoc> ins
//       SPLIT:   ks.matmul <2, 2, 2, 1> fastmath<reassoc> ins
//       SPLIT:   ks.matmul <1, 2, 2, 2> fastmath<reassoc> ins
// BUFFERS-LABEL: func.func @chain(
//  BUFFERS-SAME:   memref<2x2x2x1xf32> {ks.frozen}
//       BUFFERS:   ks.chain {{.*}} fastmath<reassoc> ins
func.func @chain(%x: tensor<?x4xf32>, %k0: tensor<2x2x2x1xf32> {ks.frozen}, %k1: tensor<1x2x2x2xf32> {ks.frozen},
                 %init: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = ks.chain [<2, 2, 2, 1>, <1, 2, 2, 2>] layout(batch_first) fastmath<reassoc>
    ins(%x, %k0, %k1 : tensor<?x4xf32>, tensor<2x2x2x1xf32>, tensor<1x2x2x2xf32>)
    outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// A chain of one factor is a matmul with the same permission; chains of different
// permissions stay apart. No flag is no word.

// CHECK-LABEL: func.func @several(
//       CHECK:   ks.matmul <1, 4, 4, 1> ins
// CANON-LABEL: func.func @several(
//       CANON:   ks.matmul <1, 4, 4, 1> ins
//       CANON:   ks.matmul <1, 4, 4, 1> precision(tf32) fastmath<fast> ins
//       CANON:   ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>] precision(tf32) fastmath<reassoc> ins
func.func @several(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf32>, %init: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = ks.matmul <1, 4, 4, 1> fastmath<none>
    ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %1 = ks.chain [<1, 4, 4, 1>] precision(tf32) fastmath<fast>
    ins(%0, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %2 = ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>] precision(tf32) fastmath<reassoc>
    ins(%1, %k, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>, tensor<1x4x4x1xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %2 : tensor<?x4xf32>
}

// Chains of the same permission become one, with it.

// CANON-LABEL: func.func @flatten(
//       CANON:   ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>, <1, 4, 4, 1>, <1, 4, 4, 1>] fastmath<reassoc> ins
func.func @flatten(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf32>, %init: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>] fastmath<reassoc>
    ins(%x, %k, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>, tensor<1x4x4x1xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %1 = ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>] fastmath<reassoc>
    ins(%0, %k, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>, tensor<1x4x4x1xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}
