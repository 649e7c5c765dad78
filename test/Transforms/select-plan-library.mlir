// Products by a library: only where the target may have one, where that is
// predicted to be faster, and where it knows the product. A plan that is written
// by hand wins.

// RUN: ks-opt %s --ks-select-plan="target=sm_90" | FileCheck %s
// RUN: ks-opt %s --ks-select-plan="target=sm_90:library=none" | FileCheck %s --check-prefix=NONE
// RUN: ks-opt %s --ks-select-plan="target=sm_90" -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// NONE-LABEL: func.func @dense(
//       NONE:   plan #ks.gpu_plan<
// CHECK-LABEL: func.func @dense(
//       CHECK:   plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<{{.*}}<wgmma16,
//      REMARK:   Remark="target sm_90: library cublasLt; predicted 19{{[0-9]}}.{{[0-9]}} us; where it cannot be opened {{[0-9]+}} entries x {{.*}}, {{[0-9.]+}} us"
func.func @dense(%x: tensor<4096x4096xf16>, %k: tensor<1x4096x4096x1xf16>, %init: tensor<4096x4096xf16>) -> tensor<4096x4096xf16> {
  %y = ks.matmul <1, 4096, 4096, 1> ins(%x, %k : tensor<4096x4096xf16>, tensor<1x4096x4096x1xf16>) outs(%init : tensor<4096x4096xf16>) -> tensor<4096x4096xf16>
  return %y : tensor<4096x4096xf16>
}

// CHECK-LABEL: func.func @epilogue(
//       CHECK:   plan #ks.gpu_plan<
func.func @epilogue(%x: tensor<4096x4096xf16>, %k: tensor<1x4096x4096x1xf16>, %init: tensor<4096x4096xf16>) -> tensor<4096x4096xf16> {
  %y = ks.matmul <1, 4096, 4096, 1> ins(%x, %k : tensor<4096x4096xf16>, tensor<1x4096x4096x1xf16>) outs(%init : tensor<4096x4096xf16>)
    epilogue {
    ^bb0(%acc: f32):
      %n = arith.negf %acc : f32
      ks.yield %n : f32
    } -> tensor<4096x4096xf16>
  return %y : tensor<4096x4096xf16>
}

// f32 on FMAs takes the library longer than us as three bf16.
// CHECK-LABEL: func.func @f32(
//       CHECK:   plan #ks.gpu_plan<{{.*}}<mma16_split,
//      REMARK:   Remark="rejected library cublasLt: {{[0-9.]+}} us"
func.func @f32(%x: tensor<4096x4096xf32>, %k: tensor<1x4096x4096x1xf32>, %init: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> {
  %y = ks.matmul <1, 4096, 4096, 1> ins(%x, %k : tensor<4096x4096xf32>, tensor<1x4096x4096x1xf32>) outs(%init : tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  return %y : tensor<4096x4096xf32>
}

// What is packed with the program cannot know whether the library will be there.
// CHECK-LABEL: func.func @constant(
//       CHECK:   plan #ks.gpu_plan<
func.func @constant(%x: tensor<4096x4096xf16>, %init: tensor<4096x4096xf16>) -> tensor<4096x4096xf16> {
  %k = arith.constant dense<1.0> : tensor<1x4096x4096x1xf16>
  %y = ks.matmul <1, 4096, 4096, 1> ins(%x, %k : tensor<4096x4096xf16>, tensor<1x4096x4096x1xf16>) outs(%init : tensor<4096x4096xf16>) -> tensor<4096x4096xf16>
  return %y : tensor<4096x4096xf16>
}

// So are two groups, batch-first.
// CHECK-LABEL: func.func @groups(
//       CHECK:   plan #ks.library_plan<cublaslt,
func.func @groups(%x: tensor<4096x4096xf16>, %k: tensor<2x2048x2048x1xf16>, %init: tensor<4096x4096xf16>) -> tensor<4096x4096xf16> {
  %y = ks.matmul <2, 2048, 2048, 1> ins(%x, %k : tensor<4096x4096xf16>, tensor<2x2048x2048x1xf16>) outs(%init : tensor<4096x4096xf16>) -> tensor<4096x4096xf16>
  return %y : tensor<4096x4096xf16>
}

// Columns, batch-last, where they are large; the remark tells of the library.
// NONE-LABEL: func.func @columns(
//       NONE:   plan #ks.gpu_plan<
// CHECK-LABEL: func.func @columns(
//       CHECK:   plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<
//      REMARK:   Remark="target sm_90: library cublasLt; predicted {{[0-9.]+}} us; where it cannot be opened
func.func @columns(%x: tensor<6144x25088xf16>, %k: tensor<1x768x768x8xf16>, %init: tensor<6144x25088xf16>) -> tensor<6144x25088xf16> {
  %y = ks.matmul <1, 768, 768, 8> layout(batch_last) ins(%x, %k : tensor<6144x25088xf16>, tensor<1x768x768x8xf16>) outs(%init : tensor<6144x25088xf16>) -> tensor<6144x25088xf16>
  return %y : tensor<6144x25088xf16>
}

// Small ones wait for memory, and ours are faster.
// CHECK-LABEL: func.func @small_columns(
//       CHECK:   plan #ks.gpu_plan<
//      REMARK:   Remark="rejected library cublasLt: {{[0-9.]+}} us"
func.func @small_columns(%x: tensor<384x25088xf16>, %k: tensor<1x256x64x6xf16>, %init: tensor<1536x25088xf16>) -> tensor<1536x25088xf16> {
  %y = ks.matmul <1, 256, 64, 6> layout(batch_last) ins(%x, %k : tensor<384x25088xf16>, tensor<1x256x64x6xf16>) outs(%init : tensor<1536x25088xf16>) -> tensor<1536x25088xf16>
  return %y : tensor<1536x25088xf16>
}

// Batch-first the library cannot read them.
// CHECK-LABEL: func.func @columns_first(
//       CHECK:   plan #ks.gpu_plan<
func.func @columns_first(%x: tensor<25088x6144xf16>, %k: tensor<1x768x768x8xf16>, %init: tensor<25088x6144xf16>) -> tensor<25088x6144xf16> {
  %y = ks.matmul <1, 768, 768, 8> ins(%x, %k : tensor<25088x6144xf16>, tensor<1x768x768x8xf16>) outs(%init : tensor<25088x6144xf16>) -> tensor<25088x6144xf16>
  return %y : tensor<25088x6144xf16>
}

// NONE-LABEL: func.func @pinned(
//       NONE:   plan #ks.library_plan<
// CHECK-LABEL: func.func @pinned(
//       CHECK:   plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 7,
func.func @pinned(%x: tensor<64x32xf16>, %k: tensor<1x8x32x1xf16>, %init: tensor<64x8xf16>) -> tensor<64x8xf16> {
  %y = ks.matmul <1, 8, 32, 1> ins(%x, %k : tensor<64x32xf16>, tensor<1x8x32x1xf16>) outs(%init : tensor<64x8xf16>)
    plan #ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 7, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>>
    -> tensor<64x8xf16>
  return %y : tensor<64x8xf16>
}

// Beside the plan of another batch, only what makes up for a second copy of the
// weights is taken.
// CHECK-LABEL: func.func @beside(
//       CHECK:   plan #ks.library_plan<
func.func @beside(%x: tensor<4096x1024xf16>, %k: tensor<1x1024x1024x1xf16>, %init: tensor<4096x1024xf16>) -> tensor<4096x1024xf16>
    attributes {ks.main_plans = [#ks.library_plan<cublaslt, fallback = #ks.gpu_plan<entries = 16, batch_blocks = 7, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>>]} {
  %y = ks.matmul <1, 1024, 1024, 1> ins(%x, %k : tensor<4096x1024xf16>, tensor<1x1024x1024x1xf16>) outs(%init : tensor<4096x1024xf16>) -> tensor<4096x1024xf16>
  return %y : tensor<4096x1024xf16>
}
