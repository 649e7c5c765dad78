"""Writes and reads .npy files, byte by byte: tests must not need NumPy.

npy.py write FILE DESCR SHAPE VALUES...   npy.py write x.npy '<f4' 2,3 1 2 3 4 5 6
npy.py bytes FILE TEXT...                 what TEXT stands for in a Python bytes literal
npy.py read FILE                          prints dtype, shape and values
"""

import ast
import struct
import sys

# Of one number; a complex number is two.
FORMATS = {
    "<f2": "e",
    "<f4": "f",
    "<f8": "d",
    "<c8": "f",
    "<c16": "d",
    "|V2": "H",
    "<i4": "i",
    ">f4": "f",
}


def pack(descr: str, values: list[float]) -> bytes:
    order = ">" if descr.startswith(">") else "<"
    if descr == "|V2":  # bfloat16: the upper half of a float
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    kind = FORMATS[descr]
    numbers = [int(value) if kind == "i" else value for value in values]
    return struct.pack(f"{order}{len(values)}{kind}", *numbers)


def header(descr: str, shape: str, fortran: bool = False) -> bytes:
    sizes = "".join(f"{size}, " for size in shape.split(",") if size)
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({sizes}), }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def read(path: str) -> None:
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    (length,) = struct.unpack("<H", data[8:10])
    fields = ast.literal_eval(data[10 : 10 + length].decode())
    descr, rest = fields["descr"], data[10 + length :]
    kind = FORMATS[descr]
    count = len(rest) // struct.calcsize(kind)
    values = struct.unpack(f"<{count}{kind}", rest)
    if descr == "|V2":
        values = [struct.unpack("<f", b"\0\0" + struct.pack("<H", value))[0] for value in values]
    print(descr, "x".join(map(str, fields["shape"])), *(f"{value:g}" for value in values))


def main() -> None:
    command, path, *rest = sys.argv[1:]
    if command == "read":
        return read(path)
    with open(path, "wb") as file:
        if command == "write":
            descr, shape, *values = rest
            file.write(header(descr, shape) + pack(descr, [float(value) for value in values]))
        elif command == "fortran":
            descr, shape, *values = rest
            file.write(header(descr, shape, True) + pack(descr, [float(value) for value in values]))
        else:
            file.write(ast.literal_eval(f'b"{" ".join(rest)}"'))


if __name__ == "__main__":
    main()
