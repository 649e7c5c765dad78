// Dense factors, and chains that are multiplied out, may be products of a BLAS; the
// rest of a chain stays one kernel.

// RUN: ks-opt %s --ks-fuse-factors="target=x86-64-v4:library=blas" --split-input-file -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s
// RUN: ks-opt %s --ks-fuse-factors="target=x86-64-v4" --split-input-file -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: ks-opt %s --ks-fuse-factors="target=x86-64-v4:library=blas" \
// RUN:   --ks-select-plan="target=x86-64-v4:library=blas" --split-input-file | FileCheck %s --check-prefix=PLAN

// NONE-NOT: by BLAS

// CHECK: Remark="kernel 0: factors 0 and 1 multiplied out to the dense matrix <1, 1024, 1024, 1> by BLAS: {{[0-9.]+}} us"
// PLAN-LABEL: func.func @permitted(
//       PLAN:   ks.merge_weights
//       PLAN:   ks.matmul <1, 1024, 1024, 1> {{.*}} plan #ks.library_plan<blas,
func.func @permitted(%x: tensor<1024x512xf32>, %k0: tensor<1x1024x1024x1xf32> {ks.frozen},
                     %k1: tensor<1x1024x1024x1xf32> {ks.frozen}, %init: tensor<1024x512xf32>) -> tensor<1024x512xf32> {
  %h = ks.matmul <1, 1024, 1024, 1> layout(batch_last) fastmath<reassoc>
    ins(%x, %k0 : tensor<1024x512xf32>, tensor<1x1024x1024x1xf32>) outs(%init : tensor<1024x512xf32>) -> tensor<1024x512xf32>
  %y = ks.matmul <1, 1024, 1024, 1> layout(batch_last) fastmath<reassoc>
    ins(%h, %k1 : tensor<1024x512xf32>, tensor<1x1024x1024x1xf32>) outs(%init : tensor<1024x512xf32>) -> tensor<1024x512xf32>
  return %y : tensor<1024x512xf32>
}

// -----

// Types that a BLAS does not know.
// CHECK-NOT: by BLAS
// PLAN-LABEL: func.func @converted(
//   PLAN-NOT:   #ks.library_plan<
func.func @converted(%x: tensor<1024x512xf16>, %k0: tensor<1x1024x1024x1xf32> {ks.frozen},
                     %k1: tensor<1x1024x1024x1xf32> {ks.frozen}, %init: tensor<1024x512xf32>) -> tensor<1024x512xf32> {
  %h = ks.matmul <1, 1024, 1024, 1> layout(batch_last) fastmath<reassoc> load_as(f32)
    ins(%x, %k0 : tensor<1024x512xf16>, tensor<1x1024x1024x1xf32>) outs(%init : tensor<1024x512xf32>) -> tensor<1024x512xf32>
  %y = ks.matmul <1, 1024, 1024, 1> layout(batch_last) fastmath<reassoc>
    ins(%h, %k1 : tensor<1024x512xf32>, tensor<1x1024x1024x1xf32>) outs(%init : tensor<1024x512xf32>) -> tensor<1024x512xf32>
  return %y : tensor<1024x512xf32>
}

// -----

// Without permission, the sparse factor is ours and the dense one is not.
// CHECK: Remark="kernel 0: factor 0 by BLAS: {{[0-9.]+}} us"
// CHECK: Remark="kernel 1: factor 1: {{[0-9.]+}} us"
// PLAN-LABEL: func.func @apart(
//       PLAN:   ks.matmul <1, 2048, 2048, 1> {{.*}} plan #ks.library_plan<blas,
//       PLAN:   ks.matmul <1024, 2, 2, 1> {{.*}} plan #ks.cpu_plan<
func.func @apart(%x: tensor<2048x512xf32>, %k0: tensor<1x2048x2048x1xf32>, %k1: tensor<1024x2x2x1xf32>,
                 %init: tensor<2048x512xf32>) -> tensor<2048x512xf32> {
  %y = ks.chain [<1, 2048, 2048, 1>, <1024, 2, 2, 1>] layout(batch_last)
    ins(%x, %k0, %k1 : tensor<2048x512xf32>, tensor<1x2048x2048x1xf32>, tensor<1024x2x2x1xf32>) outs(%init : tensor<2048x512xf32>) -> tensor<2048x512xf32>
  return %y : tensor<2048x512xf32>
}
