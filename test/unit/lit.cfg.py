# Configuration of lit for GoogleTest's programs.
# ruff: noqa: F821 (lit defines `config`)

import lit.formats

config.name = "KS-Unit"
config.test_format = lit.formats.GoogleTest(".", "Tests")
# Tests are found where the programs are built.
config.test_source_root = config.ks_unit_dir
config.test_exec_root = config.ks_unit_dir
