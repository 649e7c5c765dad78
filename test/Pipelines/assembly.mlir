// What stages.mlir ends with, as assembly: the inner loop of a tile holds its
// sums in registers and does nothing but load, broadcast and multiply-add.

// RUN: ks-opt %s --ks-to-cpu="target=x86-64-v3 threads=1" | mlir-translate --mlir-to-llvmir -o %t.v3.ll
// RUN: opt %t.v3.ll -O2 -mtriple=x86_64-linux-gnu -mcpu=x86-64-v3 | llc -mcpu=x86-64-v3 -o - | FileCheck %s --check-prefix=V3
// RUN: ks-opt %s --ks-to-cpu="target=x86-64-v4 threads=1" | mlir-translate --mlir-to-llvmir -o %t.v4.ll
// RUN: opt %t.v4.ll -O2 -mtriple=x86_64-linux-gnu -mcpu=x86-64-v4 | llc -mcpu=x86-64-v4 -o - | FileCheck %s --check-prefix=V4
// RUN: ks-opt %s --ks-to-cpu="target=x86-64-v2 threads=1" | mlir-translate --mlir-to-llvmir -o %t.v2.ll
// RUN: opt %t.v2.ll -O2 -mtriple=x86_64-linux-gnu -mcpu=x86-64-v2 | llc -mcpu=x86-64-v2 -o - | FileCheck %s --check-prefix=V2
// RUN: ks-opt %s --ks-to-cpu="target=aarch64 threads=1" | mlir-translate --mlir-to-llvmir -o %t.arm.ll
// RUN: opt %t.arm.ll -O2 -mtriple=aarch64-linux-gnu | llc -o - | FileCheck %s --check-prefix=ARM

// d = 1. There is no spill (%rsp) and no gather from the loop's header to its
// jump. x86-64-v2 has no FMA: it multiplies and adds, and calls nobody.

//  V3-LABEL: d_is_1_packed_parallel:
//        V3:   Inner Loop Header
//    V3-NOT:   {{rsp|gather}}
//        V3:   vbroadcastss ({{.*}}), %ymm
//    V3-NOT:   {{rsp|gather}}
//        V3:   vfmadd231ps {{.*}}%ymm
//    V3-NOT:   {{rsp|gather}}
//        V3:   vfmadd231ps {{.*}}%ymm
//    V3-NOT:   {{rsp|gather}}
//        V3:   {{j[a-z]+}} .LBB
//  V4-LABEL: d_is_1_packed_parallel:
//        V4:   Inner Loop Header
//    V4-NOT:   {{rsp|gather}}
//        V4:   vfmadd231ps {{.*}}%zmm
//    V4-NOT:   {{rsp|gather}}
//        V4:   vfmadd231ps {{.*}}%zmm
//    V4-NOT:   {{rsp|gather}}
//        V4:   {{j[a-z]+}} .LBB
//  V2-LABEL: d_is_1_packed_parallel:
//    V2-NOT:   fma
//        V2:   mulps {{.*}}%xmm
//    V2-NOT:   fma
//        V2:   addps {{.*}}%xmm
// ARM-LABEL: d_is_1_packed_parallel:
//       ARM:   fmla v{{.*}}.4s
func.func @d_is_1(%x: tensor<?x384xf32>, %k: tensor<6x64x64x1xf32>, %init: tensor<?x384xf32>)
    -> tensor<?x384xf32> {
  %y = ks.matmul <6, 64, 64, 1>
         ins(%x, %k : tensor<?x384xf32>, tensor<6x64x64x1xf32>)
         outs(%init : tensor<?x384xf32>) -> tensor<?x384xf32>
  return %y : tensor<?x384xf32>
}

// d = 2: the pair of x is one 8-byte broadcast.

//  V3-LABEL: d_is_2_packed_parallel:
//        V3:   Inner Loop Header
//    V3-NOT:   {{rsp|gather}}
//        V3:   vbroadcastsd ({{.*}}), %ymm
//    V3-NOT:   {{rsp|gather}}
//        V3:   vfmadd231ps {{.*}}%ymm
//    V3-NOT:   {{rsp|gather}}
//        V3:   {{j[a-z]+}} .LBB
//  V2-LABEL: d_is_2_packed_parallel:
//    V2-NOT:   fma
func.func @d_is_2(%x: tensor<?x128xf32>, %k: tensor<1x64x64x2xf32>, %init: tensor<?x128xf32>)
    -> tensor<?x128xf32> {
  %y = ks.matmul <1, 64, 64, 2>
         ins(%x, %k : tensor<?x128xf32>, tensor<1x64x64x2xf32>)
         outs(%init : tensor<?x128xf32>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}

// f16 is converted by the machine, in registers: to f32 when it is loaded, back
// when it is stored. No library is called per element.

//  V3-LABEL: f16_packed_parallel:
//        V3:   Inner Loop Header
//    V3-NOT:   {{rsp|gather|call}}
//        V3:   vcvtph2ps
//    V3-NOT:   {{rsp|gather|call}}
//        V3:   vfmadd231ps {{.*}}%ymm
//    V3-NOT:   {{rsp|gather|call}}
//        V3:   {{j[a-z]+}} .LBB
//    V3-NOT:   call
//        V3:   vcvtps2ph
//  V4-LABEL: f16_packed_parallel:
//        V4:   vcvtph2ps
//        V4:   vfmadd231ps {{.*}}%zmm
//        V4:   vcvtps2ph ${{.*}}, %zmm
func.func @f16(%x: tensor<?x64xf16>, %k: tensor<1x64x64x1xf16>, %init: tensor<?x64xf16>)
    -> tensor<?x64xf16> {
  %y = ks.matmul <1, 64, 64, 1>
         ins(%x, %k : tensor<?x64xf16>, tensor<1x64x64x1xf16>)
         outs(%init : tensor<?x64xf16>) -> tensor<?x64xf16>
  return %y : tensor<?x64xf16>
}

// bf16 is shifted into place, and rounded by integer arithmetic.

//  V3-LABEL: bf16_packed_parallel:
//    V3-NOT:   {{__(extend|trunc)}}
//        V3:   vfmadd231ps {{.*}}%ymm
//    V3-NOT:   {{__(extend|trunc)}}
//  V3-LABEL: complex_packed_parallel:
func.func @bf16(%x: tensor<?x64xbf16>, %k: tensor<1x64x64x1xbf16>, %init: tensor<?x64xbf16>)
    -> tensor<?x64xbf16> {
  %y = ks.matmul <1, 64, 64, 1>
         ins(%x, %k : tensor<?x64xbf16>, tensor<1x64x64x1xbf16>)
         outs(%init : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// Complex: both parts of x in one broadcast, and once more with its parts
// swapped.

//        V3:   Inner Loop Header
//    V3-NOT:   {{gather|call}}
//        V3:   vbroadcastsd {{.*}}(%{{.*}}), %ymm
//    V3-NOT:   {{gather|call}}
//        V3:   vfmadd231ps {{.*}}%ymm
//    V3-NOT:   {{gather|call}}
//        V3:   {{vpermps|vpermilps|vshufps}}
//    V3-NOT:   {{gather|call}}
//        V3:   {{j[a-z]+}} .LBB
func.func @complex(%x: tensor<?x64xcomplex<f32>>, %k: tensor<1x64x64x1xcomplex<f32>>,
                   %init: tensor<?x64xcomplex<f32>>) -> tensor<?x64xcomplex<f32>> {
  %y = ks.matmul <1, 64, 64, 1>
         ins(%x, %k : tensor<?x64xcomplex<f32>>, tensor<1x64x64x1xcomplex<f32>>)
         outs(%init : tensor<?x64xcomplex<f32>>) -> tensor<?x64xcomplex<f32>>
  return %y : tensor<?x64xcomplex<f32>>
}

// Batch-last: the weight is broadcast, the batch runs along lanes.

//  V3-LABEL: batch_last_packed_parallel:
//        V3:   Inner Loop Header
//    V3-NOT:   {{rsp|gather|call}}
//        V3:   vfmadd231ps {{.*}}%ymm
//    V3-NOT:   {{rsp|gather|call}}
//        V3:   {{j[a-z]+}} .LBB
func.func @batch_last(%x: tensor<64x?xf32>, %k: tensor<1x64x64x1xf32>, %init: tensor<64x?xf32>)
    -> tensor<64x?xf32> {
  %y = ks.matmul <1, 64, 64, 1> layout(batch_last)
         ins(%x, %k : tensor<64x?xf32>, tensor<1x64x64x1xf32>)
         outs(%init : tensor<64x?xf32>) -> tensor<64x?xf32>
  return %y : tensor<64x?xf32>
}
