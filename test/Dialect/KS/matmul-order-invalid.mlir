// Orders of features that do not fit, and plans and packings for others.

// RUN: ks-opt %s -split-input-file -verify-diagnostics

// C1 of #ks.feature_order
// expected-error @+1 {{feature order a is 0; expected at least 1}}
func.func private @a() attributes {order = #ks.feature_order<0, 2, 3, 4>}

// -----

// expected-error @+1 {{feature order p is -2; expected at least 1}}
func.func private @p() attributes {order = #ks.feature_order<1, -2, 3, 4>}

// -----

// expected-error @+1 {{feature order r is 0; expected at least 1}}
func.func private @r() attributes {order = #ks.feature_order<1, 2, 0, 4>}

// -----

// expected-error @+1 {{feature order q is 0; expected at least 1}}
func.func private @q() attributes {order = #ks.feature_order<1, 2, 3, 0>}

// -----

// expected-error @+1 {{feature order <1048576, 1048576, 1048576, 1> has too many features to count in 64 bits; expected a*p*r*q below 2^59}}
func.func private @many() attributes {order = #ks.feature_order<1048576, 1048576, 1048576, 1>}

// -----

// C19
func.func @reads_a(%x: tensor<?x48xf16>, %k: tensor<2x6x8x3xf16>, %init: tensor<?x36xf16>) -> tensor<?x36xf16> {
  // expected-error @+1 {{reads #ks.feature_order<1, 4, 2, 3>; expected a = 2, p*r = 8 and q = 3, those of the pattern}}
  %y = ks.matmul <2, 6, 8, 3> reads <1, 4, 2, 3>
    ins(%x, %k : tensor<?x48xf16>, tensor<2x6x8x3xf16>) outs(%init : tensor<?x36xf16>) -> tensor<?x36xf16>
  return %y : tensor<?x36xf16>
}

// -----

func.func @reads_k(%x: tensor<?x48xf16>, %k: tensor<2x6x8x3xf16>, %init: tensor<?x36xf16>) -> tensor<?x36xf16> {
  // expected-error @+1 {{reads #ks.feature_order<2, 3, 2, 3>; expected a = 2, p*r = 8 and q = 3, those of the pattern}}
  %y = ks.matmul <2, 6, 8, 3> reads <2, 3, 2, 3>
    ins(%x, %k : tensor<?x48xf16>, tensor<2x6x8x3xf16>) outs(%init : tensor<?x36xf16>) -> tensor<?x36xf16>
  return %y : tensor<?x36xf16>
}

// -----

func.func @reads_q(%x: tensor<?x48xf16>, %k: tensor<2x6x8x3xf16>, %init: tensor<?x36xf16>) -> tensor<?x36xf16> {
  // expected-error @+1 {{reads #ks.feature_order<2, 4, 2, 2>; expected a = 2, p*r = 8 and q = 3, those of the pattern}}
  %y = ks.matmul <2, 6, 8, 3> reads <2, 4, 2, 2>
    ins(%x, %k : tensor<?x48xf16>, tensor<2x6x8x3xf16>) outs(%init : tensor<?x36xf16>) -> tensor<?x36xf16>
  return %y : tensor<?x36xf16>
}

// -----

func.func @writes_groups(%x: tensor<?x40xf16>, %k: tensor<8x6x5x1xf16>, %init: tensor<?x48xf16>) -> tensor<?x48xf16> {
  // expected-error @+1 {{writes #ks.feature_order<2, 2, 2, 3>; expected a*p = 8, r*q = 6 and a pattern with d = 1, which has d = 1}}
  %y = ks.matmul <8, 6, 5, 1> writes <2, 2, 2, 3>
    ins(%x, %k : tensor<?x40xf16>, tensor<8x6x5x1xf16>) outs(%init : tensor<?x48xf16>) -> tensor<?x48xf16>
  return %y : tensor<?x48xf16>
}

// -----

func.func @writes_rows(%x: tensor<?x40xf16>, %k: tensor<8x6x5x1xf16>, %init: tensor<?x48xf16>) -> tensor<?x48xf16> {
  // expected-error @+1 {{writes #ks.feature_order<2, 4, 2, 2>; expected a*p = 8, r*q = 6 and a pattern with d = 1, which has d = 1}}
  %y = ks.matmul <8, 6, 5, 1> writes <2, 4, 2, 2>
    ins(%x, %k : tensor<?x40xf16>, tensor<8x6x5x1xf16>) outs(%init : tensor<?x48xf16>) -> tensor<?x48xf16>
  return %y : tensor<?x48xf16>
}

// -----

func.func @writes_columns(%x: tensor<?x80xf16>, %k: tensor<8x6x5x2xf16>, %init: tensor<?x96xf16>) -> tensor<?x96xf16> {
  // expected-error @+1 {{writes #ks.feature_order<2, 4, 2, 3>; expected a*p = 8, r*q = 6 and a pattern with d = 1, which has d = 2}}
  %y = ks.matmul <8, 6, 5, 2> writes <2, 4, 2, 3>
    ins(%x, %k : tensor<?x80xf16>, tensor<8x6x5x2xf16>) outs(%init : tensor<?x96xf16>) -> tensor<?x96xf16>
  return %y : tensor<?x96xf16>
}

// -----

func.func @writes_epilogue(%x: tensor<?x40xf16>, %k: tensor<8x6x5x1xf16>, %init: tensor<?x48xf16>) -> tensor<?x48xf16> {
  // expected-error @+1 {{writes features in an order and has an epilogue; expected one of them}}
  %y = ks.matmul <8, 6, 5, 1> writes <2, 4, 2, 3>
    ins(%x, %k : tensor<?x40xf16>, tensor<8x6x5x1xf16>) outs(%init : tensor<?x48xf16>)
    epilogue {
    ^bb0(%acc: f32):
      ks.yield %acc : f32
    } -> tensor<?x48xf16>
  return %y : tensor<?x48xf16>
}

// -----

// C20
func.func @both(%x: tensor<?x32xf16>, %k: tensor<4x6x8x1xf16>, %init: tensor<?x24xf16>) -> tensor<?x24xf16> {
  // expected-error @+1 {{reads and writes features in an order; expected one}}
  %y = ks.matmul <4, 6, 8, 1> reads <4, 8, 1, 1> writes <2, 2, 2, 3>
    ins(%x, %k : tensor<?x32xf16>, tensor<4x6x8x1xf16>) outs(%init : tensor<?x24xf16>) -> tensor<?x24xf16>
  return %y : tensor<?x24xf16>
}

// -----

func.func @layout(%x: tensor<48x?xf16>, %k: tensor<2x6x8x3xf16>, %init: tensor<36x?xf16>) -> tensor<36x?xf16> {
  // expected-error @+1 {{has features in an order with layout batch_last; expected layout batch_first and no load_as}}
  %y = ks.matmul <2, 6, 8, 3> layout(batch_last) reads <2, 4, 2, 3>
    ins(%x, %k : tensor<48x?xf16>, tensor<2x6x8x3xf16>) outs(%init : tensor<36x?xf16>) -> tensor<36x?xf16>
  return %y : tensor<36x?xf16>
}

// -----

func.func @load_as(%x: tensor<?x48xf32>, %k: tensor<2x6x8x3xf16>, %init: tensor<?x36xf16>) -> tensor<?x36xf16> {
  // expected-error @+1 {{has features in an order with load_as; expected layout batch_first and no load_as}}
  %y = ks.matmul <2, 6, 8, 3> load_as(f16) reads <2, 4, 2, 3>
    ins(%x, %k : tensor<?x48xf32>, tensor<2x6x8x3xf16>) outs(%init : tensor<?x36xf16>) -> tensor<?x36xf16>
  return %y : tensor<?x36xf16>
}

// -----

// C3 of #ks.gpu_packing
// expected-error @+1 {{packing has 1 planes; expected at least 2, or none}}
func.func private @one_plane() attributes {a = #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 1, planes = 1>}

// -----

// expected-error @+1 {{packing has -2 planes; expected at least 2, or none}}
func.func private @negative_planes() attributes {a = #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 1, planes = -2>}

// -----

// expected-error @+1 {{packing has planes and is folded; expected neither folded nor parts}}
func.func private @planes_folded() attributes {a = #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 1, folded = true, planes = 4>}

// -----

// expected-error @+1 {{packing has planes and parts; expected neither folded nor parts}}
func.func private @planes_parts() attributes {a = #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 1, parts = 2, planes = 4>}

// -----

// expected-error @+1 {{packing redundancy is 0 with 4 planes; expected at least 1}}
func.func private @redundancy() attributes {a = #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 1, planes = 4, redundancy = 0>}

// -----

// expected-error @+1 {{packing redundancy is 2 with 0 planes; expected 1}}
func.func private @redundancy_alone() attributes {a = #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 1, redundancy = 2>}

// -----

// C1 of ks.pack_weights
func.func @pack_groups(%k: tensor<8x16x16x1xf16>, %p: tensor<2048xf16>) -> tensor<2048xf16> {
  // expected-error @+1 {{packing has 3 planes; expected a divisor of a = 8}}
  %q = ks.pack_weights <8, 16, 16, 1> into #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 3, planes = 3>
    ins(%k : tensor<8x16x16x1xf16>) outs(%p : tensor<2048xf16>) -> tensor<2048xf16>
  return %q : tensor<2048xf16>
}

// -----

func.func @pack_columns(%k: tensor<1x16x16x8xf16>, %p: tensor<2048xf16>) -> tensor<2048xf16> {
  // expected-error @+1 {{packing has 4 planes; expected d = 8}}
  %q = ks.pack_weights <1, 16, 16, 8> into #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 4, planes = 4>
    ins(%k : tensor<1x16x16x8xf16>) outs(%p : tensor<2048xf16>) -> tensor<2048xf16>
  return %q : tensor<2048xf16>
}

// -----

func.func @pack_rows(%k: tensor<8x16x16x1xf16>, %p: tensor<2048xf16>) -> tensor<2048xf16> {
  // expected-error @+1 {{packing redundancy is 3; expected a divisor of b = 16}}
  %q = ks.pack_weights <8, 16, 16, 1> into #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 4, planes = 4, redundancy = 3>
    ins(%k : tensor<8x16x16x1xf16>) outs(%p : tensor<2048xf16>) -> tensor<2048xf16>
  return %q : tensor<2048xf16>
}

// -----

func.func @pack_k(%k: tensor<1x16x16x8xf16>, %p: tensor<2048xf16>) -> tensor<2048xf16> {
  // expected-error @+1 {{packing redundancy is 5; expected a divisor of c = 16}}
  %q = ks.pack_weights <1, 16, 16, 8> into #ks.gpu_packing<fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8, planes = 8, redundancy = 5>
    ins(%k : tensor<1x16x16x8xf16>) outs(%p : tensor<2048xf16>) -> tensor<2048xf16>
  return %q : tensor<2048xf16>
}

// -----

// Plans of other orders.
func.func @plan_redundancy(%x: tensor<?x128xf16>, %k: tensor<1x16x16x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{plan does not fit: packing redundancy is 4; expected 2, which the order of features says}}
  %y = ks.matmul <1, 16, 16, 8> reads <1, 8, 2, 8>
    ins(%x, %k : tensor<?x128xf16>, tensor<1x16x16x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8, planes = 8, redundancy = 4>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

func.func @plan_no_redundancy(%x: tensor<?x128xf16>, %k: tensor<1x16x16x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{plan does not fit: packing redundancy is 1; expected 2, which the order of features says}}
  %y = ks.matmul <1, 16, 16, 8> reads <1, 8, 2, 8>
    ins(%x, %k : tensor<?x128xf16>, tensor<1x16x16x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

func.func @plan_no_planes(%x: tensor<?x128xf16>, %k: tensor<1x16x16x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{plan does not fit: planes is 0; expected 8, which the order of features says}}
  %y = ks.matmul <1, 16, 16, 8> reads <1, 16, 1, 8>
    ins(%x, %k : tensor<?x128xf16>, tensor<1x16x16x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 1, run_n = 1>, n = 16, k = 16, j = 8>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

func.func @plan_too_many(%x: tensor<?x128xf16>, %k: tensor<1x16x16x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{plan does not fit: planes is 8; expected 0, which the order of features does not ask for}}
  %y = ks.matmul <1, 16, 16, 8>
    ins(%x, %k : tensor<?x128xf16>, tensor<1x16x16x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8, planes = 8>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

func.func @plan_other_groups(%x: tensor<?x128xf16>, %k: tensor<8x16x16x1xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{plan does not fit: planes is 4; expected 8, which the order of features says}}
  %y = ks.matmul <8, 16, 16, 1> writes <1, 8, 2, 8>
    ins(%x, %k : tensor<?x128xf16>, tensor<8x16x16x1xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 4, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 4, planes = 4, redundancy = 2>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

// What planes are for.
func.func @plan_instruction(%x: tensor<?x128xf16>, %k: tensor<1x16x16x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{plan does not fit: instruction is mma16 with planes; expected wgmma16_rs, f16 or bf16, and layout batch_first}}
  %y = ks.matmul <1, 16, 16, 8> reads <1, 8, 2, 8>
    ins(%x, %k : tensor<?x128xf16>, tensor<1x16x16x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 40, vector = 8, warps = [1, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <mma16, run_k = 1, run_n = 1>, n = 16, k = 16, j = 8, planes = 8, redundancy = 2>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

func.func @plan_run_k(%x: tensor<?x128xf16>, %k: tensor<1x16x16x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{plan does not fit: run_k is 1 with planes; expected 2, the order of memory}}
  %y = ks.matmul <1, 16, 16, 8> reads <1, 8, 2, 8>
    ins(%x, %k : tensor<?x128xf16>, tensor<1x16x16x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 1, run_n = 1>, n = 16, k = 16, j = 8, planes = 8, redundancy = 2>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

func.func @plan_k(%x: tensor<?x384xf16>, %k: tensor<1x16x48x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{plan does not fit: k is 48 with planes; expected 16, 32 or a multiple of 64, rows that can be swizzled}}
  %y = ks.matmul <1, 16, 48, 8> reads <1, 24, 2, 8>
    ins(%x, %k : tensor<?x384xf16>, tensor<1x16x48x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 48, j = 8, planes = 8, redundancy = 2>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

func.func @plan_entries(%x: tensor<?x128xf16>, %k: tensor<1x16x16x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{plan does not fit: entries is 128 with planes and 4 warps along the batch; expected 64, 64 for four of them}}
  %y = ks.matmul <1, 16, 16, 8> reads <1, 8, 2, 8>
    ins(%x, %k : tensor<?x128xf16>, tensor<1x16x16x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 128, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8, planes = 8, redundancy = 2>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

func.func @plan_cluster(%x: tensor<?x128xf16>, %k: tensor<1x32x16x8xf16>, %init: tensor<?x256xf16>) -> tensor<?x256xf16> {
  // expected-error @+1 {{plan does not fit: cluster is 2 with 1 planes; expected a divisor}}
  %y = ks.matmul <1, 32, 16, 8> reads <1, 8, 2, 8>
    ins(%x, %k : tensor<?x128xf16>, tensor<1x32x16x8xf16>) outs(%init : tensor<?x256xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 1, warps = [4, 1, 1], stages = 2, cluster = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 1, planes = 8, redundancy = 2>>
    -> tensor<?x256xf16>
  return %y : tensor<?x256xf16>
}

// -----

func.func @plan_bytes(%x: tensor<?x96xf16>, %k: tensor<1x16x12x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{plan does not fit: bulk copies are of planes of 24 bytes; expected a multiple of 16}}
  %y = ks.matmul <1, 16, 12, 8> reads <1, 12, 1, 8>
    ins(%x, %k : tensor<?x96xf16>, tensor<1x16x12x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 64, batch_blocks = 40, vector = 8, warps = [4, 1, 1], stages = 2, copies = bulk, weights = streamed, packing = <fragments = <wgmma16_rs, run_k = 2, run_n = 1>, n = 16, k = 16, j = 8, planes = 8>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

// Kernels for CPUs have no orders.
func.func @plan_cpu(%x: tensor<?x128xf16>, %k: tensor<1x16x16x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{has features in another order, which only kernels for GPUs know; expected their natural order (leave out reads and writes)}}
  %y = ks.matmul <1, 16, 16, 8> reads <1, 8, 2, 8>
    ins(%x, %k : tensor<?x128xf16>, tensor<1x16x16x8xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 2, vectors = 1, lanes = 8, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 2, n = 2, j = 1>>]>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}
