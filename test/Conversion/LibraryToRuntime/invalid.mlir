// RUN: ks-opt %s --convert-library-to-runtime --split-input-file --verify-diagnostics

func.func @library() {
  // expected-error @below {{asks for cublaslt, which is not for CPUs; expected blas}}
  ks.with_library cublaslt {
  } else {
  }
  return
}

// -----

func.func @type(%x: memref<?x32xf16>, %w: memref<512xf16>, %y: memref<?x16xf16>) {
  // expected-error @below {{multiplies elements of 'f16'; expected f32 or f64 for a BLAS}}
  ks.library_product <1, 16, 32, 1> ins(%x, %w : memref<?x32xf16>, memref<512xf16>) outs(%y : memref<?x16xf16>)
  return
}

// -----

func.func @stride(%x: memref<?x32xf32, strided<[?, 2], offset: ?>>, %w: memref<512xf32>, %y: memref<?x16xf32>) {
  // expected-error @below {{whose inner stride is not known to be 1}}
  ks.library_product <1, 16, 32, 1> ins(%x, %w : memref<?x32xf32, strided<[?, 2], offset: ?>>, memref<512xf32>) outs(%y : memref<?x16xf32>)
  return
}

// -----

func.func @pattern(%x: memref<?x64xf32>, %w: memref<1024xf32>, %y: memref<?x32xf32>) {
  // expected-error @below {{has pattern #ks.pattern<2, 16, 32, 1>; expected a dense one, <1, b, c, 1>, for a BLAS}}
  ks.library_product <2, 16, 32, 1> ins(%x, %w : memref<?x64xf32>, memref<1024xf32>) outs(%y : memref<?x32xf32>)
  return
}
