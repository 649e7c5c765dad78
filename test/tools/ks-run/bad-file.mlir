// Files that are no programs, and entries that are no entries.

// RUN: split-file %s %t

// RUN: not ks-run %t/missing.mlir 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: ks-run: error: cannot read '{{.*}}missing.mlir': No such file or directory; expected an MLIR file
// RUN: not ks-run %t 2>&1 | FileCheck %s --check-prefix=DIRECTORY
// DIRECTORY: ks-run: error: cannot read '{{.*}}': it is a directory; expected an MLIR file

// RUN: not ks-run %t/syntax.mlir 2>&1 | FileCheck %s --check-prefix=SYNTAX
// SYNTAX: ks-run: error: '{{.*}}syntax.mlir' is not a valid program:
// SYNTAX: syntax.mlir:2:{{[0-9]+}}: error: expected
// RUN: not ks-run %t/syntax.mlir --emit tiles 2>&1 | FileCheck %s --check-prefix=SYNTAX
// RUN: %npy bytes %t/binary.mlir '\x00\xff\x00garbage'
// RUN: not ks-run %t/binary.mlir 2>&1 | FileCheck %s --check-prefix=BINARY
// BINARY: ks-run: error: '{{.*}}binary.mlir' is not a valid program:

// RUN: not ks-run %t/verifier.mlir 2>&1 | FileCheck %s --check-prefix=VERIFIER
// VERIFIER: verifier.mlir:2:{{[0-9]+}}: error: 'ks.matmul' op

// RUN: not ks-run %t/empty.mlir 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: ks-run: error: module has no public function; expected an entry
// RUN: not ks-run %t/two.mlir 2>&1 | FileCheck %s --check-prefix=TWO
// TWO: ks-run: error: module has several public functions (@f, @g); expected an entry to be named
// RUN: not ks-run %t/two.mlir --entry h 2>&1 | FileCheck %s --check-prefix=ENTRY
// RUN: not ks-run %t/two.mlir --entry hidden 2>&1 | FileCheck %s --check-prefix=HIDDEN
// ENTRY: ks-run: error: module has no public function @h; expected one of @f, @g
// HIDDEN: ks-run: error: module has no public function @hidden; expected one of @f, @g

// Arguments that a file of numbers cannot be, and results that no file can take.

// RUN: not ks-run %t/scalar.mlir 2>&1 | FileCheck %s --check-prefix=SCALAR
// SCALAR: ks-run: error: entry has an argument of type {{.*}}; expected tensors or memrefs only
// RUN: not ks-run %t/integers.mlir 2>&1 | FileCheck %s --check-prefix=INTEGERS
// INTEGERS: ks-run: error: entry has an argument with elements of type i32; expected f16, bf16, f32, f64, complex<f32> or complex<f64>
// RUN: not ks-run %t/result.mlir 2>&1 | FileCheck %s --check-prefix=RESULT
// RESULT: ks-run: error: entry @result returns something other than tensors, or other functions call it; expected an entry of its own whose results are tensors

// What a pass refuses, with its place in the file.

// RUN: not ks-run %t/unknown-size.mlir 2>&1 | FileCheck %s --check-prefix=SIZE
// SIZE: ks-run: error: compilation failed:
// SIZE: unknown-size.mlir:4:{{[0-9]+}}: error: dimension 0 of result 0 of @unknown_size is not a dimension of an argument
// RUN: not ks-run %t/unknown-size.mlir --emit plans 2>&1 | FileCheck %s --check-prefix=SIZE

//--- syntax.mlir
func.func @f() {
  return )
}
//--- verifier.mlir
func.func @f(%x: tensor<2x4xf32>, %k: tensor<1x4x4x1xf32>, %init: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %y = ks.matmul <1, 4, 5, 1> ins(%x, %k : tensor<2x4xf32>, tensor<1x4x4x1xf32>) outs(%init : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
//--- empty.mlir
func.func private @declared()
func.func private @hidden() {
  return
}
//--- two.mlir
func.func @f() {
  return
}
func.func @g() {
  return
}
func.func private @hidden() {
  return
}
//--- scalar.mlir
func.func @scalar(%x: f32) {
  return
}
//--- integers.mlir
func.func @integers(%x: tensor<2xi32>) {
  return
}
//--- result.mlir
func.func @result(%x: tensor<?x2xf32>) -> index {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x2xf32>
  return %n : index
}
//--- unknown-size.mlir
func.func @unknown_size(%x: tensor<?x2xf32>, %y: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %0 = tensor.concat dim(0) %x, %y : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}
