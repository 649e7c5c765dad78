// Products that cannot be parsed, or do not have the parts of a product.

// RUN: ks-opt %s --verify-diagnostics --split-input-file

//===----------------------------------------------------------------------===//
// Syntax
//===----------------------------------------------------------------------===//

func.func @open_list(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{expected ']'}}
  ks.chain [<1, 6, 6, 1>, <1, 6, 6, 1> ins(%x, %k, %k : memref<?x6xf32>)
}

// -----

func.func @no_list(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{expected '['}}
  ks.chain <1, 6, 6, 1> ins(%x, %k, %k : memref<?x6xf32>)
}

// -----

func.func @open_pattern(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{expected '>'}}
  ks.matmul <1, 6, 6, 1 ins(%x, %k : memref<?x6xf32>)
}

// -----

func.func @bad_pattern(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{custom op 'ks.chain' pattern size c is 0; expected at least 1}}
  ks.chain [<1, 6, 6, 1>, <1, 6, 0, 1>] ins(%x, %k, %k : memref<?x6xf32>)
}

// -----

func.func @other_attribute(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{custom op 'ks.chain' invalid kind of attribute specified}}
  ks.chain [#ks<layout batch_first>] ins(%x, %k : memref<?x6xf32>)
}

// -----

func.func @unknown_layout(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+2 {{custom op 'ks.matmul' expected one of [batch_first, batch_last] for order of the axes of activations, got: batch_middle}}
  // expected-error @+1 {{custom op 'ks.matmul' failed to parse KS_LayoutAttr parameter 'value' which is to be a `::ks::Layout`}}
  ks.matmul <1, 6, 6, 1> layout(batch_middle) ins(%x, %k : memref<?x6xf32>)
}

// -----

func.func @empty_layout(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+2 {{custom op 'ks.matmul' expected keyword for order of the axes of activations}}
  // expected-error @+1 {{custom op 'ks.matmul' failed to parse KS_LayoutAttr parameter 'value' which is to be a `::ks::Layout`}}
  ks.matmul <1, 6, 6, 1> layout() ins(%x, %k : memref<?x6xf32>)
}

// -----

func.func @unknown_precision(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+2 {{custom op 'ks.matmul' expected one of [ieee, tf32] for precision of f32 products, got: f16}}
  // expected-error @+1 {{custom op 'ks.matmul' failed to parse KS_PrecisionAttr parameter 'value' which is to be a `::ks::Precision`}}
  ks.matmul <1, 6, 6, 1> precision(f16) ins(%x, %k : memref<?x6xf32>)
}

// -----

func.func @precision_first(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{custom op 'ks.matmul' expected 'ins'}}
  ks.matmul <1, 6, 6, 1> precision(tf32) layout(batch_first) ins(%x, %k : memref<?x6xf32>)
}

// -----

func.func @no_weight(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{expected ','}}
  ks.matmul <1, 6, 6, 1> ins(%x : memref<?x6xf32>) outs(%y : memref<?x6xf32>)
}

// -----

func.func @no_weight_type(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{expected ','}}
  ks.matmul <1, 6, 6, 1> ins(%x, %k : memref<?x6xf32>) outs(%y : memref<?x6xf32>)
}

// -----

func.func @no_outs(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  ks.matmul <1, 6, 6, 1> ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>)
  // expected-error @+1 {{custom op 'ks.matmul' expected 'outs'}}
  return
}

// -----

func.func @no_region(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue
  // expected-error @-1 {{expected '{' to begin a region}}
  return
}

// -----

func.func @no_extras(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+3 {{expected ':'}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue() {
    ^bb0(%acc: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @extra_types(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+3 {{custom op 'ks.matmul' number of operands and types do not match: got 2 operands and 1 types}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue(%x, %x : memref<?x6xf32>) {
    ^bb0(%acc: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @no_plan(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+3 {{custom op 'ks.matmul' invalid kind of attribute specified}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    plan #ks.pattern<1, 6, 6, 1>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Types and segments of operands
//===----------------------------------------------------------------------===//

func.func @element_type(%x: memref<?x6xi32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op operand #0 must be ranked tensor or memref of f16, bf16, f32, f64, complex<f32> or complex<f64>, but got 'memref<?x6xi32>'}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xi32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
  return
}

// -----

func.func @unranked(%x: tensor<?x6xf32>, %k: tensor<*xf32>, %init: tensor<?x6xf32>)
    -> tensor<?x6xf32> {
  // expected-error @+1 {{'ks.matmul' op operand #1 must be ranked tensor or memref of f16, bf16, f32, f64, complex<f32> or complex<f64>, but got 'tensor<*xf32>'}}
  %y = ks.matmul <1, 6, 6, 1>
         ins(%x, %k : tensor<?x6xf32>, tensor<*xf32>)
         outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

func.func @memref_rank(%x: memref<?x6x1xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.chain' op operand #0 must be ranked tensor or memref of f16, bf16, f32, f64, complex<f32> or complex<f64>, but got 'memref<?x6x1xf32>'}}
  ks.chain [<1, 6, 6, 1>]
    ins(%x, %k : memref<?x6x1xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
  return
}

// -----

func.func @scalar_extra(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>,
                        %s: f32) {
  // expected-error @+1 {{'ks.matmul' op operand #2 must be variadic of ranked tensor or memref of f16, bf16, f32, f64, complex<f32> or complex<f64>, but got 'f32'}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue(%s : f32) {
    ^bb0(%acc: f32, %e: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @patterns(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.chain' op attribute 'patterns' failed to satisfy constraint: array of KS patterns}}
  "ks.chain"(%x, %k, %y) <{patterns = [#ks<layout batch_first>],
                           operandSegmentSizes = array<i32: 1, 1, 0, 1>}> ({})
    : (memref<?x6xf32>, memref<1x6x6x1xf32>, memref<?x6xf32>) -> ()
  return
}

// -----

func.func @no_patterns(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.chain' op requires attribute 'patterns'}}
  "ks.chain"(%x, %k, %y) <{operandSegmentSizes = array<i32: 1, 1, 0, 1>}> ({})
    : (memref<?x6xf32>, memref<1x6x6x1xf32>, memref<?x6xf32>) -> ()
  return
}

// -----

func.func @segments(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.chain' op operand count (3) does not match with the total size (4) specified in attribute 'operandSegmentSizes'}}
  "ks.chain"(%x, %k, %y) <{patterns = [#ks.pattern<1, 6, 6, 1>],
                           operandSegmentSizes = array<i32: 1, 1, 1, 1>}> ({})
    : (memref<?x6xf32>, memref<1x6x6x1xf32>, memref<?x6xf32>) -> ()
  return
}

// -----

func.func @no_operands() {
  // expected-error @+1 {{'ks.chain' op expected 2 or more operands, but found 0}}
  "ks.chain"() <{patterns = [#ks.pattern<1, 6, 6, 1>],
                 operandSegmentSizes = array<i32: 0, 0, 0, 0>}> ({}) : () -> ()
  return
}

// -----

func.func @matmul_operands(%x: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op expected 3 or more operands, but found 1}}
  "ks.matmul"(%x) <{pattern = #ks.pattern<1, 6, 6, 1>}> ({}) : (memref<?x6xf32>) -> ()
  return
}
