# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The random cases of test/python/ks_cases.py, as far as GPUs see them."""

from __future__ import annotations

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def import_cases():
    """Imports the cases, also on a machine without the compiled part of the package."""
    sys.path.insert(0, str(ROOT / "test" / "python"))
    try:
        import ks  # noqa: F401
    except ImportError:
        sys.path.insert(0, str(ROOT / "python"))
        for name in [name for name in sys.modules if name == "ks" or name.startswith("ks.")]:
            del sys.modules[name]
        native = types.ModuleType("ks._native")
        native.__getattr__ = lambda name: type(name, (Exception,), {})
        sys.modules["ks._native"] = native
    import ks_cases

    return ks_cases


def is_tf32(case) -> bool:
    """Half of the f32 cases."""
    return case.dtype == "f32" and case.number % 2 == 0


def mlir(case) -> str:
    text = case.mlir()
    if not is_tf32(case):
        return text
    return text.replace("precision(ieee)", "precision(tf32)")
