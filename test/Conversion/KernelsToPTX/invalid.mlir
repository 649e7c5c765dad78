// RUN: ks-opt %s --split-input-file --verify-diagnostics --ks-kernels-to-ptx

// expected-error @below {{has no target; expected #nvvm.target (run nvvm-attach-target first)}}
gpu.module @none {
}

// -----

// expected-error @below {{has the target #rocdl.target; expected #nvvm.target}}
gpu.module @other [#rocdl.target] {
}
