// Elementwise ops of linalg behind a product become its epilogue.

// RUN: ks-opt %s --ks-fuse-elementwise | FileCheck %s
// RUN: ks-opt %s --ks-fuse-elementwise -o /dev/null \
// RUN:   --remarks-filter-analyse=".*" --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: ks-opt %s --ks-fuse-elementwise --ks-fuse-elementwise -o /dev/null
// RUN: ks-opt %s --ks-to-cpu="to=kernels threads=1" -o /dev/null
// RUN: ks-opt %s --ks-to-nvvm=to=kernels -o /dev/null

#id = affine_map<(m, f) -> (m, f)>
#feature = affine_map<(m, f) -> (f)>
#entry = affine_map<(m, f) -> (m)>
#swap = affine_map<(m, f) -> (f, m)>
#scalar = affine_map<(m, f) -> ()>

//===----------------------------------------------------------------------===//
// What is absorbed
//===----------------------------------------------------------------------===//

// f16: what the product would have stored is what the program goes on with. Named
// ops, of which several read the same value; a broadcast bias; a filled constant;
// a size that is asked for in between. All of it is one epilogue.

// CHECK-LABEL: func.func @silu(
//  CHECK-SAME:   %[[X:[^ ]*]]: tensor<?x16xf16>, %[[K:[^ ]*]]: tensor<4x8x4x1xf16>, %[[BIAS:[^ ]*]]: tensor<32xf16>)
//       CHECK:   %[[FIRST:.*]] = tensor.empty(%{{.*}}) : tensor<?x32xf16>
//       CHECK:   tensor.dim %[[FIRST]]
//       CHECK:   %[[LAST:.*]] = tensor.empty(%{{.*}}) : tensor<?x32xf16>
//   CHECK-NOT:   linalg.{{add|negf|exp|map|elementwise}}
//       CHECK:   %[[R:.*]] = ks.matmul <4, 8, 4, 1> ins(%[[X]], %[[K]] : {{.*}}) outs(%[[LAST]] : tensor<?x32xf16>)
//  CHECK-SAME:     epilogue(%[[BIAS]] : tensor<32xf16>) {
//  CHECK-NEXT:   ^bb0(%[[ACC:.*]]: f32, %[[B:.*]]: f16):
//  CHECK-NEXT:     %[[Y:.*]] = arith.truncf %[[ACC]] : f32 to f16
//  CHECK-NEXT:     %[[S:.*]] = arith.addf %[[Y]], %[[B]] : f16
//  CHECK-NEXT:     %[[N:.*]] = arith.negf %[[S]] : f16
//  CHECK-NEXT:     %[[P:.*]] = math.exp %[[N]] : f16
//  CHECK-NEXT:     %[[ONE:.*]] = arith.constant 1.0{{.*}} : f16
//  CHECK-NEXT:     %[[Q:.*]] = arith.addf %[[P]], %[[ONE]] : f16
//  CHECK-NEXT:     %[[D:.*]] = arith.divf %[[S]], %[[Q]] : f16
//  CHECK-NEXT:     %[[E:.*]] = arith.extf %[[D]] : f16 to f32
//  CHECK-NEXT:     ks.yield %[[E]] : f32
//  CHECK-NEXT:   } -> tensor<?x32xf16>
//  CHECK-NEXT:   return %[[R]]
// REMARK: Category:ks-fuse-elementwise | Remark="linalg.add absorbed into ks.matmul"
// REMARK: Remark="linalg.negf absorbed into ks.matmul"
// REMARK: Remark="linalg.exp absorbed into ks.matmul"
// REMARK: Remark="linalg.map absorbed into ks.matmul"
// REMARK: Remark="linalg.elementwise absorbed into ks.matmul"
func.func @silu(%x: tensor<?x16xf16>, %k: tensor<4x8x4x1xf16>, %bias: tensor<32xf16>) -> tensor<?x32xf16> {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f16
  %n = tensor.dim %x, %c0 : tensor<?x16xf16>
  %e = tensor.empty(%n) : tensor<?x32xf16>
  %y = ks.matmul <4, 8, 4, 1> ins(%x, %k : tensor<?x16xf16>, tensor<4x8x4x1xf16>) outs(%e : tensor<?x32xf16>) -> tensor<?x32xf16>
  %b = linalg.broadcast ins(%bias : tensor<32xf16>) outs(%e : tensor<?x32xf16>) dimensions = [0]
  %s = linalg.add ins(%y, %b : tensor<?x32xf16>, tensor<?x32xf16>) outs(%e : tensor<?x32xf16>) -> tensor<?x32xf16>
  %m = linalg.negf ins(%s : tensor<?x32xf16>) outs(%e : tensor<?x32xf16>) -> tensor<?x32xf16>
  %p = linalg.exp ins(%m : tensor<?x32xf16>) outs(%e : tensor<?x32xf16>) -> tensor<?x32xf16>
  %d = tensor.dim %p, %c0 : tensor<?x32xf16>
  %f = tensor.empty(%d) : tensor<?x32xf16>
  %o = linalg.fill ins(%one : f16) outs(%f : tensor<?x32xf16>) -> tensor<?x32xf16>
  %q = linalg.map { arith.addf } ins(%p, %o : tensor<?x32xf16>, tensor<?x32xf16>) outs(%f : tensor<?x32xf16>)
  %r = linalg.elementwise kind=#linalg.elementwise_kind<div> ins(%s, %q : tensor<?x32xf16>, tensor<?x32xf16>) outs(%f : tensor<?x32xf16>) -> tensor<?x32xf16>
  return %r : tensor<?x32xf16>
}

// f32 is not rounded. Constants from outside of a body, scalar operands and splats
// go into the epilogue; loops may be in another order than the result's axes.

// CHECK-LABEL: func.func @generic(
//       CHECK:   ks.chain [<4, 8, 4, 1>, <1, 8, 32, 1>] ins({{.*}}) outs({{.*}}) epilogue(%{{.*}}, %{{.*}} : tensor<8xf32>, tensor<6x8xf32>) {
//  CHECK-NEXT:   ^bb0(%[[ACC:.*]]: f32, %[[B:.*]]: f32, %[[Z:.*]]: f32):
//   CHECK-DAG:     %[[SCALE:.*]] = arith.constant 3.0{{.*}} : f32
//   CHECK-DAG:     %[[SPLAT:.*]] = arith.constant 5.0{{.*}} : f32
//   CHECK-DAG:     %[[OUTSIDE:.*]] = arith.constant 7.0{{.*}} : f32
//       CHECK:     %[[T0:.*]] = arith.mulf %[[ACC]], %[[SCALE]]
//  CHECK-NEXT:     %[[T1:.*]] = arith.addf %[[T0]], %[[B]]
//  CHECK-NEXT:     %[[T2:.*]] = arith.maximumf %[[T1]], %[[SPLAT]]
//  CHECK-NEXT:     %[[T3:.*]] = arith.subf %[[T2]], %[[Z]]
//  CHECK-NEXT:     %[[T4:.*]] = arith.mulf %[[T3]], %[[OUTSIDE]]
//  CHECK-NEXT:     ks.yield %[[T4]] : f32
// REMARK: Remark="linalg.generic absorbed into ks.chain"
func.func @generic(%x: tensor<6x16xf32>, %k0: tensor<4x8x4x1xf32>, %k1: tensor<1x8x32x1xf32>, %bias: tensor<8xf32>, %z: tensor<6x8xf32>) -> tensor<6x8xf32> {
  %three = arith.constant 3.0 : f32
  %seven = arith.constant 7.0 : f32
  %five = arith.constant dense<5.0> : tensor<6x8xf32>
  %e = tensor.empty() : tensor<6x8xf32>
  %y = ks.chain [<4, 8, 4, 1>, <1, 8, 32, 1>] ins(%x, %k0, %k1 : tensor<6x16xf32>, tensor<4x8x4x1xf32>, tensor<1x8x32x1xf32>) outs(%e : tensor<6x8xf32>) -> tensor<6x8xf32>
  %r = linalg.generic {
      indexing_maps = [#swap, #scalar, #entry, #swap, #swap, #swap],
      iterator_types = ["parallel", "parallel"]}
      ins(%y, %three, %bias, %five, %z : tensor<6x8xf32>, f32, tensor<8xf32>, tensor<6x8xf32>, tensor<6x8xf32>)
      outs(%e : tensor<6x8xf32>) {
    ^bb0(%v: f32, %s: f32, %b: f32, %c: f32, %w: f32, %unused: f32):
      %0 = arith.mulf %v, %s : f32
      %1 = arith.addf %0, %b : f32
      %2 = arith.maximumf %1, %c : f32
      %3 = arith.subf %2, %w : f32
      %4 = arith.mulf %3, %seven : f32
      linalg.yield %4 : f32
    } -> tensor<6x8xf32>
  return %r : tensor<6x8xf32>
}

// Batch-last, features are axis 0. The product's own epilogue comes first, and what
// is already an operand of it is used again. The last op adds to its destination: as the
// product cannot run in place, that is read, and the product's own is written.

// CHECK-LABEL: func.func @existing(
//  CHECK-SAME:   %[[X:[^ ]*]]: tensor<16x?xbf16>, %[[K:[^ ]*]]: tensor<4x8x4x1xbf16>, %[[B:[^ ]*]]: tensor<32xbf16>, %[[SUM:[^ ]*]]: tensor<32x?xbf16>, %[[INIT:[^ ]*]]: tensor<32x?xbf16>)
//       CHECK:   ks.matmul <4, 8, 4, 1> layout(batch_last) fastmath<reassoc> ins({{.*}}) outs(%[[INIT]] : tensor<32x?xbf16>)
//  CHECK-SAME:     epilogue(%[[B]], %[[SUM]] : tensor<32xbf16>, tensor<32x?xbf16>) {
//  CHECK-NEXT:   ^bb0(%[[ACC:.*]]: f32, %[[E0:.*]]: bf16, %[[E1:.*]]: bf16):
//  CHECK-NEXT:     %[[WIDE:.*]] = arith.extf %[[E0]] : bf16 to f32
//  CHECK-NEXT:     %[[OLD:.*]] = arith.addf %[[ACC]], %[[WIDE]] : f32
//  CHECK-NEXT:     %[[Y:.*]] = arith.truncf %[[OLD]] : f32 to bf16
//  CHECK-NEXT:     %[[T0:.*]] = arith.mulf %[[Y]], %[[E0]] : bf16
//  CHECK-NEXT:     %[[T1:.*]] = arith.addf %[[T0]], %[[E1]] : bf16
//  CHECK-NEXT:     %[[T2:.*]] = arith.extf %[[T1]] : bf16 to f32
//  CHECK-NEXT:     ks.yield %[[T2]] : f32
//  CHECK-NEXT:   } {name = "kept"} -> tensor<32x?xbf16>
func.func @existing(%x: tensor<16x?xbf16>, %k: tensor<4x8x4x1xbf16>, %bias: tensor<32xbf16>, %sum: tensor<32x?xbf16>, %e: tensor<32x?xbf16>) -> tensor<32x?xbf16> {
  %y = ks.matmul <4, 8, 4, 1> layout(batch_last) fastmath<reassoc>
         ins(%x, %k : tensor<16x?xbf16>, tensor<4x8x4x1xbf16>) outs(%e : tensor<32x?xbf16>)
         epilogue(%bias : tensor<32xbf16>) {
         ^bb0(%acc: f32, %b: bf16):
           %w = arith.extf %b : bf16 to f32
           %s = arith.addf %acc, %w : f32
           ks.yield %s : f32
         } {name = "kept"} -> tensor<32x?xbf16>
  %r = linalg.generic {
      indexing_maps = [#id, #entry, #id],
      iterator_types = ["parallel", "parallel"]}
      ins(%y, %bias : tensor<32x?xbf16>, tensor<32xbf16>) outs(%sum : tensor<32x?xbf16>) {
    ^bb0(%v: bf16, %b: bf16, %o: bf16):
      %0 = arith.mulf %v, %b : bf16
      %1 = arith.addf %0, %o : bf16
      linalg.yield %1 : bf16
    } -> tensor<32x?xbf16>
  return %r : tensor<32x?xbf16>
}

// A body that computes in f32 and rounds once: the product rounds in the same way.

// CHECK-LABEL: func.func @wide_body(
//       CHECK:   ^bb0(%[[ACC:.*]]: f32):
//  CHECK-NEXT:     %[[Y:.*]] = arith.truncf %[[ACC]] : f32 to f16
//  CHECK-NEXT:     %[[W:.*]] = arith.extf %[[Y]] : f16 to f32
//  CHECK-NEXT:     %[[T:.*]] = math.tanh %[[W]] : f32
//  CHECK-NEXT:     ks.yield %[[T]] : f32
func.func @wide_body(%x: tensor<?x16xf16>, %k: tensor<4x8x4x1xf16>, %e: tensor<?x32xf16>) -> tensor<?x32xf16> {
  %y = ks.matmul <4, 8, 4, 1> ins(%x, %k : tensor<?x16xf16>, tensor<4x8x4x1xf16>) outs(%e : tensor<?x32xf16>) -> tensor<?x32xf16>
  %r = linalg.map ins(%y : tensor<?x32xf16>) outs(%e : tensor<?x32xf16>) (%v: f16, %o: f16) {
    %w = arith.extf %v : f16 to f32
    %t = math.tanh %w : f32
    %n = arith.truncf %t : f32 to f16
    linalg.yield %n : f16
  }
  return %r : tensor<?x32xf16>
}

// Another product's result is a residual where it is computed first: the fused
// product stands where the last op stood.

// CHECK-LABEL: func.func @gate(
//       CHECK:   %[[U:.*]] = ks.matmul <2, 4, 4, 1> {{.*}} -> tensor<?x8xf64>
//       CHECK:   %[[R:.*]] = ks.matmul <1, 8, 8, 1> {{.*}} epilogue(%[[U]] : tensor<?x8xf64>) {
//       CHECK:     math.tanh
//       CHECK:     arith.mulf
//       CHECK:   return %[[R]]
func.func @gate(%x: tensor<?x8xf64>, %k: tensor<1x8x8x1xf64>, %l: tensor<2x4x4x1xf64>, %e: tensor<?x8xf64>) -> tensor<?x8xf64> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf64>, tensor<1x8x8x1xf64>) outs(%e : tensor<?x8xf64>) -> tensor<?x8xf64>
  %t = linalg.tanh ins(%y : tensor<?x8xf64>) outs(%e : tensor<?x8xf64>) -> tensor<?x8xf64>
  %u = ks.matmul <2, 4, 4, 1> ins(%x, %l : tensor<?x8xf64>, tensor<2x4x4x1xf64>) outs(%e : tensor<?x8xf64>) -> tensor<?x8xf64>
  %r = linalg.mul ins(%t, %u : tensor<?x8xf64>, tensor<?x8xf64>) outs(%e : tensor<?x8xf64>) -> tensor<?x8xf64>
  return %r : tensor<?x8xf64>
}

// CHECK-LABEL: func.func @complex(
//       CHECK:   epilogue(%{{.*}} : tensor<8xcomplex<f32>>) {
//  CHECK-NEXT:   ^bb0(%[[ACC:.*]]: complex<f32>, %[[B:.*]]: complex<f32>):
//       CHECK:     %[[C:.*]] = complex.constant [1.0{{.*}} : f32, 2.0{{.*}} : f32] : complex<f32>
//       CHECK:     %[[S:.*]] = complex.add %[[ACC]], %[[B]]
//       CHECK:     %[[T:.*]] = complex.mul %[[S]], %[[C]]
//       CHECK:     ks.yield %[[T]] : complex<f32>
func.func @complex(%x: tensor<?x8xcomplex<f32>>, %k: tensor<1x8x8x1xcomplex<f32>>, %b: tensor<8xcomplex<f32>>, %e: tensor<?x8xcomplex<f32>>) -> tensor<?x8xcomplex<f32>> {
  %c = complex.constant [1.0 : f32, 2.0 : f32] : complex<f32>
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xcomplex<f32>>, tensor<1x8x8x1xcomplex<f32>>) outs(%e : tensor<?x8xcomplex<f32>>) -> tensor<?x8xcomplex<f32>>
  %r = linalg.generic {indexing_maps = [#id, #feature, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y, %b : tensor<?x8xcomplex<f32>>, tensor<8xcomplex<f32>>) outs(%e : tensor<?x8xcomplex<f32>>) {
    ^bb0(%v: complex<f32>, %w: complex<f32>, %o: complex<f32>):
      %0 = complex.add %v, %w : complex<f32>
      %1 = complex.mul %0, %c : complex<f32>
      linalg.yield %1 : complex<f32>
    } -> tensor<?x8xcomplex<f32>>
  return %r : tensor<?x8xcomplex<f32>>
}

// In place: the memory is that of the product. A transposed operand is read as it lies.

// CHECK-LABEL: func.func @in_place(
//  CHECK-SAME:   %[[X:[^ ]*]]: tensor<?x8xf32>, %[[K:[^ ]*]]: tensor<1x8x8x1xf32>, %[[E:[^ ]*]]: tensor<?x8xf32>)
//       CHECK:   ks.matmul {{.*}} outs(%[[E]] : tensor<?x8xf32>) epilogue(%[[X]] : tensor<?x8xf32>)
//       CHECK:     arith.mulf
//       CHECK:     arith.subf
func.func @in_place(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %w = tensor.empty(%n) : tensor<8x?xf32>
  %t = linalg.transpose ins(%x : tensor<?x8xf32>) outs(%w : tensor<8x?xf32>) permutation = [1, 0]
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %s = linalg.square ins(%y : tensor<?x8xf32>) outs(%y : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #swap, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s, %t : tensor<?x8xf32>, tensor<8x?xf32>) outs(%s : tensor<?x8xf32>) {
    ^bb0(%v: f32, %u: f32, %o: f32):
      %0 = arith.subf %v, %u : f32
      linalg.yield %0 : f32
    } -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

//===----------------------------------------------------------------------===//
// What is not, and why
//===----------------------------------------------------------------------===//

// The bias is absorbed; behind it there are two results.

// CHECK-LABEL: func.func @other_use(
//       CHECK:   %[[S:.*]] = ks.matmul
//       CHECK:     arith.addf
//       CHECK:   %[[T:.*]] = linalg.tanh ins(%[[S]] :
//       CHECK:   return %[[S]], %[[T]]
// REMARK: Remark="linalg.add absorbed into ks.matmul"
// REMARK: Remark="linalg.tanh not absorbed into ks.matmul: what it reads is also read by func.return"
func.func @other_use(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %z: tensor<?x8xf32>, %e: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %s = linalg.add ins(%y, %z : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %t = linalg.tanh ins(%s : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %s, %t : tensor<?x8xf32>, tensor<?x8xf32>
}

// A residual that is computed from the product itself, by another product.

// CHECK-LABEL: func.func @own_residual(
//       CHECK:   %[[Y:.*]] = ks.matmul
//       CHECK:   ks.matmul {{.*}} ins(%[[Y]], {{.*}} epilogue(%[[Y]] :
// REMARK: Remark="linalg.add absorbed into ks.matmul"
func.func @own_residual(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %z = ks.matmul <1, 8, 8, 1> ins(%y, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %s = linalg.add ins(%y, %z : tensor<?x8xf32>, tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %s : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @reduces(
//       CHECK:   ks.matmul
//   CHECK-NOT:   epilogue
//       CHECK:   linalg.reduce
// REMARK: Remark="linalg.reduce not absorbed into ks.matmul: it is not elementwise: it reduces"
func.func @reduces(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %e: tensor<?x8xf32>, %i: tensor<8xf32>) -> tensor<8xf32> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = linalg.reduce { arith.addf } ins(%y : tensor<?x8xf32>) outs(%i : tensor<8xf32>) dimensions = [0]
  return %r : tensor<8xf32>
}

// CHECK-LABEL: func.func @per_entry(
//       CHECK:   linalg.generic
// REMARK: Remark="linalg.generic not absorbed into ks.matmul: it reads tensor<?xf32> at (d0, d1) -> (d0), which differs along the batch only"
func.func @per_entry(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %s: tensor<?xf32>, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #entry, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y, %s : tensor<?x8xf32>, tensor<?xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%v: f32, %w: f32, %o: f32):
      %0 = arith.mulf %v, %w : f32
      linalg.yield %0 : f32
    } -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @transposed(
//       CHECK:   linalg.transpose
// REMARK: Remark="linalg.transpose not absorbed into ks.matmul: it reads the product's result at other places: (d0, d1) -> (d1, d0)"
func.func @transposed(%x: tensor<8x8xf32>, %k: tensor<1x8x8x1xf32>, %e: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<8x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %r = linalg.transpose ins(%y : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) permutation = [1, 0]
  return %r : tensor<8x8xf32>
}

// CHECK-LABEL: func.func @scalar(
//       CHECK:   linalg.generic
// REMARK: Remark="linalg.generic not absorbed into ks.matmul: it reads a scalar that is not a constant"
func.func @scalar(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %s: f32, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #scalar, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y, %s : tensor<?x8xf32>, f32) outs(%e : tensor<?x8xf32>) {
    ^bb0(%v: f32, %w: f32, %o: f32):
      %0 = arith.mulf %v, %w : f32
      linalg.yield %0 : f32
    } -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @captured(
//       CHECK:   linalg.map
// REMARK: Remark="linalg.map not absorbed into ks.matmul: it uses a value from outside that is not a constant"
func.func @captured(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %s: f32, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = linalg.map ins(%y : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) (%v: f32, %o: f32) {
    %0 = arith.mulf %v, %s : f32
    linalg.yield %0 : f32
  }
  return %r : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @index(
//       CHECK:   linalg.index
// REMARK: Remark="linalg.generic not absorbed into ks.matmul: epilogues may not hold linalg.index"
func.func @index(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
    ^bb0(%v: f32, %o: f32):
      %i = linalg.index 0 : index
      %j = arith.index_cast %i : index to i32
      %w = arith.sitofp %j : i32 to f32
      %0 = arith.mulf %v, %w : f32
      linalg.yield %0 : f32
    } -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// Views are no elementwise ops; what is behind them is not looked at.

// CHECK-LABEL: func.func @viewed(
//       CHECK:   ks.matmul
//       CHECK:   tensor.expand_shape
//       CHECK:   linalg.exp
// REMARK: Remark="tensor.expand_shape not absorbed into ks.matmul: it is no op of linalg (move it behind the elementwise ops)"
func.func @viewed(%x: tensor<6x8xf32>, %k: tensor<1x8x8x1xf32>, %e: tensor<6x8xf32>, %f: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<6x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<6x8xf32>) -> tensor<6x8xf32>
  %v = tensor.expand_shape %y [[0, 1], [2]] output_shape [2, 3, 8] : tensor<6x8xf32> into tensor<2x3x8xf32>
  %r = linalg.exp ins(%v : tensor<2x3x8xf32>) outs(%f : tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  return %r : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @overwritten(
//       CHECK:   ks.matmul
//       CHECK:   linalg.exp
// REMARK: Remark="linalg.exp not absorbed into ks.matmul: it overwrites the product's result without reading it"
func.func @overwritten(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %e: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = linalg.exp ins(%x : tensor<?x8xf32>) outs(%y : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @other_block(
//       CHECK:   ks.matmul
//       CHECK:   scf.if
//       CHECK:     linalg.exp
// REMARK: Remark="linalg.exp not absorbed into ks.matmul: it is in another block than the product"
func.func @other_block(%x: tensor<?x8xf32>, %k: tensor<1x8x8x1xf32>, %e: tensor<?x8xf32>, %p: i1) -> tensor<?x8xf32> {
  %y = ks.matmul <1, 8, 8, 1> ins(%x, %k : tensor<?x8xf32>, tensor<1x8x8x1xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %r = scf.if %p -> tensor<?x8xf32> {
    %s = linalg.exp ins(%y : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
    scf.yield %s : tensor<?x8xf32>
  } else {
    scf.yield %x : tensor<?x8xf32>
  }
  return %r : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @planned(
//       CHECK:   plan
//       CHECK:   linalg.exp
// REMARK: Remark="linalg.exp not absorbed into ks.matmul: the product has a plan"
func.func @planned(%x: tensor<?x16xf32>, %k: tensor<1x16x16x1xf32>, %e: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %y = ks.matmul <1, 16, 16, 1> ins(%x, %k : tensor<?x16xf32>, tensor<1x16x16x1xf32>) outs(%e : tensor<?x16xf32>)
    plan #ks.cpu_plan<batch_block = 4, parallel = batch, tiles = [
      <rows = 4, vectors = 1, lanes = 16, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 16, n = 16, j = 1>>]> -> tensor<?x16xf32>
  %r = linalg.exp ins(%y : tensor<?x16xf32>) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %r : tensor<?x16xf32>
}

// On memrefs nothing is absorbed, and nothing said.

// CHECK-LABEL: func.func @memrefs(
//       CHECK:   ks.matmul
//   CHECK-NOT:   epilogue
//       CHECK:   linalg.exp
// REMARK-NOT: fuse-elementwise
func.func @memrefs(%x: memref<?x8xf32>, %k: memref<1x8x8x1xf32>, %e: memref<?x8xf32>) {
  ks.matmul <1, 8, 8, 1> ins(%x, %k : memref<?x8xf32>, memref<1x8x8x1xf32>) outs(%e : memref<?x8xf32>)
  linalg.exp ins(%e : memref<?x8xf32>) outs(%e : memref<?x8xf32>)
  return
}
