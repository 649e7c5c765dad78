// RUN: ks-opt %s -split-input-file -verify-diagnostics

// C1 of #ks.chain_buffer
// expected-error @+1 {{buffer's pitch is 0; expected at least 1}}
func.func private @pitch() attributes {a = #ks.chain_buffer<a = 4, c = 2, d = 1, blocks = 2, depth = 2, slab = 1, rows = 8, pitch = 0>}

// -----

// expected-error @+1 {{buffer's blocks is 3; expected a divisor of a = 4}}
func.func private @blocks() attributes {a = #ks.chain_buffer<a = 4, c = 2, d = 1, blocks = 3, depth = 2, slab = 1, rows = 8, pitch = 8>}

// -----

// expected-error @+1 {{buffer's blocks is 4; expected a divisor of d = 6}}
func.func private @along_j() attributes {a = #ks.chain_buffer<a = 4, c = 2, d = 6, blocks = 4, along_j = true, depth = 2, slab = 1, rows = 8, pitch = 8>}

// -----

// C1 of #ks.gpu_chain_factor
// expected-error @+1 {{factor's entries is 0; expected 1 to 512}}
func.func private @entries() attributes {a = #ks.gpu_chain_factor<entries = 0, vector = 1, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 4, k = 4, j = 1>>}

// -----

// expected-error @+1 {{factor's vector is 17; expected 1 to 16}}
func.func private @vector() attributes {a = #ks.gpu_chain_factor<entries = 8, vector = 17, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 4, k = 4, j = 17>>}

// -----

// checkGPUChainPlan

func.func @count(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: it has 1 factors; expected one for each of 2}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @cluster(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: cluster is 3; expected 1, 2, 4 or 8}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, cluster = 3, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @warps(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: warps is 17; expected 1 to 16}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 17, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @tile(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: entries is 513; expected 1 to 512}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 513, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @instruction(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: factor 0 has instruction wgmma16; expected mma16, mma8, mma16_split or fma}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <wgmma16, run_k = 1, run_n = 1>, n = 64, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @kind(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: instruction is fma for a 16-bit type; expected mma16}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @divides(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: factor 1 has entries = 16; expected a multiple of 8 that divides 8}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 16, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @shared(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: cluster is 8 with factor 0, <4, 16, 16, 1>; expected a divisor of its a or d}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, cluster = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @columns(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: vector of factor 1 is 4; expected at most the 2 columns j of a block}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, cluster = 2, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 4, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 4>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @part(%x: tensor<8x96xf16>, %k0: tensor<6x16x16x1xf16>, %k1: tensor<1x16x16x6xf16>, %i: tensor<8x96xf16>) -> tensor<8x96xf16> {
  // expected-error @+1 {{plan does not fit: vector of factor 1 is 2; expected a divisor of the 3 columns j of a block}}
  %y = ks.chain [<6, 16, 16, 1>, <1, 16, 16, 6>]  ins(%x, %k0, %k1 : tensor<8x96xf16>, tensor<6x16x16x1xf16>, tensor<1x16x16x6xf16>) outs(%i : tensor<8x96xf16>)
         plan #ks.gpu_chain_plan<entries = 8, cluster = 2, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 2, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 2>>]> -> tensor<8x96xf16>
  return %y : tensor<8x96xf16>
}

// -----

func.func @run_k(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: run_k of factor 1 is 2 with vector = 1; expected 1, or vector = 4}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 2, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @run_n(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: run_n of factor 1 is 2 with vector = 1; expected 1, or vector = 4}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 2>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @slots(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: number of n of a lane is 2; expected a multiple of 4}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 4>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @last(%x: tensor<64x8xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<64x8xf16>) -> tensor<64x8xf16> {
  // expected-error @+1 {{plan does not fit: run_k and run_n of factor 0 are 2 and 1; expected 1 with layout batch_last}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>] layout(batch_last) ins(%x, %k0, %k1 : tensor<64x8xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<64x8xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 2, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<64x8xf16>
  return %y : tensor<64x8xf16>
}

// -----

func.func @staged(%x: tensor<64x8xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<64x8xf16>) -> tensor<64x8xf16> {
  // expected-error @+1 {{plan does not fit: results are staged; expected not with layout batch_last}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>] layout(batch_last) ins(%x, %k0, %k1 : tensor<64x8xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<64x8xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, staged = true, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<64x8xf16>
  return %y : tensor<64x8xf16>
}

// -----

func.func @tied(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: packed weights of factor 0 are tied along a and not tied along d; expected what the weight is}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1, tied = a>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @depth(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: packing k of factor 1 is 32; expected 16}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 32, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @j(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: packing j of factor 1 is 1; expected 4}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 4, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @registers(%x: tensor<8x64xf16>, %k0: tensor<4x128x16x1xf16>, %k1: tensor<1x16x128x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: a lane needs about 656 registers; expected at most 255 with 128 threads}}
  %y = ks.chain [<4, 128, 16, 1>, <1, 16, 128, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x128x16x1xf16>, tensor<1x16x128x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 128, warps = 4, factors = [<entries = 128, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 128, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @split(%x: tensor<8x64xf32>, %k0: tensor<4x16x16x1xf32>, %k1: tensor<1x16x16x4xf32>, %i: tensor<8x64xf32>) -> tensor<8x64xf32> {
  // expected-error @+1 {{plan does not fit: instruction is mma16_split with c = 16; expected fma below 32, where it is not as exact}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf32>, tensor<4x16x16x1xf32>, tensor<1x16x16x4xf32>) outs(%i : tensor<8x64xf32>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16_split, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 4, k = 16, j = 1>>]> -> tensor<8x64xf32>
  return %y : tensor<8x64xf32>
}

// -----

func.func @slices(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: slices is 3; expected the 1 groups of the last factor times a divisor of its 4 columns j}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, slices = 3, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @no_slices(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: slices is 0; expected at least 1}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, slices = 0, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @slice_columns(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: slices is 8; expected the 1 groups of the last factor times a divisor of its 4 columns j}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, slices = 8, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @parts(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: packing parts of factor 0 is 1; expected 2}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, slices = 2, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @run(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: packing run of factor 0 is 4; expected 2}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, slices = 2, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1, parts = 2, run = 4>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @shares(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: shares is 2; expected a divisor of the last factor's 1 blocks of n}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, shares = 2, warps = 4, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @slice_staged(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: results are staged with slices = 2 and shares = 1; expected 1, as rows are stored as wholes}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, slices = 2, warps = 4, staged = true, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1, parts = 2, run = 2>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @stages(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: stages is 1; expected 0, or 2 to 16}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, stages = 1, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @stages_of_cluster(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: stages is 2 with cluster = 2; expected one of them only}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, cluster = 2, warps = 4, stages = 2, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @groups(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: a stage of factor 0 has 3 groups; expected a divisor of 4}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, stages = 2, factors = [<entries = 8, vector = 1, groups = 3, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @blocks_n(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: a stage of factor 0 has 2 blocks of n; expected 1}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, stages = 2, factors = [<entries = 8, vector = 1, blocks_n = 2, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @no_groups(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: groups of a stage of factor 0 is 0; expected at least 1}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, stages = 2, factors = [<entries = 8, vector = 1, groups = 0, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @pieces(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: a stage of factor 0 has 4 pieces of work; expected at most the 2 warps}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 2, stages = 2, factors = [<entries = 8, vector = 1, groups = 4, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @not_staged(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: factor 0 has groups = 2 and blocks_n = 1 without stages; expected 1}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, factors = [<entries = 8, vector = 1, groups = 2, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}

// -----

func.func @planes_type(%x: tensor<8x1024xf32>, %k0: tensor<32x32x32x1xf32>, %k1: tensor<1x32x32x32xf32>, %i: tensor<8x1024xf32>) -> tensor<8x1024xf32> {
  // expected-error @+1 {{plan does not fit: factors have instruction wgmma16_rs; expected that for two chainable factors only, the first one with d = 1, in f16 or bf16}}
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]  ins(%x, %k0, %k1 : tensor<8x1024xf32>, tensor<32x32x32x1xf32>, tensor<1x32x32x32xf32>) outs(%i : tensor<8x1024xf32>)
         plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 66, factors = [<entries = 64, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>, <entries = 64, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 8>>]> -> tensor<8x1024xf32>
  return %y : tensor<8x1024xf32>
}

// -----

func.func @planes_entries(%x: tensor<8x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %i: tensor<8x1024xf16>) -> tensor<8x1024xf16> {
  // expected-error @+1 {{plan does not fit: entries is 128 and warps is 8; expected 64 and 8 with wgmma16_rs}}
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]  ins(%x, %k0, %k1 : tensor<8x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%i : tensor<8x1024xf16>)
         plan #ks.gpu_chain_plan<entries = 128, slices = 2, warps = 8, stages = 3, batch_blocks = 66, factors = [<entries = 128, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>, <entries = 128, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 8>>]> -> tensor<8x1024xf16>
  return %y : tensor<8x1024xf16>
}

// -----

func.func @planes_stages(%x: tensor<8x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %i: tensor<8x1024xf16>) -> tensor<8x1024xf16> {
  // expected-error @+1 {{plan does not fit: stages is 1; expected 0, or 2 to 16}}
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]  ins(%x, %k0, %k1 : tensor<8x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%i : tensor<8x1024xf16>)
         plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 1, batch_blocks = 66, factors = [<entries = 64, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>, <entries = 64, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 8>>]> -> tensor<8x1024xf16>
  return %y : tensor<8x1024xf16>
}

// -----

func.func @planes_blocks(%x: tensor<8x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %i: tensor<8x1024xf16>) -> tensor<8x1024xf16> {
  // expected-error @+1 {{plan does not fit: batch_blocks is 0; expected at least 1 with wgmma16_rs}}
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]  ins(%x, %k0, %k1 : tensor<8x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%i : tensor<8x1024xf16>)
         plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 0, factors = [<entries = 64, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>, <entries = 64, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 8>>]> -> tensor<8x1024xf16>
  return %y : tensor<8x1024xf16>
}

// -----

func.func @planes_fragments(%x: tensor<8x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %i: tensor<8x1024xf16>) -> tensor<8x1024xf16> {
  // expected-error @+1 {{plan does not fit: factor 0 has other fragments; expected <wgmma16_rs, run_k = 2, run_n = 1> for both}}
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]  ins(%x, %k0, %k1 : tensor<8x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%i : tensor<8x1024xf16>)
         plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 66, factors = [<entries = 64, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 1, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>, <entries = 64, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 8>>]> -> tensor<8x1024xf16>
  return %y : tensor<8x1024xf16>
}

// -----

func.func @planes_groups(%x: tensor<8x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %i: tensor<8x1024xf16>) -> tensor<8x1024xf16> {
  // expected-error @+1 {{plan does not fit: factor 0 has vector = 1 and groups = 3; expected 1, and a divisor of its 32 groups, at most 64}}
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]  ins(%x, %k0, %k1 : tensor<8x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%i : tensor<8x1024xf16>)
         plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 66, factors = [<entries = 64, vector = 1, groups = 3, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>, <entries = 64, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 8>>]> -> tensor<8x1024xf16>
  return %y : tensor<8x1024xf16>
}

// -----

func.func @planes_n(%x: tensor<8x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %i: tensor<8x1024xf16>) -> tensor<8x1024xf16> {
  // expected-error @+1 {{plan does not fit: n of factor 0 is 32; expected the 16 rows of a slice, a multiple of 8}}
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]  ins(%x, %k0, %k1 : tensor<8x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%i : tensor<8x1024xf16>)
         plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 66, factors = [<entries = 64, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 1, parts = 2, run = 16>>, <entries = 64, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 8>>]> -> tensor<8x1024xf16>
  return %y : tensor<8x1024xf16>
}

// -----

func.func @planes_columns(%x: tensor<8x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %i: tensor<8x1024xf16>) -> tensor<8x1024xf16> {
  // expected-error @+1 {{plan does not fit: factor 1 has vector = 5 and groups = 1; expected an even divisor of the slice's 16 columns j, and 1}}
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]  ins(%x, %k0, %k1 : tensor<8x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%i : tensor<8x1024xf16>)
         plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 66, factors = [<entries = 64, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>, <entries = 64, vector = 5, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 32, k = 32, j = 5>>]> -> tensor<8x1024xf16>
  return %y : tensor<8x1024xf16>
}

// -----

func.func @planes_rows(%x: tensor<8x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %i: tensor<8x1024xf16>) -> tensor<8x1024xf16> {
  // expected-error @+1 {{plan does not fit: n of factor 1 is 24; expected a multiple of 16, at most 512}}
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]  ins(%x, %k0, %k1 : tensor<8x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%i : tensor<8x1024xf16>)
         plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 66, factors = [<entries = 64, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>, <entries = 64, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 24, k = 32, j = 8>>]> -> tensor<8x1024xf16>
  return %y : tensor<8x1024xf16>
}

// -----

func.func @planes_registers(%x: tensor<8x1024xf16>, %k0: tensor<32x32x32x1xf16>, %k1: tensor<1x32x32x32xf16>, %i: tensor<8x1024xf16>) -> tensor<8x1024xf16> {
  // expected-error @+1 {{plan does not fit: a lane needs about}}
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]  ins(%x, %k0, %k1 : tensor<8x1024xf16>, tensor<32x32x32x1xf16>, tensor<1x32x32x32xf16>) outs(%i : tensor<8x1024xf16>)
         plan #ks.gpu_chain_plan<entries = 64, slices = 2, warps = 8, stages = 3, batch_blocks = 66, factors = [<entries = 64, vector = 1, groups = 4, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 32, j = 1, parts = 2, run = 16>>, <entries = 64, vector = 8, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 144, k = 32, j = 8>>]> -> tensor<8x1024xf16>
  return %y : tensor<8x1024xf16>
}

// -----

func.func @no_planes(%x: tensor<8x64xf16>, %k0: tensor<4x16x16x1xf16>, %k1: tensor<1x16x16x4xf16>, %i: tensor<8x64xf16>) -> tensor<8x64xf16> {
  // expected-error @+1 {{plan does not fit: batch_blocks is 2; expected none without wgmma16_rs}}
  %y = ks.chain [<4, 16, 16, 1>, <1, 16, 16, 4>]  ins(%x, %k0, %k1 : tensor<8x64xf16>, tensor<4x16x16x1xf16>, tensor<1x16x16x4xf16>) outs(%i : tensor<8x64xf16>)
         plan #ks.gpu_chain_plan<entries = 8, warps = 4, batch_blocks = 2, factors = [<entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>, <entries = 8, vector = 1, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>]> -> tensor<8x64xf16>
  return %y : tensor<8x64xf16>
}
