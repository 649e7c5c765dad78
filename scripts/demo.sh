#!/usr/bin/env bash
# Builds ks-run, compiles the MiniLM layer, runs it on real activations and checks
# the result. Everything it writes lies in build/ and .venv/.

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

step "Build: ks-run (the first time takes a few minutes)"
build_release ks-run || die "the build failed" "The whole log is build/logs/build.log."
note "build/release/bin/ks-run"

step "Run: one MiniLM feed-forward layer as a chain of two Kronecker-sparse factors"
layer=examples/minilm
command=(build/release/bin/ks-run "$layer/layer.mlir" --entry layer
  --arg "$layer/data/x.npy" --arg "$layer/data/w0.npy"
  --arg "$layer/data/w1.npy" --arg "$layer/data/bias.npy"
  --out build/minilm_y.npy --verify --time)
note "${command[*]}"
"${command[@]}" || die "ks-run failed (status $?)"

step "Report: the output against float64 and against the dense layer"
"$KS_PYTHON" "$layer/report.py" --out build/minilm_y.npy || die "the output is wrong (status $?)"
