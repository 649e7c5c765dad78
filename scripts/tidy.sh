#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy: warnings are errors) over lib/ and tools/, or over
# the files given as arguments. Apart from scripts/check.sh because it takes minutes.

# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
require_packages clang-tidy-22

step "Build: generated and precompiled headers"
build_release all || die "the build failed" "The whole log is build/logs/build.log."

step "clang-tidy"
files=("$@")
((${#files[@]})) || files=("^$KS_ROOT/(lib|tools)/")
run-clang-tidy-22 -quiet -p "$KS_BUILD" "${files[@]}" ||
  die "clang-tidy has complaints" "Repair them; silence one only with NOLINT(check) and a reason."
note "good"
