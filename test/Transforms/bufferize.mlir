// Functions on memrefs whose rows may have any pitch: no copies, no leaks.

// RUN: ks-opt %s --ks-bufferize --canonicalize --split-input-file | FileCheck %s

// Rank 2 gets a pitch and an offset, other ranks are contiguous. The result is
// the memory of an argument, so it is dropped.

// CHECK-LABEL: func.func @boundaries(
//  CHECK-SAME:   %[[X:.*]]: memref<?x4xf32, strided<[?, 1], offset: ?>>, %[[K:.*]]: memref<1x4x4x1xf32>,
//  CHECK-SAME:   %[[B:.*]]: memref<4xf32>, %[[S:.*]]: memref<3x4xf32, strided<[?, 1], offset: ?>>,
//  CHECK-SAME:   %[[Y:.*]]: memref<?x4xf32, strided<[?, 1], offset: ?>>) {
//  CHECK-NEXT:   ks.matmul <1, 4, 4, 1> ins(%[[X]], %[[K]] : {{.*}}) outs(%[[Y]] : {{.*}}) epilogue(%[[B]] : memref<4xf32>)
//   CHECK-NOT:   memref.alloc
//   CHECK-NOT:   copy
//       CHECK:   return{{$}}
func.func @boundaries(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf32>, %bias: tensor<4xf32>,
                      %static: tensor<3x4xf32>, %out: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>)
         outs(%out : tensor<?x4xf32>) epilogue(%bias : tensor<4xf32>) {
         ^bb0(%acc: f32, %b: f32):
           %r = arith.addf %acc, %b : f32
           ks.yield %r : f32
         } -> tensor<?x4xf32>
  %m = bufferization.materialize_in_destination %y in %out
         : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %m : tensor<?x4xf32>
}

// -----

// What lies between two products is allocated and freed.

// CHECK-LABEL: func.func @between_products(
//  CHECK-SAME:   %[[X:.*]]: memref<?x4xf32, {{.*}}>, %[[K:.*]]: memref<1x4x4x1xf32>, %[[Y:.*]]: memref<?x4xf32, strided<[?, 1], offset: ?>>) {
//       CHECK:   %[[H:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x4xf32>
//       CHECK:   ks.matmul <1, 4, 4, 1> ins(%[[X]], %[[K]] : {{.*}}) outs(%[[H]] : memref<?x4xf32>)
//       CHECK:   ks.matmul <1, 4, 4, 1> ins(%[[H]], %[[K]] : {{.*}}) outs(%[[Y]] :
//  CHECK-NEXT:   memref.dealloc %[[H]]
//  CHECK-NEXT:   return{{$}}
func.func @between_products(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf32>, %out: tensor<?x4xf32>)
    -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %batch = tensor.dim %x, %c0 : tensor<?x4xf32>
  %empty = tensor.empty(%batch) : tensor<?x4xf32>
  %h = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>)
         outs(%empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = ks.matmul <1, 4, 4, 1> ins(%h, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>)
         outs(%out : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// A product cannot run in place: the second one needs memory of its own, since
// %h is still read while it is written. The epilogue's residual counts as well.

// CHECK-LABEL: func.func @not_in_place(
//  CHECK-SAME:   %[[X:.*]]: memref<?x4xf32, {{.*}}>, %[[K:.*]]: memref<1x4x4x1xf32>, %[[R:.*]]: memref<?x4xf32, {{.*}}>) {
//       CHECK:   %[[OUT:.*]] = memref.alloc
//   CHECK-NOT:   outs(%[[X]]
//   CHECK-NOT:   outs(%[[R]]
//       CHECK:   ks.matmul <1, 4, 4, 1> ins(%[[X]], %[[K]] : {{.*}}) outs(%[[OUT]] : {{.*}}) epilogue(%[[R]] :
func.func @not_in_place(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf32>, %residual: tensor<?x4xf32>)
    -> tensor<?x4xf32> {
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>)
         outs(%residual : tensor<?x4xf32>) epilogue(%residual : tensor<?x4xf32>) {
         ^bb0(%acc: f32, %r: f32):
           %s = arith.addf %acc, %r : f32
           ks.yield %s : f32
         } -> tensor<?x4xf32>
  %m = bufferization.materialize_in_destination %y in %residual
         : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %m : tensor<?x4xf32>
}

// -----

// `outs` is overwritten and never read: a second product into the same memory
// needs neither a copy of the first one's contents nor memory of its own.

// CHECK-LABEL: func.func @never_read(
//  CHECK-SAME:   %[[X:.*]]: memref<?x4xf32, {{.*}}>, %[[K:.*]]: memref<1x4x4x1xf32>, %[[Y:.*]]: memref<?x4xf32, {{.*}}>) {
//  CHECK-NEXT:   ks.matmul <1, 4, 4, 1> ins(%[[X]], %[[K]] : {{.*}}) outs(%[[Y]] :
//  CHECK-NEXT:   ks.matmul <1, 4, 4, 1> ins(%[[X]], %[[K]] : {{.*}}) outs(%[[Y]] :
//  CHECK-NEXT:   return{{$}}
func.func @never_read(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf32>, %out: tensor<?x4xf32>)
    -> tensor<?x4xf32> {
  %y = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>)
         outs(%out : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = ks.matmul <1, 4, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x4x4x1xf32>)
         outs(%y : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// -----

// What ks-pack-weights makes: results of the callees are dropped, and so are
// those of the caller; what it packs into is freed.

// CHECK-LABEL: func.func @f(
//       CHECK:   %[[P:.*]] = memref.alloc() {{.*}} : memref<16xf32>
//       CHECK:   call @f_pack(%{{.*}}, %[[P]]) : (memref<1x4x4x1xf32>, memref<16xf32>) -> ()
//       CHECK:   call @f_packed(%{{.*}}, %{{.*}}, %[[P]]) : ({{.*}}) -> ()
//       CHECK:   memref.dealloc %[[P]]
//       CHECK:   return{{$}}
// CHECK-LABEL: func.func @f_pack(
//       CHECK:   ks.pack_weights {{.*}} ins(%{{.*}} : memref<1x4x4x1xf32>) outs(%{{.*}} : memref<16xf32>)
//  CHECK-NEXT:   return{{$}}
// CHECK-LABEL: func.func @f_packed(
//   CHECK-NOT:   copy
//       CHECK:   return{{$}}
func.func @f(%x: tensor<?x4xf32>, %k: tensor<1x4x4x1xf32>, %y: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %empty = tensor.empty() : tensor<16xf32>
  %p = call @f_pack(%k, %empty) : (tensor<1x4x4x1xf32>, tensor<16xf32>) -> tensor<16xf32>
  %r = call @f_packed(%x, %y, %p)
         : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<16xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}
func.func @f_pack(%k: tensor<1x4x4x1xf32>, %d: tensor<16xf32>) -> tensor<16xf32> {
  %p = ks.pack_weights <1, 4, 4, 1>
         into #ks.cpu_packing<vectors = 1, lanes = 4, n = 4, j = 1>
         ins(%k : tensor<1x4x4x1xf32>) outs(%d : tensor<16xf32>) -> tensor<16xf32>
  return %p : tensor<16xf32>
}
func.func @f_packed(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>, %p: tensor<16xf32>)
    -> tensor<?x4xf32> {
  %r = ks.matmul <1, 4, 4, 1> ins(%x, %p : tensor<?x4xf32>, tensor<16xf32>)
         outs(%y : tensor<?x4xf32>)
         plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
           <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
            packing = <vectors = 1, lanes = 4, n = 4, j = 1>>]> -> tensor<?x4xf32>
  %m = bufferization.materialize_in_destination %r in %y
         : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %m : tensor<?x4xf32>
}

// -----

// A result that is no argument's memory is the caller's to free; constants are
// globals.

//       CHECK: memref.global "private" constant @[[G:.*]] : memref<1x2x2x1xf32>
// CHECK-LABEL: func.func @fresh_result(
//  CHECK-SAME:   -> memref<?x2xf32, strided<[?, 1], offset: ?>> {
//       CHECK:   memref.get_global @[[G]]
//       CHECK:   %[[Y:.*]] = memref.alloc
//   CHECK-NOT:   dealloc
//       CHECK:   return
func.func @fresh_result(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %k = arith.constant dense<[[[[1.0], [2.0]], [[3.0], [4.0]]]]> : tensor<1x2x2x1xf32>
  %batch = tensor.dim %x, %c0 : tensor<?x2xf32>
  %empty = tensor.empty(%batch) : tensor<?x2xf32>
  %y = ks.matmul <1, 2, 2, 1> ins(%x, %k : tensor<?x2xf32>, tensor<1x2x2x1xf32>)
         outs(%empty : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
