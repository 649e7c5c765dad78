// Orders of the features between two kernels, printed and parsed again.

// RUN: ks-opt %s | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | ks-opt | FileCheck %s
// RUN: ks-opt %s --emit-bytecode | ks-opt | FileCheck %s

// CHECK: func.func private @attribute() attributes {order = #ks.feature_order<1, 64, 4, 64>}
func.func private @attribute() attributes {order = #ks.feature_order<1, 64, 4, 64>}

// CHECK-LABEL: func.func @pair(
//       CHECK:   %[[H:.*]] = ks.matmul <64, 256, 64, 1> writes <1, 64, 4, 64> ins(
//       CHECK:   ks.matmul <1, 172, 256, 64> reads <1, 64, 4, 64> ins(%[[H]],
func.func @pair(%x: tensor<?x4096xf16>, %k0: tensor<64x256x64x1xf16>, %k1: tensor<1x172x256x64xf16>,
                %i0: tensor<?x16384xf16>, %i1: tensor<?x11008xf16>) -> tensor<?x11008xf16> {
  %h = ks.matmul <64, 256, 64, 1> writes <1, 64, 4, 64>
    ins(%x, %k0 : tensor<?x4096xf16>, tensor<64x256x64x1xf16>) outs(%i0 : tensor<?x16384xf16>) -> tensor<?x16384xf16>
  %y = ks.matmul <1, 172, 256, 64> reads <1, 64, 4, 64>
    ins(%h, %k1 : tensor<?x16384xf16>, tensor<1x172x256x64xf16>) outs(%i1 : tensor<?x11008xf16>) -> tensor<?x11008xf16>
  return %y : tensor<?x11008xf16>
}

// The second one may have an epilogue, and groups of its own: a is not 1.
// CHECK-LABEL: func.func @epilogue(
//       CHECK:   ks.matmul <2, 6, 8, 3> fastmath<reassoc> reads <2, 4, 2, 3> ins({{.*}}) outs({{.*}}) epilogue({{.*}})
func.func @epilogue(%x: tensor<?x48xf16>, %k: tensor<2x6x8x3xf16>, %bias: tensor<36xf16>, %init: tensor<?x36xf16>) -> tensor<?x36xf16> {
  %y = ks.matmul <2, 6, 8, 3> fastmath<reassoc> reads <2, 4, 2, 3>
    ins(%x, %k : tensor<?x48xf16>, tensor<2x6x8x3xf16>) outs(%init : tensor<?x36xf16>)
    epilogue(%bias : tensor<36xf16>) {
    ^bb0(%acc: f32, %b: f16):
      %wide = arith.extf %b : f16 to f32
      %sum = arith.addf %acc, %wide : f32
      ks.yield %sum : f32
    } -> tensor<?x36xf16>
  return %y : tensor<?x36xf16>
}

// On buffers.
// CHECK-LABEL: func.func @buffers(
//       CHECK:   ks.matmul <8, 6, 5, 1> writes <2, 4, 2, 3> ins(
func.func @buffers(%x: memref<?x40xf16>, %k: memref<8x6x5x1xf16>, %y: memref<?x48xf16>) {
  ks.matmul <8, 6, 5, 1> writes <2, 4, 2, 3>
    ins(%x, %k : memref<?x40xf16>, memref<8x6x5x1xf16>) outs(%y : memref<?x48xf16>)
  return
}

// Plans that fit: columns that are read, and groups that become columns.
// CHECK-LABEL: func.func @plans(
//       CHECK:   writes <1, 8, 2, 8> {{.*}} plan #ks.gpu_plan<{{.*}} packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8, planes = 8, redundancy = 2>>
//       CHECK:   reads <1, 8, 2, 8> {{.*}} plan #ks.gpu_plan<{{.*}} packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8, planes = 8, redundancy = 2>>
func.func @plans(%x: tensor<?x128xf16>, %k0: tensor<8x16x16x1xf16>, %k1: tensor<1x16x16x8xf16>,
                 %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  %h = ks.matmul <8, 16, 16, 1> writes <1, 8, 2, 8>
    ins(%x, %k0 : tensor<?x128xf16>, tensor<8x16x16x1xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8, planes = 8, redundancy = 2>>
    -> tensor<?x128xf16>
  %y = ks.matmul <1, 16, 16, 8> reads <1, 8, 2, 8>
    ins(%h, %k1 : tensor<?x128xf16>, tensor<1x16x16x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8, planes = 8, redundancy = 2>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// CHECK-LABEL: func.func @packing(
//       CHECK:   ks.pack_weights <8, 16, 16, 1> into #ks.gpu_packing<{{.*}}, j = 4, planes = 4, redundancy = 2>
//       CHECK:   ks.pack_weights <1, 16, 16, 8> into #ks.gpu_packing<{{.*}}, j = 8, planes = 8>
func.func @packing(%k0: tensor<8x16x16x1xf16>, %k1: tensor<1x16x16x8xf16>, %p: tensor<2048xf16>) -> (tensor<2048xf16>, tensor<2048xf16>) {
  %p0 = ks.pack_weights <8, 16, 16, 1> into #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 4, planes = 4, redundancy = 2>
    ins(%k0 : tensor<8x16x16x1xf16>) outs(%p : tensor<2048xf16>) -> tensor<2048xf16>
  %p1 = ks.pack_weights <1, 16, 16, 8> into #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8, planes = 8>
    ins(%k1 : tensor<1x16x16x8xf16>) outs(%p : tensor<2048xf16>) -> tensor<2048xf16>
  return %p0, %p1 : tensor<2048xf16>, tensor<2048xf16>
}

// What all groups share, all columns that they become share.
// CHECK-LABEL: func.func @packing_tied(
//       CHECK:   planes = 4, redundancy = 2>
func.func @packing_tied(%k: tensor<1x16x16x1xf16>, %p: tensor<256xf16>) -> tensor<256xf16> {
  %q = ks.pack_weights <8, 16, 16, 1> into #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 1, tied = a|d, planes = 4, redundancy = 2>
    ins(%k : tensor<1x16x16x1xf16>) outs(%p : tensor<256xf16>) -> tensor<256xf16>
  return %q : tensor<256xf16>
}
