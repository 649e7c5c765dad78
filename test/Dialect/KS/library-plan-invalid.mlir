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
func.func @columns(%x: tensor<?x32xf16>, %k: tensor<1x8x16x2xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  // expected-error @below {{plan does not fit: batch-first a library reads no columns j of a group where they lie, and the pattern is (1, 8, 16, 2); expected d = 1, or batch-last}}
  %y = ks.matmul <1, 8, 16, 2> ins(%x, %k : tensor<?x32xf16>, tensor<1x8x16x2xf16>) outs(%init : tensor<?x16xf16>)
    plan #ks.library_plan<cublaslt, fallback = #own> -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}

// -----

#own = #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
func.func @sizes(%x: tensor<?x34359738368xf16>, %k: tensor<1x8x16x1xf16>, %init: tensor<?x17179869184xf16>) -> tensor<?x17179869184xf16> {
  // expected-error @below {{plan does not fit: the pattern is (2147483648, 8, 16, 1); expected sizes of 32 bits for a library}}
  %y = ks.matmul <2147483648, 8, 16, 1> ins(%x, %k : tensor<?x34359738368xf16>, tensor<1x8x16x1xf16>) outs(%init : tensor<?x17179869184xf16>)
    plan #ks.library_plan<cublaslt, fallback = #own> -> tensor<?x17179869184xf16>
  return %y : tensor<?x17179869184xf16>
}

// -----

#own = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [<rows = 4, vectors = 2, lanes = 8, unroll = 1, stationary = weights, packing = <vectors = 2, lanes = 8, n = 8, j = 1>>]>
func.func @blas_pattern(%x: tensor<?x64xf32>, %k: tensor<2x16x32x1xf32>, %init: tensor<?x32xf32>) -> tensor<?x32xf32> {
  // expected-error @below {{plan does not fit: a BLAS multiplies by dense matrices, and the pattern is (2, 16, 32, 1); expected a = d = 1}}
  %y = ks.matmul <2, 16, 32, 1> ins(%x, %k : tensor<?x64xf32>, tensor<2x16x32x1xf32>) outs(%init : tensor<?x32xf32>)
    plan #ks.library_plan<blas, fallback = #own> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
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
  // expected-error @below {{has pattern #ks.pattern<1, 8, 16, 2>, whose columns a library does not read batch-first; expected <a, b, c, 1>, or layout(batch_last)}}
  ks.library_product <1, 8, 16, 2> ins(%x, %w : memref<?x32xf16>, memref<512xf16>) outs(%y : memref<?x16xf16>)
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

func.func @c2_blocks(%x: memref<32x?xf16>, %w: memref<512xf16>, %y: memref<48x?xf16>) {
  // expected-error @below {{input is 'memref<32x?xf16>'; expected 96 features in axis 0}}
  ks.library_product <2, 8, 16, 3> layout(batch_last) ins(%x, %w : memref<32x?xf16>, memref<512xf16>) outs(%y : memref<48x?xf16>)
  return
}

// -----

func.func @c3_weight(%x: memref<96x?xf16>, %w: memref<383xf16>, %y: memref<48x?xf16>) {
  // One matrix for each of three columns.
  // expected-error @below {{weight is 'memref<383xf16>'; expected at least 384 elements}}
  ks.library_product <2, 8, 16, 3> tied(a) layout(batch_last) ins(%x, %w : memref<96x?xf16>, memref<383xf16>) outs(%y : memref<48x?xf16>)
  return
}

// -----

func.func @c3_elements(%x: memref<96x?xf32>, %w: memref<511xbf16>, %y: memref<48x?xf32>) {
  // A plain f32 is two elements.
  // expected-error @below {{weight is 'memref<511xbf16>'; expected at least 512 elements}}
  ks.library_product <2, 8, 16, 3> tied(d) layout(batch_last) ins(%x, %w : memref<96x?xf32>, memref<511xbf16>) outs(%y : memref<48x?xf32>)
  return
}

// -----

func.func @c3_count(%x: memref<?x536870912xf64>, %w: memref<?xf64>, %y: memref<?x536870912xf64>) {
  // expected-error @below {{has pattern #ks.pattern<1, 536870912, 536870912, 1>, whose weights cannot be counted; expected fewer}}
  ks.library_product <1, 536870912, 536870912, 1> ins(%x, %w : memref<?x536870912xf64>, memref<?xf64>) outs(%y : memref<?x536870912xf64>)
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
  // expected-error @below {{plan does not fit: the pattern is (1, 16, 4294967296, 1); expected sizes of 32 bits for a library}}
  %y = ks.matmul <1, 16, 4294967296, 1> ins(%x, %k : tensor<?x4294967296xf32>, tensor<1x16x4294967296x1xf32>) outs(%init : tensor<?x16xf32>)
    plan #ks.library_plan<blas, fallback = #own> -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
