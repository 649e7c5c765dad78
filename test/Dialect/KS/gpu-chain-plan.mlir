// RUN: ks-opt %s | ks-opt | FileCheck %s

// CHECK-LABEL: func @planned(
//       CHECK:   plan #ks.gpu_chain_plan<entries = 32, cluster = 4, warps = 8, staged = true, factors = [
//  CHECK-SAME:     <entries = 32, vector = 1, packing = <fragments = <mma16, run_k = 2, run_n = 8>, n = 64, k = 64, j = 1>>,
//  CHECK-SAME:     <entries = 32, vector = 4, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 64, j = 4>>]>
func.func @planned(%x: tensor<?x4096xf16>, %k0: tensor<64x64x64x1xf16>,
                   %k1: tensor<1x64x64x64xf16>, %i: tensor<?x4096xf16>) -> tensor<?x4096xf16> {
  %y = ks.chain [<64, 64, 64, 1>, <1, 64, 64, 64>]
         ins(%x, %k0, %k1 : tensor<?x4096xf16>, tensor<64x64x64x1xf16>, tensor<1x64x64x64xf16>)
         outs(%i : tensor<?x4096xf16>)
         plan #ks.gpu_chain_plan<entries = 32, cluster = 4, warps = 8, staged = true, factors = [
           <entries = 32, vector = 1, packing = <fragments = <mma16, run_k = 2, run_n = 8>, n = 64, k = 64, j = 1>>,
           <entries = 32, vector = 4, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 64, j = 4>>]>
         -> tensor<?x4096xf16>
  return %y : tensor<?x4096xf16>
}

// Slices of 16 columns j each, whose rows n of the first factor are every fourth run of
// 16; two blocks share one; four stages, of sixteen groups, or one group and two blocks
// of n.
// CHECK-LABEL: func @slices(
//       CHECK:   plan #ks.gpu_chain_plan<entries = 32, slices = 4, shares = 2, warps = 16, stages = 4, factors = [
//  CHECK-SAME:     <entries = 32, vector = 1, groups = 16, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 64, j = 1, parts = 4, run = 16>>,
//  CHECK-SAME:     <entries = 32, vector = 2, blocks_n = 2, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 32, j = 2>>]>
func.func @slices(%x: tensor<?x4096xf16>, %k0: tensor<64x64x64x1xf16>,
                  %k1: tensor<1x64x64x64xf16>, %i: tensor<?x4096xf16>) -> tensor<?x4096xf16> {
  %y = ks.chain [<64, 64, 64, 1>, <1, 64, 64, 64>]
         ins(%x, %k0, %k1 : tensor<?x4096xf16>, tensor<64x64x64x1xf16>, tensor<1x64x64x64xf16>)
         outs(%i : tensor<?x4096xf16>)
         plan #ks.gpu_chain_plan<entries = 32, slices = 4, shares = 2, warps = 16, stages = 4, factors = [
           <entries = 32, vector = 1, groups = 16, packing = <fragments = <mma16, run_k = 2, run_n = 2>, n = 16, k = 64, j = 1, parts = 4, run = 16>>,
           <entries = 32, vector = 2, blocks_n = 2, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 32, j = 2>>]>
         -> tensor<?x4096xf16>
  return %y : tensor<?x4096xf16>
}

// What is not said: one block, results stored as they are.
// CHECK-LABEL: func private @defaults() attributes {a = #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [
func.func private @defaults() attributes {a = #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [
  <entries = 8, vector = 1, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 4, k = 4, j = 1>>]>}

// CHECK-LABEL: func private @buffer()
//  CHECK-SAME:   #ks.chain_buffer<a = 1, c = 64, d = 64, blocks = 4, along_j = true, depth = 64, slab = 16, rows = 32, pitch = 1032>
func.func private @buffer() attributes {a = #ks.chain_buffer<a = 1, c = 64, d = 64, blocks = 4, along_j = true, depth = 64, slab = 16, rows = 32, pitch = 1032>}

// Planes by wgmma: four groups of a stage, then eight columns j of one.
// CHECK-LABEL: func @planes(
//       CHECK:   plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 66, factors = [
//  CHECK-SAME:     <entries = 64, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>,
//  CHECK-SAME:     <entries = 64, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 8>>]>
func.func @planes(%x: tensor<?x1024xf16>, %k0: tensor<32x32x32x1xf16>,
                  %k1: tensor<1x32x32x32xf16>, %i: tensor<?x1024xf16>) -> tensor<?x1024xf16> {
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]
         ins(%x, %k0, %k1 : tensor<?x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>)
         outs(%i : tensor<?x1024xf16>)
         plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 66, factors = [
           <entries = 64, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>,
           <entries = 64, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 8>>]>
         -> tensor<?x1024xf16>
  return %y : tensor<?x1024xf16>
}
