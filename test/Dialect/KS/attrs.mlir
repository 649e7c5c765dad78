// Attributes of the dialect on their own: printed and parsed again.

// RUN: ks-opt %s | ks-opt | FileCheck %s
// RUN: ks-opt %s --mlir-print-op-generic | ks-opt | FileCheck %s
// RUN: ks-opt %s --emit-bytecode | ks-opt | FileCheck %s

// CHECK-LABEL: func.func private @patterns()
//  CHECK-SAME:   block = #ks.pattern<6, 64, 64, 1>
//  CHECK-SAME:   largest = #ks.pattern<179951, 3203431780337, 1, 1>
//  CHECK-SAME:   smallest = #ks.pattern<1, 1, 1, 1>
func.func private @patterns() attributes {
  block = #ks.pattern<6, 64, 64, 1>,
  largest = #ks.pattern<179951, 3203431780337, 1, 1>, // 2^59 - 1 weights
  smallest = #ks.pattern<1, 1, 1, 1>
}

// CHECK-LABEL: func.func private @layouts()
//  CHECK-SAME:   first = #ks<layout batch_first>
//  CHECK-SAME:   last = #ks<layout batch_last>
func.func private @layouts() attributes {
  first = #ks<layout batch_first>,
  last = #ks<layout batch_last>
}

// CHECK-LABEL: func.func private @precisions()
//  CHECK-SAME:   a = #ks<precision ieee>
//  CHECK-SAME:   b = #ks<precision tf32>
func.func private @precisions() attributes {
  a = #ks<precision ieee>,
  b = #ks<precision tf32>
}

// Parameters come in any order; ties are printed where there are any.

// CHECK-LABEL: func.func private @packings()
//  CHECK-SAME:   a = #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>
//  CHECK-SAME:   b = #ks.cpu_packing<vectors = 4, lanes = 16, n = 2, j = 8, tied = a>
//  CHECK-SAME:   c = #ks.cpu_packing<vectors = 1, lanes = 8, n = 1, j = 8, tied = d>
//  CHECK-SAME:   d = #ks.cpu_packing<vectors = 64, lanes = 64, n = 1, j = 64, tied = a|d>
//  CHECK-SAME:   e = #ks.cpu_packing<vectors = 1, lanes = 1, n = 1, j = 1>
func.func private @packings() attributes {
  a = #ks.cpu_packing<vectors = 4, lanes = 16, n = 16, j = 1>,
  b = #ks.cpu_packing<tied = a, j = 8, n = 2, lanes = 16, vectors = 4>,
  c = #ks.cpu_packing<vectors = 1, lanes = 8, n = 1, j = 8, tied = d>,
  d = #ks.cpu_packing<vectors = 64, lanes = 64, n = 1, j = 64, tied = a|d>,
  e = #ks.cpu_packing<vectors = 1, lanes = 1, n = 1, j = 1, tied = none>
}

// CHECK-LABEL: func.func private @tiles()
//  CHECK-SAME:   a = #ks.cpu_tile<rows = 8, vectors = 3, lanes = 16, unroll = 2, stationary = activations, packing = <vectors = 3, lanes = 16, n = 16, j = 1>>
func.func private @tiles() attributes {
  a = #ks.cpu_tile<rows = 8, vectors = 3, lanes = 16, unroll = 2, stationary = activations,
                   packing = <vectors = 3, lanes = 16, n = 16, j = 1>>
}

// CHECK-LABEL: func.func private @plans()
//  CHECK-SAME:   a = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [<rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights, packing = <vectors = 1, lanes = 1, n = 1, j = 1>>, <rows = 2,
//  CHECK-SAME:   b = #ks.cpu_plan<batch_block = 1, parallel = none, tiles = [<
//  CHECK-SAME:   c = #ks.cpu_plan<batch_block = 1, parallel = group|panel, tiles = [<
func.func private @plans() attributes {
  a = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = [
        <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
         packing = <vectors = 1, lanes = 1, n = 1, j = 1>>,
        <rows = 2, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
         packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>,
  b = #ks.cpu_plan<batch_block = 1, parallel = none, tiles = [
        <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
         packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>,
  c = #ks.cpu_plan<batch_block = 1, parallel = panel|group, tiles = [
        <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
         packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>
}
