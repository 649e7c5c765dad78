// One buffer for the library and for our own kernel, made by @f_pack.

// RUN: ks-opt %s --ks-pack-weights --split-input-file --verify-diagnostics | FileCheck %s

#own = #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 1, warps = [2, 1, 1], stages = 1, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>

// CHECK-LABEL: func.func @f(
// CHECK-LABEL: func.func @f_packed(
//  CHECK-SAME:   tensor<512xf16>)
//       CHECK:   ks.matmul <1, 15, 30, 1> {{.*}} plan #ks.library_plan<
// CHECK-LABEL: func.func @f_pack(
//  CHECK-SAME:   %[[K:.*]]: tensor<1x15x30x1xf16>, %[[P:.*]]: tensor<512xf16>)
//       CHECK:   ks.pack_weights <1, 15, 30, 1> into #ks.library_packing<fallback = #ks.gpu_packing<{{.*}}>> ins(%[[K]] : {{.*}}) outs(%[[P]] : tensor<512xf16>)
func.func @f(%x: tensor<?x30xf16>, %k: tensor<1x15x30x1xf16>, %init: tensor<?x15xf16>) -> tensor<?x15xf16> {
  %y = ks.matmul <1, 15, 30, 1> ins(%x, %k : tensor<?x30xf16>, tensor<1x15x30x1xf16>) outs(%init : tensor<?x15xf16>)
    plan #ks.library_plan<cublaslt, fallback = #own> -> tensor<?x15xf16>
  return %y : tensor<?x15xf16>
}

// -----

#own = #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 1, warps = [2, 1, 1], stages = 1, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>

func.func @constant(%x: tensor<?x30xf16>, %init: tensor<?x15xf16>) -> tensor<?x15xf16> {
  %k = arith.constant dense<1.0> : tensor<1x15x30x1xf16>
  // expected-error @below {{has a constant weight and the plan of a library; expected an argument, or a plan without: what is packed now cannot know whether the library will be there}}
  %y = ks.matmul <1, 15, 30, 1> ins(%x, %k : tensor<?x30xf16>, tensor<1x15x30x1xf16>) outs(%init : tensor<?x15xf16>)
    plan #ks.library_plan<cublaslt, fallback = #own> -> tensor<?x15xf16>
  return %y : tensor<?x15xf16>
}
