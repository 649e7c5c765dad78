// What ks-select-plan chooses for chains on GPUs: choices only.

// RUN: ks-opt %s --ks-select-plan=target=sm_80 | FileCheck %s
// RUN: ks-opt %s --ks-select-plan=target=sm_90 | FileCheck %s --check-prefix=HOPPER
// RUN: ks-opt %s --ks-select-plan="target=sm_90 rank=3" | FileCheck %s --check-prefix=RANK
// RUN: ks-opt %s --ks-select-plan=target=sm_90 -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// Small enough for a block: rows pass through it as they are. With wgmma planes of the
// intermediate are faster.
// CHECK-LABEL: func.func @small(
//       CHECK:   plan #ks.gpu_chain_plan<entries = {{[0-9]+}}, warps = {{.*}}factors = [<{{.*}}<mma16, {{.*}}k = 32, j = {{.*}}<mma16, {{.*}}k = 32, j =
// HOPPER-LABEL: func.func @small(
//       HOPPER:   plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = {{[0-9]+}}, batch_blocks = 66, {{.*}}wgmma16_rs{{.*}}parts = 2, run = 16>>, {{.*}}wgmma16_rs
//  RANK-LABEL: func.func @small(
//        RANK:   plan #ks.gpu_chain_plan<
//      REMARK:   Category:ks-select-plan | Remark="target sm_90: 64 entries in clusters of 1 blocks of 8 warps, 2 slices, {{[0-9]+}} stages, planes by wgmma: {{.*}} us, limited by {{.*}}: 16908288 bytes of DRAM, {{[0-9]+}} bytes into SMs"
//      REMARK:   Remark="rejected {{[0-9]+}} entries in clusters of
func.func @small(%x: tensor<4096x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %init: tensor<4096x1024xf16>) -> tensor<4096x1024xf16> {
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]
    ins(%x, %k0, %k1 : tensor<4096x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>)
    outs(%init : tensor<4096x1024xf16>) -> tensor<4096x1024xf16>
  return %y : tensor<4096x1024xf16>
}

// Slices of a wide row are computed apart, and operands come through a ring.
// CHECK-LABEL: func.func @wide(
//       CHECK:   plan #ks.gpu_chain_plan<entries = {{[0-9]+}}, slices = {{[0-9]+}}, warps = {{[0-9]+}}, stages = {{.*}}parts = {{[0-9]+}}
// HOPPER-LABEL: func.func @wide(
//       HOPPER:   plan #ks.gpu_chain_plan<entries = 64, slices = 4, warps = 8, stages = {{[0-9]+}}, batch_blocks = 33, {{.*}}wgmma16_rs{{.*}}n = 16, k = 64, {{.*}}n = 64, k = 64,
func.func @wide(%x: tensor<4096x4096xf16>, %k0: tensor<64x64x64x1xf16>, %k1: tensor<1x64x64x64xf16>, %init: tensor<4096x4096xf16>) -> tensor<4096x4096xf16> {
  %y = ks.chain [<64, 64, 64, 1>, <1, 64, 64, 64>]
    ins(%x, %k0, %k1 : tensor<4096x4096xf16>, tensor<64x64x64x1xf16>, tensor<1x64x64x64xf16>)
    outs(%init : tensor<4096x4096xf16>) -> tensor<4096x4096xf16>
  return %y : tensor<4096x4096xf16>
}

// f32 has no planes.
// HOPPER-LABEL: func.func @wide_f32(
//       HOPPER:   plan #ks.gpu_chain_plan<entries = {{[0-9]+}}, {{(slices|cluster|warps)}}{{.*}}mma16_split
func.func @wide_f32(%x: tensor<4096x4096xf32>, %k0: tensor<64x64x64x1xf32>, %k1: tensor<1x64x64x64xf32>, %init: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> {
  %y = ks.chain [<64, 64, 64, 1>, <1, 64, 64, 64>]
    ins(%x, %k0, %k1 : tensor<4096x4096xf32>, tensor<64x64x64x1xf32>, tensor<1x64x64x64xf32>)
    outs(%init : tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  return %y : tensor<4096x4096xf32>
}

// Of batch-last, f32 of many k is split, that of few k is not.
// HOPPER-LABEL: func.func @last(
//       HOPPER:   plan #ks.gpu_chain_plan<{{.*}}factors = [<{{.*}}<mma16_split, run_k = 1, run_n = 1>{{.*}}<fma, run_k = 1, run_n = 1>
func.func @last(%x: tensor<512x1024xf32>, %k0: tensor<8x16x64x1xf32>, %k1: tensor<1x8x8x16xf32>, %init: tensor<128x1024xf32>) -> tensor<128x1024xf32> {
  %y = ks.chain [<8, 16, 64, 1>, <1, 8, 8, 16>] layout(batch_last)
    ins(%x, %k0, %k1 : tensor<512x1024xf32>, tensor<8x16x64x1xf32>, tensor<1x8x8x16xf32>)
    outs(%init : tensor<128x1024xf32>) -> tensor<128x1024xf32>
  return %y : tensor<128x1024xf32>
}
