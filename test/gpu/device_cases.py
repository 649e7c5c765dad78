# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The random cases of test/python/ks_cases.py, as far as GPUs see them."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _make_stand_in(name: str) -> type:
    if name.startswith("__"):  # what modules are asked for, as `inspect` does
        raise AttributeError(name)
    return type(name, (Exception,), {})


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
        native.__getattr__ = _make_stand_in
        sys.modules["ks._native"] = native
    import ks_cases

    return ks_cases


def draw_case(seed: int, number: int, is_long: bool, is_ordered: bool = False):
    """One of two to ten small factors, or of up to four larger ones; after import_cases."""
    import ks_cases

    if is_ordered:
        return ks_cases.draw_ordered(seed, number)
    return (ks_cases.draw_long if is_long else ks_cases.draw)(seed, number)


def is_tf32(case) -> bool:
    """Half of the f32 cases."""
    return case.dtype == "f32" and case.number % 2 == 0


def mlir(case) -> str:
    text = case.mlir()
    if not is_tf32(case):
        return text
    return text.replace("precision(ieee)", "precision(tf32)")


def ask_for_kernels(text: str, way: str) -> str:
    """The same program, whose chains shall run in another way than the fastest."""
    head, body = text.split("{\n", 1)
    return f'{head}attributes {{ks.kernels = "{way}"}} {{\n{body}'


def embed_weights(text: str, weights: list, as_resources: bool = False) -> str:
    """The same program with weights, the arguments w0, w1, ..., as constants in it."""
    constants, resources = "", []
    for number, weight in enumerate(weights):
        declaration = re.search(rf", (%w{number}): (tensor<[^,)]*>)", text)
        name, kind = declaration.groups()
        values = weight.tobytes().hex().upper()
        if as_resources:
            resources.append(f'r{number}: "0x40000000{values}"')  # aligned to 64 bytes
            value = f"dense_resource<r{number}>"
        else:
            value = f'dense<"0x{values}">'
        constants += f"  {name} = arith.constant {value} : {kind}\n"
        text = text.replace(declaration.group(0), "", 1)
    head, body = text.split("{\n", 1)
    text = head + "{\n" + constants + body
    if resources:
        text += f"{{-# dialect_resources: {{ builtin: {{ {', '.join(resources)} }} }} #-}}\n"
    return text
