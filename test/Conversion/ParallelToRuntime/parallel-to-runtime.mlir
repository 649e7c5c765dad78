// scf.parallel as a call of the runtime's ksParallelFor with an outlined body.

// RUN: ks-opt %s --convert-parallel-to-runtime --canonicalize --cse | FileCheck %s

// CHECK-DAG: llvm.func @ksParallelFor(i64, !llvm.ptr, !llvm.ptr)

// The body runs iterations [begin, end); what it uses, and the bounds, are
// members of a struct. Iteration t is at lower + t * step.

// CHECK-LABEL: func.func private @one_dimension_parallel(
//  CHECK-SAME:   %[[CONTEXT:.*]]: !llvm.ptr, %[[BEGIN:.*]]: i64, %[[END:.*]]: i64)
//       CHECK:   %[[STRUCT:.*]] = llvm.load %[[CONTEXT]]
//       CHECK:   %[[V:.*]] = llvm.extractvalue %[[STRUCT]][0]
//       CHECK:   %[[MD:.*]] = llvm.extractvalue %[[STRUCT]][1]
//       CHECK:   %[[MEM:.*]] = builtin.unrealized_conversion_cast %[[MD]] : {{.*}} to memref<?xf32>
//       CHECK:   %[[LI:.*]] = llvm.extractvalue %[[STRUCT]][2]
//       CHECK:   %[[LOWER:.*]] = builtin.unrealized_conversion_cast %[[LI]] : i64 to index
//       CHECK:   %[[SI:.*]] = llvm.extractvalue %[[STRUCT]][4]
//       CHECK:   %[[STEP:.*]] = builtin.unrealized_conversion_cast %[[SI]] : i64 to index
//       CHECK:   %[[B:.*]] = arith.index_cast %[[BEGIN]]
//       CHECK:   %[[E:.*]] = arith.index_cast %[[END]]
//       CHECK:   scf.for %[[T:.*]] = %[[B]] to %[[E]] step
//       CHECK:     %[[TS:.*]] = arith.muli %[[T]], %[[STEP]]
//       CHECK:     %[[I:.*]] = arith.addi %[[TS]], %[[LOWER]]
//       CHECK:     memref.store %[[V]], %[[MEM]][%[[I]]]
//       CHECK:   return

// The caller counts ceil((upper - lower) / step) iterations, none if upper is
// below lower, and keeps the struct on its stack.

// CHECK-LABEL: func.func @one_dimension(
//  CHECK-SAME:   %[[MEM:.*]]: memref<?xf32>, %[[LOWER:.*]]: index, %[[UPPER:.*]]: index, %[[V:.*]]: f32)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C3:.*]] = arith.constant 3 : index
//   CHECK-DAG:   %[[STACK:.*]] = llvm.alloca
//   CHECK-DAG:   %[[F:.*]] = constant @one_dimension_parallel
//       CHECK:   %[[D:.*]] = arith.subi %[[UPPER]], %[[LOWER]]
//       CHECK:   %[[M:.*]] = arith.maxsi %[[D]], %[[C0]]
//       CHECK:   %[[COUNT:.*]] = arith.ceildivui %[[M]], %[[C3]]
//       CHECK:   %[[COUNT64:.*]] = arith.index_cast %[[COUNT]] : index to i64
//       CHECK:   llvm.insertvalue %[[V]], %{{.*}}[0]
//       CHECK:   llvm.store %{{.*}}, %[[STACK]]
//       CHECK:   %[[P:.*]] = builtin.unrealized_conversion_cast %[[F]]
//       CHECK:   llvm.call @ksParallelFor(%[[COUNT64]], %[[P]], %[[STACK]])
//   CHECK-NOT:   scf.parallel
func.func @one_dimension(%m: memref<?xf32>, %lower: index, %upper: index, %v: f32) {
  %c3 = arith.constant 3 : index
  scf.parallel (%i) = (%lower) to (%upper) step (%c3) {
    memref.store %v, %m[%i] : memref<?xf32>
  }
  return
}

// A nest is one range, the last dimension fastest: (t / count1, t % count1).
// Constants are made anew inside and do not travel.

// CHECK-LABEL: func.func private @nest_parallel(
//   CHECK-DAG:   %[[C7:.*]] = arith.constant 7 : i32
//       CHECK:   %[[COUNT:.*]] = arith.ceildivui
//       CHECK:   scf.for %[[T:[^ ]*]] =
//       CHECK:     %[[R:.*]] = arith.remui %[[T]], %[[COUNT]]
//       CHECK:     %[[Q:.*]] = arith.divui %[[T]], %[[COUNT]]
//       CHECK:     %[[RS:.*]] = arith.muli %[[R]],
//       CHECK:     %[[J:.*]] = arith.addi %[[RS]],
//       CHECK:     %[[QS:.*]] = arith.muli %[[Q]],
//       CHECK:     %[[I:.*]] = arith.addi %[[QS]],
//       CHECK:     memref.store %[[C7]], %{{.*}}[%[[I]], %[[J]]]
// CHECK-LABEL: func.func @nest(
//       CHECK:   %[[C0:.*]] = arith.ceildivui
//       CHECK:   %[[C1:.*]] = arith.ceildivui
//       CHECK:   %[[N:.*]] = arith.muli %[[C0]], %[[C1]]
//   CHECK-NOT:   i32, struct
//       CHECK:   llvm.call @ksParallelFor
func.func @nest(%m: memref<?x?xi32>, %n: index, %k: index, %s: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : i32
  scf.parallel (%i, %j) = (%c0, %c1) to (%n, %k) step (%s, %s) {
    memref.store %c7, %m[%i, %j] : memref<?x?xi32>
  }
  return
}

// A loop inside a body runs on the thread that runs the body: scf-to-cf makes it
// sequential.

// CHECK-LABEL: func.func private @inner_loop_parallel(
//       CHECK:   scf.for
//       CHECK:     scf.parallel
//   CHECK-NOT:   ksParallelFor
//       CHECK:   return
// CHECK-LABEL: func.func @inner_loop(
//       CHECK:   llvm.call @ksParallelFor
func.func @inner_loop(%m: memref<?xf32>, %n: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    scf.parallel (%j) = (%c0) to (%n) step (%c1) {
      memref.store %v, %m[%j] : memref<?xf32>
    }
  }
  return
}

// Each loop of a function has a body of its own. The stack does not grow where
// a loop runs many times: memory comes from the entry.

// CHECK-DAG:   func.func private @in_a_loop_parallel(
// CHECK-DAG:   func.func private @in_a_loop_parallel_0(
// CHECK-LABEL: func.func @in_a_loop(
//   CHECK-DAG:   llvm.alloca
//   CHECK-DAG:   llvm.alloca
//       CHECK:   scf.for
//   CHECK-NOT:     llvm.alloca
//       CHECK:     llvm.call @ksParallelFor
//       CHECK:     llvm.call @ksParallelFor
//       CHECK:   return
func.func @in_a_loop(%m: memref<?xf32>, %n: index, %v: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %t = %c0 to %n step %c1 {
    scf.parallel (%i) = (%c0) to (%n) step (%c1) {
      memref.store %v, %m[%i] : memref<?xf32>
    }
    scf.parallel (%i) = (%c0) to (%t) step (%c1) {
      memref.store %v, %m[%i] : memref<?xf32>
    }
  }
  return
}
