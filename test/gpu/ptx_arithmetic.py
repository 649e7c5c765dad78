# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The instructions of ptx_emulator.py that compute: registers in, a register out."""

from __future__ import annotations

import dataclasses

import numpy as np
from ptx_emulator import (
    FLOATS,
    SIGNED,
    UNSIGNED,
    EmulationError,
    cut_to_bf16,
    to_bf16,
    to_tf32,
)
from ptx_parser import SIZES

COMPARISONS = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip


def divide(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of integers, towards zero."""
    quotient = np.abs(x.astype(object)) // np.abs(y.astype(object))
    sign = np.where((x < 0) != (y < 0), -1, 1)
    return (quotient * sign).astype(x.dtype)


def fma(x, y, z, kind: str) -> np.ndarray:
    if kind == "f32":
        exact = x.astype(np.float64) * y.astype(np.float64) + z.astype(np.float64)
        return exact.astype(np.float32)
    return (x.astype(np.longdouble) * y + z).astype(FLOATS[kind])


BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
UNARY = {
    "abs": np.abs,
    "neg": np.negative,
    "sqrt": np.sqrt,
    "rcp": lambda x: (1 / x.astype(np.float64)).astype(x.dtype),
    "rsqrt": lambda x: (1 / np.sqrt(x.astype(np.float64))).astype(x.dtype),
    "ex2": lambda x: np.exp2(x.astype(np.float64)).astype(x.dtype),
    "lg2": lambda x: np.log2(x.astype(np.float64)).astype(x.dtype),
    "sin": np.sin,
    "cos": np.cos,
}


def compute_max(x, y, instruction, function, nan_function):
    if x.dtype.kind != "f":
        return function(x, y)
    return nan_function(x, y) if "NaN" in instruction.opcode else function(x, y)


def convert(grid, opcode: list[str], operands: list[str]) -> np.ndarray:
    to, source = opcode[-2], opcode[-1]
    if to in ("f16x2", "bf16x2"):
        high, low = grid.read(operands[1], "f32"), grid.read(operands[2], "f32")
        if to == "bf16x2":
            round_to = cut_to_bf16 if "rz" in opcode else to_bf16
            parts = round_to(low), round_to(high)
        else:
            parts = low.astype(np.float16).view(np.uint16), high.astype(np.float16).view(np.uint16)
        return parts[0].astype(np.uint32) | (parts[1].astype(np.uint32) << 16)
    value = grid.read(operands[1], "b16" if source == "bf16" else source)
    if source == "bf16":
        value = (value.astype(np.uint32) << 16).view(np.float32)
    if to == "bf16":
        return to_bf16(value)
    if to == "tf32":
        return to_tf32(value)
    if to in FLOATS:
        if "rni" in opcode:
            value = np.rint(value)
        return value.astype(FLOATS[to])
    if value.dtype.kind == "f":
        rounding = {"rzi": np.trunc, "rni": np.rint, "rmi": np.floor, "rpi": np.ceil}
        for name, function in rounding.items():
            if name in opcode:
                value = function(value)
        info = np.iinfo(SIGNED[SIZES[to]] if to[0] == "s" else UNSIGNED[SIZES[to]])
        return np.clip(np.nan_to_num(value), info.min, info.max).astype(info.dtype)
    return value.astype(SIGNED[SIZES[to]] if to[0] == "s" else UNSIGNED[SIZES[to]])


def set_predicate(grid, opcode: list[str], operands: list[str]) -> np.ndarray:
    kind, name = opcode[-1], opcode[1]
    unsigned_kind = kind if kind[0] != "b" else "u" + kind[1:]
    x, y = grid.read(operands[1], unsigned_kind), grid.read(operands[2], unsigned_kind)
    if name in ("lo", "ls", "hi", "hs"):
        name = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}[name]
    if name == "nan":
        return np.isnan(x) | np.isnan(y)
    if name == "num":
        return ~(np.isnan(x) | np.isnan(y))
    if name in COMPARISONS:
        result = COMPARISONS[name](x, y)
        if x.dtype.kind == "f":
            result &= ~(np.isnan(x) | np.isnan(y))
        return result
    return COMPARISONS[name[:-1]](x, y) | np.isnan(x) | np.isnan(y)  # ltu, geu, ...


def move(grid, opcode: list[str], operands: list[str]) -> None:
    target, source = operands
    kind = opcode[-1]
    if target.startswith("{"):  # takes apart
        parts = [part.strip() for part in target.strip("{}").split(",")]
        size = SIZES[kind] // len(parts)
        bits = np.ascontiguousarray(grid.read(source, kind)).view(UNSIGNED[size])
        for number, part in enumerate(parts):
            if part != "_":
                grid.write(part, bits.reshape(-1, len(parts))[:, number])
    elif source.startswith("{"):  # puts together
        parts = [part.strip() for part in source.strip("{}").split(",")]
        size = SIZES[kind] // len(parts)
        columns = [grid.read(part, f"b{8 * size}") for part in parts]
        bits = np.ascontiguousarray(np.stack(columns, axis=1))
        grid.write(target, bits.view(UNSIGNED[SIZES[kind]])[:, 0])
    elif kind == "pred":
        value = bool(int(source)) if not source.startswith("%") else None
        grid.write(
            target,
            grid.read(source, "pred") if value is None else np.full(len(grid.active), value),
        )
    else:
        grid.write(target, grid.read(source, kind))


def compute_bf16(grid, instruction) -> None:
    """In f32, of which bf16 is the upper half, and rounded."""
    name, operands = instruction.opcode[0], instruction.operands
    bits = [grid.read(operand, "b16").astype(np.uint32) << 16 for operand in operands[1:]]
    values = [array.view(np.float32) for array in bits]
    if name == "fma":
        result = fma(*values, "f32")
    elif name in UNARY:
        result = UNARY[name](values[0])
    elif name in ("max", "min"):
        functions = (np.fmax, np.maximum) if name == "max" else (np.fmin, np.minimum)
        result = compute_max(*values, instruction, *functions)
    else:
        result = BINARY[name](*values)
    grid.write(operands[0], to_bf16(result))


def compute_pairs(grid, instruction) -> None:
    """An instruction on f16x2 or bf16x2: the same on both halves."""
    kind = instruction.opcode[-1][: -len("x2")]
    words = [grid.read(operand, "b32") for operand in instruction.operands[1:]]
    results = []
    for shift in (0, 16):
        operands = [f"%half{number}" for number in range(len(instruction.operands))]
        for name, word in zip(operands[1:], words):
            grid.write(name, ((word >> shift) & 0xFFFF).astype(np.uint16))
        opcode = [*instruction.opcode[:-1], kind]
        compute(grid, dataclasses.replace(instruction, opcode=opcode, operands=operands))
        results.append(grid.read(operands[0], "b16").astype(np.uint32))
    grid.write(instruction.operands[0], results[0] | results[1] << 16)


def permute(x: np.ndarray, y: np.ndarray, selector: np.ndarray) -> np.ndarray:
    """Bytes of y, x, which the digits of the selector name."""
    both = x.astype(np.uint64) | y.astype(np.uint64) << np.uint64(32)
    result = np.zeros(len(both), np.uint32)
    for place in range(4):
        digit = selector >> (4 * place) & 0xF
        if (digit >= 8).any():
            raise EmulationError("prmt that copies signs")
        byte = both >> (8 * digit).astype(np.uint64) & np.uint64(0xFF)
        result |= byte.astype(np.uint32) << np.uint32(8 * place)
    return result


def compute(grid, instruction) -> None:
    opcode, operands = instruction.opcode, instruction.operands
    name, kind = opcode[0], opcode[-1]

    if kind in ("f16x2", "bf16x2") and name != "cvt":
        return compute_pairs(grid, instruction)
    if kind == "bf16" and name in ("neg", "abs", "add", "sub", "mul", "fma", "max", "min"):
        return compute_bf16(grid, instruction)

    def value(number: int, as_kind: str = kind) -> np.ndarray:
        return grid.read(operands[number], as_kind)

    if name == "mov":
        return move(grid, opcode, operands)
    if name == "cvta":
        return grid.write(operands[0], value(1, "u64"))
    if name == "cvt":
        return grid.write(operands[0], convert(grid, opcode, operands))
    if name == "setp":
        return grid.write(operands[0], set_predicate(grid, opcode, operands))
    if name == "selp":
        return grid.write(operands[0], np.where(value(3, "pred"), value(1), value(2)))
    if name in ("and", "or", "xor", "not"):
        function = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}
        if name == "not":
            return grid.write(operands[0], ~value(1))
        return grid.write(operands[0], function[name](value(1), value(2)))
    if name in ("shl", "shr"):
        amount = value(2, "u32").astype(np.uint64)
        bits = 8 * SIZES[kind]
        signed = kind if kind[0] != "b" else "u" + kind[1:]
        x = value(1, signed)
        small = np.minimum(amount, bits - 1).astype(x.dtype)
        result = np.left_shift(x, small) if name == "shl" else np.right_shift(x, small)
        over = np.zeros_like(result) if x.dtype.kind == "u" or name == "shl" else result
        return grid.write(operands[0], np.where(amount >= bits, over, result).astype(x.dtype))
    if name == "shf":  # funnel shifts; "wrap": by the amount mod 32
        assert opcode[2] == "wrap", opcode
        amount = (value(3, "u32") % 32).astype(np.uint64)
        both = value(2, "u32").astype(np.uint64) << np.uint64(32) | value(1, "u32")
        both = both >> amount if opcode[1] == "r" else both << amount >> np.uint64(32)
        return grid.write(operands[0], (both & np.uint64(0xFFFFFFFF)).astype(np.uint32))
    if name == "bfe":
        x, at, count = value(1), value(2, "u32"), value(3, "u32")
        # Up against the top, and down again: the sign, if there is one, follows.
        up = np.uint64(8 * SIZES[kind]) - at.astype(np.uint64) - count.astype(np.uint64)
        down = (np.uint64(8 * SIZES[kind]) - count.astype(np.uint64)).astype(x.dtype)
        return grid.write(operands[0], np.right_shift(np.left_shift(x, up.astype(x.dtype)), down))
    if name == "prmt":
        return grid.write(operands[0], permute(value(1, "b32"), value(2, "b32"), value(3, "u32")))
    if name in ("fma", "mad"):
        if kind in FLOATS:
            return grid.write(operands[0], fma(value(1), value(2), value(3), kind))
        if "wide" in opcode:
            wide = kind[0] + str(16 * SIZES[kind])
            dtype = grid.read(operands[3], wide).dtype
            product = value(1).astype(dtype) * value(2).astype(dtype)
            return grid.write(operands[0], product + grid.read(operands[3], wide))
        return grid.write(operands[0], value(1) * value(2) + value(3))
    if name == "mul" and "wide" in opcode:
        dtype = (SIGNED if kind[0] == "s" else UNSIGNED)[2 * SIZES[kind]]
        return grid.write(operands[0], value(1).astype(dtype) * value(2).astype(dtype))
    if name == "mul" and "hi" in opcode:
        x, y = value(1), value(2)
        high = (x.astype(object) * y.astype(object)) >> (8 * SIZES[kind])
        return grid.write(operands[0], high.astype(x.dtype))
    if name in ("div", "rem") and kind not in FLOATS:
        x, y = value(1), value(2)
        quotient = divide(x, y)
        return grid.write(operands[0], quotient if name == "div" else x - quotient * y)
    if name == "copysign":
        return grid.write(operands[0], np.copysign(value(2), value(1)))
    if name in UNARY:
        return grid.write(operands[0], UNARY[name](value(1)))
    if name == "max":
        return grid.write(
            operands[0], compute_max(value(1), value(2), instruction, np.fmax, np.maximum)
        )
    if name == "min":
        return grid.write(
            operands[0], compute_max(value(1), value(2), instruction, np.fmin, np.minimum)
        )
    if name in BINARY:
        return grid.write(operands[0], BINARY[name](value(1), value(2)))
    raise EmulationError(f"unknown instruction: {instruction.text}")
