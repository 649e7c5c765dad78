// The first feed-forward layer of all-MiniLM-L6-v2 (384 -> 1536) as a chain of two
// Kronecker-sparse factors with a bias: one op, to be compiled to one kernel.
// RUN-time arguments: token vectors, two factors, bias.
func.func @layer(%x: tensor<?x384xf32>, %w0: tensor<6x64x64x1xf32>, %w1: tensor<1x768x192x2xf32>, %bias: tensor<1536xf32>) -> tensor<?x1536xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x384xf32>
  %init = tensor.empty(%m) : tensor<?x1536xf32>
  %y = ks.chain [<6, 64, 64, 1>, <1, 768, 192, 2>]
         ins(%x, %w0, %w1 : tensor<?x384xf32>, tensor<6x64x64x1xf32>, tensor<1x768x192x2xf32>)
         outs(%init : tensor<?x1536xf32>)
         epilogue(%bias : tensor<1536xf32>) {
         ^bb0(%acc: f32, %b: f32):
           %r = arith.addf %acc, %b : f32
           ks.yield %r : f32
         } -> tensor<?x1536xf32>
  return %y : tensor<?x1536xf32>
}
