// Kronecker products as chains of two tied factors.
//
// For A of shape mA x nA and B of shape mB x nB
//
//   A (x) B = (A (x) I_mB) (I_nA (x) B),
//
// and both sides of that are Kronecker-sparse, with weights that do not depend on
// where in the matrix they stand:
//
//   I_nA (x) B    support I_nA (x) 1_{mB x nB} (x) I_1: pattern (nA, mB, nB, 1). Its
//                 weight K[i, n, k, j] = B[n, k] is the same for all i: tied along a.
//   A (x) I_mB    support I_1 (x) 1_{mA x nA} (x) I_mB: pattern (1, mA, nA, mB). Its
//                 weight K[i, n, k, j] = A[n, k] is the same for all j: tied along d.
//
// An axis that is tied has size 1 in the weight: B is 1 x mB x nB x 1, A is
// 1 x mA x nA x 1, and nothing else is stored, packed or read. The chain takes
// nA nB (mB + ...) products instead of nA nB mA mB, and mA nA + mB nB weights.
//
// A row of x is vec(X) of an nA x nB matrix X in the order of its rows, and the
// result is that of B and A on its two axes: Y = A X B^T.

// A 1024 -> 1024 layer of 2048 weights instead of 1,048,576.
func.func @square(%x: tensor<?x1024xf32>, %b: tensor<1x32x32x1xf32>,
                  %a: tensor<1x32x32x1xf32>) -> tensor<?x1024xf32> {
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x1024xf32>
  %init = tensor.empty(%batch) : tensor<?x1024xf32>
  %y = ks.chain [<32, 32, 32, 1>, <1, 32, 32, 32>]
         ins(%x, %b, %a : tensor<?x1024xf32>, tensor<1x32x32x1xf32>, tensor<1x32x32x1xf32>)
         outs(%init : tensor<?x1024xf32>) -> tensor<?x1024xf32>
  return %y : tensor<?x1024xf32>
}

// A 384 -> 1536 layer: A is 48 x 16, B is 32 x 24. Between the two factors there
// are nA mB = 512 features.
func.func @rectangular(%x: tensor<?x384xf32>, %b: tensor<1x32x24x1xf32>,
                       %a: tensor<1x48x16x1xf32>) -> tensor<?x1536xf32> {
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x384xf32>
  %init = tensor.empty(%batch) : tensor<?x1536xf32>
  %y = ks.chain [<16, 32, 24, 1>, <1, 48, 16, 32>]
         ins(%x, %b, %a : tensor<?x384xf32>, tensor<1x32x24x1xf32>, tensor<1x48x16x1xf32>)
         outs(%init : tensor<?x1536xf32>) -> tensor<?x1536xf32>
  return %y : tensor<?x1536xf32>
}

// A small one, 15 -> 24, whose sizes divide nothing.
func.func @small(%x: tensor<?x15xf32>, %b: tensor<1x4x5x1xf32>,
                 %a: tensor<1x6x3x1xf32>) -> tensor<?x24xf32> {
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x15xf32>
  %init = tensor.empty(%batch) : tensor<?x24xf32>
  %y = ks.chain [<3, 4, 5, 1>, <1, 6, 3, 4>]
         ins(%x, %b, %a : tensor<?x15xf32>, tensor<1x4x5x1xf32>, tensor<1x6x3x1xf32>)
         outs(%init : tensor<?x24xf32>) -> tensor<?x24xf32>
  return %y : tensor<?x24xf32>
}
