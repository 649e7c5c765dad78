# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the Python package never does with the C API: NULL and nonsense."""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint, c_void_p
from pathlib import Path

import pytest

import ks


class Options(ctypes.Structure):
    _fields_ = (
        ("entry", c_char_p),
        ("path", c_int),
        ("target", c_char_p),
        ("threads", c_int64),
        ("opt_level", c_uint),
        ("source_name", c_char_p),
    )


class ArtifactOptions(ctypes.Structure):
    _fields_ = (
        ("entry", c_char_p),
        ("targets", c_char_p),
        ("assemble", c_int),
        ("source_name", c_char_p),
    )


class Buffer(ctypes.Structure):
    _fields_ = (
        ("data", c_void_p),
        ("type", c_int),
        ("rank", c_int64),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
    )


@pytest.fixture(scope="module")
def lib():
    library = ctypes.CDLL(str(Path(ks.__file__).parent / "libKSCompilerC.so"))
    for name in (
        "ksCompile",
        "ksCompileAll",
        "ksEmit",
        "ksGetInput",
        "ksGetOutput",
        "ksGetCompileTimes",
        "ksGetResultShape",
        "ksPack",
        "ksRun",
        "ksBuildArtifact",
        "ksGetArtifactBytes",
        "ksGetArtifactArgument",
        "ksGetArtifactTimes",
    ):
        getattr(library, name).restype = c_void_p
    library.ksDefaultCompileOptions.restype = Options
    library.ksGetNumInputs.restype = library.ksGetNumOutputs.restype = c_size_t
    library.ksGetName.restype = c_char_p
    library.ksDefaultArtifactOptions.restype = ArtifactOptions
    library.ksGetNumArtifactArguments.restype = c_size_t
    library.ksGetArtifactEntry.restype = library.ksFindGPUTarget.restype = c_char_p
    library.ksFindGPUTarget.argtypes = [c_int, c_int, c_double]
    return library


def message(lib, error):
    if error is None:
        return None
    text = ctypes.string_at(error).decode()
    lib.ksFreeString(c_void_p(error))
    return text


def compile_function(lib, text, options=None):
    function = c_void_p()
    encoded = text.encode()
    error = lib.ksCompile(
        encoded, c_size_t(len(encoded)), byref(options) if options else None, byref(function)
    )
    return function, message(lib, error)


@pytest.fixture
def function(lib):
    compiled, error = compile_function(lib, ks.Chain([(1, 2, 2, 1)]).mlir())
    assert error is None
    yield compiled
    lib.ksDestroyFunction(compiled)


def buffer(values, shape, kind=2, strides=None):
    """f32 unless said otherwise; keeps what it points to alive."""
    memory = (ctypes.c_float * len(values))(*values)
    sizes = (c_int64 * len(shape))(*shape)
    steps = (c_int64 * len(shape))(*strides) if strides else None
    result = Buffer(ctypes.cast(memory, c_void_p), kind, len(shape), sizes, steps)
    result.kept = memory, sizes, steps
    return result


def test_runs(lib, function):
    x, weight = buffer([1, 2], (1, 2)), buffer([1, 2, 3, 4], (1, 2, 2, 1))
    y = buffer([0, 0], (1, 2), strides=(2, 1))
    inputs, outputs = (Buffer * 2)(x, weight), (Buffer * 1)(y)
    packed = c_void_p()
    assert lib.ksPack(function, inputs, c_size_t(2), byref(packed)) is None
    for weights in (None, packed):
        y.kept[0][:] = [0, 0]
        assert lib.ksRun(function, weights, inputs, c_size_t(2), outputs, c_size_t(1)) is None
        assert list(y.kept[0]) == [5, 11]
    shape = (c_int64 * 2)()
    assert lib.ksGetResultShape(function, c_size_t(0), inputs, c_size_t(2), shape) is None
    assert list(shape) == [1, 2]
    passes, llvm = c_double(), c_double()
    assert lib.ksGetCompileTimes(function, byref(passes), byref(llvm)) is None
    assert passes.value > 0
    assert llvm.value > 0
    assert (lib.ksGetName(function), lib.ksGetNumInputs(function)) == (b"chain", 2)

    other, _ = compile_function(lib, ks.Chain([(1, 2, 2, 1)]).mlir())
    error = lib.ksRun(other, packed, inputs, c_size_t(2), outputs, c_size_t(1))
    assert "are those of another function" in message(lib, error)
    lib.ksDestroyFunction(other)
    lib.ksDestroyPackedWeights(packed)


def test_null_is_an_error(lib, function):
    none, two = None, c_size_t(2)
    assert "text is NULL" in message(lib, lib.ksCompile(none, two, none, byref(c_void_p())))
    assert "function is NULL" in message(lib, lib.ksCompile(b"x", c_size_t(1), none, none))
    assert "entries is NULL" in message(
        lib, lib.ksCompileAll(b"x", c_size_t(1), none, none, two, byref(c_void_p()))
    )
    assert "emitted is NULL" in message(lib, lib.ksEmit(b"x", c_size_t(1), none, 0, none))
    assert "function is NULL" in message(lib, lib.ksGetInput(none, c_size_t(0), none))
    assert "info is NULL" in message(lib, lib.ksGetInput(function, c_size_t(0), none))
    assert "is NULL" in message(lib, lib.ksGetCompileTimes(function, none, none))
    assert "function is NULL" in message(lib, lib.ksPack(none, none, two, none))
    assert "packed is NULL" in message(lib, lib.ksPack(function, none, two, none))
    assert "argument is NULL" in message(
        lib, lib.ksRun(function, none, none, two, none, c_size_t(1))
    )
    assert "function is NULL" in message(lib, lib.ksRun(none, none, none, two, none, two))
    assert lib.ksGetNumInputs(none) == lib.ksGetNumOutputs(none) == 0
    assert lib.ksGetName(none) == b""
    for destroy in (lib.ksDestroyFunction, lib.ksDestroyPackedWeights, lib.ksFreeString):
        destroy(none)


def test_values_out_of_range_are_errors(lib, function):
    text = ks.Chain([(1, 2, 2, 1)]).mlir()
    for field, value, expected in (
        ("path", 7, "path is 7; expected a value of KsPath"),
        ("threads", -2, "threads is -2; expected 0 (all) or more"),
        ("opt_level", 9, "optLevel is 9; expected 0 to 3"),
    ):
        options = lib.ksDefaultCompileOptions()
        setattr(options, field, value)
        assert compile_function(lib, text, options)[1] == expected
    error = lib.ksEmit(text.encode(), c_size_t(len(text)), None, 9, byref(c_void_p()))
    assert message(lib, error) == "rung is 9; expected a value of KsRung"

    weight, y = buffer([1, 2, 3, 4], (1, 2, 2, 1)), buffer([0, 0], (1, 2))
    for x, expected in (
        (buffer([1, 2], (1, 2), kind=77), "argument 0 has element type 77; expected a value of"),
        (Buffer(None, 2, 2, None, None), "argument 0 has rank 2 and no shape; expected"),
        (Buffer(None, 2, -1, None, None), "argument 0 has rank -1 and no shape; expected"),
        (buffer([1, 2], (1, 3)), "argument 0 has shape (1, 3); expected (any, 2)"),
        (buffer([1, 2], (-1, 2)), "argument 0 has size -1; expected at least 0"),
        (buffer([1, 2], (2,)), "argument 0 has shape (2); expected (any, 2)"),
    ):
        inputs, outputs = (Buffer * 2)(x, weight), (Buffer * 1)(y)
        error = lib.ksRun(function, None, inputs, c_size_t(2), outputs, c_size_t(1))
        assert expected in message(lib, error)
    null = buffer([1, 2], (1, 2))
    null.data = None
    inputs = (Buffer * 2)(null, weight)
    error = lib.ksRun(function, None, inputs, c_size_t(2), (Buffer * 1)(y), c_size_t(1))
    assert "argument 0 is a null pointer" in message(lib, error)
    error = lib.ksRun(function, None, inputs, c_size_t(1), (Buffer * 1)(y), c_size_t(1))
    assert "@chain was given 1 arguments; expected 2" in message(lib, error)
    error = lib.ksRun(function, None, inputs, c_size_t(2), None, c_size_t(0))
    assert message(lib, error)


def test_source_names_appear_in_diagnostics(lib):
    options = lib.ksDefaultCompileOptions()
    options.source_name = b"layer.mlir"
    assert "layer.mlir:1:1: error" in compile_function(lib, "nonsense", options)[1]


# --- Artefacts -----------------------------------------------------------------


def build_artifact(lib, text, **values):
    options = lib.ksDefaultArtifactOptions()
    for field, value in {"targets": b"sm_80", "assemble": 0, **values}.items():
        setattr(options, field, value)
    artifact, encoded = c_void_p(), text.encode()
    error = lib.ksBuildArtifact(encoded, c_size_t(len(encoded)), byref(options), byref(artifact))
    return artifact, message(lib, error)


def test_artifacts(lib):
    text = ks.Chain([(1, 2, 2, 1)]).mlir()
    artifact, error = build_artifact(lib, text, targets=b"sm_80, sm_90")
    assert error is None
    assert lib.ksGetArtifactEntry(artifact) == b"chain"
    assert lib.ksGetNumArtifactArguments(artifact) == 3
    size, times = c_size_t(), (c_double(), c_double(), c_double())
    stored = ctypes.string_at(lib.ksGetArtifactBytes(artifact, byref(size)), size.value)
    assert b".target sm_80" in stored
    assert b".target sm_90" in stored
    assert lib.ksGetArtifactTimes(artifact, *map(byref, times)) is None
    assert times[0].value > 0
    error = lib.ksGetArtifactArgument(artifact, c_size_t(3), byref((c_int64 * 8)()))
    assert message(lib, error) == "index of argument is 3; expected less than 3"
    assert "info is NULL" in message(lib, lib.ksGetArtifactArgument(artifact, c_size_t(0), None))
    lib.ksDestroyArtifact(artifact)
    assert lib.ksFindGPUTarget(75, 0, 0.0) == b""
    assert lib.ksFindGPUTarget(87, 0, 0.0) == b"sm_86"
    assert lib.ksFindGPUTarget(90, 114, 2.0e12) == b"sm_90:multiprocessors=114:dram_gbps=1800"


def test_wrong_artifacts(lib):
    text = ks.Chain([(1, 2, 2, 1)]).mlir()
    for values, expected in (
        ({"targets": None}, "targets is NULL; expected rows of the GPU target table: sm_80"),
        ({"targets": b"sm_80,sm_1"}, "unknown target 'sm_1'; expected one of sm_80"),
        ({"entry": b"f"}, "no public function @f"),
    ):
        assert expected in build_artifact(lib, text, **values)[1]
    assert "a.mlir:1:1: error" in build_artifact(lib, "nonsense", source_name=b"a.mlir")[1]
    none = None
    assert "artifact is NULL" in message(lib, lib.ksBuildArtifact(b"", c_size_t(0), none, none))
    error = lib.ksBuildArtifact(b"", c_size_t(0), none, byref(c_void_p()))
    assert "targets is NULL" in message(lib, error)
    assert "artifact is NULL" in message(
        lib, lib.ksGetArtifactArgument(none, c_size_t(0), byref((c_int64 * 8)()))
    )
    assert "is NULL" in message(lib, lib.ksGetArtifactTimes(none, none, none, none))
    assert lib.ksGetArtifactBytes(none, none) is None
    assert (lib.ksGetArtifactEntry(none), lib.ksGetNumArtifactArguments(none)) == (b"", 0)
    lib.ksDestroyArtifact(none)


def test_rungs_of_gpus(lib):
    text = ks.Chain([(1, 2, 2, 1)]).mlir().encode()
    options, emitted = lib.ksDefaultCompileOptions(), c_void_p()
    error = lib.ksEmit(text, c_size_t(len(text)), byref(options), 6, byref(emitted))
    assert "rung is KS_RUNG_BINARY, expected an earlier one" in message(lib, error)
    options.target = b"sm_80"
    assert lib.ksEmit(text, c_size_t(len(text)), byref(options), 6, byref(emitted)) is None
    assert ".target sm_80" in message(lib, emitted.value)
    options.path = 1
    error = lib.ksEmit(text, c_size_t(len(text)), byref(options), 0, byref(emitted))
    assert message(lib, error) == "path is 1; expected the default with the target sm_80"
