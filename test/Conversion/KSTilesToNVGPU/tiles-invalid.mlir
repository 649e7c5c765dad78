// RUN: ks-opt %s -split-input-file -verify-diagnostics

// C1 of ks.copy_activations
func.func @copy_c1(%x: memref<?x64xf16>, %s: memref<1x8x72xf16, 3>, %c: index) {
  // expected-error @+1 {{copies shifted rows of 2 columns with layout batch_first; expected all d = 4 of them, and batch_first}}
  ks.copy_activations <1, 16, 16, 4> %x[%c, %c, %c, %c] to %s[%c] depth 16 slab 2 rows 8 width 32 threads 32 shifted
    : memref<?x64xf16> to memref<1x8x72xf16, 3>
  return
}

// -----

// C2 of ks.copy_activations
func.func @copy_c2(%x: memref<?x63xf16>, %s: memref<1x8x72xf16, 3>, %c: index) {
  // expected-error @+1 {{copies shifted rows of width 63; expected a multiple of 8, 16 bytes}}
  ks.copy_activations <1, 16, 21, 3> %x[%c, %c, %c, %c] to %s[%c] depth 21 slab 3 rows 8 width 63 threads 32 shifted
    : memref<?x63xf16> to memref<1x8x72xf16, 3>
  return
}

// -----

// C1 of ks.load_activations
func.func @load_c1(%s: memref<2x8x72xf16, 3>, %c: index) {
  // expected-error @+1 {{has 1 numbers of shifted rows with layout batch_first; expected the first and the pitch, and batch_first}}
  %f = ks.load_activations <mma16, run_k = 4, run_n = 4> %s[%c, %c, %c] slab 3 shifted[%c] : memref<2x8x72xf16, 3> to vector<3x1x4xf16>
  return
}

// -----

func.func @multiplied(%y: memref<?x64xf16>, %r: vector<4x1x1x4xf16>, %c: index) {
  // expected-error @+1 {{attribute 'multiplied' failed to satisfy constraint: any type attribute of f16, bf16, f32 or f64}}
  ks.store_fragment <1, 16, 16, 4> <mma16, run_k = 2, run_n = 2> %r, %y[%c, %c, %c, %c] multiplied as i16
    : vector<4x1x1x4xf16> to memref<?x64xf16>
  return
}

// -----

func.func @store_planes_types(%planes: memref<1x1x1056x32xf16, #gpu.address_space<workgroup>>, %y: vector<1x2x4x2xf16>, %i: index) {
  // expected-error @+1 {{has fragments of type 'vector<1x2x4x2xf16>'; expected [1][tiles][2][2]}}
  ks.store_planes %y to %planes[%i, %i] columns 16
    : vector<1x2x4x2xf16> to memref<1x1x1056x32xf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @store_planes_columns(%planes: memref<1x1x1056x32xf16, #gpu.address_space<workgroup>>, %y: vector<1x2x2x2xf16>, %i: index) {
  // expected-error @+1 {{has 6 columns for 16 rows n and planes of type}}
  ks.store_planes %y to %planes[%i, %i] columns 6
    : vector<1x2x2x2xf16> to memref<1x1x1056x32xf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @interleave_columns(%y: vector<3x1x1x2xf16>) -> vector<1x1x1x4xf16> {
  // expected-error @+1 {{is from 'vector<3x1x1x2xf16>' to 'vector<1x1x1x4xf16>'; expected [2 * c][n][m][s] to [c][n][m][2 * s]}}
  %z = ks.interleave_columns %y : vector<3x1x1x2xf16> to vector<1x1x1x4xf16>
  return %z : vector<1x1x1x4xf16>
}
