// Canonicalization does not make valid IR invalid: batches that cannot be equal at run
// time may stay hidden behind a dynamic one, in code that is never reached.

// RUN: ks-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @keep_batches(
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
//       CHECK:   ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
func.func @keep_batches(%x: tensor<4x2xf32>, %k: tensor<1x2x2x1xf32>, %s: tensor<2x1x1x1xf32>,
                        %h: tensor<?x2xf32>, %init: tensor<5x2xf32>) -> tensor<5x2xf32> {
  %0 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%x, %k, %s : tensor<4x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%h : tensor<?x2xf32>) -> tensor<?x2xf32>
  %1 = ks.chain [<1, 2, 2, 1>, <2, 1, 1, 1>]
         ins(%0, %k, %s : tensor<?x2xf32>, tensor<1x2x2x1xf32>, tensor<2x1x1x1xf32>)
         outs(%init : tensor<5x2xf32>) -> tensor<5x2xf32>
  return %1 : tensor<5x2xf32>
}
