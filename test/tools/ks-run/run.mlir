// Runs that are good: numbers in, numbers out.

// RUN: rm -rf %t && mkdir %t
// RUN: %npy write %t/x.npy '<f4' 2,4 1 2 3 4 5 6 7 8
// RUN: %npy write %t/w.npy '<f4' 1,2,4,1 1 0 0 0 0 1 0 1
// RUN: ks-run --chain "1,2,4,1" --batch 2 --arg %t/x.npy --arg %t/w.npy --out %t/y.npy --verify | FileCheck %s --check-prefix=GOOD
// RUN: %npy read %t/y.npy | FileCheck %s --check-prefix=FIRST
// GOOD-LABEL: compiled @chain in {{[0-9.]+}} ms (passes {{[0-9.]+}}, LLVM {{[0-9.]+}})
// GOOD-NEXT: ran 1,2,4,1, batch 2, {{[0-9]+}} threads
// GOOD-NEXT: wrote {{.*}}y.npy
// GOOD-NEXT: verify good: max error 0.00e+00, relative Frobenius error 0.00e+00 (at most
// FIRST: <f4 2x2 1 6 5 14

// The input may be the output.
// RUN: cp %t/x.npy %t/xy.npy
// RUN: ks-run --chain "1,2,4,1" --batch 2 --arg %t/xy.npy --arg %t/w.npy --out %t/xy.npy
// RUN: %npy read %t/xy.npy | FileCheck %s --check-prefix=FIRST

// Each layout, type and tie.
// RUN: %npy write %t/xt.npy '<f4' 4,2 1 5 2 6 3 7 4 8
// RUN: ks-run --chain "1,2,4,1" --batch 2 --layout last --arg %t/xt.npy --arg %t/w.npy --out %t/y.npy
// RUN: %npy read %t/y.npy | FileCheck %s --check-prefix=LAST
// LAST: <f4 2x2 1 5 6 14
// RUN: %npy write %t/xh.npy '<f2' 2,4 1 2 3 4 5 6 7 8
// RUN: %npy write %t/wh.npy '<f2' 1,2,4,1 1 0 0 0 0 1 0 1
// RUN: ks-run --chain "1,2,4,1" --type f16 --batch 2 --arg %t/xh.npy --arg %t/wh.npy --out %t/y.npy
// RUN: %npy read %t/y.npy | FileCheck %s --check-prefix=F16
// F16: <f2 2x2 1 6 5 14
// RUN: %npy write %t/xb.npy '|V2' 2,4 1 2 3 4 5 6 7 8
// RUN: %npy write %t/wb.npy '|V2' 1,2,4,1 1 0 0 0 0 1 0 1
// RUN: ks-run --chain "1,2,4,1" --type bf16 --batch 2 --arg %t/xb.npy --arg %t/wb.npy --out %t/y.npy
// RUN: %npy read %t/y.npy | FileCheck %s --check-prefix=BF16
// BF16: |V2 2x2 1 6 5 14
// RUN: %npy write %t/xc.npy '<c8' 1,2 1 2 3 4
// RUN: %npy write %t/wc.npy '<c8' 1,1,2,1 0 1 1 0
// RUN: ks-run --chain "1,1,2,1" --type c64 --batch 1 --arg %t/xc.npy --arg %t/wc.npy --out %t/y.npy
// RUN: %npy read %t/y.npy | FileCheck %s --check-prefix=C64
// C64: <c8 1x1 1 5
// RUN: %npy write %t/wt.npy '<f4' 1,1,2,1 1 1
// RUN: ks-run --chain "2,1,2,1" --tied a --batch 2 --arg %t/x.npy --arg %t/wt.npy --out %t/y.npy
// RUN: %npy read %t/y.npy | FileCheck %s --check-prefix=TIED
// TIED: <f4 2x2 3 7 11 15

// A batch of nothing.
// RUN: ks-run --chain "1,2,4,1" --batch 0 --verify --out %t/y.npy | FileCheck %s --check-prefix=ZERO
// RUN: %npy read %t/y.npy | FileCheck %s --check-prefix=ZERO-Y
// ZERO: verify good
// ZERO-Y: <f4 0x2

// A program with an epilogue, a dynamic batch and several results.
// RUN: %npy write %t/bias.npy '<f4' 2 -10 0
// RUN: ks-run %s --entry layer --arg %t/x.npy --arg %t/w.npy --arg %t/bias.npy --out %t/y.npy --out %t/z.npy --verify | FileCheck %s --check-prefix=LAYER
// RUN: %npy read %t/y.npy | FileCheck %s --check-prefix=LAYER-Y
// RUN: %npy read %t/z.npy | FileCheck %s --check-prefix=FIRST
// LAYER: compiled @layer
// LAYER-COUNT-2: verify good
// LAYER-Y: <f4 2x2 0 6 0 14

// Weights in f16 between arrays in f32: what is rounded to f16 is within the bound.
// 2049 is 2048 in f16, and 1 / 3 is not what f32 has.
// RUN: %npy write %t/xr.npy '<f4' 2,4 2049 2 3 4 0.3333333 6 7 8
// RUN: ks-run %s --entry casts --arg %t/xr.npy --arg %t/wh.npy --out %t/y.npy --verify | FileCheck %s --check-prefix=CASTS
// RUN: %npy read %t/y.npy | FileCheck %s --check-prefix=CASTS-Y
// CASTS: verify good
// CASTS-Y: <f4 2x2 2048 6 0.333252 14

// Standard output is the JSON object alone.
// RUN: ks-run --chain "2,3,5,7;1,4,42,1" --batch 17 --verify --time --json 2>/dev/null | %python -m json.tool - | FileCheck %s --check-prefix=JSON
// JSON: "batch": 17,
// JSON: "compile_ms": {
// JSON: "patterns": "2,3,5,7;1,4,42,1"
// JSON: "schema": 1
// JSON: "median_ms"
// JSON: "good": true

// The same seed, the same numbers; another seed, others.
// RUN: ks-run --chain "1,2,4,1" --batch 2 --seed 3 --out %t/a.npy && ks-run --chain "1,2,4,1" --batch 2 --seed 3 --threads 1 --target x86-64-v3 --out %t/b.npy
// RUN: cmp %t/a.npy %t/b.npy
// RUN: ks-run --chain "1,2,4,1" --batch 2 --seed 4 --out %t/b.npy
// RUN: not cmp %t/a.npy %t/b.npy

// A printed rung is a program.
// RUN: ks-run --chain "1,2,4,1" --batch 2 --emit math > %t/math.mlir
// RUN: ks-run %t/math.mlir --arg %t/x.npy --arg %t/w.npy --out %t/y.npy --verify | FileCheck %s --check-prefix=AGAIN
// RUN: %npy read %t/y.npy | FileCheck %s --check-prefix=FIRST
// RUN: ks-run --chain "1,2,4,1" --emit plans | FileCheck %s --check-prefix=PLANS
// AGAIN: verify good
// PLANS: plan #ks.cpu_plan<

func.func @layer(%x: tensor<?x4xf32>, %k: tensor<1x2x4x1xf32>, %bias: tensor<2xf32>)
    -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %init = tensor.empty(%n) : tensor<?x2xf32>
  %y = ks.matmul <1, 2, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x2x4x1xf32>)
      outs(%init : tensor<?x2xf32>) epilogue(%bias : tensor<2xf32>) {
  ^bb0(%acc: f32, %b: f32):
    %zero = arith.constant 0.0 : f32
    %sum = arith.addf %acc, %b : f32
    %relu = arith.maximumf %sum, %zero : f32
    ks.yield %relu : f32
  } -> tensor<?x2xf32>
  %z = ks.matmul <1, 2, 4, 1> ins(%x, %k : tensor<?x4xf32>, tensor<1x2x4x1xf32>)
      outs(%init : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %y, %z : tensor<?x2xf32>, tensor<?x2xf32>
}

func.func @casts(%x: tensor<2x4xf32>, %k: tensor<1x2x4x1xf16>) -> tensor<2x2xf32> {
  %e = tensor.empty() : tensor<2x4xf16>
  %f = tensor.empty() : tensor<2x2xf16>
  %g = tensor.empty() : tensor<2x2xf32>
  %h = linalg.map { arith.truncf } ins(%x : tensor<2x4xf32>) outs(%e : tensor<2x4xf16>)
  %y = ks.matmul <1, 2, 4, 1> ins(%h, %k : tensor<2x4xf16>, tensor<1x2x4x1xf16>)
      outs(%f : tensor<2x2xf16>) -> tensor<2x2xf16>
  %r = linalg.map { arith.extf } ins(%y : tensor<2x2xf16>) outs(%g : tensor<2x2xf32>)
  return %r : tensor<2x2xf32>
}
