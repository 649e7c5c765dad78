// Elementwise ops behind a product that writes features in an order stay: they would
// read and write at other places. Those behind one that reads them so are absorbed.

// RUN: ks-opt %s --ks-fuse-elementwise | FileCheck %s
// RUN: ks-opt %s --ks-fuse-elementwise -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// CHECK-LABEL: func.func @writes(
//       CHECK:   %[[Y:.*]] = ks.matmul <8, 6, 5, 1> writes <2, 4, 2, 3> ins(
//   CHECK-NOT:   epilogue
//       CHECK:   %[[N:.*]] = linalg.negf ins(%[[Y]] :
//       CHECK:   return %[[N]]
// REMARK: Remark="linalg.negf not absorbed into ks.matmul: its features are not in their natural order"
func.func @writes(%x: tensor<?x40xf32>, %k: tensor<8x6x5x1xf32>, %init: tensor<?x48xf32>) -> tensor<?x48xf32> {
  %y = ks.matmul <8, 6, 5, 1> writes <2, 4, 2, 3>
    ins(%x, %k : tensor<?x40xf32>, tensor<8x6x5x1xf32>) outs(%init : tensor<?x48xf32>) -> tensor<?x48xf32>
  %n = linalg.negf ins(%y : tensor<?x48xf32>) outs(%init : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %n : tensor<?x48xf32>
}

// CHECK-LABEL: func.func @reads(
//       CHECK:   ks.matmul <2, 6, 8, 3> reads <2, 4, 2, 3> ins({{.*}} epilogue {
//       CHECK:     arith.negf
//   CHECK-NOT:   linalg.negf
func.func @reads(%x: tensor<?x48xf32>, %k: tensor<2x6x8x3xf32>, %init: tensor<?x36xf32>) -> tensor<?x36xf32> {
  %y = ks.matmul <2, 6, 8, 3> reads <2, 4, 2, 3>
    ins(%x, %k : tensor<?x48xf32>, tensor<2x6x8x3xf32>) outs(%init : tensor<?x36xf32>) -> tensor<?x36xf32>
  %n = linalg.negf ins(%y : tensor<?x36xf32>) outs(%init : tensor<?x36xf32>) -> tensor<?x36xf32>
  return %n : tensor<?x36xf32>
}

// A conversion in front of one that reads features in an order stays, too: such a
// product has no load_as.
// REMARK: Remark="linalg.generic not absorbed into what ks.matmul loads: the product has features in another order"
// CHECK-LABEL: func.func @converted(
//       CHECK:   linalg.generic
//       CHECK:   ks.matmul <2, 6, 8, 3> reads <2, 4, 2, 3>
func.func @converted(%x: tensor<?x48xf32>, %c: tensor<?x48xf16>, %k: tensor<2x6x8x3xf16>, %init: tensor<?x36xf16>) -> tensor<?x36xf16> {
  %h = linalg.generic {indexing_maps = [affine_map<(m, f) -> (m, f)>, affine_map<(m, f) -> (m, f)>],
                       iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<?x48xf32>) outs(%c : tensor<?x48xf16>) {
    ^bb0(%in: f32, %out: f16):
      %t = arith.truncf %in : f32 to f16
      linalg.yield %t : f16
    } -> tensor<?x48xf16>
  %y = ks.matmul <2, 6, 8, 3> reads <2, 4, 2, 3>
    ins(%h, %k : tensor<?x48xf16>, tensor<2x6x8x3xf16>) outs(%init : tensor<?x36xf16>) -> tensor<?x36xf16>
  return %y : tensor<?x36xf16>
}
