# Configuration of lit for the tests in *.mlir.
# ruff: noqa: F821 (lit defines `config`)

import os

import lit.formats

config.name = "KS"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
# unit/ is a suite of its own, python/ is pytest's, Inputs/ is read by tests.
config.excludes = ["unit", "python", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.ks_test_dir

# Tools are called by their names: ours first, then LLVM's (FileCheck, not).
config.environment["PATH"] = os.pathsep.join(
    [config.ks_tools_dir, config.llvm_tools_dir, config.environment.get("PATH", "")]
)

# Where ptxas and libdevice are.
for name in ("CUDA_HOME", "CUDA_ROOT", "CUDA_PATH"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions += [
    ("%ks_src", config.ks_source_dir),
    ("%llvm_lib_dir", config.llvm_lib_dir),
    # Upstream's way from loops on memrefs to the llvm dialect.
    (
        "%loops_to_llvm",
        "--expand-strided-metadata --lower-affine --convert-scf-to-cf --convert-complex-to-standard"
        " --convert-to-llvm --reconcile-unrealized-casts",
    ),
]

if config.ks_has_run:
    config.available_features.add("ks-run")

# Upstream's JIT, and its library that prints memrefs.
runner = os.path.join(config.llvm_tools_dir, "mlir-runner")
runner_libs = [
    os.path.join(config.llvm_lib_dir, f"lib{name}.so")
    for name in ("mlir_runner_utils", "mlir_c_runner_utils")
]
if all(map(os.path.exists, [runner, *runner_libs])):
    config.available_features.add("mlir-runner")
    config.substitutions.append(
        (
            "%mlir_runner",
            f"{runner} --entry-point-result=void --shared-libs={','.join(runner_libs)}",
        )
    )
