// Constraints of library plans, their packing and their ops.

// RUN: ks-opt %s --split-input-file --verify-diagnostics

#cpu = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [<rows = 8, vectors = 3, lanes = 16, unroll = 1, stationary = weights, packing = <vectors = 3, lanes = 16, n = 16, j = 1>>]>
// expected-error @below {{plan's fallback is #ks.cpu_plan<}}
func.func @c1_fallback() attributes {plan = #ks.library_plan<cublaslt, fallback = #cpu>} { return }

// -----

#gpu = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
// expected-error @below {{plan's fallback is #ks.gpu_plan<}}
func.func @c1_blas() attributes {plan = #ks.library_plan<blas, fallback = #gpu>} { return }

// -----

#own = #ks.gpu_packing<fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>
// expected-error @below {{packing's fallback is #ks.library_packing<}}
func.func @c1_packing() attributes {packing = #ks.library_packing<fallback = #ks.library_packing<fallback = #own>>} { return }

// -----

#own = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
func.func @pattern(%x: tensor<?x32xf16>, %k: tensor<2x8x16x1xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  // expected-error @below {{plan does not fit: a library multiplies by dense matrices, and the pattern is (2, 8, 16, 1); expected a = d = 1}}
  %y = ks.matmul <2, 8, 16, 1> ins(%x, %k : tensor<?x32xf16>, tensor<2x8x16x1xf16>) outs(%init : tensor<?x16xf16>)
    plan #ks.library_plan<cublaslt, fallback = #own> -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}

// -----

#own = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
func.func @epilogue(%x: tensor<?x32xf16>, %k: tensor<1x8x32x1xf16>, %init: tensor<?x8xf16>) -> tensor<?x8xf16> {
  // expected-error @below {{plan does not fit: there is an epilogue, which a library does not know; expected none}}
  %y = ks.matmul <1, 8, 32, 1> ins(%x, %k : tensor<?x32xf16>, tensor<1x8x32x1xf16>) outs(%init : tensor<?x8xf16>)
    epilogue {
    ^bb0(%acc: f32):
      %n = arith.negf %acc : f32
      ks.yield %n : f32
    }
    plan #ks.library_plan<cublaslt, fallback = #own> -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// -----

#own = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <fma, run_k = 1, run_n = 1>, n = 16, k = 32, j = 1>>
func.func @complex(%x: tensor<?x32xcomplex<f32>>, %k: tensor<1x8x32x1xcomplex<f32>>, %init: tensor<?x8xcomplex<f32>>) -> tensor<?x8xcomplex<f32>> {
  // expected-error @below {{plan does not fit: the elements are complex; expected f16, bf16, f32 or f64 for a library}}
  %y = ks.matmul <1, 8, 32, 1> ins(%x, %k : tensor<?x32xcomplex<f32>>, tensor<1x8x32x1xcomplex<f32>>) outs(%init : tensor<?x8xcomplex<f32>>)
    plan #ks.library_plan<cublaslt, fallback = #own> -> tensor<?x8xcomplex<f32>>
  return %y : tensor<?x8xcomplex<f32>>
}

// -----

// What the fallback's own plan says is checked, too.
#own = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 3, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
func.func @fallback(%x: tensor<?x32xf16>, %k: tensor<1x8x32x1xf16>, %init: tensor<?x8xf16>) -> tensor<?x8xf16> {
  // expected-error @below {{plan does not fit: j is 1; expected vector * warps along j = 3}}
  %y = ks.matmul <1, 8, 32, 1> ins(%x, %k : tensor<?x32xf16>, tensor<1x8x32x1xf16>) outs(%init : tensor<?x8xf16>)
    plan #ks.library_plan<cublaslt, fallback = #own> -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// -----

func.func @c1_product(%x: memref<?x32xf16>, %w: memref<512xf16>, %y: memref<?x16xf16>) {
  // expected-error @below {{has pattern #ks.pattern<2, 8, 16, 1>; expected a dense one, <1, b, c, 1>}}
  ks.library_product <2, 8, 16, 1> ins(%x, %w : memref<?x32xf16>, memref<512xf16>) outs(%y : memref<?x16xf16>)
  return
}

// -----

func.func @c2_types(%x: memref<?x32xf16>, %w: memref<512xf16>, %y: memref<?x16xf32>) {
  // expected-error @below {{has an input of 'f16' and a result of 'f32'; expected one element type}}
  ks.library_product <1, 16, 32, 1> ins(%x, %w : memref<?x32xf16>, memref<512xf16>) outs(%y : memref<?x16xf32>)
  return
}

// -----

func.func @c2_features(%x: memref<?x32xf16>, %w: memref<512xf16>, %y: memref<?x16xf16>) {
  // expected-error @below {{outs is 'memref<?x16xf16>'; expected 17 features in axis 1}}
  ks.library_product <1, 17, 32, 1> ins(%x, %w : memref<?x32xf16>, memref<512xf16>) outs(%y : memref<?x16xf16>)
  return
}

// -----

#own = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [<rows = 4, vectors = 2, lanes = 8, unroll = 1, stationary = weights, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]>
func.func @blas_f16(%x: tensor<?x32xf16>, %k: tensor<1x16x32x1xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  // expected-error @below {{plan does not fit: the elements have 16 bits; expected f32 or f64 for a BLAS}}
  %y = ks.matmul <1, 16, 32, 1> ins(%x, %k : tensor<?x32xf16>, tensor<1x16x32x1xf16>) outs(%init : tensor<?x16xf16>)
    plan #ks.library_plan<blas, fallback = #own> -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}

// -----

#own = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [<rows = 4, vectors = 2, lanes = 8, unroll = 1, stationary = weights, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]>
func.func @blas_input_type(%x: tensor<?x32xf16>, %k: tensor<1x16x32x1xf32>, %init: tensor<?x16xf32>) -> tensor<?x16xf32> {
  // expected-error @below {{plan does not fit: the input is converted as it is loaded, which a library does not do; expected input and weights of one type}}
  %y = ks.matmul <1, 16, 32, 1> load_as(f32) ins(%x, %k : tensor<?x32xf16>, tensor<1x16x32x1xf32>) outs(%init : tensor<?x16xf32>)
    plan #ks.library_plan<blas, fallback = #own> -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

#own = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [<rows = 4, vectors = 2, lanes = 8, unroll = 1, stationary = weights, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]>
func.func @blas_result_type(%x: tensor<?x32xf32>, %k: tensor<1x16x32x1xf32>, %init: tensor<?x16xf64>) -> tensor<?x16xf64> {
  // expected-error @below {{plan does not fit: the result is converted as it is stored, which a library does not do; expected weights and result of one type}}
  %y = ks.matmul <1, 16, 32, 1> ins(%x, %k : tensor<?x32xf32>, tensor<1x16x32x1xf32>) outs(%init : tensor<?x16xf64>)
    plan #ks.library_plan<blas, fallback = #own> -> tensor<?x16xf64>
  return %y : tensor<?x16xf64>
}

// -----

#own = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [<rows = 4, vectors = 2, lanes = 8, unroll = 1, stationary = weights, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]>
func.func @blas_size(%x: tensor<?x4294967296xf32>, %k: tensor<1x16x4294967296x1xf32>, %init: tensor<?x16xf32>) -> tensor<?x16xf32> {
  // expected-error @below {{plan does not fit: the matrix is 16x4294967296; expected sizes of 32 bits for a BLAS}}
  %y = ks.matmul <1, 16, 4294967296, 1> ins(%x, %k : tensor<?x4294967296xf32>, tensor<1x16x4294967296x1xf32>) outs(%init : tensor<?x16xf32>)
    plan #ks.library_plan<blas, fallback = #own> -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
