// Kernels in the llvm dialect, compiled to PTX.

// RUN: ks-opt %s --ks-kernels-to-ptx | FileCheck %s

// CHECK: gpu.binary @kernels [#gpu.object<#nvvm.target<chip = "sm_90a", features = "+ptx80">, assembly = "
// CHECK-SAME: .target sm_90a
gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx80">] {
  // What depends on the thread's number only is computed ahead of the loop, in
  // 32 bits, as there are few threads.
  // CHECK-SAME: .entry scale
  // CHECK-SAME: mul.hi.u32
  // CHECK-SAME: $L__BB0_
  // CHECK-NOT: div.
  // CHECK-SAME: bra
  llvm.func @scale(%x: !llvm.ptr<1>, %count: i64) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 96>} {
    %zero = llvm.mlir.constant(0 : i64) : i64
    %one = llvm.mlir.constant(1 : i64) : i64
    %three = llvm.mlir.constant(3 : i64) : i64
    %thread = nvvm.read.ptx.sreg.tid.x : i32
    %number = llvm.sext %thread : i32 to i64
    llvm.br ^head(%zero : i64)
  ^head(%i: i64):
    %more = llvm.icmp "slt" %i, %count : i64
    llvm.cond_br %more, ^body, ^end
  ^body:
    %third = llvm.udiv %number, %three : i64
    %at = llvm.add %third, %i : i64
    %place = llvm.getelementptr %x[%at] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %value = llvm.load %place : !llvm.ptr<1> -> f32
    %twice = llvm.fadd %value, %value : f32
    llvm.store %twice, %place : f32, !llvm.ptr<1>
    %next = llvm.add %i, %one : i64
    llvm.br ^head(%next : i64)
  ^end:
    llvm.return
  }
}
