// Epilogues, packed weights and plans that are not allowed, each with its message.
// Cn are the constraints in the description of ks.chain.

// RUN: ks-opt %s --verify-diagnostics --split-input-file

//===----------------------------------------------------------------------===//
// C11: packed weights
//===----------------------------------------------------------------------===//

func.func @packed_without_plan(%x: memref<?x6xf32>, %k: memref<36xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op weight of factor 0 is packed (rank 1), but no plan names its packing; expected a plan, or an unpacked weight of rank 4}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<36xf32>) outs(%y : memref<?x6xf32>)
  return
}

// -----

func.func @packed_size(%x: memref<?x6xf32>, %k: memref<36xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op packed weight of factor 0 is 'memref<36xf32>'; expected the form of #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1>, 'tensor<48xf32>' (repack it)}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<36xf32>) outs(%y : memref<?x6xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]>
  return
}

// -----

// f16 is packed in the type of its accumulator.

func.func @packed_type(%x: memref<?x6xf16>, %k: memref<36xf16>, %y: memref<?x6xf16>) {
  // expected-error @+1 {{'ks.matmul' op packed weight of factor 0 is 'memref<36xf16>'; expected the form of #ks.cpu_packing<vectors = 1, lanes = 6, n = 6, j = 1>, 'tensor<36xf32>' (repack it)}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf16>, memref<36xf16>) outs(%y : memref<?x6xf16>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 6, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 6, n = 6, j = 1>>]>
  return
}

// -----

// One tile, two packed weights.

func.func @packed_without_tile(%x: memref<?x6xf32>, %k: memref<36xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.chain' op weight of factor 1 is packed (rank 1), but no plan names its packing; expected a plan, or an unpacked weight of rank 4}}
  ks.chain [<1, 6, 6, 1>, <1, 6, 6, 1>]
    ins(%x, %k, %k : memref<?x6xf32>, memref<36xf32>, memref<36xf32>)
    outs(%y : memref<?x6xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 6, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 6, n = 6, j = 1>>]>
  return
}

// -----

//===----------------------------------------------------------------------===//
// C15: extra operands
//===----------------------------------------------------------------------===//

func.func @extras_without_epilogue(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>,
                                   %y: memref<?x6xf32>, %bias: memref<6xf32>) {
  // expected-error @+1 {{'ks.matmul' op has epilogue operands but no epilogue region; expected a region that uses them}}
  "ks.matmul"(%x, %k, %bias, %y) <{pattern = #ks.pattern<1, 6, 6, 1>}>
    : (memref<?x6xf32>, memref<1x6x6x1xf32>, memref<6xf32>, memref<?x6xf32>) -> ()
  return
}

// -----

func.func @bias_of_input_size(%x: memref<?x6xf32>, %k: memref<1x4x6x1xf32>, %y: memref<?x4xf32>,
                              %bias: memref<6xf32>) {
  // expected-error @+1 {{'ks.matmul' op epilogue operand has shape 6; expected 4 (one per output feature) or ?x4 (the result's shape)}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x4x6x1xf32>) outs(%y : memref<?x4xf32>)
    epilogue(%bias : memref<6xf32>) {
    ^bb0(%acc: f32, %b: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @bias_per_batch(%x: memref<8x6xf32>, %k: memref<1x4x6x1xf32>, %y: memref<8x4xf32>,
                          %bias: memref<8x1xf32>) {
  // expected-error @+1 {{'ks.matmul' op epilogue operand has shape 8x1; expected 4 (one per output feature) or 8x4 (the result's shape)}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<8x6xf32>, memref<1x4x6x1xf32>) outs(%y : memref<8x4xf32>)
    epilogue(%bias : memref<8x1xf32>) {
    ^bb0(%acc: f32, %b: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @residual_batch(%x: memref<8x6xf32>, %k: memref<1x4x6x1xf32>, %y: memref<8x4xf32>,
                          %residual: memref<7x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op epilogue operand has shape 7x4; expected 4 (one per output feature) or 8x4 (the result's shape)}}
  ks.matmul <1, 4, 6, 1>
    ins(%x, %k : memref<8x6xf32>, memref<1x4x6x1xf32>) outs(%y : memref<8x4xf32>)
    epilogue(%residual : memref<7x4xf32>) {
    ^bb0(%acc: f32, %r: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @residual_features(%x: tensor<?x6xf32>, %k: tensor<1x4x6x1xf32>, %init: tensor<?x4xf32>,
                             %residual: tensor<?x?xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{'ks.matmul' op epilogue operand has shape ?x?; expected 4 (one per output feature) or ?x4 (the result's shape)}}
  %y = ks.matmul <1, 4, 6, 1>
         ins(%x, %k : tensor<?x6xf32>, tensor<1x4x6x1xf32>)
         outs(%init : tensor<?x4xf32>)
         epilogue(%residual : tensor<?x?xf32>) {
         ^bb0(%acc: f32, %r: f32):
           ks.yield %acc : f32
         } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @residual_layout(%x: memref<6x?xf32>, %k: memref<1x4x6x1xf32>, %y: memref<4x?xf32>,
                           %residual: memref<?x4xf32>) {
  // expected-error @+1 {{'ks.matmul' op epilogue operand has shape ?x4; expected 4 (one per output feature) or 4x? (the result's shape)}}
  ks.matmul <1, 4, 6, 1> layout(batch_last)
    ins(%x, %k : memref<6x?xf32>, memref<1x4x6x1xf32>) outs(%y : memref<4x?xf32>)
    epilogue(%residual : memref<?x4xf32>) {
    ^bb0(%acc: f32, %r: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

//===----------------------------------------------------------------------===//
// C16: arguments of the epilogue
//===----------------------------------------------------------------------===//

func.func @no_arguments(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op epilogue has arguments (); expected ('f32'): the accumulator, then one element per epilogue operand}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue {
      %0 = arith.constant 0.0 : f32
      ks.yield %0 : f32
    }
  return
}

// -----

func.func @accumulator_type(%x: memref<?x6xf16>, %k: memref<1x6x6x1xf16>, %y: memref<?x6xf16>) {
  // expected-error @+1 {{'ks.matmul' op epilogue has arguments ('f16'); expected ('f32'): the accumulator, then one element per epilogue operand}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf16>, memref<1x6x6x1xf16>) outs(%y : memref<?x6xf16>)
    epilogue {
    ^bb0(%acc: f16):
      ks.yield %acc : f16
    }
  return
}

// -----

func.func @too_few_arguments(%x: memref<?x6xf16>, %k: memref<1x6x6x1xf16>, %y: memref<?x6xf16>,
                             %bias: memref<6xf16>) {
  // expected-error @+1 {{'ks.matmul' op epilogue has arguments ('f32'); expected ('f32', 'f16'): the accumulator, then one element per epilogue operand}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf16>, memref<1x6x6x1xf16>) outs(%y : memref<?x6xf16>)
    epilogue(%bias : memref<6xf16>) {
    ^bb0(%acc: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @argument_type(%x: memref<?x6xf16>, %k: memref<1x6x6x1xf16>, %y: memref<?x6xf16>,
                         %bias: memref<6xf16>) {
  // expected-error @+1 {{'ks.matmul' op epilogue has arguments ('f32', 'f32'); expected ('f32', 'f16'): the accumulator, then one element per epilogue operand}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf16>, memref<1x6x6x1xf16>) outs(%y : memref<?x6xf16>)
    epilogue(%bias : memref<6xf16>) {
    ^bb0(%acc: f32, %b: f32):
      ks.yield %acc : f32
    }
  return
}

// -----

//===----------------------------------------------------------------------===//
// C17: the body of the epilogue
//===----------------------------------------------------------------------===//

func.func @empty_block(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op expects a non-empty block}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue {
    ^bb0(%acc: f32):
    }
  return
}

// -----

func.func @other_terminator(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op epilogue does not end in ks.yield; expected it to yield the value to store}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue {
    ^bb0(%acc: f32):
      llvm.unreachable
    }
  return
}

// -----

func.func @two_blocks(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op expects region #0 to have 0 or 1 blocks}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue {
    ^bb0(%acc: f32):
      cf.br ^bb1
    ^bb1:
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @yield_type(%x: memref<?x6xf16>, %k: memref<1x6x6x1xf16>, %y: memref<?x6xf16>) {
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf16>, memref<1x6x6x1xf16>) outs(%y : memref<?x6xf16>)
    epilogue {
    ^bb0(%acc: f32):
      %0 = arith.truncf %acc : f32 to f16
      // expected-error @+1 {{'ks.yield' op yields 'f16'; expected the accumulator type 'f32'}}
      ks.yield %0 : f16
    }
  return
}

// -----

func.func @yield_elsewhere(%s: f32) {
  // expected-error @+1 {{'ks.yield' op expects parent op to be one of 'ks.matmul, ks.chain'}}
  ks.yield %s : f32
}

// -----

// What the epilogue uses is an operand.

func.func @captures(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>, %s: f32) {
  // expected-note @+1 {{required by region isolation constraints}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue {
    ^bb0(%acc: f32):
      // expected-error @+1 {{'arith.addf' op using value defined outside the region}}
      %0 = arith.addf %acc, %s : f32
      ks.yield %0 : f32
    }
  return
}

// -----

func.func @side_effect(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue {
    ^bb0(%acc: f32):
      // expected-error @+1 {{'vector.print' op is not allowed in the epilogue of ks.matmul; expected a pure arith, math or complex op on scalars (apply others after the product)}}
      vector.print %acc : f32
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @other_dialect(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue {
    ^bb0(%acc: f32):
      // expected-error @+1 {{'index.constant' op is not allowed in the epilogue of ks.matmul; expected a pure arith, math or complex op on scalars (apply others after the product)}}
      %0 = index.constant 1
      ks.yield %acc : f32
    }
  return
}

// -----

func.func @regions(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  ks.chain [<1, 6, 6, 1>]
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue {
    ^bb0(%acc: f32):
      %true = arith.constant true
      // expected-error @+1 {{'scf.if' op is not allowed in the epilogue of ks.chain; expected a pure arith, math or complex op on scalars (apply others after the product)}}
      %0 = scf.if %true -> f32 {
        scf.yield %acc : f32
      } else {
        scf.yield %acc : f32
      }
      ks.yield %0 : f32
    }
  return
}

// -----

func.func @vectors(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue {
    ^bb0(%acc: f32):
      // expected-error @+1 {{'arith.constant' op is not allowed in the epilogue of ks.matmul; expected a pure arith, math or complex op on scalars (apply others after the product)}}
      %0 = arith.constant dense<1.0> : vector<4xf32>
      ks.yield %acc : f32
    }
  return
}

// -----

// A division of integers traps where it divides by 0.

func.func @may_trap(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    epilogue {
    ^bb0(%acc: f32):
      %i = arith.fptosi %acc : f32 to i32
      // expected-error @+1 {{'arith.divsi' op is not allowed in the epilogue of ks.matmul; expected a pure arith, math or complex op on scalars (apply others after the product)}}
      %0 = arith.divsi %i, %i : i32
      %1 = arith.sitofp %0 : i32 to f32
      ks.yield %1 : f32
    }
  return
}
