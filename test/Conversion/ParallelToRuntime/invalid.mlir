// Loops that the thread pool cannot run.

// RUN: ks-opt %s --convert-parallel-to-runtime --split-input-file --verify-diagnostics

func.func @reduction(%m: memref<?xf32>, %n: index, %zero: f32) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @+1 {{'scf.parallel' op has a reduction, which the thread pool cannot run; expected none (use scf.for, or reduce after the loop)}}
  %sum = scf.parallel (%i) = (%c0) to (%n) step (%c1) init (%zero) -> f32 {
    %v = memref.load %m[%i] : memref<?xf32>
    scf.reduce(%v : f32) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      scf.reduce.return %s : f32
    }
  }
  return %sum : f32
}

// -----

func.func @tensors(%t: tensor<4xf32>, %m: memref<?xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @+1 {{'scf.parallel' op uses a value of type 'tensor<4xf32>', which cannot be handed to another thread; expected a type that converts to LLVM}}
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %v = tensor.extract %t[%i] : tensor<4xf32>
    memref.store %v, %m[%i] : memref<?xf32>
  }
  return
}
