// Casts around products are part of their kernels: nothing is left of linalg.

// RUN: ks-opt %s --ks-to-nvvm="chip=sm_90 to=kernels" | FileCheck %s --check-prefix=KERNELS
// RUN: ks-opt %s --ks-to-nvvm="chip=sm_90 to=tiles" | FileCheck %s --check-prefix=TILES
// RUN: ks-opt %s --ks-to-nvvm="chip=sm_80" | FileCheck %s --check-prefix=BINARY
// RUN: ks-opt %s --ks-to-nvvm="chip=sm_90" | FileCheck %s --check-prefix=BINARY
// RUN: ks-opt %s --ks-to-nvvm="chip=sm_120" | FileCheck %s --check-prefix=BINARY

// The product is rounded to f16, as the program says, and then extended.

// KERNELS-LABEL: func.func @widened(
//   KERNELS-NOT:   linalg
//       KERNELS:   ks.matmul <6, 64, 64, 1> {{.*}} outs({{.*}} : tensor<?x384xf32>) epilogue {
//  KERNELS-NEXT:   ^bb0(%[[ACC:.*]]: f32):
//  KERNELS-NEXT:     %[[Y:.*]] = arith.truncf %[[ACC]] : f32 to f16
//  KERNELS-NEXT:     %[[W:.*]] = arith.extf %[[Y]] : f16 to f32
//  KERNELS-NEXT:     ks.yield %[[W]] : f32
// TILES-LABEL: gpu.func @widened_packed_0(
//       TILES:   %[[Y:.*]] = arith.truncf {{.*}} : vector<{{.*}}xf32> to vector<{{.*}}xf16>
//       TILES:   arith.extf %[[Y]] : vector<{{.*}}xf16> to vector<{{.*}}xf32>
//       TILES:   ks.store_{{.*}} multiplied as f16 : {{.*}} to memref<?x384xf32,
// BINARY: gpu.binary @ks_kernels
// BINARY-SAME: st.global.v4.b32
func.func @widened(%x: tensor<?x384xf16>, %k: tensor<6x64x64x1xf16>) -> tensor<?x384xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x384xf16>
  %init = tensor.empty(%n) : tensor<?x384xf16>
  %y = ks.matmul <6, 64, 64, 1> ins(%x, %k : tensor<?x384xf16>, tensor<6x64x64x1xf16>) outs(%init : tensor<?x384xf16>) -> tensor<?x384xf16>
  %wide = tensor.empty(%n) : tensor<?x384xf32>
  %r = linalg.map { arith.extf } ins(%y : tensor<?x384xf16>) outs(%wide : tensor<?x384xf32>)
  return %r : tensor<?x384xf32>
}

// In f32 on both sides, as under automatic mixed precision: one cast in front of two
// products, bias and activation in f32, and the result in bf16.

// KERNELS-LABEL: func.func @mixed(
//   KERNELS-NOT:   linalg
//       KERNELS:   ks.matmul <1, 64, 64, 6> load_as(f16) ins(%[[X:.*]], %{{.*}} : tensor<?x384xf32>, tensor<1x64x64x6xf16>)
//  KERNELS-SAME:     outs({{.*}} : tensor<?x384xf16>)
//       KERNELS:   ks.matmul <6, 64, 64, 1> load_as(f16) ins(%[[X]], %{{.*}} : tensor<?x384xf32>, tensor<6x64x64x1xf16>)
//  KERNELS-SAME:     outs({{.*}} : tensor<?x384xbf16>) epilogue(%{{.*}} : tensor<384xf32>) {
//   KERNELS-NOT:   linalg
//       KERNELS:   return
// TILES-LABEL: gpu.func @mixed_packed_1(
//       TILES:   ks.copy_activations {{.*}} : memref<?x384xf32, {{.*}} to memref<{{.*}}xf16,
//       TILES:   arith.truncf {{.*}} : vector<{{.*}}xf32> to vector<{{.*}}xbf16>
//       TILES:   ks.store_{{.*}} to memref<?x384xbf16,
func.func @mixed(%x: tensor<?x384xf32>, %k: tensor<6x64x64x1xf16>, %l: tensor<1x64x64x6xf16>, %bias: tensor<384xf32>)
    -> (tensor<?x384xbf16>, tensor<?x384xf16>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x384xf32>
  %init = tensor.empty(%n) : tensor<?x384xf16>
  %c = linalg.map { arith.truncf } ins(%x : tensor<?x384xf32>) outs(%init : tensor<?x384xf16>)
  %y = ks.matmul <6, 64, 64, 1> ins(%c, %k : tensor<?x384xf16>, tensor<6x64x64x1xf16>) outs(%init : tensor<?x384xf16>) -> tensor<?x384xf16>
  %z = ks.matmul <1, 64, 64, 6> ins(%c, %l : tensor<?x384xf16>, tensor<1x64x64x6xf16>) outs(%init : tensor<?x384xf16>) -> tensor<?x384xf16>
  %wide = tensor.empty(%n) : tensor<?x384xf32>
  %b = linalg.broadcast ins(%bias : tensor<384xf32>) outs(%wide : tensor<?x384xf32>) dimensions = [0]
  %f = linalg.map { arith.extf } ins(%y : tensor<?x384xf16>) outs(%wide : tensor<?x384xf32>)
  %s = linalg.add ins(%f, %b : tensor<?x384xf32>, tensor<?x384xf32>) outs(%wide : tensor<?x384xf32>) -> tensor<?x384xf32>
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%wide : tensor<?x384xf32>) -> tensor<?x384xf32>
  %a = linalg.max ins(%s, %zeros : tensor<?x384xf32>, tensor<?x384xf32>) outs(%wide : tensor<?x384xf32>) -> tensor<?x384xf32>
  %out = tensor.empty(%n) : tensor<?x384xbf16>
  %r = linalg.map { arith.truncf } ins(%a : tensor<?x384xf32>) outs(%out : tensor<?x384xbf16>)
  return %r, %z : tensor<?x384xbf16>, tensor<?x384xf16>
}
