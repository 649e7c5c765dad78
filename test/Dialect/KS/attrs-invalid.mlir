// Attributes that are not allowed, each with its message. Cn are the constraints
// in the attribute's description.

// RUN: ks-opt %s --verify-diagnostics --split-input-file

//===----------------------------------------------------------------------===//
// #ks.pattern C1: sizes are at least 1
//===----------------------------------------------------------------------===//

// expected-error @+1 {{pattern size a is 0; expected at least 1}}
#attr = #ks.pattern<0, 2, 3, 4>

// -----

// expected-error @+1 {{pattern size b is 0; expected at least 1}}
#attr = #ks.pattern<1, 0, 3, 4>

// -----

// expected-error @+1 {{pattern size c is -3; expected at least 1}}
#attr = #ks.pattern<1, 2, -3, 4>

// -----

// expected-error @+1 {{pattern size d is 0; expected at least 1}}
#attr = #ks.pattern<1, 2, 3, 0>

// -----

// expected-error @+1 {{pattern size a is -9223372036854775808; expected at least 1}}
#attr = #ks.pattern<-9223372036854775808, 2, 3, 4>

// -----

//===----------------------------------------------------------------------===//
// #ks.pattern C2: the weights can be counted
//===----------------------------------------------------------------------===//

// 2^59 weights are one too many.

// expected-error @+1 {{pattern <1, 536870912, 1073741824, 1> has too many weights to count in 64 bits; expected a*b*c*d below 2^59}}
#attr = #ks.pattern<1, 536870912, 1073741824, 1>

// -----

// The product of all four wraps around to 0.

// expected-error @+1 {{pattern <4294967296, 1, 1, 4294967296> has too many weights to count in 64 bits; expected a*b*c*d below 2^59}}
#attr = #ks.pattern<4294967296, 1, 1, 4294967296>

// -----

// expected-error @+2 {{unbalanced '<' character in pretty dialect name}}
#attr = 
          #ks.pattern<9223372036854775807, 9223372036854775807, 9223372036854775807, 9223372036854775807
           
          #ks.pattern<9223372036854775807, 9223372036854775807, 9223372036854775807, 9223372036854775807>

// -----

//===----------------------------------------------------------------------===//
// #ks.pattern: syntax
//===----------------------------------------------------------------------===//

// expected-error @+1 {{expected ','}}
#attr = #ks.pattern<1, 2, 3>

// -----

// expected-error @+1 {{expected '>'}}
#attr = #ks.pattern<1, 2, 3, 4, 5>

// -----

// expected-error @+1 {{unbalanced '<' character in pretty dialect name}}
#attr = #ks.pattern<1, 2, 3, 4

// -----

// expected-error @+1 {{expected '<'}}
#attr = #ks.pattern 1, 2, 3, 4>

// -----

// expected-error @+2 {{expected integer value}}
// expected-error @+1 {{failed to parse KS_PatternAttr parameter 'b' which is to be a `int64_t`}}
#attr = #ks.pattern<1, x, 3, 4>

// -----

// expected-error @+2 {{expected integer value}}
// expected-error @+1 {{failed to parse KS_PatternAttr parameter 'b' which is to be a `int64_t`}}
#attr = #ks.pattern<1, 2.5, 3, 4>

// -----

// expected-error @+2 {{integer value too large}}
// expected-error @+1 {{failed to parse KS_PatternAttr parameter 'a' which is to be a `int64_t`}}
#attr = #ks.pattern<9223372036854775808, 1, 1, 1>

// -----

// expected-error @+1 {{unknown attribute `patern` in dialect `ks`}}
#attr = #ks.patern<1, 2, 3, 4>

// -----

//===----------------------------------------------------------------------===//
// #ks<layout>, #ks<precision>
//===----------------------------------------------------------------------===//

// expected-error @+2 {{expected one of [batch_first, batch_last] for order of the axes of activations, got: batch_middle}}
// expected-error @+1 {{failed to parse KS_LayoutAttr parameter 'value' which is to be a `::ks::Layout`}}
#attr = #ks<layout batch_middle>

// -----

// expected-error @+2 {{expected keyword for order of the axes of activations}}
// expected-error @+1 {{failed to parse KS_LayoutAttr parameter 'value' which is to be a `::ks::Layout`}}
#attr = #ks<layout>

// -----

// expected-error @+2 {{expected one of [ieee, tf32] for precision of f32 products, got: bf16}}
// expected-error @+1 {{failed to parse KS_PrecisionAttr parameter 'value' which is to be a `::ks::Precision`}}
#attr = #ks<precision bf16>

// -----

//===----------------------------------------------------------------------===//
// #ks.cpu_packing C1: sizes
//===----------------------------------------------------------------------===//

// expected-error @+1 {{packing vectors is 0; expected 1 to 64}}
#attr = #ks.cpu_packing<vectors = 0, lanes = 8, n = 8, j = 1>

// -----

// expected-error @+1 {{packing vectors is 65; expected 1 to 64}}
#attr = #ks.cpu_packing<vectors = 65, lanes = 8, n = 8, j = 1>

// -----

// expected-error @+1 {{packing lanes is 0; expected 1 to 64}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 0, n = 1, j = 1>

// -----

// expected-error @+1 {{packing lanes is 65; expected 1 to 64}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 65, n = 1, j = 1>

// -----

// expected-error @+1 {{packing n is 0; expected 1 to 8}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 8, n = 0, j = 1>

// -----

// expected-error @+1 {{packing n is 9; expected 1 to 8}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 8, n = 9, j = 1>

// -----

// expected-error @+1 {{packing j is -1; expected 1 to 8}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 8, n = 1, j = -1>

// -----

// expected-error @+1 {{packing j is 9; expected 1 to 8}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 8, n = 1, j = 9>

// -----

// expected-error @+1 {{packing covers n*j = 9 elements with 8 lanes; expected n*j <= lanes}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 8, n = 3, j = 3>

// -----

//===----------------------------------------------------------------------===//
// #ks.cpu_packing: syntax
//===----------------------------------------------------------------------===//

// expected-error @+1 {{struct is missing required parameter: j}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 8, n = 3>

// -----

// expected-error @+1 {{duplicate or unknown struct parameter name: n}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 8, n = 3, n = 3, j = 1>

// -----

// expected-error @+2 {{expected one of [none, a, d] for axes along which a weight is shared, got: b}}
// expected-error @+1 {{failed to parse KS_CPUPackingAttr parameter 'tied' which is to be a `::ks::Ties`}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 8, n = 3, j = 1, tied = b>

// -----

// expected-error @+1 {{expected '='}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 8, n = 3, j = 1, tied>

// -----

// expected-error @+1 {{duplicate or unknown struct parameter name: k}}
#attr = #ks.cpu_packing<vectors = 1, lanes = 8, n = 3, k = 1>

// -----

//===----------------------------------------------------------------------===//
// #ks.cpu_tile C1: sizes
//===----------------------------------------------------------------------===//

// expected-error @+1 {{tile rows is 0; expected 1 to 64}}
#attr = #ks.cpu_tile<rows = 0, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
                     packing = <vectors = 1, lanes = 1, n = 1, j = 1>>

// -----

// expected-error @+1 {{tile vectors is 65; expected 1 to 64}}
#attr = #ks.cpu_tile<rows = 1, vectors = 65, lanes = 1, unroll = 1, stationary = weights,
                     packing = <vectors = 1, lanes = 1, n = 1, j = 1>>

// -----

// expected-error @+1 {{tile lanes is 65; expected 1 to 64}}
#attr = #ks.cpu_tile<rows = 1, vectors = 1, lanes = 65, unroll = 1, stationary = weights,
                     packing = <vectors = 1, lanes = 1, n = 1, j = 1>>

// -----

// expected-error @+1 {{tile unroll is 17; expected 1 to 16}}
#attr = #ks.cpu_tile<rows = 1, vectors = 1, lanes = 1, unroll = 17, stationary = weights,
                     packing = <vectors = 1, lanes = 1, n = 1, j = 1>>

// -----

// expected-error @+1 {{number of accumulators, rows*vectors, is 66; expected 1 to 64}}
#attr = #ks.cpu_tile<rows = 33, vectors = 2, lanes = 1, unroll = 1, stationary = weights,
                     packing = <vectors = 1, lanes = 1, n = 1, j = 1>>

// -----

//===----------------------------------------------------------------------===//
// #ks.cpu_tile: syntax
//===----------------------------------------------------------------------===//

// expected-error @+2 {{expected one of [weights, activations] for which operand stays in cache, got: nothing}}
// expected-error @+1 {{failed to parse KS_CPUTileAttr parameter 'stationary' which is to be a `::ks::Stationary`}}
#attr = #ks.cpu_tile<rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = nothing,
                     packing = <vectors = 1, lanes = 1, n = 1, j = 1>>

// -----

// expected-error @+1 {{expected ','}}
#attr = #ks.cpu_tile<rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights>

// -----

// expected-error @+3 {{invalid kind of attribute specified}}
// expected-error @+2 {{failed to parse KS_CPUTileAttr parameter 'packing' which is to be a `::ks::CPUPackingAttr`}}
#attr = #ks.cpu_tile<rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
                     packing = #ks.pattern<1, 1, 1, 1>>

// -----

//===----------------------------------------------------------------------===//
// #ks.cpu_plan C1: sizes
//===----------------------------------------------------------------------===//

// expected-error @+1 {{batch_block is 0; expected at least 1}}
#attr = #ks.cpu_plan<batch_block = 0, parallel = batch, tiles = [
          <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
           packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>

// -----

// expected-error @+1 {{batch_block is -1; expected at least 1}}
#attr = #ks.cpu_plan<batch_block = -1, parallel = batch, tiles = [
          <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
           packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>

// -----

// expected-error @+2 {{expected '<'}}
// expected-error @+1 {{failed to parse KS_CPUPlanAttr parameter 'tiles' which is to be a `::llvm::ArrayRef<::ks::CPUTileAttr>`}}
#attr = #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = []>

// -----

//===----------------------------------------------------------------------===//
// #ks.cpu_plan: syntax
//===----------------------------------------------------------------------===//

// expected-error @+2 {{expected one of [none, batch, group, panel] for dimensions that run in parallel, got: threads}}
// expected-error @+1 {{failed to parse KS_CPUPlanAttr parameter 'parallel' which is to be a `::ks::ParallelDims`}}
#attr = #ks.cpu_plan<batch_block = 8, parallel = threads, tiles = [
          <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
           packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>

// -----

// expected-error @+1 {{expected 'batch_block'}}
#attr = #ks.cpu_plan<parallel = batch, tiles = [
          <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
           packing = <vectors = 1, lanes = 1, n = 1, j = 1>>]>

// -----

// expected-error @+1 {{unbalanced '[' character in pretty dialect name}}
#attr = #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
          <rows = 1, vectors = 1, lanes = 1, unroll = 1, stationary = weights,
           packing = <vectors = 1, lanes = 1, n = 1, j = 1>>>
