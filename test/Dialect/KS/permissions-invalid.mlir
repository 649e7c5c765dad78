// RUN: ks-opt %s --split-input-file --verify-diagnostics

// C1 of the dialect: a unit attribute ...

// expected-error @+1 {{'func.func' op argument 0 has ks.frozen = true; expected a unit attribute, {ks.frozen}}}
func.func @value(%k: tensor<2x2x2x1xf32> {ks.frozen = true}) {
  return
}

// -----

// ... of an argument ...

// expected-error @+1 {{'func.func' op has attribute ks.frozen; expected it on an argument of a function, as in %k: tensor<...> {ks.frozen}}}
func.func @function(%k: tensor<2x2x2x1xf32>) attributes {ks.frozen} {
  return
}

// -----

// ... that is a tensor or a memref.

// expected-error @+1 {{'func.func' op argument 1 has ks.frozen and type 'index'; expected a tensor or a memref}}
func.func @type(%k: memref<2x2x2x1xf32> {ks.frozen}, %n: index {ks.frozen}) {
  return
}
