// Products that are not allowed, each with its message. Cn are the constraints in
// the description of ks.chain; C1 and C2 are in attrs-invalid.mlir, C11 and
// C15 to C18 in ops-epilogue-invalid.mlir.

// RUN: ks-opt %s --verify-diagnostics --split-input-file

//===----------------------------------------------------------------------===//
// C3: at least one factor, one weight per factor
//===----------------------------------------------------------------------===//

func.func @no_factors(%x: tensor<?x6xf32>, %init: tensor<?x6xf32>) -> tensor<?x6xf32> {
  // expected-error @+1 {{'ks.chain' op has no factors; expected at least one pattern}}
  %y = "ks.chain"(%x, %init) <{patterns = [], operandSegmentSizes = array<i32: 1, 0, 0, 1>}>
    : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

func.func @too_few_weights(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.chain' op has 1 weights for 2 patterns; expected one weight per pattern}}
  ks.chain [<1, 6, 6, 1>, <1, 6, 6, 1>]
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
  return
}

// -----

func.func @too_many_weights(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.chain' op has 2 weights for 1 patterns; expected one weight per pattern}}
  ks.chain [<1, 6, 6, 1>]
    ins(%x, %k, %k : memref<?x6xf32>, memref<1x6x6x1xf32>, memref<1x6x6x1xf32>)
    outs(%y : memref<?x6xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// C4: neighbours fit
//===----------------------------------------------------------------------===//

// In the order of the matrix product instead of that of application.

func.func @reversed(%x: tensor<?x384xf16>, %k0: tensor<1x768x192x2xf16>,
                    %k1: tensor<6x64x64x1xf16>, %init: tensor<?x1536xf16>)
    -> tensor<?x1536xf16> {
  // expected-error @+1 {{'ks.chain' op factor 1 takes a*c*d = 384 features; expected a*b*d = 1536 of factor 0 (factors are listed in the order they are applied)}}
  %y = ks.chain [<1, 768, 192, 2>, <6, 64, 64, 1>]
         ins(%x, %k0, %k1 : tensor<?x384xf16>, tensor<1x768x192x2xf16>, tensor<6x64x64x1xf16>)
         outs(%init : tensor<?x1536xf16>) -> tensor<?x1536xf16>
  return %y : tensor<?x1536xf16>
}

// -----

func.func @second_pair(%x: memref<?x2xf32>, %k: memref<1x2x2x1xf32>, %k2: memref<1x2x3x1xf32>,
                       %y: memref<?x2xf32>) {
  // expected-error @+1 {{'ks.chain' op factor 2 takes a*c*d = 3 features; expected a*b*d = 2 of factor 1 (factors are listed in the order they are applied)}}
  ks.chain [<1, 2, 2, 1>, <1, 2, 2, 1>, <1, 2, 3, 1>]
    ins(%x, %k, %k, %k2 : memref<?x2xf32>, memref<1x2x2x1xf32>, memref<1x2x2x1xf32>,
        memref<1x2x3x1xf32>)
    outs(%y : memref<?x2xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// C5: all tensors or all memrefs
//===----------------------------------------------------------------------===//

func.func @memref_input(%x: memref<?x6xf32>, %k: tensor<1x6x6x1xf32>, %init: tensor<?x6xf32>)
    -> tensor<?x6xf32> {
  // expected-error @+1 {{'ks.matmul' op mixes tensors and memrefs: got 'memref<?x6xf32>' beside outs 'tensor<?x6xf32>'; expected all of one kind (bufferize the whole function)}}
  %y = ks.matmul <1, 6, 6, 1>
         ins(%x, %k : memref<?x6xf32>, tensor<1x6x6x1xf32>)
         outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

func.func @tensor_weight(%x: memref<?x6xf32>, %k: tensor<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op mixes tensors and memrefs: got 'tensor<1x6x6x1xf32>' beside outs 'memref<?x6xf32>'; expected all of one kind (bufferize the whole function)}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, tensor<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
  return
}

// -----

func.func @tensor_extra(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>,
                        %bias: tensor<6xf32>) {
  // expected-error @+1 {{'ks.matmul' op mixes tensors and memrefs: got 'tensor<6xf32>' beside outs 'memref<?x6xf32>'; expected all of one kind (bufferize the whole function)}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue(%bias : tensor<6xf32>) {
    ^bb0(%acc: f32, %b: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

//===----------------------------------------------------------------------===//
// C6: the result
//===----------------------------------------------------------------------===//

func.func @no_result(%x: tensor<?x6xf32>, %k: tensor<1x6x6x1xf32>, %init: tensor<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op expected the number of tensor results (0) to be equal to the number of output tensors (1)}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : tensor<?x6xf32>, tensor<1x6x6x1xf32>) outs(%init : tensor<?x6xf32>)
  return
}

// -----

func.func @other_result(%x: tensor<?x6xf32>, %k: tensor<1x6x6x1xf32>, %init: tensor<?x6xf32>)
    -> tensor<4x6xf32> {
  // expected-error @+1 {{'ks.matmul' op expected type of operand #2 ('tensor<?x6xf32>') to match type of corresponding result ('tensor<4x6xf32>')}}
  %y = ks.matmul <1, 6, 6, 1>
         ins(%x, %k : tensor<?x6xf32>, tensor<1x6x6x1xf32>)
         outs(%init : tensor<?x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

func.func @two_results(%x: tensor<?x6xf32>, %k: tensor<1x6x6x1xf32>, %init: tensor<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op expected the number of tensor results (2) to be equal to the number of output tensors (1)}}
  %y:2 = ks.matmul <1, 6, 6, 1>
           ins(%x, %k : tensor<?x6xf32>, tensor<1x6x6x1xf32>)
           outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>, tensor<?x6xf32>
  return
}

// -----

func.func @result_on_memrefs(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op expected the number of tensor results (1) to be equal to the number of output tensors (0)}}
  %r = ks.matmul <1, 6, 6, 1>
         ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>)
         outs(%y : memref<?x6xf32>) -> tensor<?x6xf32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// C7: element types that the product can convert
//===----------------------------------------------------------------------===//

func.func @outs_type(%x: memref<?x6xcomplex<f32>>, %k: memref<1x6x6x1xcomplex<f32>>,
                     %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op outs has element type 'f32'; expected 'complex<f32>', as input has}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xcomplex<f32>>, memref<1x6x6x1xcomplex<f32>>) outs(%y : memref<?x6xf32>)
  return
}

// -----

func.func @extra_type(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf16>, %y: memref<?x6xf16>,
                      %bias: memref<6xcomplex<f32>>) {
  // expected-error @+1 {{'ks.matmul' op epilogue operand has element type 'complex<f32>'; expected 'f16', as load_as says, or another real type}}
  ks.matmul <1, 6, 6, 1> load_as(f16)
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf16>) outs(%y : memref<?x6xf16>)
    epilogue(%bias : memref<6xcomplex<f32>>) {
    ^bb0(%acc: f32, %b: complex<f32>):
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @load_as_number(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf16>, %y: memref<?x6xf16>) {
  // expected-error @+1 {{'ks.matmul' op load_as is 'i16' where input has element type 'f32'; expected both to be of f16, bf16, f32 and f64, and one wider than the other (convert before the product)}}
  ks.matmul <1, 6, 6, 1> load_as(i16)
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf16>) outs(%y : memref<?x6xf16>)
  return
}

// -----

// Neither is wider: there is no conversion in one step.
func.func @load_as_width(%x: memref<?x6xbf16>, %k: memref<1x6x6x1xf16>, %y: memref<?x6xf16>) {
  // expected-error @+1 {{'ks.matmul' op load_as is 'f16' where input has element type 'bf16'; expected both to be of f16, bf16, f32 and f64, and one wider than the other (convert before the product)}}
  ks.matmul <1, 6, 6, 1> load_as(f16)
    ins(%x, %k : memref<?x6xbf16>, memref<1x6x6x1xf16>) outs(%y : memref<?x6xf16>)
  return
}

// -----

func.func @load_as_complex(%x: memref<?x6xcomplex<f32>>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.chain' op load_as is 'f32' where input has element type 'complex<f32>'}}
  ks.chain [<1, 6, 6, 1>] load_as(f32)
    ins(%x, %k : memref<?x6xcomplex<f32>>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// C8: ranks and features
//===----------------------------------------------------------------------===//

func.func @input_features(%x: memref<?x5xf32>, %k: memref<1x4x6x1xf32>, %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op input is 'memref<?x5xf32>'; expected rank 2 with a*c*d = 6 features in axis 1 (layout batch_first)}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x5xf32>, memref<1x4x6x1xf32>) outs(%y : memref<?x4xf32>)
  return
}

// -----

func.func @outs_features(%x: memref<?x6xf32>, %k: memref<1x4x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op outs is 'memref<?x6xf32>'; expected rank 2 with a*b*d = 4 features in axis 1 (layout batch_first)}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x4x6x1xf32>) outs(%y : memref<?x6xf32>)
  return
}

// -----

func.func @dynamic_features(%x: memref<?x?xf32>, %k: memref<1x4x6x1xf32>, %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op input is 'memref<?x?xf32>'; expected rank 2 with a*c*d = 6 features in axis 1 (layout batch_first)}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x?xf32>, memref<1x4x6x1xf32>) outs(%y : memref<?x4xf32>)
  return
}

// -----

func.func @rank_1(%x: memref<6xf32>, %k: memref<1x4x6x1xf32>, %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op input is 'memref<6xf32>'; expected rank 2 with a*c*d = 6 features in axis 1 (layout batch_first)}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<6xf32>, memref<1x4x6x1xf32>) outs(%y : memref<?x4xf32>)
  return
}

// -----

// A tensor may have any rank, as far as types go.

func.func @rank_3(%x: tensor<?x6xf32>, %k: tensor<1x4x6x1xf32>, %init: tensor<2x?x4xf32>)
    -> tensor<2x?x4xf32> {
  // expected-error @+1 {{'ks.matmul' op outs is 'tensor<2x?x4xf32>'; expected rank 2 with a*b*d = 4 features in axis 1 (layout batch_first)}}
  %y = ks.matmul <1, 4, 6, 1>
         ins(%x, %k : tensor<?x6xf32>, tensor<1x4x6x1xf32>)
         outs(%init : tensor<2x?x4xf32>) -> tensor<2x?x4xf32>
  return %y : tensor<2x?x4xf32>
}

// -----

// The features of a batch-last product are its rows.

func.func @batch_last(%x: memref<8x6xf32>, %k: memref<1x4x6x1xf32>, %y: memref<4x8xf32>) {
  // expected-error @+1 {{'ks.matmul' op input is 'memref<8x6xf32>'; expected rank 2 with a*c*d = 6 features in axis 0 (layout batch_last)}}
  ks.matmul <1, 4, 6, 1> layout(batch_last)
    ins(%x, %k : memref<8x6xf32>, memref<1x4x6x1xf32>) outs(%y : memref<4x8xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// C9: batches agree
//===----------------------------------------------------------------------===//

func.func @batch(%x: memref<7x6xf32>, %k: memref<1x4x6x1xf32>, %y: memref<8x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op input has batch 7; expected 8, as outs has}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<7x6xf32>, memref<1x4x6x1xf32>) outs(%y : memref<8x4xf32>)
  return
}

// -----

func.func @batch_last(%x: memref<6x1xf32>, %k: memref<1x4x6x1xf32>, %y: memref<4x0xf32>) {
  // expected-error @+1 {{'ks.matmul' op input has batch 1; expected 0, as outs has}}
  ks.matmul <1, 4, 6, 1> layout(batch_last)
    ins(%x, %k : memref<6x1xf32>, memref<1x4x6x1xf32>) outs(%y : memref<4x0xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// C10: the weights
//===----------------------------------------------------------------------===//

func.func @transposed_weight(%x: memref<?x8xf32>, %k: memref<2x4x3x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op weight of factor 0 has shape 2x4x3x1; expected 2x3x4x1, with 1 for a or d where it is tied}}
  ks.matmul <2, 3, 4, 1>
    ins(%x, %k : memref<?x8xf32>, memref<2x4x3x1xf32>) outs(%y : memref<?x6xf32>)
  return
}

// -----

func.func @second_weight(%x: memref<?x12xf32>, %k0: memref<1x3x6x1xf32>, %k1: memref<2x3x2x1xf32>,
                         %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.chain' op weight of factor 1 has shape 2x3x2x1; expected 2x2x3x1, with 1 for a or d where it is tied}}
  ks.chain [<2, 3, 6, 1>, <2, 2, 3, 1>]
    ins(%x, %k0, %k1 : memref<?x12xf32>, memref<1x3x6x1xf32>, memref<2x3x2x1xf32>)
    outs(%y : memref<?x4xf32>)
  return
}

// -----

// A weight may be tied along a and d only, and wholly.

func.func @tied_along_b(%x: memref<?x6xf32>, %k: memref<1x1x6x1xf32>, %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op weight of factor 0 has shape 1x1x6x1; expected 1x4x6x1, with 1 for a or d where it is tied}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x1x6x1xf32>) outs(%y : memref<?x4xf32>)
  return
}

// -----

func.func @partly_tied(%x: memref<?x8xf32>, %k: memref<2x1x1x2xf32>, %y: memref<?x8xf32>) {
  // expected-error @+1 {{'ks.matmul' op weight of factor 0 has shape 2x1x1x2; expected 4x1x1x2, with 1 for a or d where it is tied}}
  ks.matmul <4, 1, 1, 2>
    ins(%x, %k : memref<?x8xf32>, memref<2x1x1x2xf32>) outs(%y : memref<?x8xf32>)
  return
}

// -----

func.func @dynamic_weight(%x: tensor<?x6xf32>, %k: tensor<?x4x6x1xf32>, %init: tensor<?x4xf32>)
    -> tensor<?x4xf32> {
  // expected-error @+1 {{'ks.matmul' op weight of factor 0 has shape ?x4x6x1; expected 1x4x6x1, with 1 for a or d where it is tied}}
  %y = ks.matmul <1, 4, 6, 1>
         ins(%x, %k : tensor<?x6xf32>, tensor<?x4x6x1xf32>)
         outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @matrix_weight(%x: memref<?x6xf32>, %k: memref<4x6xf32>, %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op weight of factor 0 has shape 4x6; expected 1x4x6x1, with 1 for a or d where it is tied}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<4x6xf32>) outs(%y : memref<?x4xf32>)
  return
}

// -----

func.func @weight_type(%x: memref<?x6xf16>, %k: memref<1x4x6x1xf32>, %y: memref<?x4xf16>) {
  // expected-error @+1 {{'ks.matmul' op weight of factor 0 has element type 'f32'; expected 'f16', as input has}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x6xf16>, memref<1x4x6x1xf32>) outs(%y : memref<?x4xf16>)
  return
}

// -----

func.func @converted_weight_type(%x: memref<?x6xf32>, %k: memref<1x4x6x1xf32>, %y: memref<?x4xf16>) {
  // expected-error @+1 {{'ks.matmul' op weight of factor 0 has element type 'f32'; expected 'f16', as load_as says}}
  ks.matmul <1, 4, 6, 1> load_as(f16)
    ins(%x, %k : memref<?x6xf32>, memref<1x4x6x1xf32>) outs(%y : memref<?x4xf16>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// C12: the strides of memrefs
//===----------------------------------------------------------------------===//

func.func @inner_stride(%x: memref<?x6xf32, strided<[1, 8]>>, %k: memref<1x4x6x1xf32>,
                        %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op input is 'memref<?x6xf32, strided<[1, 8]>>'; expected inner stride 1 (copy it, or exchange the axes with the other layout)}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x6xf32, strided<[1, 8]>>, memref<1x4x6x1xf32>)
    outs(%y : memref<?x4xf32>)
  return
}

// -----

func.func @pitch(%x: memref<?x6xf32>, %k: memref<1x4x6x1xf32>,
                 %y: memref<?x4xf32, strided<[3, 1]>>) {
  // expected-error @+1 {{'ks.matmul' op outs has row pitch 3; expected at least its width 4}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x4x6x1xf32>)
    outs(%y : memref<?x4xf32, strided<[3, 1]>>)
  return
}

// -----

// Every row of the input is the same one, and so is every row of the result.

func.func @pitch_0(%x: memref<?x6xf32>, %k: memref<1x4x6x1xf32>,
                   %y: memref<?x4xf32, strided<[0, 1]>>) {
  // expected-error @+1 {{'ks.matmul' op outs has row pitch 0; expected at least its width 4}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x4x6x1xf32>)
    outs(%y : memref<?x4xf32, strided<[0, 1]>>)
  return
}

// -----

func.func @weight_pitch(%x: memref<?x6xf32>, %k: memref<1x4x6x1xf32, strided<[32, 8, 1, 1]>>,
                        %y: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op weight is 'memref<1x4x6x1xf32, strided<[32, 8, 1, 1]>>'; expected a contiguous memref}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x4x6x1xf32, strided<[32, 8, 1, 1]>>)
    outs(%y : memref<?x4xf32>)
  return
}

// -----

func.func @extra_stride(%x: memref<?x6xf32>, %k: memref<1x4x6x1xf32>, %y: memref<?x4xf32>,
                        %bias: memref<4xf32, strided<[2]>>) {
  // expected-error @+1 {{'ks.matmul' op epilogue operand is 'memref<4xf32, strided<[2]>>'; expected inner stride 1 (copy it, or exchange the axes with the other layout)}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x4x6x1xf32>) outs(%y : memref<?x4xf32>)
    epilogue(%bias : memref<4xf32, strided<[2]>>) {
    ^bb0(%acc: f32, %b: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @no_strides(%x: memref<8x6xf32, affine_map<(i, j) -> (i floordiv 2, i mod 2, j)>>,
                      %k: memref<1x4x6x1xf32>, %y: memref<8x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op input is 'memref<8x6xf32, affine_map<(d0, d1) -> (d0 floordiv 2, d0 mod 2, d1)>>'; expected a strided layout}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<8x6xf32, affine_map<(i, j) -> (i floordiv 2, i mod 2, j)>>,
        memref<1x4x6x1xf32>)
    outs(%y : memref<8x4xf32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// C13: outs aliases no input
//===----------------------------------------------------------------------===//

func.func @in_place(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>) {
  // expected-error @+1 {{'ks.matmul' op outs aliases operand 0; expected another buffer (a product cannot run in place)}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%x : memref<?x6xf32>)
  return
}

// -----

func.func @residual_in_place(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op outs aliases operand 2; expected another buffer (a product cannot run in place)}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue(%y : memref<?x6xf32>) {
    ^bb0(%acc: f32, %r: f32):
      %0 = arith.addf %acc, %r : f32
      ks.yield %0 : f32
    }
  return
}

// -----

//===----------------------------------------------------------------------===//
// C14: tf32 is for f32
//===----------------------------------------------------------------------===//

func.func @tf32_of_f16(%x: memref<?x6xf16>, %k: memref<1x6x6x1xf16>, %y: memref<?x6xf16>) {
  // expected-error @+1 {{'ks.matmul' op precision is tf32 with element type 'f16'; expected f32, or precision(ieee)}}
  ks.matmul <1, 6, 6, 1> precision(tf32)
    ins(%x, %k : memref<?x6xf16>, memref<1x6x6x1xf16>) outs(%y : memref<?x6xf16>)
  return
}

// -----

func.func @tf32_of_complex(%x: memref<?x6xcomplex<f32>>, %k: memref<1x6x6x1xcomplex<f32>>,
                           %y: memref<?x6xcomplex<f32>>) {
  // expected-error @+1 {{'ks.matmul' op precision is tf32 with element type 'complex<f32>'; expected f32, or precision(ieee)}}
  ks.matmul <1, 6, 6, 1> precision(tf32)
    ins(%x, %k : memref<?x6xcomplex<f32>>, memref<1x6x6x1xcomplex<f32>>)
    outs(%y : memref<?x6xcomplex<f32>>)
  return
}
