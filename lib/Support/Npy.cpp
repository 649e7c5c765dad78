//===- Npy.cpp - Reading and writing .npy files -----------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The format: the magic string, two bytes of version, the length of the header
// (2 bytes in version 1, 4 bytes later), the header, the elements. The header
// is a Python dictionary: {'descr': '<f4', 'fortran_order': False,
// 'shape': (3, 4), }, padded with spaces and ended by a newline.
//
//===----------------------------------------------------------------------===//

#include "ks/Support/Npy.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>
#include <optional>

using namespace llvm;
using namespace ks;

static_assert(llvm::endianness::native == llvm::endianness::little,
              "elements are copied as they are in the file");

static constexpr StringLiteral magic("\x93NUMPY");
static constexpr int64_t alignment = 64;
static constexpr size_t maxRank = 64;

namespace {
struct TypeInfo {
  StringLiteral name;
  StringLiteral descr; // Less the byte order.
  int64_t size;
};
} // namespace

/// Indexed by ElementType.
static constexpr TypeInfo typeInfos[] = {
    {"float16", "f2", 2}, {"bfloat16", "V2", 2},  {"float32", "f4", 4},
    {"float64", "f8", 8}, {"complex64", "c8", 8}, {"complex128", "c16", 16},
};

static const TypeInfo &getInfo(ElementType type) {
  return typeInfos[static_cast<int>(type)];
}

StringRef ks::getElementTypeName(ElementType type) {
  return getInfo(type).name;
}

int64_t ks::getElementTypeSize(ElementType type) { return getInfo(type).size; }

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

static std::string printShape(ArrayRef<int64_t> shape) {
  std::string text =
      "(" +
      join(map_range(shape, [](int64_t size) { return std::to_string(size); }),
           ", ");
  return text + (shape.size() == 1 ? ",)" : ")");
}

/// The size in bytes of an array, if `shape` is one.
static Expected<int64_t> getSizeInBytes(ElementType type,
                                        ArrayRef<int64_t> shape) {
  if (shape.size() > maxRank)
    return makeError("shape has " + Twine(shape.size()) +
                     " dimensions, expected at most " + Twine(maxRank) +
                     "; reshape the array");
  int64_t bytes = getElementTypeSize(type);
  bool overflow = false;
  for (int64_t size : shape) {
    if (size < 0)
      return makeError("shape " + printShape(shape) +
                       " has a negative size, expected sizes of at least 0");
    // Zeros are left to the end, so that NumPy's rule holds: the product of
    // the other sizes must be representable.
    if (size != 0)
      overflow |= MulOverflow(bytes, size, bytes);
  }
  if (overflow)
    return makeError("an array of shape " + printShape(shape) + " and type " +
                     getElementTypeName(type) +
                     " needs 2^63 bytes or more; use a smaller shape");
  return is_contained(shape, 0) ? 0 : bytes;
}

Expected<NpyArray> NpyArray::create(ElementType type, ArrayRef<int64_t> shape) {
  Expected<int64_t> bytes = getSizeInBytes(type, shape);
  if (!bytes)
    return bytes.takeError();
  NpyArray array;
  array.type = type;
  array.shape.assign(shape.begin(), shape.end());
  array.bytes = *bytes;
  // calloc, because it gets zeros from the system without touching them.
  array.storage.reset(std::calloc(1, static_cast<size_t>(*bytes) + alignment));
  if (!array.storage)
    return makeError("not enough memory for an array of shape " +
                     printShape(shape) + " and type " +
                     getElementTypeName(type) + " (" + Twine(*bytes) +
                     " bytes); use a smaller shape");
  array.aligned = reinterpret_cast<void *>(
      alignTo(reinterpret_cast<uintptr_t>(array.storage.get()), alignment));
  return array;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {
/// A parser for the dictionary in the header.
class HeaderParser {
public:
  explicit HeaderParser(StringRef text) : text(text), rest(text) {}

  std::string descr;
  bool fortranOrder = false;
  SmallVector<int64_t> shape;

  /// Fills the three members above.
  Error parse() {
    if (!consume('{'))
      return expected("'{'");
    SmallVector<StringRef> keys;
    while (!consume('}')) {
      std::optional<StringRef> key = parseString();
      if (!key)
        return expected("a quoted key or '}'");
      if (is_contained(keys, *key))
        return expected("the key '" + *key + "' only once");
      keys.push_back(*key);
      if (!consume(':'))
        return expected("':' after the key '" + *key + "'");
      if (Error error = parseValue(*key))
        return error;
      if (!consume(',') && !rest.starts_with("}"))
        return expected("',' or '}'");
    }
    if (!rest.empty())
      return expected("nothing after '}'");
    if (keys.size() != 3)
      return expected("the keys 'descr', 'fortran_order' and 'shape'");
    return Error::success();
  }

private:
  Error parseValue(StringRef key) {
    if (key == "descr") {
      if (std::optional<StringRef> string = parseString()) {
        descr = string->str();
        return Error::success();
      }
      if (rest.starts_with("["))
        return makeError("the array has a structured dtype, expected plain "
                         "numbers; save one field, such as a['field']");
      return expected("a quoted dtype");
    }
    if (key == "fortran_order") {
      fortranOrder = rest.starts_with("True");
      if (!rest.consume_front("True") && !rest.consume_front("False"))
        return expected("True or False");
      skipSpace();
      return Error::success();
    }
    if (key == "shape")
      return parseShape();
    return expected("the keys 'descr', 'fortran_order' and 'shape', not '" +
                    key + "',");
  }

  Error parseShape() {
    if (!consume('('))
      return expected("'(' and the sizes");
    while (!consume(')')) {
      bool negative = rest.starts_with("-");
      size_t end = rest.find_first_not_of("0123456789", negative);
      StringRef digits = rest.take_front(end);
      int64_t size = 0;
      if (digits.size() == negative)
        return expected("an integer or ')'");
      if (digits.getAsInteger(10, size))
        return makeError("the size " + digits +
                         " in the shape does not fit in 64 bits; the file is "
                         "damaged: save it again");
      shape.push_back(size);
      rest = rest.drop_front(digits.size());
      rest.consume_front("L"); // Written by Python 2.
      skipSpace();
      if (!consume(',') && !rest.starts_with(")"))
        return expected("',' or ')'");
    }
    return Error::success();
  }

  /// NumPy writes no escapes into strings of interest.
  std::optional<StringRef> parseString() {
    if (rest.empty() || (rest[0] != '\'' && rest[0] != '"'))
      return std::nullopt;
    size_t end = rest.find(rest[0], 1);
    if (end == StringRef::npos)
      return std::nullopt;
    StringRef string = rest.slice(1, end);
    rest = rest.drop_front(end + 1);
    skipSpace();
    return string;
  }

  bool consume(char c) {
    skipSpace();
    if (rest.empty() || rest[0] != c)
      return false;
    rest = rest.drop_front();
    skipSpace();
    return true;
  }

  void skipSpace() { rest = rest.ltrim(" \t\r\n"); }

  Error expected(const Twine &what) const {
    std::string got = rest.empty() ? "the end" : "";
    if (!rest.empty()) {
      raw_string_ostream os(got);
      os << '"';
      printEscapedString(rest.take_front(20), os);
      os << '"';
    }
    return makeError("malformed header: expected " + what + " at character " +
                     Twine(text.size() - rest.size()) + ", got " + got +
                     "; save the array again with numpy.save");
  }

  StringRef text, rest;
};
} // namespace

/// The name of a type that NumPy has and we do not, or "".
static StringRef getForeignTypeName(StringRef descr) {
  return StringSwitch<StringRef>(descr)
      .Case("b1", "bool")
      .Case("i1", "int8")
      .Case("i2", "int16")
      .Case("i4", "int32")
      .Case("i8", "int64")
      .Case("u1", "uint8")
      .Case("u2", "uint16")
      .Case("u4", "uint32")
      .Case("u8", "uint64")
      .Cases({"f12", "f16"}, "longdouble")
      .Cases({"c24", "c32"}, "clongdouble")
      .StartsWith("O", "Python objects")
      .StartsWith("S", "bytes")
      .StartsWith("U", "str")
      .StartsWith("M", "datetime64")
      .StartsWith("m", "timedelta64")
      .Default("");
}

static Expected<ElementType> parseDescr(StringRef descr) {
  StringRef order = descr.take_while([](char c) { return !isAlpha(c); });
  StringRef kind = descr.drop_front(order.size());
  if (order == ">" && kind != "V2")
    return makeError("the dtype '" + descr +
                     "' is big-endian, expected little-endian; convert with "
                     ".astype(a.dtype.newbyteorder('<'))");
  for (auto [index, info] : enumerate(typeInfos))
    if (kind == info.descr && (order == "<" || kind == "V2"))
      return static_cast<ElementType>(index);
  StringRef name = getForeignTypeName(kind);
  return makeError("unsupported dtype '" + descr + "'" +
                   (name.empty() ? "" : " (" + name.str() + ")") +
                   ", expected float16, bfloat16 (saved as 'V2'), float32, "
                   "float64, complex64 or complex128; convert with "
                   ".astype(numpy.float32)");
}

/// Reads the array in `file`.
static Expected<NpyArray> parseNpy(StringRef file) {
  StringRef rest = file;
  if (file.empty())
    return makeError("the file is empty, expected a .npy file; save the array "
                     "again with numpy.save");
  if (!rest.consume_front(magic))
    return makeError(
        Twine(R"(not a .npy file: it does not start with "\x93NUMPY")") +
        (file.starts_with("PK") ? ", but like a .npz or .zip archive" : "") +
        "; save one array with numpy.save");
  auto truncated = [&](const Twine &what) {
    return makeError("truncated " + what + ": the file ends after " +
                     Twine(file.size()) + " bytes; copy or save it again");
  };
  if (rest.size() < 2)
    return truncated("version");
  unsigned major = static_cast<uint8_t>(rest[0]);
  unsigned minor = static_cast<uint8_t>(rest[1]);
  rest = rest.drop_front(2);
  if (major < 1 || major > 3 || minor != 0)
    return makeError("unsupported .npy version " + Twine(major) + "." +
                     Twine(minor) +
                     ", expected 1.0, 2.0 or 3.0; save the "
                     "array again with numpy.save");
  size_t lengthSize = major == 1 ? 2 : 4;
  if (rest.size() < lengthSize)
    return truncated("header length");
  size_t length = major == 1 ? support::endian::read16le(rest.data())
                             : support::endian::read32le(rest.data());
  rest = rest.drop_front(lengthSize);
  if (rest.size() < length)
    return truncated("header of " + Twine(length) + " bytes");

  HeaderParser header(rest.take_front(length));
  rest = rest.drop_front(length);
  if (Error error = header.parse())
    return error;
  Expected<ElementType> type = parseDescr(header.descr);
  if (!type)
    return type.takeError();
  if (header.fortranOrder && header.shape.size() > 1)
    return makeError("the array is in column-major (Fortran) order, expected "
                     "row-major; convert with numpy.ascontiguousarray");
  // Compare the sizes before any memory is asked for.
  Expected<int64_t> bytes = getSizeInBytes(*type, header.shape);
  if (!bytes)
    return bytes.takeError();
  uint64_t got = rest.size(), expected = *bytes;
  if (got != expected)
    return makeError(
        Twine(got < expected ? "truncated data" : "trailing bytes") +
        ": expected " + Twine(expected) + " bytes of elements for shape " +
        printShape(header.shape) + " and type " + getElementTypeName(*type) +
        ", got " + Twine(got) + "; copy or save the file again");
  Expected<NpyArray> array = NpyArray::create(*type, header.shape);
  if (array)
    std::memcpy(array->data(), rest.data(), rest.size());
  return array;
}

/// Succeeds if `path` is a regular file.
static Error checkRegularFile(StringRef path) {
  sys::fs::file_status status;
  if (std::error_code code = sys::fs::status(path, status))
    return createFileError(path, code,
                           "cannot open the file: " + code.message() +
                               "; check the path");
  if (status.type() == sys::fs::file_type::directory_file)
    return createFileError(path, makeError("is a directory, expected a .npy "
                                           "file; give a path to a file"));
  if (status.type() != sys::fs::file_type::regular_file)
    return createFileError(path,
                           makeError("is a pipe or device, expected a regular "
                                     "file; give a path to a file"));
  return Error::success();
}

Expected<NpyArray> ks::readNpy(StringRef path) {
  if (Error error = checkRegularFile(path))
    return error;
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (std::error_code code = buffer.getError())
    return createFileError(path, code,
                           "cannot read the file: " + code.message() +
                               "; check its permissions");
  Expected<NpyArray> array = parseNpy((*buffer)->getBuffer());
  if (!array)
    return createFileError(path, array.takeError());
  return array;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// What precedes the elements, byte for byte as numpy.save writes it.
static std::string printHeader(const NpyArray &array) {
  StringRef descr = getInfo(array.type).descr;
  std::string text = "{'descr': '";
  text += (array.type == ElementType::BF16 ? "|" : "<") + descr.str();
  text += "', 'fortran_order': False, 'shape': " + printShape(array.shape);
  text += ", }";
  // Version 1.0. At most maxRank sizes: the length always fits in 16 bits.
  std::string prefix = magic.str() + std::string("\1\0\0\0", 4);
  size_t end = alignTo(prefix.size() + text.size() + 1, alignment);
  text.append(end - prefix.size() - text.size() - 1, ' ');
  text += '\n';
  support::endian::write16le(&prefix[magic.size() + 2], text.size());
  return prefix + text;
}

Error ks::writeNpy(StringRef path, const NpyArray &array) {
  Expected<int64_t> bytes = getSizeInBytes(array.type, array.shape);
  if (!bytes)
    return createFileError(path, bytes.takeError());
  if (*bytes != array.sizeInBytes() || !array.data())
    return createFileError(
        path, makeError("the array's shape " + printShape(array.shape) +
                        " needs " + Twine(*bytes) + " bytes, but it has " +
                        Twine(array.sizeInBytes()) +
                        "; give it a shape with as many elements"));
  SmallString<128> target(path);
  if (sys::fs::exists(path)) {
    // Renaming would replace /dev/null, or a link instead of its target.
    if (Error error = checkRegularFile(path))
      return error;
    if (std::error_code code = sys::fs::real_path(path, target))
      return makeError("cannot resolve '" + path + "': " + code.message());
  }
  auto fail = [&](const std::error_code &code) {
    return createFileError(path, code,
                           "cannot write the file: " + code.message() +
                               "; check the directory and its free space");
  };
  Expected<sys::fs::TempFile> temp =
      sys::fs::TempFile::create(target + ".%%%%%%%%.tmp");
  if (!temp)
    return fail(errorToErrorCode(temp.takeError()));
  raw_fd_ostream os(temp->FD, /*shouldClose=*/false);
  os << printHeader(array);
  os.write(static_cast<const char *>(array.data()), array.sizeInBytes());
  os.flush();
  if (std::error_code code = os.error()) {
    os.clear_error(); // Else its destructor ends the program.
    consumeError(temp->discard());
    return fail(code);
  }
  if (Error error = temp->keep(target))
    return fail(errorToErrorCode(std::move(error)));
  return Error::success();
}
