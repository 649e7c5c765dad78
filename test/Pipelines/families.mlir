// The layers of examples/families: which factors share a kernel, and PTX.

// RUN: ks-opt %ks_src/examples/families/hadamard.mlir --ks-to-nvvm="chip=sm_90 to=kernels" | FileCheck %s --check-prefix=HADAMARD
// RUN: ks-opt %ks_src/examples/families/hadamard.mlir --ks-to-nvvm="chip=sm_90 to=plans" | FileCheck %s --check-prefix=PLANS
// RUN: ks-opt %ks_src/examples/families/kronecker.mlir --ks-to-nvvm="chip=sm_90 to=plans" | FileCheck %s --check-prefix=KRONECKER
// RUN: ks-opt %ks_src/examples/families/block-tensor-train.mlir --ks-to-nvvm="chip=sm_90" | FileCheck %s --check-prefix=PTX
// RUN: ks-opt %ks_src/examples/families/hadamard.mlir --ks-to-cpu="to=kernels target=x86-64-v4" | FileCheck %s --check-prefix=CPU

// Constants need only fastmath<reassoc> to be merged; the product of tied factors is
// tied, and signs stay signs.

// HADAMARD-LABEL: func.func @hadamard(
//   HADAMARD-NOT:   ks.merge_weights
// HADAMARD-LABEL: func.func @hadamard_merged(
//       HADAMARD:   ks.merge_weights {{.*}} -> tensor<1x{{[0-9]+}}x{{[0-9]+}}x1xf32>

// Merged at compile time: what is left of it are numbers.

// PLANS-LABEL: func.func @hadamard_merged(
//   PLANS-NOT:   ks.merge_weights
//       PLANS:   ks.{{matmul|chain}}
//       PLANS:   } plan #ks.gpu_

// Packed weights are as large as the tied ones, but for what fills tiles up.

// KRONECKER-LABEL: func.func @square(
//       KRONECKER:   plan #ks.gpu_{{.*}}tied

// PTX-DAG: .entry btt_
// PTX-DAG: .entry three_cores_

// CPU-LABEL: func.func @hadamard(
//   CPU-NOT:   ks.merge_weights
// CPU-LABEL: func.func @hadamard_merged(
//       CPU:   ks.merge_weights
//       CPU:   ks.chain
