// Plans of kernels that write or read features in an order: of planes.

// RUN: ks-opt %s --ks-select-plan="target=sm_90 batch=4096" | FileCheck %s
// RUN: ks-opt %s --ks-select-plan="target=sm_90 batch=4096" -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: not ks-opt %s --ks-select-plan="target=sm_80 batch=4096" 2>&1 | FileCheck %s --check-prefix=SM80
// RUN: not ks-opt %s --ks-select-plan=target=host 2>&1 | FileCheck %s --check-prefix=HOST

// SM80: 'ks.matmul' op has features in another order, for which there is no plan on sm_80; expected f16 or bf16 in two or more planes of multiples of 16 bytes on a target with wgmma, or no reads and writes
// HOST: 'ks.matmul' op has features in another order, which only kernels for GPUs know; expected their natural order (leave out reads and writes)

// CHECK-LABEL: func.func @pair(
//       CHECK:   ks.matmul <64, 256, 64, 1> writes <1, 64, 4, 64> {{.*}} plan #ks.gpu_plan<entries = {{.*}} copies = bulk, {{.*}} <wgmma16_rs, run_k = 2, {{.*}} planes = 64, redundancy = 4>>
//       CHECK:   ks.matmul <1, 172, 256, 64> reads <1, 64, 4, 64> {{.*}} plan #ks.gpu_plan<entries = {{.*}} copies = bulk, {{.*}} <wgmma16_rs, run_k = 2, {{.*}} planes = 64, redundancy = 4>>
// REMARK: columns in planes
// REMARK: columns in planes
func.func @pair(%x: tensor<?x4096xf16>, %k0: tensor<64x256x64x1xf16>, %k1: tensor<1x172x256x64xf16>,
                %i0: tensor<?x16384xf16>, %i1: tensor<?x11008xf16>) -> tensor<?x11008xf16> {
  %h = ks.matmul <64, 256, 64, 1> writes <1, 64, 4, 64>
    ins(%x, %k0 : tensor<?x4096xf16>, tensor<64x256x64x1xf16>) outs(%i0 : tensor<?x16384xf16>) -> tensor<?x16384xf16>
  %y = ks.matmul <1, 172, 256, 64> reads <1, 64, 4, 64>
    ins(%h, %k1 : tensor<?x16384xf16>, tensor<1x172x256x64xf16>) outs(%i1 : tensor<?x11008xf16>) -> tensor<?x11008xf16>
  return %y : tensor<?x11008xf16>
}

// Weights that groups share are shared by the columns that they become.
// CHECK-LABEL: func.func @tied(
//       CHECK:   writes <2, 8, 1, 16> {{.*}} j = 1, tied = a|d, planes = 8>>
func.func @tied(%x: tensor<?x512xbf16>, %k: tensor<1x16x32x1xbf16>, %init: tensor<?x256xbf16>) -> tensor<?x256xbf16> {
  %y = ks.matmul <16, 16, 32, 1> writes <2, 8, 1, 16>
    ins(%x, %k : tensor<?x512xbf16>, tensor<1x16x32x1xbf16>) outs(%init : tensor<?x256xbf16>) -> tensor<?x256xbf16>
  return %y : tensor<?x256xbf16>
}
