// One-Shot Bufferize where input and outs are slices of one buffer. Rows are read after
// others were written, so the two may not share any.

// RUN: ks-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" --cse --canonicalize | FileCheck %s

// The input is moved out of the way first.

// CHECK-LABEL: func.func @overlapping(
//  CHECK-SAME:   %[[ALL:[^:]*]]: memref<8x8xf32>
//       CHECK:   %[[FROM:.*]] = memref.subview %[[ALL]][0, 0] [4, 8] [1, 1]
//       CHECK:   %[[X:.*]] = memref.alloc() {{.*}} : memref<4x8xf32>
//       CHECK:   memref.copy %[[FROM]], %[[X]]
//       CHECK:   %[[Y:.*]] = memref.subview %[[ALL]][2, 0] [4, 8] [1, 1]
//       CHECK:   ks.matmul <1, 8, 8, 1> ins(%[[X]], {{.*}}) outs(%[[Y]] :
//   CHECK-NOT:   memref.copy
//       CHECK:   return %[[ALL]]
func.func @overlapping(%all: tensor<8x8xf32>, %k: tensor<1x8x8x1xf32>) -> tensor<8x8xf32> {
  %x = tensor.extract_slice %all[0, 0] [4, 8] [1, 1] : tensor<8x8xf32> to tensor<4x8xf32>
  %init = tensor.extract_slice %all[2, 0] [4, 8] [1, 1] : tensor<8x8xf32> to tensor<4x8xf32>
  %y = ks.matmul <1, 8, 8, 1>
         ins(%x, %k : tensor<4x8xf32>, tensor<1x8x8x1xf32>)
         outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  %r = tensor.insert_slice %y into %all[2, 0] [4, 8] [1, 1] : tensor<4x8xf32> into tensor<8x8xf32>
  return %r : tensor<8x8xf32>
}
