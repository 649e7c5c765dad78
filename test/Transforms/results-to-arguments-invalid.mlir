// Results whose size a caller cannot know.

// RUN: ks-opt %s --ks-results-to-arguments --split-input-file --verify-diagnostics

func.func @size_is_a_number(%n: index) -> tensor<?x6xf32> {
  %empty = tensor.empty(%n) : tensor<?x6xf32>
  // expected-error @+1 {{dimension 0 of result 0 of @size_is_a_number is not a dimension of an argument; expected a result that a caller can allocate (take tensor.dim of an argument, or pass the destination as an argument)}}
  return %empty : tensor<?x6xf32>
}

// -----

func.func @size_is_computed(%x: tensor<2x?xf32>, %i: index)
    -> (tensor<2x?xf32>, tensor<2x?xf32>) {
  %size = tensor.dim %x, %i : tensor<2x?xf32>
  %empty = tensor.empty(%size) : tensor<2x?xf32>
  // expected-error @+1 {{dimension 1 of result 1 of @size_is_computed is not a dimension of an argument}}
  return %x, %empty : tensor<2x?xf32>, tensor<2x?xf32>
}

// -----

func.func private @elsewhere(tensor<?x4xf32>) -> tensor<?x4xf32>
func.func @of_a_call(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = call @elsewhere(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  // expected-error @+1 {{dimension 0 of result 0 of @of_a_call is not a dimension of an argument}}
  return %0 : tensor<?x4xf32>
}

// -----

func.func @of_a_loop(%x: tensor<?x4xf32>, %n: index) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%y = %x) -> tensor<?x4xf32> {
    scf.yield %y : tensor<?x4xf32>
  }
  // expected-error @+1 {{dimension 0 of result 0 of @of_a_loop is not a dimension of an argument}}
  return %0 : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{has several blocks; expected structured control flow (scf) in functions on tensors}}
func.func @several_blocks(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^bb1
^bb1:
  return %x : tensor<4xf32>
}
