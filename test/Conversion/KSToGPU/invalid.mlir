// RUN: ks-opt %s --convert-ks-to-gpu -split-input-file -verify-diagnostics

func.func @tensors(%x: tensor<?x32xf16>, %p: tensor<1024xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  // expected-error @+1 {{is on tensors; expected memrefs (run ks-bufferize first)}}
  %y = ks.matmul <2, 8, 16, 1> ins(%x, %p : tensor<?x32xf16>, tensor<1024xf16>) outs(%init : tensor<?x16xf16>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
    -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}

// -----

func.func @plan(%x: memref<?x32xf16>, %k: memref<2x8x16x1xf16>, %y: memref<?x16xf16>) {
  // expected-error @+1 {{has no plan; expected a #ks.gpu_plan, #ks.gpu_chain_plan or #ks.library_plan<cublaslt, ...> (run ks-select-plan with a GPU target first)}}
  ks.matmul <2, 8, 16, 1> ins(%x, %k : memref<?x32xf16>, memref<2x8x16x1xf16>) outs(%y : memref<?x16xf16>)
  return
}

// -----

func.func @unpacked(%x: memref<?x32xf16>, %k: memref<2x8x16x1xf16>, %y: memref<?x16xf16>) {
  // expected-error @+1 {{has an unpacked weight; expected a packed one (run ks-pack-weights first)}}
  ks.matmul <2, 8, 16, 1> ins(%x, %k : memref<?x32xf16>, memref<2x8x16x1xf16>) outs(%y : memref<?x16xf16>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
  return
}

// -----

func.func @stride(%x: memref<?x32xf16, strided<[?, ?], offset: ?>>, %p: memref<1024xf16>, %y: memref<?x16xf16>) {
  // expected-error @+1 {{whose inner stride is not known to be 1}}
  ks.matmul <2, 8, 16, 1> ins(%x, %p : memref<?x32xf16, strided<[?, ?], offset: ?>>, memref<1024xf16>) outs(%y : memref<?x16xf16>)
    plan #ks.gpu_plan<entries = 16, batch_blocks = 1024, vector = 1, warps = [2, 1, 1], stages = 2, copies = cp_async, weights = streamed, packing = <fragments = <mma16, run_k = 4, run_n = 2>, n = 16, k = 32, j = 1>>
  return
}

// -----

func.func @packing(%k: memref<1x16x16x1xf32>, %p: memref<256xf32>) {
  // expected-error @+1 {{cannot be lowered for a GPU; expected memrefs and a #ks.gpu_packing}}
  ks.pack_weights <1, 16, 16, 1> into #ks.cpu_packing<vectors = 1, lanes = 16, n = 16, j = 1>
    ins(%k : memref<1x16x16x1xf32>) outs(%p : memref<256xf32>)
  return
}
