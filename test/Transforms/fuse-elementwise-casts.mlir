// Elementwise ops of linalg that change the type: what is loaded and stored is of
// another type than the product.

// RUN: ks-opt %s --ks-fuse-elementwise | FileCheck %s
// RUN: ks-opt %s --ks-fuse-elementwise -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: ks-opt %s --ks-fuse-elementwise --ks-fuse-elementwise | FileCheck %s
// RUN: ks-opt %s --ks-to-cpu="to=kernels threads=1" | FileCheck %s --check-prefix=CPU

#id = affine_map<(m, f) -> (m, f)>
#feature = affine_map<(m, f) -> (f)>
#swap = affine_map<(m, f) -> (f, m)>

//===----------------------------------------------------------------------===//
// Behind a product
//===----------------------------------------------------------------------===//

// GELU in f32, behind and in front of a cast.

// CHECK-LABEL: func.func @there_and_back(
//       CHECK:   ks.matmul {{.*}} outs({{.*}} : tensor<?x32xf16>) epilogue {
//  CHECK-NEXT:   ^bb0(%[[ACC:.*]]: f32):
//  CHECK-NEXT:     %[[Y:.*]] = arith.truncf %[[ACC]] : f32 to f16
//  CHECK-NEXT:     %[[W:.*]] = arith.extf %[[Y]] : f16 to f32
//  CHECK-NEXT:     %[[E:.*]] = math.erf %[[W]] : f32
//  CHECK-NEXT:     %[[R:.*]] = arith.mulf %[[W]], %[[E]] : f32
//  CHECK-NEXT:     ks.yield %[[R]] : f32
//   CHECK-NOT:   linalg
// REMARK: Remark="linalg.generic absorbed into ks.matmul"
// REMARK: Remark="linalg.erf absorbed into ks.matmul"
// REMARK: Remark="linalg.mul absorbed into ks.matmul"
// REMARK: Remark="linalg.map absorbed into ks.matmul"
func.func @there_and_back(%x: tensor<?x16xf16>, %k: tensor<4x8x4x1xf16>, %e: tensor<?x32xf16>, %w: tensor<?x32xf32>) -> tensor<?x32xf16> {
  %y = ks.matmul <4, 8, 4, 1> ins(%x, %k : tensor<?x16xf16>, tensor<4x8x4x1xf16>) outs(%e : tensor<?x32xf16>) -> tensor<?x32xf16>
  %v = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<?x32xf16>) outs(%w : tensor<?x32xf32>) {
    ^bb0(%a: f16, %o: f32):
      %0 = arith.extf %a : f16 to f32
      linalg.yield %0 : f32
    } -> tensor<?x32xf32>
  %p = linalg.erf ins(%v : tensor<?x32xf32>) outs(%w : tensor<?x32xf32>) -> tensor<?x32xf32>
  %q = linalg.mul ins(%v, %p : tensor<?x32xf32>, tensor<?x32xf32>) outs(%w : tensor<?x32xf32>) -> tensor<?x32xf32>
  %r = linalg.map { arith.truncf } ins(%q : tensor<?x32xf32>) outs(%e : tensor<?x32xf16>)
  return %r : tensor<?x32xf16>
}

// The result stays f32, and so is the bias.

// CHECK-LABEL: func.func @widened(
//  CHECK-SAME:   %[[W:[^ ]*]]: tensor<?x32xf32>)
//       CHECK:   ks.matmul {{.*}} outs(%[[W]] : tensor<?x32xf32>) epilogue(%{{.*}} : tensor<32xf32>) {
//  CHECK-NEXT:   ^bb0(%[[ACC:.*]]: f32, %[[B:.*]]: f32):
//  CHECK-NEXT:     %[[Y:.*]] = arith.truncf %[[ACC]] : f32 to bf16
//  CHECK-NEXT:     %[[V:.*]] = arith.extf %[[Y]] : bf16 to f32
//  CHECK-NEXT:     %[[R:.*]] = arith.addf %[[V]], %[[B]] : f32
//  CHECK-NEXT:     ks.yield %[[R]] : f32
//  CHECK-NEXT:   } -> tensor<?x32xf32>
func.func @widened(%x: tensor<?x16xbf16>, %k: tensor<4x8x4x1xbf16>, %b: tensor<32xf32>, %e: tensor<?x32xbf16>, %w: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %y = ks.matmul <4, 8, 4, 1> ins(%x, %k : tensor<?x16xbf16>, tensor<4x8x4x1xbf16>) outs(%e : tensor<?x32xbf16>) -> tensor<?x32xbf16>
  %r = linalg.generic {indexing_maps = [#id, #feature, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y, %b : tensor<?x32xbf16>, tensor<32xf32>) outs(%w : tensor<?x32xf32>) {
    ^bb0(%a: bf16, %c: f32, %o: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.addf %0, %c : f32
      linalg.yield %1 : f32
    } -> tensor<?x32xf32>
  return %r : tensor<?x32xf32>
}

// A bias of another type alone is fine.

// CHECK-LABEL: func.func @wide_bias(
//   CHECK-NOT:   linalg
func.func @wide_bias(%x: tensor<?x16xbf16>, %k: tensor<4x8x4x1xbf16>, %b: tensor<32xf32>, %e: tensor<?x32xbf16>) -> tensor<?x32xbf16> {
  %y = ks.matmul <4, 8, 4, 1> ins(%x, %k : tensor<?x16xbf16>, tensor<4x8x4x1xbf16>) outs(%e : tensor<?x32xbf16>) -> tensor<?x32xbf16>
  %r = linalg.generic {indexing_maps = [#id, #feature, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y, %b : tensor<?x32xbf16>, tensor<32xf32>) outs(%e : tensor<?x32xbf16>) {
    ^bb0(%a: bf16, %c: f32, %o: bf16):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.addf %0, %c : f32
      %2 = arith.truncf %1 : f32 to bf16
      linalg.yield %2 : bf16
    } -> tensor<?x32xbf16>
  return %r : tensor<?x32xbf16>
}

// Complex numbers are not read where the product is real.

// CHECK-LABEL: func.func @complex_extra(
//       CHECK:   linalg.generic
// REMARK: Remark="linalg.generic not absorbed into ks.matmul: it reads tensor<32xcomplex<f32>> at (d0, d1) -> (d1), which is of a type that the product cannot load"
func.func @complex_extra(%x: tensor<?x16xf32>, %k: tensor<4x8x4x1xf32>, %b: tensor<32xcomplex<f32>>, %e: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %y = ks.matmul <4, 8, 4, 1> ins(%x, %k : tensor<?x16xf32>, tensor<4x8x4x1xf32>) outs(%e : tensor<?x32xf32>) -> tensor<?x32xf32>
  %r = linalg.generic {indexing_maps = [#id, #feature, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y, %b : tensor<?x32xf32>, tensor<32xcomplex<f32>>) outs(%e : tensor<?x32xf32>) {
    ^bb0(%a: f32, %c: complex<f32>, %o: f32):
      %0 = complex.re %c : complex<f32>
      %1 = arith.addf %a, %0 : f32
      linalg.yield %1 : f32
    } -> tensor<?x32xf32>
  return %r : tensor<?x32xf32>
}

// Only a cast.

// CHECK-LABEL: func.func @narrowed(
//       CHECK:   ks.matmul {{.*}} outs({{.*}} : tensor<8x?xf16>) epilogue {
//  CHECK-NEXT:   ^bb0(%[[ACC:.*]]: f64):
//  CHECK-NEXT:     %[[R:.*]] = arith.truncf %[[ACC]] : f64 to f16
//  CHECK-NEXT:     %[[V:.*]] = arith.extf %[[R]] : f16 to f32
//  CHECK-NEXT:     ks.yield %[[V]] : f32
//  CHECK-NEXT:   } -> tensor<8x?xf16>
func.func @narrowed(%x: tensor<8x?xf64>, %k: tensor<1x8x8x1xf64>, %e: tensor<8x?xf64>, %w: tensor<8x?xf16>) -> tensor<8x?xf16> {
  %y = ks.matmul <1, 8, 8, 1> layout(batch_last) ins(%x, %k : tensor<8x?xf64>, tensor<1x8x8x1xf64>) outs(%e : tensor<8x?xf64>) -> tensor<8x?xf64>
  %r = linalg.map { arith.truncf } ins(%y : tensor<8x?xf64>) outs(%w : tensor<8x?xf16>)
  return %r : tensor<8x?xf16>
}

// Products have no integers.

// CHECK-LABEL: func.func @quantized(
//       CHECK:   ks.matmul
//       CHECK:   linalg.map
// REMARK: Remark="linalg.map not absorbed into ks.matmul: the result would be of type i8, and the product is of type f32"
func.func @quantized(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %e: tensor<?x8xf32>, %w: tensor<?x8xi8>) -> tensor<?x8xi8> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = linalg.map { arith.fptosi } ins(%y : tensor<?x8xf32>) outs(%w : tensor<?x8xi8>)
  return %r : tensor<?x8xi8>
}

//===----------------------------------------------------------------------===//
// In front of a product
//===----------------------------------------------------------------------===//

// The size that is asked for is that of the input, too. On CPUs, the cast is in the
// first of both factors.

// CHECK-LABEL: func.func @input(
//  CHECK-SAME:   %[[X:[^ ]*]]: tensor<?x16xf32>
//       CHECK:   tensor.dim %[[X]]
//   CHECK-NOT:   linalg
//       CHECK:   %[[Y:.*]] = ks.matmul <4, 8, 4, 1> load_as(f16) ins(%[[X]], %{{.*}} : tensor<?x16xf32>, tensor<4x8x4x1xf16>)
//       CHECK:   ks.matmul <1, 4, 32, 1> ins(%[[Y]],
//   CPU-LABEL: func.func @input(
//     CPU-NOT:   linalg
//         CPU:   ks.chain [<4, 8, 4, 1>, <1, 4, 32, 1>] load_as(f16) ins({{.*}} : tensor<?x16xf32>, tensor<4x8x4x1xf16>, tensor<1x4x32x1xf16>)
// REMARK: Remark="linalg.map absorbed into what ks.matmul loads"
func.func @input(%x: tensor<?x16xf32>, %k: tensor<4x8x4x1xf16>, %l: tensor<1x4x32x1xf16>, %c: tensor<?x16xf16>, %e: tensor<?x32xf16>) -> tensor<?x4xf16> {
  %c0 = arith.constant 0 : index
  %h = linalg.map { arith.truncf } ins(%x : tensor<?x16xf32>) outs(%c : tensor<?x16xf16>)
  %n = tensor.dim %h, %c0 : tensor<?x16xf16>
  %f = tensor.empty(%n) : tensor<?x4xf16>
  %y = ks.matmul <4, 8, 4, 1> ins(%h, %k : tensor<?x16xf16>, tensor<4x8x4x1xf16>) outs(%e : tensor<?x32xf16>) -> tensor<?x32xf16>
  %r = ks.matmul <1, 4, 32, 1> ins(%y, %l : tensor<?x32xf16>, tensor<1x4x32x1xf16>) outs(%f : tensor<?x4xf16>) -> tensor<?x4xf16>
  return %r : tensor<?x4xf16>
}

// On both sides; loops may be in another order than the axes. What was there in f32
// is the residual.

// CHECK-LABEL: func.func @both_sides(
//  CHECK-SAME:   %[[X:[^ ]*]]: tensor<8x?xbf16>
//       CHECK:   ks.chain [<1, 8, 8, 1>] layout(batch_last) load_as(f32) ins(%[[X]], {{.*}}) outs({{.*}} : tensor<8x?xbf16>) epilogue(%[[X]] : tensor<8x?xbf16>) {
//  CHECK-NEXT:   ^bb0(%[[ACC:.*]]: f32, %[[B:.*]]: bf16):
//  CHECK-NEXT:     %[[W:.*]] = arith.extf %[[B]] : bf16 to f32
//  CHECK-NEXT:     %[[S:.*]] = arith.addf %[[ACC]], %[[W]] : f32
//  CHECK-NEXT:     ks.yield %[[S]] : f32
func.func @both_sides(%x: tensor<8x?xbf16>, %k: tensor<1x8x8x1xf32>, %e: tensor<8x?xf32>, %o: tensor<8x?xbf16>) -> tensor<8x?xbf16> {
  %h = linalg.generic {indexing_maps = [#swap, #swap], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x?xbf16>) outs(%e : tensor<8x?xf32>) {
    ^bb0(%a: bf16, %old: f32):
      %0 = arith.extf %a : bf16 to f32
      linalg.yield %0 : f32
    } -> tensor<8x?xf32>
  %y = ks.chain [<1, 8, 8, 1>] layout(batch_last) ins(%h, %k : tensor<8x?xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<8x?xf32>) -> tensor<8x?xf32>
  %r = linalg.map ins(%y, %x : tensor<8x?xf32>, tensor<8x?xbf16>) outs(%o : tensor<8x?xbf16>) (%a: f32, %b: bf16, %old: bf16) {
    %0 = arith.extf %b : bf16 to f32
    %1 = arith.addf %a, %0 : f32
    %2 = arith.truncf %1 : f32 to bf16
    linalg.yield %2 : bf16
  }
  return %r : tensor<8x?xbf16>
}

// Two products read it: each converts it, also where the layouts differ.

// CHECK-LABEL: func.func @shared_input(
//  CHECK-SAME:   %[[X:[^ ]*]]: tensor<8x8xf32>
//   CHECK-NOT:   linalg
//       CHECK:   ks.matmul <1, 8, 8, 1> load_as(f16) ins(%[[X]],
//       CHECK:   ks.matmul <2, 4, 4, 1> layout(batch_last) load_as(f16) ins(%[[X]],
// REMARK: Remark="linalg.map absorbed into what ks.matmul loads"
// REMARK: Remark="linalg.map absorbed into what ks.matmul loads"
func.func @shared_input(%x: tensor<8x8xf32>, %k: tensor<1x8x8x1xf16>, %l: tensor<2x4x4x1xf16>, %c: tensor<8x8xf16>, %e: tensor<8x8xf16>) -> (tensor<8x8xf16>, tensor<8x8xf16>) {
  %h = linalg.map { arith.truncf } ins(%x : tensor<8x8xf32>) outs(%c : tensor<8x8xf16>)
  %y = ks.matmul <1, 8, 8, 1> ins(%h, %k : tensor<8x8xf16>, tensor<1x8x8x1xf16>) outs(%e : tensor<8x8xf16>) -> tensor<8x8xf16>
  %z = ks.matmul <2, 4, 4, 1> layout(batch_last) ins(%h, %l : tensor<8x8xf16>, tensor<2x4x4x1xf16>) outs(%e : tensor<8x8xf16>) -> tensor<8x8xf16>
  return %y, %z : tensor<8x8xf16>, tensor<8x8xf16>
}

// All of them have to: a product that has a plan cannot, nor can a residual. So the cast
// stays, and no one reads what is twice as wide.

// CHECK-LABEL: func.func @shared_with_plan(
//       CHECK:   linalg.map
//   CHECK-NOT:   load_as
// REMARK: Remark="linalg.map not absorbed into what ks.matmul loads: its result is also read by ks.matmul"
// REMARK: Remark="linalg.map not absorbed into what ks.matmul loads: the product has a plan"
func.func @shared_with_plan(%x: tensor<?x32xf16>, %k: tensor<1x16x32x1xf32>, %l: tensor<1x16x32x1xf32>, %c: tensor<?x32xf32>, %e: tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %h = linalg.map { arith.extf } ins(%x : tensor<?x32xf16>) outs(%c : tensor<?x32xf32>)
  %y = ks.matmul <1, 16, 32, 1> ins(%h, %k : tensor<?x32xf32>, tensor<1x16x32x1xf32>) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %z = ks.matmul <1, 16, 32, 1> ins(%h, %l : tensor<?x32xf32>, tensor<1x16x32x1xf32>) outs(%e : tensor<?x16xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [<rows = 2, vectors = 1, lanes = 16, unroll = 1, stationary = weights, packing = <vectors = 1, lanes = 16, n = 16, j = 1>>]>
    -> tensor<?x16xf32>
  return %y, %z : tensor<?x16xf32>, tensor<?x16xf32>
}

// CHECK-LABEL: func.func @shared_with_residual(
//       CHECK:   linalg.map
//   CHECK-NOT:   load_as
// REMARK: Remark="linalg.map not absorbed into what ks.matmul loads: its result is also read by linalg.add"
func.func @shared_with_residual(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf16>, %c: tensor<?x8xf16>, %e: tensor<?x8xf16>) -> tensor<?x8xf16> {
  %h = linalg.map { arith.truncf } ins(%x : tensor<?x8xf32>) outs(%c : tensor<?x8xf16>)
  %y = ks.matmul <1, 8, 8, 1> ins(%h, %k : tensor<?x8xf16>, tensor<1x8x8x1xf16>) outs(%e : tensor<?x8xf16>) -> tensor<?x8xf16>
  %r = linalg.add ins(%y, %h : tensor<?x8xf16>, tensor<?x8xf16>) outs(%e : tensor<?x8xf16>) -> tensor<?x8xf16>
  return %r : tensor<?x8xf16>
}

// CHECK-LABEL: func.func @no_conversion(
//       CHECK:   linalg.tanh
//   CHECK-NOT:   load_as
// REMARK: Remark="linalg.tanh not absorbed into what ks.matmul loads: it is no conversion to another real type; others would be computed again for each panel of weights that reads an element"
func.func @no_conversion(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %h = linalg.tanh ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = ks.matmul <1, 8, 8, 1> ins(%h, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// Products round to nearest.

// CHECK-LABEL: func.func @rounds_down(
//       CHECK:   arith.truncf {roundingmode = 1
//   CHECK-NOT:   load_as
// REMARK: Remark="linalg.map not absorbed into what ks.matmul loads: it is no conversion
func.func @rounds_down(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf16>, %c: tensor<?x8xf16>, %e: tensor<?x8xf16>) -> tensor<?x8xf16> {
  %h = linalg.map ins(%x : tensor<?x8xf32>) outs(%c : tensor<?x8xf16>) (%a: f32, %o: f16) {
    %0 = arith.truncf %a downward : f32 to f16
    linalg.yield %0 : f16
  }
  %y = ks.matmul <1, 8, 8, 1> ins(%h, %k : tensor<?x8xf16>, tensor<1x8x8x1xf16>) outs(%e : tensor<?x8xf16>) -> tensor<?x8xf16>
  return %y : tensor<?x8xf16>
}

// CHECK-LABEL: func.func @transposed_input(
//       CHECK:   linalg.generic
//   CHECK-NOT:   load_as
// REMARK: Remark="linalg.generic not absorbed into what ks.matmul loads: it reads at other places than it writes"
func.func @transposed_input(%x: tensor<8x8xf32>, %k: tensor<1x8x8x1xf16>, %e: tensor<8x8xf16>) -> tensor<8x8xf16> {
  %h = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf16>) {
    ^bb0(%a: f32, %old: f16):
      %0 = arith.truncf %a : f32 to f16
      linalg.yield %0 : f16
    } -> tensor<8x8xf16>
  %y = ks.matmul <1, 8, 8, 1> ins(%h, %k : tensor<8x8xf16>, tensor<1x8x8x1xf16>) outs(%e : tensor<8x8xf16>) -> tensor<8x8xf16>
  return %y : tensor<8x8xf16>
}

// Two roundings one after the other are not one: only the last is absorbed. Where the
// product is in a loop, it would convert each time.

// CHECK-LABEL: func.func @twice(
//       CHECK:   %[[F:.*]] = linalg.map { arith.truncf } ins(%{{.*}} : tensor<?x8xf64>)
//       CHECK:   ks.matmul <1, 8, 8, 1> load_as(f16) ins(%[[F]], {{.*}} : tensor<?x8xf32>
//       CHECK:   linalg.map
//       CHECK:   scf.for
//       CHECK:     ks.matmul <1, 8, 8, 1> ins
// REMARK: Remark="linalg.map absorbed into what ks.matmul loads"
// REMARK: Remark="linalg.map not absorbed into what ks.matmul loads: it is in another block than the product"
func.func @twice(%x: tensor<?x8xf64>, %k: tensor<1x8x8x1xf16>, %f: tensor<?x8xf32>, %e: tensor<?x8xf16>, %n: index) -> (tensor<?x8xf16>, tensor<?x8xf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %g = linalg.map { arith.truncf } ins(%x : tensor<?x8xf64>) outs(%f : tensor<?x8xf32>)
  %h = linalg.map { arith.truncf } ins(%g : tensor<?x8xf32>) outs(%e : tensor<?x8xf16>)
  %y = ks.matmul <1, 8, 8, 1> ins(%h, %k : tensor<?x8xf16>, tensor<1x8x8x1xf16>) outs(%e : tensor<?x8xf16>) -> tensor<?x8xf16>
  %i = linalg.map { arith.truncf } ins(%f : tensor<?x8xf32>) outs(%e : tensor<?x8xf16>)
  %z = scf.for %t = %c0 to %n step %c1 iter_args(%a = %e) -> tensor<?x8xf16> {
    %b = ks.matmul <1, 8, 8, 1> ins(%i, %k : tensor<?x8xf16>, tensor<1x8x8x1xf16>) outs(%a : tensor<?x8xf16>) -> tensor<?x8xf16>
    scf.yield %b : tensor<?x8xf16>
  }
  return %y, %z : tensor<?x8xf16>, tensor<?x8xf16>
}
