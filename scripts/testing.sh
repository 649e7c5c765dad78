# shellcheck shell=bash
# What the scripts that run tests share: how tests are counted, and what must be there
# before they run. To be sourced after setup.sh.

passed=0
failed=0

finish() {
  printf '\n%d passed, %d failed\n' "$passed" "$failed"
  if ((failed || !passed)); then exit 1; fi
  exit 0
}

# results LOG: "PASSED FAILED", from the summaries of lit ('Passed: 12'; GoogleTest
# runs under lit), ctest ('90% tests passed, 1 tests failed out of 10') and pytest
# ('1 failed, 12 passed in 3.1s').
results() {
  awk '
    /^ +(Passed|Passed With Retry|Expectedly Failed) *: / { split($0, part, ":"); good += part[2] }
    /^ +(Failed|Timed Out|Unresolved|Unexpectedly Passed) *: / { split($0, part, ":"); bad += part[2] }
    /% tests passed, [0-9]+ tests failed out of/ { bad += $4; good += $9 - $4 }
    / in [0-9.]+s( \(.*\))?( =+)?$/ {
      for (i = 2; i <= NF; ++i) {
        if ($i ~ /^(passed|xfailed),?$/) good += $(i - 1)
        if ($i ~ /^(failed|xpassed|errors?),?$/) bad += $(i - 1)
      }
    }
    END { print good + 0, bad + 0 }' "$1"
}

# run_tests NAME COMMAND...: runs one test runner and adds up what it counted.
run_tests() {
  local name=$1 status=0 good bad
  logged "$@" || status=$?
  read -r good bad < <(results "$KS_LOGS/$name.log")
  if ((!good && !bad)); then note "$name ran no test"; fi
  if ((!bad && (status || !good))); then bad=1; fi
  note "$name: $good passed, $bad failed"
  passed=$((passed + good))
  failed=$((failed + bad))
}

# run_check NAME COMMAND...: a check that counts as one failure when it fails.
run_check() {
  if logged "$@"; then
    note "$1: good"
  else
    failed=$((failed + 1))
  fi
}

# Installs python/ into .venv when it, or what it is built from, is newer than the
# last installation. This is the only place that knows how the package is built.
install_python_package() {
  local stamp=.venv/.ks-package
  if [[ -f $stamp && -z $(find python include lib cmake -type f ! -path '*/__pycache__/*' -newer "$stamp" -print -quit) ]]; then
    return 0
  fi
  CC=clang-22 CXX=clang++-22 "$KS_PYTHON" -m pip install --disable-pip-version-check \
    --no-index --no-deps --no-build-isolation --force-reinstall \
    --config-settings=build-dir="$KS_ROOT/build/python" \
    --config-settings=cmake.define.KS_BUILD_DIR="$KS_BUILD" ./python &&
    touch "$stamp"
}

# build_all: builds, or ends the script.
build_all() {
  step "Build (the first time takes a few minutes)"
  if ! build_release all; then
    failed=1
    finish
  fi
  note "build/release"
}
