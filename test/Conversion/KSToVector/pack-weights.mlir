// ks.pack_weights on memrefs: one loop per axis of the packed weight, and a
// gather. ks-pack-weights' test has the values; this one the addresses.

// RUN: ks-opt %s --convert-ks-to-vector --canonicalize --cse | FileCheck %s

// packed[i][j block][n block][k][vector][lane], with the last blocks shifted
// back: n0 = min(4 * block, 5 - 4), j0 = min(2 * block, 3 - 2).

// CHECK-LABEL: func.func @all_axes(
//  CHECK-SAME:   %[[K:.*]]: memref<2x5x3x3xf32>, %[[P:.*]]: memref<192xf32>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C1:.*]] = arith.constant 1 : index
//   CHECK-DAG:   %[[C2:.*]] = arith.constant 2 : index
//   CHECK-DAG:   %[[C3:.*]] = arith.constant 3 : index
//   CHECK-DAG:   %[[C4:.*]] = arith.constant 4 : index
//       CHECK:   scf.for %[[I:.*]] = %[[C0]] to %[[C2]]
//       CHECK:     scf.for %[[BJ:.*]] = %[[C0]] to %[[C2]]
//       CHECK:       scf.for %[[BN:.*]] = %[[C0]] to %[[C2]]
//       CHECK:         scf.for %[[KK:.*]] = %[[C0]] to %[[C3]]
//       CHECK:           scf.for %[[V:.*]] = %[[C0]] to %[[C2]]
//       CHECK:             scf.for %[[L:.*]] = %[[C0]] to %[[C4]]
//       CHECK:               %[[BN4:.*]] = arith.muli %[[BN]], %[[C4]]
//       CHECK:               %[[N0:.*]] = arith.minsi %[[BN4]], %[[C1]]
//       CHECK:               %[[BJ2:.*]] = arith.muli %[[BJ]], %[[C2]]
//       CHECK:               %[[J0:.*]] = arith.minsi %[[BJ2]], %[[C1]]
//       CHECK:               %[[LN:.*]] = arith.divui %[[L]], %[[C2]]
//       CHECK:               %[[V2:.*]] = arith.muli %[[V]], %[[C2]]
//       CHECK:               %[[NV:.*]] = arith.addi %[[N0]], %[[V2]]
//       CHECK:               %[[N:.*]] = arith.addi %[[NV]], %[[LN]]
//       CHECK:               %[[LJ:.*]] = arith.remui %[[L]], %[[C2]]
//       CHECK:               %[[J:.*]] = arith.addi %[[J0]], %[[LJ]]
//       CHECK:               %[[W:.*]] = memref.load %[[K]][%[[I]], %[[N]], %[[KK]], %[[J]]]
//       CHECK:               %[[I2:.*]] = arith.muli %[[I]], %[[C2]]
//       CHECK:               %[[S0:.*]] = arith.addi %[[I2]], %[[BJ]]
//       CHECK:               %[[S1:.*]] = arith.muli %[[S0]], %[[C2]]
//       CHECK:               %[[S2:.*]] = arith.addi %[[S1]], %[[BN]]
//       CHECK:               %[[S3:.*]] = arith.muli %[[S2]], %[[C3]]
//       CHECK:               %[[S4:.*]] = arith.addi %[[S3]], %[[KK]]
//       CHECK:               %[[S5:.*]] = arith.muli %[[S4]], %[[C2]]
//       CHECK:               %[[S6:.*]] = arith.addi %[[S5]], %[[V]]
//       CHECK:               %[[S7:.*]] = arith.muli %[[S6]], %[[C4]]
//       CHECK:               %[[S8:.*]] = arith.addi %[[S7]], %[[L]]
//       CHECK:               memref.store %[[W]], %[[P]][%[[S8]]]
func.func @all_axes(%k: memref<2x5x3x3xf32>, %p: memref<192xf32>) {
  ks.pack_weights <2, 5, 3, 3> into #ks.cpu_packing<vectors = 2, lanes = 4, n = 2, j = 2>
    ins(%k : memref<2x5x3x3xf32>) outs(%p : memref<192xf32>)
  return
}

// A tied axis of the weight is read at 0. Where the packing is tied as well, it
// has no loop.

// CHECK-LABEL: func.func @tied(
//  CHECK-SAME:   %[[K:.*]]: memref<1x1x1x1xf16>, %[[BOTH:.*]]: memref<2xf32>, %[[NONE:.*]]: memref<8xf32>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//       CHECK:   scf.for %[[L:.*]] =
//       CHECK:     %[[W:.*]] = memref.load %[[K]][%[[C0]], %{{.*}}, %[[C0]], %[[C0]]]
//       CHECK:     %[[E:.*]] = arith.extf %[[W]] : f16 to f32
//       CHECK:     memref.store %[[E]], %[[BOTH]][%[[L]]]
//       CHECK:   scf.for %[[I:.*]] =
//       CHECK:     scf.for %[[BJ:.*]] =
//       CHECK:       scf.for %[[L:.*]] =
//       CHECK:         memref.load %[[K]][%[[C0]], %{{.*}}, %[[C0]], %[[C0]]]
//       CHECK:         memref.store %{{.*}}, %[[NONE]]
func.func @tied(%k: memref<1x1x1x1xf16>, %both: memref<2xf32>, %none: memref<8xf32>) {
  ks.pack_weights <2, 1, 1, 4> into #ks.cpu_packing<vectors = 1, lanes = 2, n = 1, j = 2, tied = a|d>
    ins(%k : memref<1x1x1x1xf16>) outs(%both : memref<2xf32>)
  ks.pack_weights <2, 1, 1, 4> into #ks.cpu_packing<vectors = 1, lanes = 2, n = 1, j = 2>
    ins(%k : memref<1x1x1x1xf16>) outs(%none : memref<8xf32>)
  return
}

// Padding lanes read a weight that exists, and store zero.

// CHECK-LABEL: func.func @padding_lanes(
//  CHECK-SAME:   %[[K:.*]]: memref<1x3x1x1xf32>, %[[P:.*]]: memref<4xf32>)
//   CHECK-DAG:   %[[C0:.*]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C3:.*]] = arith.constant 3 : index
//   CHECK-DAG:   %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
//       CHECK:   scf.for %[[L:.*]] =
//       CHECK:     %[[IS:.*]] = arith.cmpi slt, %[[L]], %[[C3]]
//       CHECK:     %[[N:.*]] = arith.select %[[IS]], %[[L]], %[[C0]]
//       CHECK:     %[[W:.*]] = memref.load %[[K]][%[[C0]], %[[N]], %[[C0]], %[[C0]]]
//       CHECK:     %[[V:.*]] = arith.select %[[IS]], %[[W]], %[[ZERO]]
//       CHECK:     memref.store %[[V]], %[[P]][%[[L]]]
func.func @padding_lanes(%k: memref<1x3x1x1xf32>, %p: memref<4xf32>) {
  ks.pack_weights <1, 3, 1, 1> into #ks.cpu_packing<vectors = 1, lanes = 4, n = 3, j = 1>
    ins(%k : memref<1x3x1x1xf32>) outs(%p : memref<4xf32>)
  return
}

// Complex: (re, re) at 2 * lane, (-im, im) two lanes further.

// CHECK-LABEL: func.func @complex(
//  CHECK-SAME:   %[[K:.*]]: memref<1x2x1x1xcomplex<f32>>, %[[P:.*]]: memref<8xf32>)
//   CHECK-DAG:   %[[C1:.*]] = arith.constant 1 : index
//   CHECK-DAG:   %[[C2:.*]] = arith.constant 2 : index
//       CHECK:   scf.for %[[L:.*]] =
//       CHECK:     %[[W:.*]] = memref.load %[[K]]
//       CHECK:     %[[RE:.*]] = complex.re %[[W]]
//       CHECK:     %[[L2:.*]] = arith.muli %[[L]], %[[C2]]
//       CHECK:     memref.store %[[RE]], %[[P]][%[[L2]]]
//       CHECK:     %[[L21:.*]] = arith.addi %[[L2]], %[[C1]]
//       CHECK:     memref.store %[[RE]], %[[P]][%[[L21]]]
//       CHECK:     %[[PART:.*]] = arith.addi %[[L]], %[[C2]]
//       CHECK:     %[[IM:.*]] = complex.im %[[W]]
//       CHECK:     %[[NEG:.*]] = arith.negf %[[IM]]
//       CHECK:     %[[A:.*]] = arith.muli %[[PART]], %[[C2]]
//       CHECK:     memref.store %[[NEG]], %[[P]][%[[A]]]
//       CHECK:     %[[A1:.*]] = arith.addi %[[A]], %[[C1]]
//       CHECK:     memref.store %[[IM]], %[[P]][%[[A1]]]
func.func @complex(%k: memref<1x2x1x1xcomplex<f32>>, %p: memref<8xf32>) {
  ks.pack_weights <1, 2, 1, 1> into #ks.cpu_packing<vectors = 1, lanes = 2, n = 2, j = 1>
    ins(%k : memref<1x2x1x1xcomplex<f32>>) outs(%p : memref<8xf32>)
  return
}
