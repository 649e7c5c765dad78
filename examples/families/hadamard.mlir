// The Walsh-Hadamard transform of size N = 2^L,
//
//   H_1 = (1),   H_2N = [ H_N  H_N ; H_N  -H_N ] = H_2 (x) H_N,
//
// as L factors of 2 x 2 blocks. H_N is the Kronecker product of L copies of
// H_2 = [1 1; 1 -1], one for each bit of an index, and each copy is a factor of its
// own:
//
//   H_N = product over t < L of I_{2^(L-1-t)} (x) H_2 (x) I_{2^t}.
//
// Factor t combines features whose numbers differ in bit t: pattern
// (2^(L-1-t), 2, 2, 2^t), chainable with its neighbours (a dyadic butterfly). Its
// weight is H_2 whatever i and j are, so it is tied along both, and all factors share
// one constant of four numbers, which costs no argument. They commute; the chain
// applies bit 0 first.
//
// The last factor's epilogue divides by sqrt(N), which makes the transform orthogonal,
// and its own inverse: the rotation that quantized models put in front of a linear
// layer.

// As it is written: log2(N) additions for each feature, rounded after each factor.
func.func @hadamard(%x: tensor<?x1024xf32>) -> tensor<?x1024xf32> {
  %h = arith.constant dense<[[[[1.0], [1.0]], [[1.0], [-1.0]]]]> : tensor<1x2x2x1xf32>
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x1024xf32>
  %init = tensor.empty(%batch) : tensor<?x1024xf32>
  %y = ks.chain [<512, 2, 2, 1>, <256, 2, 2, 2>, <128, 2, 2, 4>, <64, 2, 2, 8>,
                 <32, 2, 2, 16>, <16, 2, 2, 32>, <8, 2, 2, 64>, <4, 2, 2, 128>,
                 <2, 2, 2, 256>, <1, 2, 2, 512>]
         ins(%x, %h, %h, %h, %h, %h, %h, %h, %h, %h, %h :
             tensor<?x1024xf32>, tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>,
             tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>,
             tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>,
             tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x1024xf32>) epilogue {
         ^bb0(%sum: f32):
           %scale = arith.constant 0.03125 : f32
           %scaled = arith.mulf %sum, %scale : f32
           ks.yield %scaled : f32
         } -> tensor<?x1024xf32>
  return %y : tensor<?x1024xf32>
}

// The same, with the permission to multiply factors with each other. Constants are
// known to the compiler, so fastmath<reassoc> is all it takes: five factors of 2 x 2,
// say, become one of 32 x 32 (+1 and -1, exact in any type), which a machine that
// multiplies blocks takes in one step. `ks-run --emit kernels` shows what was merged.
func.func @hadamard_merged(%x: tensor<?x1024xf32>) -> tensor<?x1024xf32> {
  %h = arith.constant dense<[[[[1.0], [1.0]], [[1.0], [-1.0]]]]> : tensor<1x2x2x1xf32>
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x1024xf32>
  %init = tensor.empty(%batch) : tensor<?x1024xf32>
  %y = ks.chain [<512, 2, 2, 1>, <256, 2, 2, 2>, <128, 2, 2, 4>, <64, 2, 2, 8>,
                 <32, 2, 2, 16>, <16, 2, 2, 32>, <8, 2, 2, 64>, <4, 2, 2, 128>,
                 <2, 2, 2, 256>, <1, 2, 2, 512>]
         fastmath<reassoc>
         ins(%x, %h, %h, %h, %h, %h, %h, %h, %h, %h, %h :
             tensor<?x1024xf32>, tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>,
             tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>,
             tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>,
             tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x1024xf32>) epilogue {
         ^bb0(%sum: f32):
           %scale = arith.constant 0.03125 : f32
           %scaled = arith.mulf %sum, %scale : f32
           ks.yield %scaled : f32
         } -> tensor<?x1024xf32>
  return %y : tensor<?x1024xf32>
}

// Small ones, of size 16.
func.func @hadamard_small(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %h = arith.constant dense<[[[[1.0], [1.0]], [[1.0], [-1.0]]]]> : tensor<1x2x2x1xf32>
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x16xf32>
  %init = tensor.empty(%batch) : tensor<?x16xf32>
  %y = ks.chain [<8, 2, 2, 1>, <4, 2, 2, 2>, <2, 2, 2, 4>, <1, 2, 2, 8>]
         ins(%x, %h, %h, %h, %h :
             tensor<?x16xf32>, tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>,
             tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x16xf32>) epilogue {
         ^bb0(%sum: f32):
           %scale = arith.constant 0.25 : f32
           %scaled = arith.mulf %sum, %scale : f32
           ks.yield %scaled : f32
         } -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

func.func @hadamard_small_merged(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %h = arith.constant dense<[[[[1.0], [1.0]], [[1.0], [-1.0]]]]> : tensor<1x2x2x1xf32>
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x16xf32>
  %init = tensor.empty(%batch) : tensor<?x16xf32>
  %y = ks.chain [<8, 2, 2, 1>, <4, 2, 2, 2>, <2, 2, 2, 4>, <1, 2, 2, 8>] fastmath<reassoc>
         ins(%x, %h, %h, %h, %h :
             tensor<?x16xf32>, tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>,
             tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>)
         outs(%init : tensor<?x16xf32>) epilogue {
         ^bb0(%sum: f32):
           %scale = arith.constant 0.25 : f32
           %scaled = arith.mulf %sum, %scale : f32
           ks.yield %scaled : f32
         } -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
