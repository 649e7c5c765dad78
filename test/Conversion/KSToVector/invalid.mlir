// What convert-ks-to-vector refuses.

// RUN: ks-opt %s --convert-ks-to-vector --split-input-file --verify-diagnostics

func.func @on_tensors(%x: tensor<?x4xf32>, %p: tensor<16xf32>, %init: tensor<?x4xf32>)
    -> tensor<?x4xf32> {
  // expected-error @+1 {{'ks.matmul' op is on tensors; expected memrefs (run ks-bufferize first)}}
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %p : tensor<?x4xf32>, tensor<16xf32>)
         outs(%init : tensor<?x4xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @no_plan(%x: memref<?x4xf32>, %k: memref<1x4x4x1xf32>, %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.chain' op has no plan; expected a #ks.cpu_plan (run ks-select-plan first)}}
  ks.chain [<1, 4, 4, 1>] ins(%x, %k : memref<?x4xf32>, memref<1x4x4x1xf32>)
    outs(%y : memref<?x4xf32>)
  return
}

// -----

func.func @unpacked(%x: memref<?x4xf32>, %p: memref<16xf32>, %k: memref<1x4x4x1xf32>,
                    %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.chain' op has an unpacked weight of type 'memref<1x4x4x1xf32>'; expected a packed one (run ks-pack-weights first)}}
  ks.chain [<1, 4, 4, 1>, <1, 4, 4, 1>]
    ins(%x, %p, %k : memref<?x4xf32>, memref<16xf32>, memref<1x4x4x1xf32>)
    outs(%y : memref<?x4xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>,
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
  return
}

// -----

func.func @inner_stride(%x: memref<?x4xf32, strided<[?, ?], offset: ?>>, %p: memref<16xf32>,
                        %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op has an operand of type 'memref<?x4xf32, strided<[?, ?], offset: ?>>', whose inner stride is not known to be 1; expected strided<[?, 1], offset: ?> (use ks-bufferize, or function-boundary-type-conversion=identity-layout-map)}}
  ks.matmul <1, 4, 4, 1>
    ins(%x, %p : memref<?x4xf32, strided<[?, ?], offset: ?>>, memref<16xf32>)
    outs(%y : memref<?x4xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
  return
}

// -----

func.func @inner_stride_of_a_bias(%x: memref<?x4xf32>, %p: memref<16xf32>,
                                  %bias: memref<4xf32, strided<[?]>>, %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op has an operand of type 'memref<4xf32, strided<[?]>>', whose inner stride is not known to be 1}}
  ks.matmul <1, 4, 4, 1> ins(%x, %p : memref<?x4xf32>, memref<16xf32>)
    outs(%y : memref<?x4xf32>)
    epilogue(%bias : memref<4xf32, strided<[?]>>) {
    ^bb0(%acc: f32, %b: f32):
      %r = arith.addf %acc, %b : f32
      ks.yield %r : f32
    }
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
  return
}

// -----

func.func @pack_on_tensors(%k: tensor<1x4x4x1xf32>, %init: tensor<16xf32>) -> tensor<16xf32> {
  // expected-error @+1 {{'ks.pack_weights' op cannot be lowered for a CPU; expected memrefs and a #ks.cpu_packing}}
  %p = ks.pack_weights <1, 4, 4, 1>
         into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1>
         ins(%k : tensor<1x4x4x1xf32>) outs(%init : tensor<16xf32>) -> tensor<16xf32>
  return %p : tensor<16xf32>
}

// -----

func.func @library_blocks(%k: memref<2x16x32x1xf32>, %p: memref<1024xf32>) {
  // expected-error @+1 {{packs weights of pattern #ks.pattern<2, 16, 32, 1> for a library; expected a dense one, <1, b, c, 1>, for a BLAS}}
  ks.pack_weights <2, 16, 32, 1> into #ks.library_packing<fallback = #ks.cpu_packing<vectors = 2, lanes = 8, n = 8, j = 1>>
    ins(%k : memref<2x16x32x1xf32>) outs(%p : memref<1024xf32>)
  return
}
