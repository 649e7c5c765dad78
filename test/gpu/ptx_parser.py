# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PTX as instructions, for ptx_emulator."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import ptx_bulk

SIZES = {"b8": 1, "u8": 1, "s8": 1, "b16": 2, "u16": 2, "s16": 2, "f16": 2, "bf16": 2}
SIZES |= {"b32": 4, "u32": 4, "s32": 4, "f32": 4, "f16x2": 4, "bf16x2": 4, "tf32": 4}
SIZES |= {"b64": 8, "u64": 8, "s64": 8, "f64": 8}


@dataclass
class Instruction:
    opcode: list[str]
    operands: list[str]
    text: str
    guard: str | None = None
    negated: bool = False


@dataclass
class Kernel:
    parameters: list[int] = field(default_factory=list)  # bytes of each
    code: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    statics: dict[str, int] = field(default_factory=dict)  # shared symbols: addresses
    static_bytes: int = 0
    cluster: int = 1  # blocks


def split_operands(text: str) -> list[str]:
    """At commas outside of braces and brackets."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += character in "{["
        depth -= character in "}]"
        if character == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    if current.strip():
        parts.append(current.strip())
    return parts


def parse(ptx: str) -> dict[str, Kernel]:
    """The kernels of a module."""
    ptx = re.sub(r"//[^\n]*", "", ptx)
    ptx = re.sub(r"(wgmma\.mma_async[^;]*;)\s*\}", r"\1", ptx)  # ends a scope, not the kernel
    kernels = {}
    for match in re.finditer(r"\.entry\s+(\w+)\s*\((.*?)\)([^{]*)\{(.*?)\n\}", ptx, re.DOTALL):
        name, parameters, directives, body = match.groups()
        kernel = Kernel()
        if cluster := re.search(r"\.reqnctapercluster\s+(\d+)", directives):
            kernel.cluster = int(cluster.group(1))
        body = ptx_bulk.name_waits(body)
        for symbol, size in re.findall(r"\.shared \.align \d+ \.b8 (\w+)\[(\d+)\]", body):
            kernel.statics[symbol] = kernel.static_bytes
            kernel.static_bytes += (int(size) + 15) // 16 * 16
        for parameter in filter(None, (p.strip() for p in parameters.split(","))):
            kind = re.search(r"\.(b\d+|u\d+|s\d+|f\d+)", parameter)
            array = re.search(r"\[(\d+)\]", parameter)
            kernel.parameters.append(
                int(array.group(1)) if array else SIZES[kind.group(1)] if kind else 0
            )
        for line in re.split(r";|(?<=:)\s", body):
            # Scopes: their registers have names of their own.
            line = " ".join(line.split()).lstrip("{} ")
            while label := re.match(r"([$\w]+):\s*", line):
                kernel.labels[label.group(1)] = len(kernel.code)
                line = line[label.end() :].lstrip("{} ")
            if not line or line.startswith("."):
                continue
            guard = re.match(r"@(!?)(%\w+)\s+", line)
            text = line[guard.end() :] if guard else line
            opcode, _, rest = text.partition(" ")
            kernel.code.append(
                Instruction(
                    opcode.split("."),
                    split_operands(rest),
                    line,
                    guard.group(2) if guard else None,
                    bool(guard and guard.group(1)),
                )
            )
        kernels[name] = kernel
    return kernels
