// What ks-select-plan chooses for GPUs, of our own kernels: choices only.

// RUN: ks-opt %s --ks-select-plan="target=sm_80:library=none" | FileCheck %s
// RUN: ks-opt %s --ks-select-plan="target=sm_90:library=none" | FileCheck %s --check-prefix=HOPPER
// RUN: ks-opt %s --ks-select-plan="target=sm_80:library=none" -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// d = 4: the slab is all of d, and a run of two k with it is 16 bytes.
// CHECK-LABEL: func.func @flat(
//       CHECK:   plan #ks.gpu_plan<entries = {{.*}}, vector = 4, {{.*}} <mma16, run_k = 2, run_n = 2>, {{.*}} j = 4>>
//      REMARK:   remark: [Analysis] plan | Category:ks-select-plan | Remark="target sm_80:library=none: {{.*}} entries x {{.*}} n x 4 j, {{.*}}; predicted {{.*}} us, limited by DRAM: {{[0-9]+}} bytes of DRAM, {{[0-9]+}} bytes into SMs"
//      REMARK:   Remark="rejected
func.func @flat(%x: tensor<25088x1024xf16>, %k: tensor<4x64x64x4xf16>, %init: tensor<25088x1024xf16>) -> tensor<25088x1024xf16> {
  %y = ks.matmul <4, 64, 64, 4> ins(%x, %k : tensor<25088x1024xf16>, tensor<4x64x64x4xf16>) outs(%init : tensor<25088x1024xf16>) -> tensor<25088x1024xf16>
  return %y : tensor<25088x1024xf16>
}

// Batch-last, four warps multiply together where they can.
// HOPPER-LABEL: func.func @last(
//       HOPPER:   plan #ks.gpu_plan<{{.*}} vector = 8, warps = [{{[12]}}, 4, 1], {{.*}} copies = bulk, {{.*}} <wgmma16, run_k = 1, run_n = 1>
// CHECK-LABEL: func.func @last(
//       CHECK:   plan #ks.gpu_plan<{{.*}} <mma16,
func.func @last(%x: tensor<3072x25088xf16>, %k: tensor<4x192x192x4xf16>, %init: tensor<3072x25088xf16>) -> tensor<3072x25088xf16> {
  %y = ks.matmul <4, 192, 192, 4> layout(batch_last) ins(%x, %k : tensor<3072x25088xf16>, tensor<4x192x192x4xf16>) outs(%init : tensor<3072x25088xf16>) -> tensor<3072x25088xf16>
  return %y : tensor<3072x25088xf16>
}

// With d = 1 k is contiguous, batch-first, too.
// HOPPER-LABEL: func.func @diagonal(
//       HOPPER:   plan #ks.gpu_plan<{{.*}} vector = 1, {{.*}} <wgmma16,
//   HOPPER-NOT:   folded
func.func @diagonal(%x: tensor<25088x4096xf16>, %k: tensor<64x64x64x1xf16>, %init: tensor<25088x4096xf16>) -> tensor<25088x4096xf16> {
  %y = ks.matmul <64, 64, 64, 1> ins(%x, %k : tensor<25088x4096xf16>, tensor<64x64x64x1xf16>) outs(%init : tensor<25088x4096xf16>) -> tensor<25088x4096xf16>
  return %y : tensor<25088x4096xf16>
}

// tf32 takes tensor cores, ieee where there is much to multiply (below); f64 and
// complex cannot.
// CHECK-LABEL: func.func @types(
//       CHECK:   precision(tf32) {{.*}} plan #ks.gpu_plan<{{.*}}<mma8,
//       CHECK:   plan #ks.gpu_plan<{{.*}}<fma,
//       CHECK:   plan #ks.gpu_plan<{{.*}}<fma,
func.func @types(%x: tensor<64x64xf32>, %k: tensor<1x64x64x1xf32>, %init: tensor<64x64xf32>,
                 %z: tensor<64x64xcomplex<f64>>, %kz: tensor<1x64x64x1xcomplex<f64>>, %initz: tensor<64x64xcomplex<f64>>)
    -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xcomplex<f64>>) {
  %0 = ks.matmul <1, 64, 64, 1> precision(tf32) ins(%x, %k : tensor<64x64xf32>, tensor<1x64x64x1xf32>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = ks.matmul <1, 64, 64, 1> ins(%x, %k : tensor<64x64xf32>, tensor<1x64x64x1xf32>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  %2 = ks.matmul <1, 64, 64, 1> ins(%z, %kz : tensor<64x64xcomplex<f64>>, tensor<1x64x64x1xcomplex<f64>>) outs(%initz : tensor<64x64xcomplex<f64>>) -> tensor<64x64xcomplex<f64>>
  return %0, %1, %2 : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xcomplex<f64>>
}

// f32 (ieee) takes tensor cores as three bf16, tf32 by four warps; with less than 32
// products an element FMAs are as exact as they should be.
// HOPPER-LABEL: func.func @split(
//       HOPPER:   plan #ks.gpu_plan<{{.*}}<mma16_split,
//       HOPPER:   plan #ks.gpu_plan<{{.*}}<fma,
//       HOPPER:   precision(tf32) {{.*}} plan #ks.gpu_plan<{{.*}}<wgmma8_rs,
// CHECK-LABEL: func.func @split(
//       CHECK:   plan #ks.gpu_plan<{{.*}}<mma16_split,
func.func @split(%x: tensor<25088x3072xf32>, %k: tensor<4x192x192x4xf32>, %init: tensor<25088x3072xf32>,
                 %z: tensor<25088x496xf32>, %kz: tensor<4x31x31x4xf32>, %initz: tensor<25088x496xf32>)
    -> (tensor<25088x3072xf32>, tensor<25088x496xf32>, tensor<25088x3072xf32>) {
  %0 = ks.matmul <4, 192, 192, 4> ins(%x, %k : tensor<25088x3072xf32>, tensor<4x192x192x4xf32>) outs(%init : tensor<25088x3072xf32>) -> tensor<25088x3072xf32>
  %1 = ks.matmul <4, 31, 31, 4> ins(%z, %kz : tensor<25088x496xf32>, tensor<4x31x31x4xf32>) outs(%initz : tensor<25088x496xf32>) -> tensor<25088x496xf32>
  %2 = ks.matmul <4, 192, 192, 4> precision(tf32) ins(%x, %k : tensor<25088x3072xf32>, tensor<4x192x192x4xf32>) outs(%init : tensor<25088x3072xf32>) -> tensor<25088x3072xf32>
  return %0, %1, %2 : tensor<25088x3072xf32>, tensor<25088x496xf32>, tensor<25088x3072xf32>
}

// Odd sizes, an unknown batch, batch-last, ties.
// CHECK-LABEL: func.func @odd(
//       CHECK:   plan #ks.gpu_plan<{{.*}} j = 1, tied = a|d>>
func.func @odd(%x: tensor<275x?xbf16>, %k: tensor<1x7x11x1xbf16>, %init: tensor<175x?xbf16>) -> tensor<175x?xbf16> {
  %y = ks.matmul <5, 7, 11, 5> layout(batch_last) ins(%x, %k : tensor<275x?xbf16>, tensor<1x7x11x1xbf16>) outs(%init : tensor<175x?xbf16>) -> tensor<175x?xbf16>
  return %y : tensor<175x?xbf16>
}

// A plan that is there stays.
// CHECK-LABEL: func.func @pinned(
//       CHECK:   plan #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2,
func.func @pinned(%x: tensor<?x32xf16>, %k: tensor<2x8x16x1xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  %y = ks.matmul <2, 8, 16, 1> ins(%x, %k : tensor<?x32xf16>, tensor<2x8x16x1xf16>) outs(%init : tensor<?x16xf16>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
    -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}
