#!/usr/bin/env bash
# Installs what is missing to build and test KS: Debian packages, and a Python
# environment in .venv. Does nothing, and needs no network, when all is there.
#
#   scripts/setup.sh            install
#   source scripts/setup.sh     install, and define the helpers of the other scripts
#
# KS_SKIP_APT=1 leaves the system's packages alone: for other distributions, where
# LLVM/MLIR 22.1 with clang, lld and the tools must be found by other means.

set -euo pipefail

KS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
KS_BUILD=$KS_ROOT/build/release
KS_LOGS=$KS_ROOT/build/logs
KS_PYTHON=$KS_ROOT/.venv/bin/python
cd "$KS_ROOT"

KS_PACKAGES=(
  clang-22 lld-22             # compiler and linker; clang brings libstdc++
  llvm-22-dev llvm-22-tools   # LLVM; FileCheck, not and lit
  libmlir-22-dev mlir-22-tools # MLIR; mlir-tblgen, mlir-opt
  libzstd-dev zlib1g-dev      # LLVM's own dependencies, for the static programs
  libgtest-dev                # unit tests
  clang-format-22             # style check
  cmake ninja-build git binutils
  python3 python3-dev python3-venv
)

step() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  if (($#)); then printf '       %s\n' "$@" >&2; fi
  exit 1
}

# logged NAME COMMAND...: output goes to build/logs/NAME.log; its tail is shown upon
# failure. Returns the command's status.
logged() {
  local name=$1 log=$KS_LOGS/$1.log status=0
  shift
  mkdir -p "$KS_LOGS"
  "$@" >"$log" 2>&1 || status=$?
  if ((status)); then
    {
      printf '   %s failed (status %d). The end of build/logs/%s.log:\n' "$name" "$status" "$name"
      tail -n 40 "$log" | sed 's/^/   | /'
    } >&2
  fi
  return "$status"
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# require_packages NAME...: installs the Debian packages that are missing.
require_packages() {
  [[ ${KS_SKIP_APT:-0} != 1 ]] || return 0
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "this system has no apt-get, and the setup knows Debian 12 only" \
      "Either run it in a container of debian:12, or install LLVM and MLIR 22.1 (clang, lld," \
      "development files, tools), CMake 3.25, Ninja, GoogleTest and Python 3.11 yourself," \
      "and set KS_SKIP_APT=1."
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  note "installing ${#missing[@]} Debian packages: ${missing[*]}"
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    die "installing packages needs root, and there is no sudo" \
      "Run this once as root, then start again:" \
      "apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  fi
  # A source that cannot be read matters only when a package is unknown then.
  mkdir -p "$KS_LOGS"
  as_root apt-get update >"$KS_LOGS/apt-update.log" 2>&1 || true
  local package absent=()
  for package in "${missing[@]}"; do
    [[ -n $(apt-cache madison "$package" 2>/dev/null) ]] || absent+=("$package")
  done
  if ((${#absent[@]})) && grep -qE '^(Err|E|W):' "$KS_LOGS/apt-update.log"; then
    tail -n 10 "$KS_LOGS/apt-update.log" | sed 's/^/   | /' >&2
    die "apt-get update failed, and apt does not know: ${absent[*]}" \
      "Check the network and the apt sources, then start again."
  elif ((${#absent[@]})); then
    die "apt does not know: ${absent[*]}" \
      "LLVM 22 is in the suite bookworm-security of Debian 12; this system is:" \
      "$(. /etc/os-release && echo "${PRETTY_NAME:-unknown}")" \
      "On Debian 12 add that suite to the apt sources. Elsewhere use a container of debian:12," \
      "or install LLVM and MLIR 22.1 yourself and set KS_SKIP_APT=1."
  fi
  logged apt-install as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" ||
    die "apt-get install failed" "Repair the packages (apt-get -f install), then start again."
}

# The stamp holds what .venv was made from: the interpreter and the pinned packages.
require_venv() {
  local requirements=python/requirements-dev.txt stamp=.venv/.ks-requirements wanted
  wanted=$(python3 --version && sha256sum "$requirements") ||
    die "no working python3" "Install Python 3.11 or later with its venv module."
  if [[ -x $KS_PYTHON && -f $stamp && $(<"$stamp") == "$wanted" ]] && "$KS_PYTHON" -c '' 2>/dev/null; then
    return 0
  fi
  note "installing Python packages into .venv"
  logged venv python3 -m venv --clear .venv ||
    die "python3 -m venv failed" "Install python3-venv (or Python 3.11 or later with venv), then start again."
  logged pip "$KS_PYTHON" -m pip install --disable-pip-version-check --requirement "$requirements" ||
    die "pip could not install $requirements" "Check the network or pip's configuration, then start again."
  printf '%s\n' "$wanted" >"$stamp"
}

# build_release TARGET: configures the release preset when needed, and builds.
build_release() {
  if [[ ! -f $KS_BUILD/build.ninja || CMakePresets.json -nt $KS_BUILD/build.ninja ]]; then
    logged configure cmake --preset release || return
  fi
  logged build cmake --build --preset release --target "$1"
}

# The assembler for GPUs and its library, from .venv where the machine has none.
find_cuda() {
  local toolkit
  if [[ -n ${CUDA_HOME:-} ]] || command -v ptxas >/dev/null; then
    return 0
  fi
  for toolkit in "$KS_ROOT"/.venv/lib/python3*/site-packages/nvidia/cu13; do
    if [[ -x $toolkit/bin/ptxas ]]; then
      export CUDA_HOME=$toolkit
    fi
  done
}

step "Setup: packages and .venv"
require_packages "${KS_PACKAGES[@]}"
require_venv
find_cuda
note "ready"
