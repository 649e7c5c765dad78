#!/usr/bin/env bash
# Builds everything and runs every test and style check. The last line is
# 'N passed, N failed': the sum over lit, GoogleTest and pytest, where a step that
# fails without counting tests (build, installation, style) counts as one failure.

# shellcheck disable=SC2317,SC2329 # functions that are called through run_check
# shellcheck source=scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# shellcheck source=scripts/testing.sh
source scripts/testing.sh

# sources PATTERN...: the project's files, new ones included, that match a pattern.
sources() {
  git ls-files --cached --others --exclude-standard --deduplicate -- "$@" |
    while IFS= read -r file; do [[ ! -f $file ]] || printf '%s\n' "$file"; done
}

format_check() {
  local files
  mapfile -t files < <(sources '*.c' '*.cpp' '*.h')
  ((${#files[@]})) && clang-format-22 --dry-run -Werror "${files[@]}"
}

build_all

step "Tests: lit and GoogleTest"
run_tests check-ks cmake --build --preset release --target check-ks

step "Tests: Python"
if [[ -f python/pyproject.toml ]]; then run_check python-package install_python_package; fi
# Files side by side: most tests take one core.
run_tests pytest "$KS_PYTHON" -m pytest -q -rs -n auto --maxprocesses 4 --dist loadfile test/python

step "Style"
run_check clang-format format_check
run_check ruff-check "$KS_PYTHON" -m ruff check .
run_check ruff-format "$KS_PYTHON" -m ruff format --check --diff .

finish
