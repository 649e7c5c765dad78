// Dense products by a BLAS: only where the target may have one, where that is
// predicted to be faster, and where it knows the product.

// RUN: ks-opt %s --ks-select-plan="target=x86-64-v4:library=blas" | FileCheck %s
// RUN: ks-opt %s --ks-select-plan="target=x86-64-v4" | FileCheck %s --check-prefix=NONE
// RUN: ks-opt %s --ks-select-plan="target=x86-64-v4:library=blas" -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: not ks-opt %s --ks-select-plan="target=x86-64-v4:library=cublaslt" 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: unknown target 'x86-64-v4:library=cublaslt'
// NONE-NOT: #ks.library_plan<

// Batch-last, our own kernel reads the input again and again.
// CHECK-LABEL: func.func @last(
//       CHECK:   plan #ks.library_plan<blas, fallback = #ks.cpu_plan<
//      REMARK:   Remark="target x86-64-v4:library=blas, batch 512 (assumed): library BLAS; predicted {{[0-9.]+}} us; where it cannot be opened {{.*}} vectors of 16 lanes {{.*}}, {{[0-9.]+}} us"
func.func @last(%x: tensor<1024x?xf32>, %k: tensor<1x1024x1024x1xf32>, %init: tensor<1024x?xf32>) -> tensor<1024x?xf32> {
  %y = ks.matmul <1, 1024, 1024, 1> layout(batch_last) ins(%x, %k : tensor<1024x?xf32>, tensor<1x1024x1024x1xf32>) outs(%init : tensor<1024x?xf32>) -> tensor<1024x?xf32>
  return %y : tensor<1024x?xf32>
}

// Batch-first, only far larger weights make a difference.
// CHECK-LABEL: func.func @first(
//       CHECK:   plan #ks.cpu_plan<
//      REMARK:   Remark="rejected library BLAS: {{[0-9.]+}} us, and {{[0-9.]+}} us beside it"
func.func @first(%x: tensor<512x1024xf32>, %k: tensor<1x1024x1024x1xf32>, %init: tensor<512x1024xf32>) -> tensor<512x1024xf32> {
  %y = ks.matmul <1, 1024, 1024, 1> ins(%x, %k : tensor<512x1024xf32>, tensor<1x1024x1024x1xf32>) outs(%init : tensor<512x1024xf32>) -> tensor<512x1024xf32>
  return %y : tensor<512x1024xf32>
}

// CHECK-LABEL: func.func @first_large(
//       CHECK:   plan #ks.library_plan<blas,
func.func @first_large(%x: tensor<512x2048xf64>, %k: tensor<1x2048x2048x1xf64>, %init: tensor<512x2048xf64>) -> tensor<512x2048xf64> {
  %y = ks.matmul <1, 2048, 2048, 1> ins(%x, %k : tensor<512x2048xf64>, tensor<1x2048x2048x1xf64>) outs(%init : tensor<512x2048xf64>) -> tensor<512x2048xf64>
  return %y : tensor<512x2048xf64>
}

// CHECK-LABEL: func.func @f16(
//       CHECK:   plan #ks.cpu_plan<
func.func @f16(%x: tensor<4096x512xf16>, %k: tensor<1x4096x4096x1xf16>, %init: tensor<4096x512xf16>) -> tensor<4096x512xf16> {
  %y = ks.matmul <1, 4096, 4096, 1> layout(batch_last) ins(%x, %k : tensor<4096x512xf16>, tensor<1x4096x4096x1xf16>) outs(%init : tensor<4096x512xf16>) -> tensor<4096x512xf16>
  return %y : tensor<4096x512xf16>
}

// CHECK-LABEL: func.func @converted(
//       CHECK:   plan #ks.cpu_plan<
func.func @converted(%x: tensor<4096x512xf16>, %k: tensor<1x4096x4096x1xf32>, %init: tensor<4096x512xf32>) -> tensor<4096x512xf32> {
  %y = ks.matmul <1, 4096, 4096, 1> layout(batch_last) load_as(f32) ins(%x, %k : tensor<4096x512xf16>, tensor<1x4096x4096x1xf32>) outs(%init : tensor<4096x512xf32>) -> tensor<4096x512xf32>
  return %y : tensor<4096x512xf32>
}

// CHECK-LABEL: func.func @epilogue(
//       CHECK:   plan #ks.cpu_plan<
func.func @epilogue(%x: tensor<4096x512xf32>, %k: tensor<1x4096x4096x1xf32>, %init: tensor<4096x512xf32>) -> tensor<4096x512xf32> {
  %y = ks.matmul <1, 4096, 4096, 1> layout(batch_last) ins(%x, %k : tensor<4096x512xf32>, tensor<1x4096x4096x1xf32>) outs(%init : tensor<4096x512xf32>)
    epilogue {
    ^bb0(%acc: f32):
      %n = arith.negf %acc : f32
      ks.yield %n : f32
    } -> tensor<4096x512xf32>
  return %y : tensor<4096x512xf32>
}

// What is packed with the program cannot know whether there will be a BLAS.
// CHECK-LABEL: func.func @constant(
//       CHECK:   plan #ks.cpu_plan<
func.func @constant(%x: tensor<4096x512xf32>, %init: tensor<4096x512xf32>) -> tensor<4096x512xf32> {
  %k = arith.constant dense<1.0> : tensor<1x4096x4096x1xf32>
  %y = ks.matmul <1, 4096, 4096, 1> layout(batch_last) ins(%x, %k : tensor<4096x512xf32>, tensor<1x4096x4096x1xf32>) outs(%init : tensor<4096x512xf32>) -> tensor<4096x512xf32>
  return %y : tensor<4096x512xf32>
}

// CHECK-LABEL: func.func @sparse(
//       CHECK:   plan #ks.cpu_plan<
func.func @sparse(%x: tensor<4096x512xf32>, %k: tensor<2x2048x2048x1xf32>, %init: tensor<4096x512xf32>) -> tensor<4096x512xf32> {
  %y = ks.matmul <2, 2048, 2048, 1> layout(batch_last) ins(%x, %k : tensor<4096x512xf32>, tensor<2x2048x2048x1xf32>) outs(%init : tensor<4096x512xf32>) -> tensor<4096x512xf32>
  return %y : tensor<4096x512xf32>
}
