// Features between two kernels in an order that suits the second one. `ks.kernels`
// asks for it; what it is predicted to cost is in remarks either way.

// RUN: ks-opt %s --split-input-file --ks-fuse-factors=target=sm_90 | FileCheck %s
// RUN: ks-opt %s --split-input-file --ks-fuse-factors=target=sm_80 | FileCheck %s --check-prefix=NONE
// RUN: ks-opt %s --split-input-file --ks-fuse-factors=target=host | FileCheck %s --check-prefix=NONE
// RUN: ks-opt %s --split-input-file --ks-fuse-factors=target=sm_90 -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// NONE-NOT: {{reads|writes}} <

// CHECK-LABEL: func.func @asked(
//       CHECK:   %[[H:.*]] = ks.matmul <64, 256, 64, 1> writes <1, 64, 4, 64> ins(
//       CHECK:   %[[Y:.*]] = ks.matmul <1, 172, 256, 64> reads <1, 64, 4, 64> ins(%[[H]],
//  CHECK-SAME:     epilogue
//       CHECK:   return %[[Y]]
// REMARK: Remark="
func.func @asked(%x: tensor<4096x4096xf16>, %k0: tensor<64x256x64x1xf16>, %k1: tensor<1x172x256x64xf16>,
                 %bias: tensor<11008xf16>, %init: tensor<4096x11008xf16>) -> tensor<4096x11008xf16>
    attributes {ks.kernels = "ordered"} {
  %y = ks.chain [<64, 256, 64, 1>, <1, 172, 256, 64>]
    ins(%x, %k0, %k1 : tensor<4096x4096xf16>, tensor<64x256x64x1xf16>, tensor<1x172x256x64xf16>) outs(%init : tensor<4096x11008xf16>)
    epilogue(%bias : tensor<11008xf16>) {
    ^bb0(%acc: f32, %b: f16):
      %wide = arith.extf %b : f16 to f32
      %sum = arith.addf %acc, %wide : f32
      ks.yield %sum : f32
    } -> tensor<4096x11008xf16>
  return %y : tensor<4096x11008xf16>
}
