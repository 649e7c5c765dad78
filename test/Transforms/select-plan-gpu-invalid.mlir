// RUN: ks-opt %s --ks-select-plan=target=sm_86 -split-input-file -verify-diagnostics

// A row of an intermediate alone is larger than shared memory, and there are no slices of
// three factors.
func.func @chain(%x: tensor<?x65536xf16>, %k: tensor<1024x64x64x1xf16>, %m: tensor<1x64x64x1024xf16>, %init: tensor<?x65536xf16>) -> tensor<?x65536xf16> {
  // expected-error @+1 {{has 3 factors, which do not fit one kernel on sm_86; expected fewer, or smaller ones (run ks-split-chains first)}}
  %y = ks.chain [<1024, 64, 64, 1>, <1, 64, 64, 1024>, <1024, 64, 64, 1>] ins(%x, %k, %m, %k : tensor<?x65536xf16>, tensor<1024x64x64x1xf16>, tensor<1x64x64x1024xf16>, tensor<1024x64x64x1xf16>) outs(%init : tensor<?x65536xf16>) -> tensor<?x65536xf16>
  return %y : tensor<?x65536xf16>
}

// -----

func.func @cpu(%x: tensor<?x16xf32>, %k: tensor<1x16x16x1xf32>, %init: tensor<?x16xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{which is not for sm_86; expected a #ks.gpu_plan, #ks.gpu_chain_plan or #ks.library_plan<cublaslt, ...>}}
  %y = ks.matmul <1, 16, 16, 1> ins(%x, %k : tensor<?x16xf32>, tensor<1x16x16x1xf32>) outs(%init : tensor<?x16xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [<rows = 2, vectors = 1, lanes = 16, unroll = 1, stationary = weights, packing = <vectors = 1, lanes = 16, n = 16, j = 1>>]>
    -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

// 128 KB of shared memory: fine on sm_80 and sm_90.
func.func @shared(%x: tensor<?x2048xf16>, %k: tensor<1x128x2048x1xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{has a plan that does not fit sm_86: a block takes 148480 bytes of shared memory; expected at most 101376 on sm_86}}
  %y = ks.matmul <1, 128, 2048, 1> ins(%x, %k : tensor<?x2048xf16>, tensor<1x128x2048x1xf16>) outs(%init : tensor<?x128xf16>)
    plan #ks.gpu_plan<entries = 128, batch_blocks = 1024, vector = 1, warps = [4, 2, 1], stages = 4, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 1>, n = 128, k = 64, j = 1>>
    -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

func.func @blas(%x: tensor<?x32xf32>, %k: tensor<1x16x32x1xf32>, %init: tensor<?x16xf32>) -> tensor<?x16xf32> {
  // expected-error @+1 {{which is not for sm_86}}
  %y = ks.matmul <1, 16, 32, 1> ins(%x, %k : tensor<?x32xf32>, tensor<1x16x32x1xf32>) outs(%init : tensor<?x16xf32>)
    plan #ks.library_plan<blas, fallback = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [<rows = 4, vectors = 2, lanes = 8, unroll = 1, stationary = weights, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]>>
    -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
