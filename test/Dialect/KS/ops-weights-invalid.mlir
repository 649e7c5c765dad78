// ks.pack_weights, ks.to_dense and ks.real_view that are not allowed, each with its
// message. Cn are the constraints in the op's description.

// RUN: ks-opt %s --verify-diagnostics --split-input-file

//===----------------------------------------------------------------------===//
// ks.pack_weights C1: the weight
//===----------------------------------------------------------------------===//

func.func @weight_shape(%k: memref<6x64x32x1xf32>, %p: memref<24576xf32>) {
  // expected-error @+1 {{'ks.pack_weights' op weight has shape 6x64x32x1; expected 6x64x64x1, with 1 for a or d where it is tied}}
  ks.pack_weights <6, 64, 64, 1>
    into #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>
    ins(%k : memref<6x64x32x1xf32>) outs(%p : memref<24576xf32>)
  return
}

// -----

func.func @packed_already(%k: memref<24576xf32>, %p: memref<24576xf32>) {
  // expected-error @+1 {{'ks.pack_weights' op weight has shape 24576; expected 6x64x64x1, with 1 for a or d where it is tied}}
  ks.pack_weights <6, 64, 64, 1>
    into #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>
    ins(%k : memref<24576xf32>) outs(%p : memref<24576xf32>)
  return
}

// -----

// The packing would drop all but one group.

func.func @packing_tied(%k: memref<2x4x3x1xf32>, %p: memref<12xf32>) {
  // expected-error @+1 {{'ks.pack_weights' op packing is tied along a|d, the weight along d; expected a packing that keeps all of the weight}}
  ks.pack_weights <2, 4, 3, 4>
    into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1, tied = a|d>
    ins(%k : memref<2x4x3x1xf32>) outs(%p : memref<12xf32>)
  return
}

// -----

// Runs of two, in two parts, take four rows n in turns; six are not whole turns.

func.func @packing_parts(%k: memref<1x6x4x1xf32>, %p: memref<32xf32>) {
  // expected-error @+1 {{'ks.pack_weights' op packing has 2 parts of n in runs of 2; expected them to divide b = 6}}
  ks.pack_weights <1, 6, 4, 1> into #ks.gpu_packing<fragments = <fma, run_k = 1, run_n = 1>, n = 4, k = 4, j = 1, parts = 2, run = 2>
    ins(%k : memref<1x6x4x1xf32>) outs(%p : memref<32xf32>)
  return
}

// -----

// With d = 1 there is nothing to share along d.

func.func @packing_tied_untied(%k: memref<2x4x3x1xf32>, %p: memref<24xf32>) {
  // expected-error @+1 {{'ks.pack_weights' op packing is tied along d, the weight along none; expected a packing that keeps all of the weight}}
  ks.pack_weights <2, 4, 3, 1>
    into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1, tied = d>
    ins(%k : memref<2x4x3x1xf32>) outs(%p : memref<24xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// ks.pack_weights C2: the form that the packing says
//===----------------------------------------------------------------------===//

func.func @packed_size(%k: memref<6x64x64x1xf32>, %p: memref<24575xf32>) {
  // expected-error @+1 {{'ks.pack_weights' op outs is 'memref<24575xf32>'; expected shape and element type of 'tensor<24576xf32>'}}
  ks.pack_weights <6, 64, 64, 1>
    into #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>
    ins(%k : memref<6x64x64x1xf32>) outs(%p : memref<24575xf32>)
  return
}

// -----

func.func @packed_rank(%k: memref<6x64x64x1xf32>, %p: memref<6x4096xf32>) {
  // expected-error @+1 {{'ks.pack_weights' op outs is 'memref<6x4096xf32>'; expected shape and element type of 'tensor<24576xf32>'}}
  ks.pack_weights <6, 64, 64, 1>
    into #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>
    ins(%k : memref<6x64x64x1xf32>) outs(%p : memref<6x4096xf32>)
  return
}

// -----

func.func @packed_type(%k: memref<6x64x64x1xbf16>, %p: memref<24576xbf16>) {
  // expected-error @+1 {{'ks.pack_weights' op outs is 'memref<24576xbf16>'; expected shape and element type of 'tensor<24576xf32>'}}
  ks.pack_weights <6, 64, 64, 1>
    into #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>
    ins(%k : memref<6x64x64x1xbf16>) outs(%p : memref<24576xbf16>)
  return
}

// -----

// Panels of 64 x 64 elements for one row n each.

func.func @packed_overflow(%k: memref<1x1x288230376151711744x1xf32>, %p: memref<1xf32>) {
  // expected-error @+1 {{'ks.pack_weights' op packed size does not fit in 64 bits; expected fewer lanes or vectors in #ks.cpu_packing<vectors = 64, lanes = 64, n = 1, j = 1>}}
  ks.pack_weights <1, 1, 288230376151711744, 1>
    into #ks.cpu_packing<vectors = 64, lanes = 64, n = 1, j = 1>
    ins(%k : memref<1x1x288230376151711744x1xf32>) outs(%p : memref<1xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// ks.pack_weights C3: all tensors or all memrefs
//===----------------------------------------------------------------------===//

func.func @mixed(%k: tensor<1x4x3x1xf32>, %p: memref<12xf32>) {
  // expected-error @+1 {{'ks.pack_weights' op mixes tensors and memrefs: got 'tensor<1x4x3x1xf32>' beside outs 'memref<12xf32>'; expected all of one kind (bufferize the whole function)}}
  ks.pack_weights <1, 4, 3, 1>
    into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1>
    ins(%k : tensor<1x4x3x1xf32>) outs(%p : memref<12xf32>)
  return
}

// -----

func.func @no_result(%k: tensor<1x4x3x1xf32>, %p: tensor<12xf32>) {
  // expected-error @+1 {{'ks.pack_weights' op has results (); expected one result of the type of outs}}
  ks.pack_weights <1, 4, 3, 1>
    into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1>
    ins(%k : tensor<1x4x3x1xf32>) outs(%p : tensor<12xf32>)
  return
}

// -----

func.func @packing_kind(%k: memref<1x4x3x1xf32>, %p: memref<12xf32>) {
  // expected-error @+1 {{custom op 'ks.pack_weights' invalid kind of attribute specified}}
  ks.pack_weights <1, 4, 3, 1> into #ks.pattern<1, 4, 3, 1>
    ins(%k : memref<1x4x3x1xf32>) outs(%p : memref<12xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// ks.to_dense: C3 to C7 and C10 of ks.chain
//===----------------------------------------------------------------------===//

// C3

func.func @no_factors(%w: memref<6x6xf32>) {
  // expected-error @+1 {{'ks.to_dense' op has no factors; expected at least one pattern}}
  "ks.to_dense"(%w) <{patterns = []}> : (memref<6x6xf32>) -> ()
  return
}

// -----

// C3

func.func @weights(%k: memref<1x6x6x1xf32>, %w: memref<6x6xf32>) {
  // expected-error @+1 {{'ks.to_dense' op has 1 weights for 2 patterns; expected one weight per pattern}}
  ks.to_dense [<1, 6, 6, 1>, <1, 6, 6, 1>]
    ins(%k : memref<1x6x6x1xf32>) outs(%w : memref<6x6xf32>)
  return
}

// -----

// C4

func.func @neighbours(%k0: memref<1x5x6x1xf32>, %k1: memref<1x6x6x1xf32>, %w: memref<6x6xf32>) {
  // expected-error @+1 {{'ks.to_dense' op factor 1 takes a*c*d = 6 features; expected a*b*d = 5 of factor 0 (factors are listed in the order they are applied)}}
  ks.to_dense [<1, 5, 6, 1>, <1, 6, 6, 1>]
    ins(%k0, %k1 : memref<1x5x6x1xf32>, memref<1x6x6x1xf32>) outs(%w : memref<6x6xf32>)
  return
}

// -----

// C5

func.func @mixed(%k: tensor<1x6x6x1xf32>, %w: memref<6x6xf32>) {
  // expected-error @+1 {{'ks.to_dense' op mixes tensors and memrefs: got 'tensor<1x6x6x1xf32>' beside outs 'memref<6x6xf32>'; expected all of one kind (bufferize the whole function)}}
  ks.to_dense [<1, 6, 6, 1>] ins(%k : tensor<1x6x6x1xf32>) outs(%w : memref<6x6xf32>)
  return
}

// -----

// C6

func.func @no_result(%k: tensor<1x6x6x1xf32>, %w: tensor<6x6xf32>) {
  // expected-error @+1 {{'ks.to_dense' op has results (); expected one result of the type of outs}}
  ks.to_dense [<1, 6, 6, 1>] ins(%k : tensor<1x6x6x1xf32>) outs(%w : tensor<6x6xf32>)
  return
}

// -----

// C7

func.func @element_type(%k: memref<1x6x6x1xf64>, %w: memref<6x6xf32>) {
  // expected-error @+1 {{'ks.to_dense' op weight of factor 0 has element type 'f64'; expected 'f32', as outs has}}
  ks.to_dense [<1, 6, 6, 1>] ins(%k : memref<1x6x6x1xf64>) outs(%w : memref<6x6xf32>)
  return
}

// -----

// C10

func.func @weight(%k: memref<1x6x5x1xf32>, %w: memref<6x6xf32>) {
  // expected-error @+1 {{'ks.to_dense' op weight of factor 0 has shape 1x6x5x1; expected 1x6x6x1, with 1 for a or d where it is tied}}
  ks.to_dense [<1, 6, 6, 1>] ins(%k : memref<1x6x5x1xf32>) outs(%w : memref<6x6xf32>)
  return
}

// -----

// C10: there is no plan that could name a packing.

func.func @packed(%k: memref<36xf32>, %w: memref<6x6xf32>) {
  // expected-error @+1 {{'ks.to_dense' op weight of factor 0 has shape 36; expected 1x6x6x1, with 1 for a or d where it is tied}}
  ks.to_dense [<1, 6, 6, 1>] ins(%k : memref<36xf32>) outs(%w : memref<6x6xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// ks.to_dense C1: the matrix
//===----------------------------------------------------------------------===//

func.func @transposed(%k: memref<1x3x6x1xf32>, %w: memref<6x3xf32>) {
  // expected-error @+1 {{'ks.to_dense' op outs has shape 6x3; expected the matrix, 3x6}}
  ks.to_dense [<1, 3, 6, 1>] ins(%k : memref<1x3x6x1xf32>) outs(%w : memref<6x3xf32>)
  return
}

// -----

func.func @dynamic(%k: tensor<1x3x6x1xf32>, %init: tensor<?x6xf32>) -> tensor<?x6xf32> {
  // expected-error @+1 {{'ks.to_dense' op outs has shape ?x6; expected the matrix, 3x6}}
  %w = ks.to_dense [<1, 3, 6, 1>]
         ins(%k : tensor<1x3x6x1xf32>) outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>
  return %w : tensor<?x6xf32>
}

// -----

//===----------------------------------------------------------------------===//
// ks.real_view C1: inner stride, and the type of the view
//===----------------------------------------------------------------------===//

func.func @inner_stride(%z: memref<4x8xcomplex<f32>, strided<[16, 2]>>) {
  // expected-error @+1 {{'ks.real_view' op source is 'memref<4x8xcomplex<f32>, strided<[16, 2]>>'; expected inner stride 1}}
  %r = ks.real_view %z : memref<4x8xcomplex<f32>, strided<[16, 2]>>
         to memref<4x16xf32, strided<[32, 2]>>
  return
}

// -----

func.func @unknown_inner_stride(%z: memref<4x8xcomplex<f32>, strided<[16, ?]>>) {
  // expected-error @+1 {{'ks.real_view' op source is 'memref<4x8xcomplex<f32>, strided<[16, ?]>>'; expected inner stride 1}}
  %r = ks.real_view %z : memref<4x8xcomplex<f32>, strided<[16, ?]>>
         to memref<4x16xf32, strided<[32, ?]>>
  return
}

// -----

func.func @rank_0(%z: memref<complex<f32>>) {
  // expected-error @+1 {{'ks.real_view' op source is 'memref<complex<f32>>'; expected inner stride 1}}
  %r = ks.real_view %z : memref<complex<f32>> to memref<f32>
  return
}

// -----

func.func @same_shape(%z: memref<4x8xcomplex<f32>>) {
  // expected-error @+1 {{'ks.real_view' op result is 'memref<4x8xf32>'; expected 'memref<4x16xf32>'}}
  %r = ks.real_view %z : memref<4x8xcomplex<f32>> to memref<4x8xf32>
  return
}

// -----

func.func @same_pitch(%z: memref<4x8xcomplex<f32>, strided<[9, 1], offset: 1>>) {
  // expected-error @+1 {{'ks.real_view' op result is 'memref<4x16xf32, strided<[18, 1], offset: 1>>'; expected 'memref<4x16xf32, strided<[18, 1], offset: 2>>'}}
  %r = ks.real_view %z : memref<4x8xcomplex<f32>, strided<[9, 1], offset: 1>>
         to memref<4x16xf32, strided<[18, 1], offset: 1>>
  return
}

// -----

func.func @other_part(%z: memref<4xcomplex<f32>>) {
  // expected-error @+1 {{'ks.real_view' op result is 'memref<8xf64>'; expected 'memref<8xf32>'}}
  %r = ks.real_view %z : memref<4xcomplex<f32>> to memref<8xf64>
  return
}

// -----

func.func @real_source(%z: memref<4xf32>) {
  // expected-error @+1 {{'ks.real_view' op operand #0 must be memref of complex type with 32-bit float elements or complex type with 64-bit float elements values, but got 'memref<4xf32>'}}
  %r = ks.real_view %z : memref<4xf32> to memref<8xf32>
  return
}

// -----

func.func @memory_space(%z: memref<4xcomplex<f32>, 1>) {
  // expected-error @+1 {{'ks.real_view' op result is 'memref<8xf32>'; expected 'memref<8xf32, 1>'}}
  %r = ks.real_view %z : memref<4xcomplex<f32>, 1> to memref<8xf32>
  return
}
