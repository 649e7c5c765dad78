// RUN: ks-opt %s --ks-fuse-factors=target=sm_12 --verify-diagnostics
// RUN: not ks-opt %s --ks-fuse-factors=batch=-1 2>&1 | FileCheck %s --check-prefix=BATCH
// RUN: not ks-opt %s --ks-fuse-factors=threads=-1 2>&1 | FileCheck %s --check-prefix=THREADS

// BATCH: error: got batch = -1; expected 0 or more
// THREADS: error: got threads = -1; expected 0 or more

// expected-error @+1 {{unknown target 'sm_12'; expected one of host, x86-64-v2, x86-64-v3, x86-64-v4, aarch64, sm_80, sm_86, sm_89, sm_90, sm_100, sm_120}}
module {
}
