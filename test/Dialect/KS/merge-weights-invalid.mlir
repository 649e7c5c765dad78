// RUN: ks-opt %s --split-input-file --verify-diagnostics

// C1: the factors fit.

func.func @sizes(%k0: memref<2x2x2x1xf32>, %k1: memref<1x2x3x2xf32>, %k: memref<1x4x4x1xf32>) {
  // expected-error @+1 {{'ks.merge_weights' op left factor takes a*c*d = 6 features; expected a*b*d = 4 of the right one (factors are listed in the order they are applied)}}
  ks.merge_weights <2, 2, 2, 1>, <1, 2, 3, 2> into <1, 4, 4, 1>
    ins(%k0, %k1 : memref<2x2x2x1xf32>, memref<1x2x3x2xf32>) outs(%k : memref<1x4x4x1xf32>)
  return
}

// -----

// C2: the product, or the dense pattern.

func.func @product(%k0: memref<4x2x2x1xf32>, %k1: memref<2x2x2x2xf32>, %k: memref<2x4x2x1xf32>) {
  // expected-error @+1 {{'ks.merge_weights' op merges into <2, 4, 2, 1>; expected <2, 4, 4, 1>, the product, or <1, 8, 8, 1>, the dense pattern}}
  ks.merge_weights <4, 2, 2, 1>, <2, 2, 2, 2> into <2, 4, 2, 1>
    ins(%k0, %k1 : memref<4x2x2x1xf32>, memref<2x2x2x2xf32>) outs(%k : memref<2x4x2x1xf32>)
  return
}

// -----

// C2: no product of a pair that is not chainable.

func.func @not_chainable(%k0: memref<1x2x2x2xf32>, %k1: memref<2x2x2x1xf32>, %k: memref<2x2x2x2xf32>) {
  // expected-error @+1 {{'ks.merge_weights' op merges into <2, 2, 2, 2>; expected <1, 4, 4, 1>, the dense pattern (the two are not chainable)}}
  ks.merge_weights <1, 2, 2, 2>, <2, 2, 2, 1> into <2, 2, 2, 2>
    ins(%k0, %k1 : memref<1x2x2x2xf32>, memref<2x2x2x1xf32>) outs(%k : memref<2x2x2x2xf32>)
  return
}

// -----

// C3: weights.

func.func @right(%k0: memref<2x2x1x1xf32>, %k1: memref<1x2x2x2xf32>, %k: memref<1x4x4x1xf32>) {
  // expected-error @+1 {{'ks.merge_weights' op right weight has shape 2x2x1x1; expected 2x2x2x1, with 1 for a or d where it is tied}}
  ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
    ins(%k0, %k1 : memref<2x2x1x1xf32>, memref<1x2x2x2xf32>) outs(%k : memref<1x4x4x1xf32>)
  return
}

// -----

// C3

func.func @left(%k0: memref<2x2x2x1xf32>, %k1: memref<8xf32>, %k: memref<1x4x4x1xf32>) {
  // expected-error @+1 {{'ks.merge_weights' op left weight has shape 8; expected 1x2x2x2, with 1 for a or d where it is tied}}
  ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
    ins(%k0, %k1 : memref<2x2x2x1xf32>, memref<8xf32>) outs(%k : memref<1x4x4x1xf32>)
  return
}

// -----

// C4: the shape of the result.

func.func @shape(%k0: memref<2x2x2x1xf32>, %k1: memref<1x2x2x2xf32>, %k: memref<2x2x2x2xf32>) {
  // expected-error @+1 {{'ks.merge_weights' op outs has shape 2x2x2x2; expected 1x4x4x1, with 1 for a or d where it is tied}}
  ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
    ins(%k0, %k1 : memref<2x2x2x1xf32>, memref<1x2x2x2xf32>) outs(%k : memref<2x2x2x2xf32>)
  return
}

// -----

// C4: tied along a, as only one of the factors is.

func.func @tied_a(%k0: memref<1x2x2x1xf32>, %k1: memref<2x2x2x2xf32>, %k: memref<1x4x4x1xf32>) {
  // expected-error @+1 {{'ks.merge_weights' op outs has shape 1x4x4x1, tied along a; expected 2 there, as not both weights have size 1 along a}}
  ks.merge_weights <4, 2, 2, 1>, <2, 2, 2, 2> into <2, 4, 4, 1>
    ins(%k0, %k1 : memref<1x2x2x1xf32>, memref<2x2x2x2xf32>) outs(%k : memref<1x4x4x1xf32>)
  return
}

// -----

// C4: tied along d.

func.func @tied_d(%k0: memref<2x2x2x2xf32>, %k1: memref<1x2x2x1xf32>, %k: memref<1x4x4x1xf32>) {
  // expected-error @+1 {{'ks.merge_weights' op outs has shape 1x4x4x1, tied along d; expected 2 there, as not both weights have size 1 along d}}
  ks.merge_weights <2, 2, 2, 2>, <1, 2, 2, 4> into <1, 4, 4, 2>
    ins(%k0, %k1 : memref<2x2x2x2xf32>, memref<1x2x2x1xf32>) outs(%k : memref<1x4x4x1xf32>)
  return
}

// -----

// C5: two element types that are not the accumulator's.

func.func @types(%k0: memref<2x2x2x1xf16>, %k1: memref<1x2x2x2xbf16>, %k: memref<1x4x4x1xf32>) {
  // expected-error @+1 {{'ks.merge_weights' op has operands of types 'memref<2x2x2x1xf16>', 'memref<1x2x2x2xbf16>', 'memref<1x4x4x1xf32>'; expected one element type, or its accumulator type}}
  ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
    ins(%k0, %k1 : memref<2x2x2x1xf16>, memref<1x2x2x2xbf16>) outs(%k : memref<1x4x4x1xf32>)
  return
}

// -----

// C5: f64 is the accumulator type of nothing else.

func.func @wide(%k0: memref<2x2x2x1xf32>, %k1: memref<1x2x2x2xf32>, %k: memref<1x4x4x1xf64>) {
  // expected-error @+1 {{expected one element type, or its accumulator type}}
  ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
    ins(%k0, %k1 : memref<2x2x2x1xf32>, memref<1x2x2x2xf32>) outs(%k : memref<1x4x4x1xf64>)
  return
}

// -----

// C6: tensors or memrefs.

func.func @kinds(%k0: tensor<2x2x2x1xf32>, %k1: memref<1x2x2x2xf32>, %k: memref<1x4x4x1xf32>) {
  // expected-error @+1 {{'ks.merge_weights' op mixes tensors and memrefs: got 'tensor<2x2x2x1xf32>' beside outs 'memref<1x4x4x1xf32>'; expected all of one kind (bufferize the whole function)}}
  ks.merge_weights <2, 2, 2, 1>, <1, 2, 2, 2> into <1, 4, 4, 1>
    ins(%k0, %k1 : tensor<2x2x2x1xf32>, memref<1x2x2x2xf32>) outs(%k : memref<1x4x4x1xf32>)
  return
}
