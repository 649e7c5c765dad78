// Block-Tensor-Train (BTT) layers.
//
// With features as pairs, input (i1, i0) of m1 x m0 and output (j1, j0) of n1 x n0, a
// BTT matrix of rank r is
//
//   W[(j1, j0), (i1, i0)] = sum over p < r of L[j1, i1, p, j0] R[i1, p, j0, i0]:
//
// for each (i1, j0) a matrix of rank r, over j1 and i0. Applied to a row x of the
// batch it is two steps, each of them a Kronecker-sparse product:
//
//   h[i1, p, j0] = sum over i0     of R[i1, p, j0, i0] x[i1, i0]
//   y[j1, j0]    = sum over i1, p  of L[j1, i1, p, j0] h[i1, p, j0]
//
//   R: one block for each i1, with rows (p, j0) and columns i0:
//      pattern (m1, r n0, m0, 1), weight K[i1, p n0 + j0, i0, 0] = R[i1, p, j0, i0].
//   L: one block for each j0, with rows j1 and columns (i1, p), whose columns stand n0
//      apart: pattern (1, n1, r m1, n0), weight K[0, j1, i1 r + p, j0] = L[j1, i1, p, j0].
//
// So h is laid out as (i1, p, j0), which is what R writes and what L reads: nothing is
// permuted. There are r (m1 m0 n0 + n1 m1 n0) weights instead of m1 m0 n1 n0. (r = 1
// with m1 = n0 and m0 = n1 is a Monarch matrix.)

// A 768 -> 3072 layer: m1 = 24, m0 = 32, n1 = 48, n0 = 64, r = 2. 245,760 weights
// instead of 2,359,296.
func.func @btt(%x: tensor<?x768xf32>, %r: tensor<24x128x32x1xf32>,
               %l: tensor<1x48x48x64xf32>) -> tensor<?x3072xf32> {
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x768xf32>
  %init = tensor.empty(%batch) : tensor<?x3072xf32>
  %y = ks.chain [<24, 128, 32, 1>, <1, 48, 48, 64>]
         ins(%x, %r, %l : tensor<?x768xf32>, tensor<24x128x32x1xf32>, tensor<1x48x48x64xf32>)
         outs(%init : tensor<?x3072xf32>) -> tensor<?x3072xf32>
  return %y : tensor<?x3072xf32>
}

// Three cores: input (i2, i1, i0) of 8 x 8 x 8, output (j2, j1, j0) of 8 x 8 x 8, ranks
// r1 = 4 and r2 = 2. In general, with an input of m2 x m1 x m0 and an output of
// n2 x n1 x n0,
//
//   g[i2, i1, p, j0] = sum over i0     of R[i2, i1, p, j0, i0] x[i2, i1, i0]
//   h[i2, q, j1, j0] = sum over i1, p  of M[i2, q, j1, i1, p, j0] g[i2, i1, p, j0]
//   y[j2, j1, j0]    = sum over i2, q  of L[j2, i2, q, j1, j0] h[i2, q, j1, j0]
//
// are (m2 m1, r1 n0, m0, 1), (m2, r2 n1, m1 r1, n0) and (1, n2, m2 r2, n1 n0).
func.func @three_cores(%x: tensor<?x512xf32>, %r: tensor<64x32x8x1xf32>,
                       %m: tensor<8x16x32x8xf32>,
                       %l: tensor<1x8x16x64xf32>) -> tensor<?x512xf32> {
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x512xf32>
  %init = tensor.empty(%batch) : tensor<?x512xf32>
  %y = ks.chain [<64, 32, 8, 1>, <8, 16, 32, 8>, <1, 8, 16, 64>]
         ins(%x, %r, %m, %l : tensor<?x512xf32>, tensor<64x32x8x1xf32>,
             tensor<8x16x32x8xf32>, tensor<1x8x16x64xf32>)
         outs(%init : tensor<?x512xf32>) -> tensor<?x512xf32>
  return %y : tensor<?x512xf32>
}

// A small one with sizes that divide nothing: 3 x 5 -> 7 x 4, r = 2.
func.func @btt_small(%x: tensor<?x15xf32>, %r: tensor<3x8x5x1xf32>,
                     %l: tensor<1x7x6x4xf32>) -> tensor<?x28xf32> {
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x15xf32>
  %init = tensor.empty(%batch) : tensor<?x28xf32>
  %y = ks.chain [<3, 8, 5, 1>, <1, 7, 6, 4>]
         ins(%x, %r, %l : tensor<?x15xf32>, tensor<3x8x5x1xf32>, tensor<1x7x6x4xf32>)
         outs(%init : tensor<?x28xf32>) -> tensor<?x28xf32>
  return %y : tensor<?x28xf32>
}
