// Ops of the dialect that should be gone by now.

// RUN: ks-opt %s --convert-ks-to-llvm --split-input-file --verify-diagnostics

func.func @product(%x: memref<?x4xf32>, %k: memref<1x4x4x1xf32>, %y: memref<?x4xf32>) {
  // expected-error @+1 {{failed to legalize operation 'ks.matmul'}}
  ks.matmul <1, 4, 4, 1> ins(%x, %k : memref<?x4xf32>, memref<1x4x4x1xf32>)
    outs(%y : memref<?x4xf32>)
  return
}

// -----

func.func @packing(%k: memref<1x4x4x1xf32>, %p: memref<16xf32>) {
  // expected-error @+1 {{failed to legalize operation 'ks.pack_weights'}}
  ks.pack_weights <1, 4, 4, 1> into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1>
    ins(%k : memref<1x4x4x1xf32>) outs(%p : memref<16xf32>)
  return
}
