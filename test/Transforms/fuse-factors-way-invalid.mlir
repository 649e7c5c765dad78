// RUN: ks-opt %s --ks-fuse-factors=target=sm_90 -split-input-file -verify-diagnostics

// expected-error @+1 {{has ks.kernels = "together"; expected "apart", "ordered", "fused" or "dense"}}
func.func private @other() attributes {ks.kernels = "together"}

// -----

// expected-error @+1 {{has ks.kernels = 1 : i64; expected "apart", "ordered", "fused" or "dense"}}
func.func private @number() attributes {ks.kernels = 1}
