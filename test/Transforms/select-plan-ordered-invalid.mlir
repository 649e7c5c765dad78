// Orders of features that no kernel has.

// RUN: ks-opt %s -split-input-file -verify-diagnostics --ks-select-plan=target=sm_90

func.func @f32(%x: tensor<?x128xf32>, %k: tensor<1x16x16x8xf32>, %init: tensor<?x128xf32>) -> tensor<?x128xf32> {
  // expected-error @+1 {{has features in another order, for which there is no plan on sm_90; expected f16 or bf16 in two or more planes}}
  %y = ks.matmul <1, 16, 16, 8> reads <1, 8, 2, 8>
    ins(%x, %k : tensor<?x128xf32>, tensor<1x16x16x8xf32>) outs(%init : tensor<?x128xf32>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}

// -----

// Rows of 12 k are no multiple of 16 bytes.
func.func @bytes(%x: tensor<?x96xf16>, %k: tensor<1x16x12x8xf16>, %init: tensor<?x128xf16>) -> tensor<?x128xf16> {
  // expected-error @+1 {{has features in another order, for which there is no plan on sm_90}}
  %y = ks.matmul <1, 16, 12, 8> reads <1, 12, 1, 8>
    ins(%x, %k : tensor<?x96xf16>, tensor<1x16x12x8xf16>) outs(%init : tensor<?x128xf16>) -> tensor<?x128xf16>
  return %y : tensor<?x128xf16>
}

// -----

// Of one plane a packing would not say whether it is read or written.
func.func @reads_one(%x: tensor<?x32xf16>, %k: tensor<2x8x16x1xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  // expected-error @+1 {{has features in another order, for which there is no plan on sm_90}}
  %y = ks.matmul <2, 8, 16, 1> reads <2, 8, 2, 1>
    ins(%x, %k : tensor<?x32xf16>, tensor<2x8x16x1xf16>) outs(%init : tensor<?x16xf16>) -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}

// -----

func.func @writes_one(%x: tensor<?x32xf16>, %k: tensor<2x8x16x1xf16>, %init: tensor<?x16xf16>) -> tensor<?x16xf16> {
  // expected-error @+1 {{has features in another order, for which there is no plan on sm_90}}
  %y = ks.matmul <2, 8, 16, 1> writes <2, 1, 2, 4>
    ins(%x, %k : tensor<?x32xf16>, tensor<2x8x16x1xf16>) outs(%init : tensor<?x16xf16>) -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}
