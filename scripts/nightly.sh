#!/usr/bin/env bash
# What takes too long for scripts/check.sh: many more random cases, about two hours on two
# cores. Needs no GPU. The last line is 'N passed, N failed'.
#
#   scripts/nightly.sh                     cases of today
#   KS_SEED=20261127 scripts/nightly.sh    those of another day
#
# KS_PTXAS_PROBLEMS, KS_GPU_CASES and KS_CASES say how many; KS_BIG_TESTS=0 leaves out
# arrays of more than 2^31 elements.

# shellcheck disable=SC2317,SC2329 # functions that are called through run_check
# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# shellcheck source=scripts/testing.sh
source scripts/testing.sh

export KS_SEED=${KS_SEED:-$(date +%Y%m%d)}
export KS_PTXAS_PROBLEMS=${KS_PTXAS_PROBLEMS:-500} # for each architecture
export KS_GPU_CASES=${KS_GPU_CASES:-2000}
export KS_CASES=${KS_CASES:-5000} # on the CPU
export KS_BIG_TESTS=${KS_BIG_TESTS:-1}
layers=build/nightly/$KS_SEED

# random_tests NAME...: runs test/python/test_NAME, all together.
random_tests() {
  run_tests "nightly-$1" "$KS_PYTHON" -m pytest -q -rs "${@/#/test/python/test_}"
}

build_all
note "KS_SEED=$KS_SEED"
run_check python-package install_python_package

step "$KS_PTXAS_PROBLEMS problems for each GPU architecture: nothing spills"
random_tests ptxas.py

step "$KS_CASES chains on the CPU, against NumPy"
random_tests differential.py big.py

step "$KS_GPU_CASES cases on the emulated GPU"
random_tests emulated_gpu.py

step "$KS_GPU_CASES layers for a GPU"
run_check nightly-layers "$KS_PYTHON" test/gpu/make_artifacts.py \
  --seed "$KS_SEED" --count "$KS_GPU_CASES" --out "$layers"
note "where there is a GPU and PyTorch: python test/gpu/run_artifacts.py $layers"
note "  --seed $KS_SEED --runtime build/release/lib/libKSRuntimeC.so"

finish
