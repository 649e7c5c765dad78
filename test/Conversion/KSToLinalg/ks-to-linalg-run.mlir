// The meaning of the dialect, executed: products become linalg, loops, and machine code
// by upstream's passes and JIT. All numbers are small integers, so results are exact.

// REQUIRES: mlir-runner
// RUN: ks-opt %s --convert-ks-to-linalg \
// RUN:     --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" \
// RUN:     --convert-linalg-to-loops --arith-expand="include-bf16=true" %loops_to_llvm \
// RUN:   | %mlir_runner | FileCheck %s

func.func private @printMemrefF32(%t: tensor<*xf32>)

//===----------------------------------------------------------------------===//
// One factor: all four sizes, both layouts
//===----------------------------------------------------------------------===//

// Y[m,(i*b+n)*d+j] = sum over k of K[i,n,k,j] * X[m,(i*c+k)*d+j], a = 2, b = 3, c = 2,
// d = 2. K counts from 1 to 24; rows of X are 1 to 8, and ones.

func.func @patterns(%x: tensor<2x8xf32>, %k: tensor<2x3x2x2xf32>) -> tensor<2x12xf32> {
  %init = tensor.empty() : tensor<2x12xf32>
  %y = ks.matmul <2, 3, 2, 2>
         ins(%x, %k : tensor<2x8xf32>, tensor<2x3x2x2xf32>)
         outs(%init : tensor<2x12xf32>) -> tensor<2x12xf32>
  return %y : tensor<2x12xf32>
}

func.func @batch_last(%x: tensor<8x2xf32>, %k: tensor<2x3x2x2xf32>) -> tensor<12x2xf32> {
  %init = tensor.empty() : tensor<12x2xf32>
  %y = ks.matmul <2, 3, 2, 2> layout(batch_last)
         ins(%x, %k : tensor<8x2xf32>, tensor<2x3x2x2xf32>)
         outs(%init : tensor<12x2xf32>) -> tensor<12x2xf32>
  return %y : tensor<12x2xf32>
}

//===----------------------------------------------------------------------===//
// A chain: the Kronecker product of A = (1 2; 3 4) and B = (1 0 2; 0 1 3), tied
//===----------------------------------------------------------------------===//

// As a product, with an epilogue, and as the matrix itself.

func.func @kronecker(%x: tensor<?x6xf32>, %b: tensor<1x2x3x1xf32>, %a: tensor<1x2x2x1xf32>,
                     %bias: tensor<4xf32>, %scale: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x6xf32>
  %init = tensor.empty(%m) : tensor<?x4xf32>
  %y = ks.chain [<2, 2, 3, 1>, <1, 2, 2, 2>]
         ins(%x, %b, %a : tensor<?x6xf32>, tensor<1x2x3x1xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x4xf32>)
         epilogue(%bias, %scale : tensor<4xf32>, tensor<?x4xf32>) {
         ^bb0(%acc: f32, %e: f32, %s: f32):
           %0 = arith.mulf %acc, %s : f32
           %1 = arith.addf %0, %e : f32
           ks.yield %1 : f32
         } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

func.func @dense(%b: tensor<1x2x3x1xf32>, %a: tensor<1x2x2x1xf32>) -> tensor<4x6xf32> {
  %init = tensor.empty() : tensor<4x6xf32>
  %w = ks.to_dense [<2, 2, 3, 1>, <1, 2, 2, 2>]
         ins(%b, %a : tensor<1x2x3x1xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %w : tensor<4x6xf32>
}

//===----------------------------------------------------------------------===//
// Roundings: bf16 has 8 bits of mantissa
//===----------------------------------------------------------------------===//

// The first factor gives 256 + 1 (not a bf16 number: 256) and 256 + 1 + 1 (258). So their
// difference is 2, not 1: each factor's result is rounded. And 258 is not 256: the terms
// are summed up in f32.

func.func @roundings(%x: tensor<1x3xbf16>, %k0: tensor<1x2x3x1xbf16>, %k1: tensor<1x2x2x1xbf16>)
    -> tensor<1x2xbf16> {
  %init = tensor.empty() : tensor<1x2xbf16>
  %y = ks.chain [<1, 2, 3, 1>, <1, 2, 2, 1>]
         ins(%x, %k0, %k1 : tensor<1x3xbf16>, tensor<1x2x3x1xbf16>, tensor<1x2x2x1xbf16>)
         outs(%init : tensor<1x2xbf16>) -> tensor<1x2xbf16>
  return %y : tensor<1x2xbf16>
}

// The epilogue sees the accumulator before it is rounded: 257 - 256 = 1.

func.func @epilogue_rounding(%x: tensor<1x3xbf16>, %k: tensor<1x2x3x1xbf16>) -> tensor<1x2xbf16> {
  %init = tensor.empty() : tensor<1x2xbf16>
  %y = ks.matmul <1, 2, 3, 1>
         ins(%x, %k : tensor<1x3xbf16>, tensor<1x2x3x1xbf16>)
         outs(%init : tensor<1x2xbf16>)
         epilogue {
         ^bb0(%acc: f32):
           %c = arith.constant 256.0 : f32
           %0 = arith.subf %acc, %c : f32
           ks.yield %0 : f32
         } -> tensor<1x2xbf16>
  return %y : tensor<1x2xbf16>
}

//===----------------------------------------------------------------------===//
// Complex numbers
//===----------------------------------------------------------------------===//

func.func @complex(%x: tensor<1x2xcomplex<f64>>, %k: tensor<1x2x2x1xcomplex<f64>>)
    -> tensor<1x2xcomplex<f64>> {
  %init = tensor.empty() : tensor<1x2xcomplex<f64>>
  %y = ks.matmul <1, 2, 2, 1>
         ins(%x, %k : tensor<1x2xcomplex<f64>>, tensor<1x2x2x1xcomplex<f64>>)
         outs(%init : tensor<1x2xcomplex<f64>>) -> tensor<1x2xcomplex<f64>>
  return %y : tensor<1x2xcomplex<f64>>
}

func.func @main() {
  %x = arith.constant dense<[[1., 2., 3., 4., 5., 6., 7., 8.], [1., 1., 1., 1., 1., 1., 1., 1.]]>
         : tensor<2x8xf32>
  %xt = arith.constant dense<[[1., 1.], [2., 1.], [3., 1.], [4., 1.], [5., 1.], [6., 1.], [7., 1.], [8., 1.]]>
          : tensor<8x2xf32>
  %k = arith.constant dense<[[[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]], [[9., 10.], [11., 12.]]],
                             [[[13., 14.], [15., 16.]], [[17., 18.], [19., 20.]], [[21., 22.], [23., 24.]]]]>
         : tensor<2x3x2x2xf32>

  // CHECK:      sizes = [2, 12]
  // CHECK-NEXT: [10, 20, 26, 44, 42, 68, 170, 212, 218, 268, 266, 324]
  // CHECK-NEXT: [4, 6, 12, 14, 20, 22, 28, 30, 36, 38, 44, 46]
  %0 = func.call @patterns(%x, %k) : (tensor<2x8xf32>, tensor<2x3x2x2xf32>) -> tensor<2x12xf32>
  %p0 = tensor.cast %0 : tensor<2x12xf32> to tensor<*xf32>
  call @printMemrefF32(%p0) : (tensor<*xf32>) -> ()

  // CHECK:      sizes = [12, 2]
  // CHECK-NEXT: [10, 4]
  // CHECK-NEXT: [20, 6]
  // CHECK:      [324, 46]
  %1 = func.call @batch_last(%xt, %k) : (tensor<8x2xf32>, tensor<2x3x2x2xf32>) -> tensor<12x2xf32>
  %p1 = tensor.cast %1 : tensor<12x2xf32> to tensor<*xf32>
  call @printMemrefF32(%p1) : (tensor<*xf32>) -> ()

  // CHECK:      sizes = [2, 4]
  // CHECK-NEXT: [10, 14, 24, 32]
  // CHECK-NEXT: [11, 2, 33, 4]
  %b = arith.constant dense<[[[[1.], [0.], [2.]], [[0.], [1.], [3.]]]]> : tensor<1x2x3x1xf32>
  %a = arith.constant dense<[[[[1.], [2.]], [[3.], [4.]]]]> : tensor<1x2x2x1xf32>
  %u = arith.constant dense<[[1., 1., 1., 1., 1., 1.], [1., 0., 0., 0., 0., 0.]]> : tensor<2x6xf32>
  %v = tensor.cast %u : tensor<2x6xf32> to tensor<?x6xf32>
  %bias = arith.constant dense<[1., 2., 3., 4.]> : tensor<4xf32>
  %s = arith.constant dense<[[1., 1., 1., 1.], [10., 10., 10., 10.]]> : tensor<2x4xf32>
  %scale = tensor.cast %s : tensor<2x4xf32> to tensor<?x4xf32>
  %2 = func.call @kronecker(%v, %b, %a, %bias, %scale)
         : (tensor<?x6xf32>, tensor<1x2x3x1xf32>, tensor<1x2x2x1xf32>, tensor<4xf32>,
            tensor<?x4xf32>) -> tensor<?x4xf32>
  %p2 = tensor.cast %2 : tensor<?x4xf32> to tensor<*xf32>
  call @printMemrefF32(%p2) : (tensor<*xf32>) -> ()

  // CHECK:      sizes = [4, 6]
  // CHECK-NEXT: [1, 0, 2, 2, 0, 4]
  // CHECK-NEXT: [0, 1, 3, 0, 2, 6]
  // CHECK-NEXT: [3, 0, 6, 4, 0, 8]
  // CHECK-NEXT: [0, 3, 9, 0, 4, 12]
  %3 = func.call @dense(%b, %a)
         : (tensor<1x2x3x1xf32>, tensor<1x2x2x1xf32>) -> tensor<4x6xf32>
  %p3 = tensor.cast %3 : tensor<4x6xf32> to tensor<*xf32>
  call @printMemrefF32(%p3) : (tensor<*xf32>) -> ()

  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index

  // CHECK-NEXT: {{^}}2{{$}}
  // CHECK-NEXT: {{^}}258{{$}}
  %x16 = arith.constant dense<[[256., 1., 1.]]> : tensor<1x3xbf16>
  %k16 = arith.constant dense<[[[[1.], [1.], [0.]], [[1.], [1.], [1.]]]]> : tensor<1x2x3x1xbf16>
  %d16 = arith.constant dense<[[[[-1.], [1.]], [[0.], [1.]]]]> : tensor<1x2x2x1xbf16>
  %4 = func.call @roundings(%x16, %k16, %d16)
         : (tensor<1x3xbf16>, tensor<1x2x3x1xbf16>, tensor<1x2x2x1xbf16>) -> tensor<1x2xbf16>
  %e0 = tensor.extract %4[%c0, %c0] : tensor<1x2xbf16>
  %f0 = arith.extf %e0 : bf16 to f32
  vector.print %f0 : f32
  %e1 = tensor.extract %4[%c0, %c1] : tensor<1x2xbf16>
  %f1 = arith.extf %e1 : bf16 to f32
  vector.print %f1 : f32

  // CHECK-NEXT: {{^}}1{{$}}
  // CHECK-NEXT: {{^}}2{{$}}
  %5 = func.call @epilogue_rounding(%x16, %k16)
         : (tensor<1x3xbf16>, tensor<1x2x3x1xbf16>) -> tensor<1x2xbf16>
  %e2 = tensor.extract %5[%c0, %c0] : tensor<1x2xbf16>
  %f2 = arith.extf %e2 : bf16 to f32
  vector.print %f2 : f32
  %e3 = tensor.extract %5[%c0, %c1] : tensor<1x2xbf16>
  %f3 = arith.extf %e3 : bf16 to f32
  vector.print %f3 : f32

  // (1 i; i -1) (1+2i, 3) = (1+5i, -5+i)
  // CHECK-NEXT: {{^}}1{{$}}
  // CHECK-NEXT: {{^}}5{{$}}
  // CHECK-NEXT: {{^}}-5{{$}}
  // CHECK-NEXT: {{^}}1{{$}}
  %xz = arith.constant dense<[[(1., 2.), (3., 0.)]]> : tensor<1x2xcomplex<f64>>
  %kz = arith.constant dense<[[[[(1., 0.)], [(0., 1.)]], [[(0., 1.)], [(-1., 0.)]]]]>
          : tensor<1x2x2x1xcomplex<f64>>
  %6 = func.call @complex(%xz, %kz)
         : (tensor<1x2xcomplex<f64>>, tensor<1x2x2x1xcomplex<f64>>) -> tensor<1x2xcomplex<f64>>
  %z0 = tensor.extract %6[%c0, %c0] : tensor<1x2xcomplex<f64>>
  %re0 = complex.re %z0 : complex<f64>
  %im0 = complex.im %z0 : complex<f64>
  vector.print %re0 : f64
  vector.print %im0 : f64
  %z1 = tensor.extract %6[%c0, %c1] : tensor<1x2xcomplex<f64>>
  %re1 = complex.re %z1 : complex<f64>
  %im1 = complex.im %z1 : complex<f64>
  vector.print %re1 : f64
  vector.print %im1 : f64
  return
}
