// From a chain to PTX for each architecture; assembled where ptxas is there.

// RUN: ks-opt %s --ks-to-nvvm="chip=sm_80 to=kernels" | FileCheck %s --check-prefix=KERNELS
// RUN: ks-opt %s --ks-to-nvvm="chip=sm_80 to=plans" | FileCheck %s --check-prefix=PLANS
// RUN: ks-opt %s --ks-to-nvvm="chip=sm_80 to=tiles" | FileCheck %s --check-prefix=TILES
// RUN: ks-opt %s --ks-to-nvvm="chip=sm_80 to=machine" | FileCheck %s --check-prefix=MACHINE
// RUN: ks-opt %s --ks-to-nvvm=chip=sm_80 | FileCheck %s --check-prefixes=BINARY,SM80
// RUN: ks-opt %s --ks-to-nvvm=chip=sm_86 | FileCheck %s --check-prefixes=BINARY,SM86
// RUN: ks-opt %s --ks-to-nvvm=chip=sm_89 | FileCheck %s --check-prefixes=BINARY,SM89
// RUN: ks-opt %s --ks-to-nvvm=chip=sm_90 | FileCheck %s --check-prefixes=BINARY,SM90
// RUN: ks-opt %s --ks-to-nvvm=chip=sm_100 | FileCheck %s --check-prefixes=BINARY,SM100
// RUN: ks-opt %s --ks-to-nvvm=chip=sm_120 | FileCheck %s --check-prefixes=BINARY,SM120
// RUN: ks-opt %s --ks-to-nvvm=chip=sm_80 | FileCheck %s --check-prefix=ASYNC
// RUN: not ks-opt %s --ks-to-nvvm=chip=sm_42 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: unknown target 'sm_42'; expected one of host, {{.*}}, sm_80, sm_86, sm_89, sm_90, sm_100, sm_120

// KERNELS-COUNT-2: ks.matmul
// KERNELS-NOT: ks.chain
// PLANS-COUNT-2: ks.matmul {{.*}} plan #ks.gpu_plan<
// TILES: gpu.launch_func @ks_kernels::@layer_packed_0
// TILES: gpu.launch_func @ks_kernels::@layer_packed_1
// TILES-COUNT-2: ks.warp_mma
// MACHINE-LABEL: gpu.module @ks_kernels
// MACHINE: llvm.func @layer_packed_0
// MACHINE: nvvm.cp.async.shared.global
// MACHINE: nvvm.mma.sync
// BINARY: gpu.binary @ks_kernels
// SM80: .target sm_80
// SM86: .target sm_86
// SM89: .target sm_89
// SM90: .target sm_90
// SM100: .target sm_100
// SM120: .target sm_120
// ASYNC: cp.async.cg.shared.global
// BINARY-SAME: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
func.func @layer(%x: tensor<?x384xf16>, %k0: tensor<6x64x64x1xf16>, %k1: tensor<1x768x192x2xf16>) -> tensor<?x1536xf16> attributes {ks.kernels = "apart"} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x384xf16>
  %init = tensor.empty(%n) : tensor<?x1536xf16>
  %y = ks.chain [<6, 64, 64, 1>, <1, 768, 192, 2>]
    ins(%x, %k0, %k1 : tensor<?x384xf16>, tensor<6x64x64x1xf16>, tensor<1x768x192x2xf16>)
    outs(%init : tensor<?x1536xf16>) -> tensor<?x1536xf16>
  return %y : tensor<?x1536xf16>
}
