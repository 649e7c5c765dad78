// A chain that is multiplied out may be a library's product, and so may a factor that
// is left alone; remarks say so. Without permission, or without a library, neither is.

// RUN: ks-opt %s --ks-fuse-factors="target=sm_90" -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s
// RUN: ks-opt %s --ks-fuse-factors="target=sm_90:library=none" -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: ks-opt %s --ks-fuse-factors="target=sm_90" --ks-split-chains \
// RUN:   --ks-select-plan="target=sm_90" | FileCheck %s --check-prefix=PLAN

// NONE-NOT: cublasLt

// CHECK: Remark="kernel 0: factors 0 and 1 multiplied out to the dense matrix <1, 2048, 2048, 1> by cublasLt: {{[0-9.]+}} us"
// PLAN-LABEL: func.func @permitted(
//       PLAN:   ks.merge_weights
//       PLAN:   ks.matmul <1, 2048, 2048, 1> {{.*}} plan #ks.library_plan<cublaslt,
func.func @permitted(%x: tensor<4096x2048xf16>, %k0: tensor<1x2048x2048x1xf16> {ks.frozen},
                     %k1: tensor<1x2048x2048x1xf16> {ks.frozen}, %init: tensor<4096x2048xf16>) -> tensor<4096x2048xf16> {
  %h = ks.matmul <1, 2048, 2048, 1> fastmath<reassoc>
    ins(%x, %k0 : tensor<4096x2048xf16>, tensor<1x2048x2048x1xf16>) outs(%init : tensor<4096x2048xf16>) -> tensor<4096x2048xf16>
  %y = ks.matmul <1, 2048, 2048, 1> fastmath<reassoc>
    ins(%h, %k1 : tensor<4096x2048xf16>, tensor<1x2048x2048x1xf16>) outs(%init : tensor<4096x2048xf16>) -> tensor<4096x2048xf16>
  return %y : tensor<4096x2048xf16>
}

// Factors that may not be multiplied with each other stay ours.
// CHECK-NOT: by cublasLt
// PLAN-LABEL: func.func @not_frozen(
//   PLAN-NOT:   ks.merge_weights
//       PLAN:   plan #ks.gpu_
//   PLAN-NOT:   #ks.library_plan<
func.func @not_frozen(%x: tensor<4096x512xf16>, %k0: tensor<2x256x256x1xf16>, %k1: tensor<1x2x2x256xf16>,
                      %init: tensor<4096x512xf16>) -> tensor<4096x512xf16> {
  %h = ks.matmul <2, 256, 256, 1> fastmath<reassoc>
    ins(%x, %k0 : tensor<4096x512xf16>, tensor<2x256x256x1xf16>) outs(%init : tensor<4096x512xf16>) -> tensor<4096x512xf16>
  %y = ks.matmul <1, 2, 2, 256> fastmath<reassoc>
    ins(%h, %k1 : tensor<4096x512xf16>, tensor<1x2x2x256xf16>) outs(%init : tensor<4096x512xf16>) -> tensor<4096x512xf16>
  return %y : tensor<4096x512xf16>
}

// Large factors batch-last need no permission: each is priced as the library has it.
// CHECK: Remark="kernel 0: factor 0 by cublasLt: {{[0-9.]+}} us"
// CHECK: Remark="kernel 1: factor 1 by cublasLt: {{[0-9.]+}} us"
// PLAN-LABEL: func.func @apart(
//       PLAN:   ks.matmul <1, 768, 768, 8> {{.*}} plan #ks.library_plan<cublaslt,
//       PLAN:   ks.matmul <8, 768, 768, 1> {{.*}} plan #ks.library_plan<cublaslt,
func.func @apart(%x: tensor<6144x25088xf16>, %k0: tensor<1x768x768x8xf16>, %k1: tensor<8x768x768x1xf16>,
                 %init: tensor<6144x25088xf16>) -> tensor<6144x25088xf16> {
  %h = ks.matmul <1, 768, 768, 8> layout(batch_last)
    ins(%x, %k0 : tensor<6144x25088xf16>, tensor<1x768x768x8xf16>) outs(%init : tensor<6144x25088xf16>) -> tensor<6144x25088xf16>
  %y = ks.matmul <8, 768, 768, 1> layout(batch_last)
    ins(%h, %k1 : tensor<6144x25088xf16>, tensor<8x768x768x1xf16>) outs(%init : tensor<6144x25088xf16>) -> tensor<6144x25088xf16>
  return %y : tensor<6144x25088xf16>
}
