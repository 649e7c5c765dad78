// What convert-gpu-to-nvvm cannot say of kernels.

// RUN: ks-opt %s --pass-pipeline="builtin.module(gpu.module(ks-finish-kernels))" | FileCheck %s

gpu.module @kernels {
  // CHECK: llvm.mlir.global external @dynamic() {addr_space = 3 : i32
  llvm.mlir.global internal @dynamic() {addr_space = 3 : i32} : !llvm.array<0 x i8>
  // CHECK: llvm.mlir.global internal @static() {addr_space = 3 : i32
  llvm.mlir.global internal @static() {addr_space = 3 : i32} : !llvm.array<8 x i8>

  // CHECK: llvm.func @copies(%arg0: !llvm.ptr, %arg1: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant})
  // CHECK-SAME: nvvm.minctasm = 1 : i32
  llvm.func @copies(%x: !llvm.ptr, %map: !llvm.ptr) attributes {nvvm.kernel} {
    %c = llvm.mlir.constant(0 : i32) : i32
    %to = llvm.mlir.zero : !llvm.ptr<7>
    %barrier = llvm.mlir.zero : !llvm.ptr<3>
    nvvm.cp.async.bulk.tensor.shared.cluster.global %to, %map, %barrier, box[%c, %c] : !llvm.ptr<7>, !llvm.ptr
    llvm.return
  }

  // CHECK: llvm.func @helper(%arg0: !llvm.ptr) {
  llvm.func @helper(%x: !llvm.ptr) {
    llvm.return
  }
}
