// RUN: ks-opt %s -split-input-file -verify-diagnostics

// C1 of #ks.fragments
// expected-error @+1 {{run_k is 3; expected 1, 2 or 4}}
func.func private @run_k() attributes {a = #ks.fragments<mma16, run_k = 3, run_n = 1>}

// -----

// expected-error @+1 {{run_n is 0; expected 1 to 64}}
func.func private @run_n() attributes {a = #ks.fragments<mma16, run_k = 1, run_n = 0>}

// -----

// C1 of #ks.gpu_packing
// expected-error @+1 {{packing n is 8; expected a multiple of 16 for mma16}}
func.func private @n() attributes {a = #ks.gpu_packing<fragments = <mma16, run_k = 1, run_n = 1>, n = 8, k = 16, j = 1>}

// -----

// expected-error @+1 {{packing k is 0; expected a multiple of 4 for fma}}
func.func private @k() attributes {a = #ks.gpu_packing<fragments = <fma, run_k = 1, run_n = 1>, n = 8, k = 0, j = 1>}

// -----

// expected-error @+1 {{packing j is 2; expected 1, as all j share the weight}}
func.func private @j() attributes {a = #ks.gpu_packing<fragments = <fma, run_k = 1, run_n = 1>, n = 8, k = 8, j = 2, tied = d>}

// -----

// C2 of #ks.gpu_packing
// expected-error @+1 {{packing parts is 0; expected at least 1}}
func.func private @parts() attributes {a = #ks.gpu_packing<fragments = <fma, run_k = 1, run_n = 1>, n = 8, k = 8, j = 1, parts = 0>}

// -----

// expected-error @+1 {{packing run is -1; expected at least 1}}
func.func private @run() attributes {a = #ks.gpu_packing<fragments = <fma, run_k = 1, run_n = 1>, n = 8, k = 8, j = 1, run = -1>}

// -----

// expected-error @+1 {{packing is folded with 2 parts; expected 1}}
func.func private @folded_parts() attributes {a = #ks.gpu_packing<fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1, folded = true, parts = 2>}

// -----

// C1 of #ks.gpu_plan
// expected-error @+1 {{plan has 2 numbers of warps; expected 3: along the batch, n and j}}
func.func private @warps() attributes {a = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>}

// -----

// expected-error @+1 {{plan's stages is 0; expected at least 1}}
func.func private @stages() attributes {a = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 0, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>}

// -----

// What the planner's checkGPUPlan says of the op and the plan together.
func.func @factors(%x: tensor<?x4xf16>, %k: tensor<1x4x4x1xf16>, %init: tensor<?x4xf16>) -> tensor<?x4xf16> {
  // expected-error @+1 {{plan does not fit: a #ks.gpu_plan is for one factor, and there are 2; expected ks.matmul (run ks-split-chains)}}
  %y = ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>] ins(%x, %k, %k : tensor<?x4xf16>, tensor<1x4x4x1xf16>, tensor<1x4x4x1xf16>) outs(%init : tensor<?x4xf16>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
    -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// -----

func.func @instruction(%x: tensor<?x32xf32>, %k: tensor<2x8x16x1xf32>, %init: tensor<?x16xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{plan does not fit: instruction is mma16 for elements of another type; expected f16 or bf16}}
  %y = ks.matmul <2, 8, 16, 1> ins(%x, %k : tensor<?x32xf32>, tensor<2x8x16x1xf32>) outs(%init : tensor<?x16xf32>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
    -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

func.func @entries(%x: tensor<?x32xf16>, %k: tensor<2x8x16x1xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  // expected-error @+1 {{plan does not fit: entries is 24; expected a multiple of 16}}
  %y = ks.matmul <2, 8, 16, 1> ins(%x, %k : tensor<?x32xf16>, tensor<2x8x16x1xf16>) outs(%init : tensor<?x16xf16>)
    plan #ks.gpu_plan<entries = 24, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
    -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}

// -----

func.func @run(%x: tensor<?x32xf16>, %k: tensor<1x8x16x2xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  // expected-error @+1 {{plan does not fit: run_n is 2 with vector = 1; expected 1, or vector = d = 2}}
  %y = ks.matmul <1, 8, 16, 2> ins(%x, %k : tensor<?x32xf16>, tensor<1x8x16x2xf16>) outs(%init : tensor<?x16xf16>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
    -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}

// -----

func.func @registers(%x: tensor<?x32xf16>, %k: tensor<2x8x16x1xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  // expected-error @+1 {{plan does not fit: a lane needs about 540 registers; expected at most 255 with 32 threads}}
  %y = ks.matmul <2, 8, 16, 1> ins(%x, %k : tensor<?x32xf16>, tensor<2x8x16x1xf16>) outs(%init : tensor<?x16xf16>)
    plan #ks.gpu_plan<entries = 512, batch_blocks = 1024, vector = 1, warps = [1, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
    -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}

// -----

func.func @wgmma_d(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: d is 4 with wgmma16; expected 1 with layout batch_first, or a folded packing}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 1, warps = [1, 4, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16, run_k = 1, run_n = 1>, n = 64, k = 64, j = 1>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @wgmma_warps(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: warps are [1, 2, 1] with wgmma16; expected [1, 4, 1] or [2, 4, 1]}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 1, warps = [1, 2, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16, run_k = 1, run_n = 1>, n = 64, k = 64, j = 1, folded = true>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @wgmma_stages(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: stages is 1 with wgmma16; expected at least 2}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 1, warps = [1, 4, 1], stages = 1, copies = bulk, weights = streamed, packing = <fragments = <wgmma16, run_k = 1, run_n = 1>, n = 64, k = 64, j = 1, folded = true>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @registers_copies(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: copies are cp_async with wgmma16_rs; expected bulk}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 4, warps = [4, 1, 1], stages = 2, cluster = 1, copies = cp_async, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 2>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @registers_warps(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: warps are [2, 1, 1] with wgmma16_rs; expected a multiple of 4 along the batch, and 4 or 8 in all}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 4, warps = [2, 1, 1], stages = 2, cluster = 1, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 2>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @registers_stages(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: stages is 1 with wgmma16_rs; expected at least 2}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 4, warps = [4, 1, 1], stages = 1, cluster = 1, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 2>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @cluster_size(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: cluster is 3; expected 1, 2, 4 or 8}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 4, warps = [4, 1, 1], stages = 2, cluster = 3, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 2>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @cluster_blocks(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: cluster is 4 with 2 blocks along n; expected a divisor}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 4, warps = [4, 1, 1], stages = 2, cluster = 4, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 2>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @cluster_none(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    // expected-error @+1 {{plan's cluster is 0; expected at least 1}}
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 4, warps = [4, 1, 1], stages = 2, cluster = 0, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 2>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @sweeps(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: sweeps is 2 with 2 slabs in clusters of 2; expected a divisor of 1}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 4, warps = [4, 1, 1], stages = 2, cluster = 2, sweeps = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 2>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @sweeps_none(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    // expected-error @+1 {{plan's sweeps is 0; expected at least 1}}
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 4, warps = [4, 1, 1], stages = 2, sweeps = 0, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 2>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @folded_mma(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: packing is folded; expected wgmma16 and layout batch_first}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 1, warps = [1, 4, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 64, k = 64, j = 1, folded = true>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @exchange(%v: vector<1x1x4x4xf16>) -> vector<8x1x1x4xf16> {
  // expected-error @+1 {{expected [1][n][8 * m][4] to [8][n][m][4], of the same 16-bit type}}
  %s = ks.exchange_entries %v : vector<1x1x4x4xf16> to vector<8x1x1x4xf16>
  return %s : vector<8x1x1x4xf16>
}

// -----

func.func @parts(%v: vector<1x1x4x4xf32>) {
  // expected-error @+1 {{is from 'vector<1x1x4x4xf32>' to 'vector<1x1x4x4xf32>'; expected [j][n][m][2 * s] to [j][n][m][s], of f32}}
  %s = ks.join_parts %v : vector<1x1x4x4xf32> to vector<1x1x4x4xf32>
  return
}

// -----

func.func @split_depth(%x: tensor<?x15xf32>, %k: tensor<1x16x15x1xf32>, %init: tensor<?x16xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{plan does not fit: instruction is mma16_split with c = 15; expected fma below 32, where it is not as exact}}
  %y = ks.matmul <1, 16, 15, 1> ins(%x, %k : tensor<?x15xf32>, tensor<1x16x15x1xf32>) outs(%init : tensor<?x16xf32>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 8, vector = 1, warps = [1, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16_split, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>
    -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

func.func @split_precision(%x: tensor<?x16xf32>, %k: tensor<1x16x16x1xf32>, %init: tensor<?x16xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{plan does not fit: instruction is mma16_split for another type or precision; expected f32 with precision(ieee)}}
  %y = ks.matmul <1, 16, 16, 1> precision(tf32) ins(%x, %k : tensor<?x16xf32>, tensor<1x16x16x1xf32>) outs(%init : tensor<?x16xf32>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 8, vector = 1, warps = [1, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16_split, run_k = 1, run_n = 1>, n = 16, k = 16, j = 1>>
    -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

func.func @tf32_registers(%x: tensor<64x?xf32>, %k: tensor<1x64x64x1xf32>, %init: tensor<64x?xf32>) -> tensor<64x?xf32> {
  // expected-error @+1 {{plan does not fit: run_k is 1; expected 2 with wgmma8_rs and layout batch_last}}
  %y = ks.matmul <1, 64, 64, 1> layout(batch_last) precision(tf32) ins(%x, %k : tensor<64x?xf32>, tensor<1x64x64x1xf32>) outs(%init : tensor<64x?xf32>)
    plan #ks.gpu_plan<entries = 256, batch_blocks = 8, vector = 4, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma8_rs, run_k = 1, run_n = 1>, n = 64, k = 16, j = 1>>
    -> tensor<64x?xf32>
  return %y : tensor<64x?xf32>
}

// -----

func.func @tf32_vector(%x: tensor<64x?xf32>, %k: tensor<1x64x64x1xf32>, %init: tensor<64x?xf32>) -> tensor<64x?xf32> {
  // expected-error @+1 {{plan does not fit: vector is 2, in clusters of 1; expected 4, and 1, with wgmma8_rs and layout batch_last}}
  %y = ks.matmul <1, 64, 64, 1> layout(batch_last) precision(tf32) ins(%x, %k : tensor<64x?xf32>, tensor<1x64x64x1xf32>) outs(%init : tensor<64x?xf32>)
    plan #ks.gpu_plan<entries = 256, batch_blocks = 8, vector = 2, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma8_rs, run_k = 2, run_n = 1>, n = 64, k = 16, j = 1>>
    -> tensor<64x?xf32>
  return %y : tensor<64x?xf32>
}

// -----

func.func @splits_none(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    // expected-error @+1 {{plan's splits is 0; expected at least 1}}
    plan #ks.gpu_plan<entries = 8, batch_blocks = 1024, vector = 4, warps = [1, 1, 1], stages = 2, splits = 0, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @splits_too_many(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: splits is 16; expected 1 to 8}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 8, batch_blocks = 1024, vector = 4, warps = [1, 1, 1], stages = 2, splits = 16, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @splits_in_clusters(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: cluster is 2 with 2 splits; expected 1}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 1024, vector = 4, warps = [4, 1, 1], stages = 2, cluster = 2, splits = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 1, run_n = 1>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @splits_of_chunks(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: splits is 8 with 4 chunks of k; expected a divisor}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 8, batch_blocks = 1024, vector = 4, warps = [1, 1, 1], stages = 2, splits = 8, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @splits_of_tiles(%x: tensor<?x256xf16>, %k: tensor<1x64x64x4xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: splits is 4 with 2 tiles of a warp along n; expected a divisor}}
  %y = ks.matmul <1, 64, 64, 4> ins(%x, %k : tensor<?x256xf16>, tensor<1x64x64x4xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 8, batch_blocks = 1024, vector = 4, warps = [1, 1, 1], stages = 2, splits = 4, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 32, k = 16, j = 4>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @bulk_conversion(%x: tensor<?x256xf32>, %k: tensor<4x64x64x1xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: copies are bulk with an input that is converted; expected cp_async}}
  %y = ks.matmul <4, 64, 64, 1> load_as(f16) ins(%x, %k : tensor<?x256xf32>, tensor<4x64x64x1xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 8, batch_blocks = 1024, vector = 1, warps = [1, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <mma16, run_k = 2, run_n = 1>, n = 32, k = 16, j = 1>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}
