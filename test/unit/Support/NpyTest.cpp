//===- NpyTest.cpp - Tests of .npy reading and writing ----------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Support/Npy.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <csignal>
#include <cstring>
#include <string>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define KS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KS_ASAN 1
#endif
#endif

using namespace llvm;
using namespace ks;

namespace {

/// A file of the given version, header and elements; the header's length is
/// its own, and its padding is left out, which readers must accept.
std::string makeFile(const std::string &header, const std::string &data,
                     int major = 1, int minor = 0) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(major);
  file += static_cast<char>(minor);
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i)
    file += static_cast<char>(header.size() >> (8 * i));
  return file + header + data;
}

std::string makeHeader(const std::string &descr, const std::string &shape,
                       const std::string &fortranOrder = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortranOrder +
         ", 'shape': " + shape + ", }\n";
}

class NpyTest : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(sys::fs::createUniqueDirectory("ks-npy-test", directory));
    path = directory;
    sys::path::append(path, "array.npy");
  }
  void TearDown() override { sys::fs::remove_directories(directory); }

  void writeFile(StringRef contents) {
    std::error_code code;
    raw_fd_ostream os(path, code);
    ASSERT_FALSE(code);
    os << contents;
  }

  std::string readFile() {
    auto buffer = MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : "(no file)";
  }

  /// The error from reading a file with these contents; "" if there is none.
  std::string getReadError(StringRef contents) {
    writeFile(contents);
    return toString(readNpy(path).takeError());
  }

  /// How many files there are, to find forgotten temporary ones.
  int countFiles() {
    int count = 0;
    std::error_code code;
    for (sys::fs::directory_iterator it(directory, code), end; it != end;
         it.increment(code))
      ++count;
    return count;
  }

  SmallString<128> directory, path;
};

/// Whether `text` contains `part`.
testing::AssertionResult contains(const std::string &text,
                                  const std::string &part) {
  if (text.find(part) != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no '" << part << "' in: " << text;
}

#define EXPECT_HAS(TEXT, PART) EXPECT_TRUE(contains(TEXT, PART))

/// Every message names the file, too.
#define EXPECT_READ_ERROR(CONTENTS, PART)                                      \
  do {                                                                         \
    std::string error = getReadError(CONTENTS);                                \
    EXPECT_HAS(error, PART);                                                   \
    EXPECT_HAS(error, path.c_str());                                           \
  } while (false)

TEST_F(NpyTest, NamesTypes) {
  EXPECT_EQ(getElementTypeName(ElementType::F16), "float16");
  EXPECT_EQ(getElementTypeName(ElementType::BF16), "bfloat16");
  EXPECT_EQ(getElementTypeName(ElementType::F32), "float32");
  EXPECT_EQ(getElementTypeName(ElementType::F64), "float64");
  EXPECT_EQ(getElementTypeName(ElementType::C64), "complex64");
  EXPECT_EQ(getElementTypeName(ElementType::C128), "complex128");
}

TEST_F(NpyTest, CreatesZeros) {
  Expected<NpyArray> array = NpyArray::create(ElementType::C64, {2, 3, 5});
  ASSERT_TRUE(bool(array)) << toString(array.takeError());
  EXPECT_EQ(array->numElements(), 30);
  EXPECT_EQ(array->sizeInBytes(), 240);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(array->data()) % 64, 0u);
  EXPECT_TRUE(all_of(ArrayRef(static_cast<const char *>(array->data()), 240),
                     [](char c) { return c == 0; }));
}

TEST_F(NpyTest, CreatesScalarsAndEmptyArrays) {
  Expected<NpyArray> scalar = NpyArray::create(ElementType::F16, {});
  ASSERT_TRUE(bool(scalar));
  EXPECT_EQ(scalar->numElements(), 1);
  Expected<NpyArray> empty = NpyArray::create(ElementType::F16, {4, 0});
  ASSERT_TRUE(bool(empty));
  EXPECT_EQ(empty->numElements(), 0);
  EXPECT_NE(empty->data(), nullptr);
}

TEST_F(NpyTest, RefusesToCreate) {
  auto getError = [](ArrayRef<int64_t> shape) {
    return toString(NpyArray::create(ElementType::F32, shape).takeError());
  };
  EXPECT_HAS(getError({2, -1}), "shape (2, -1) has a negative size");
  EXPECT_HAS(getError({INT64_MIN}), "has a negative size");
  EXPECT_HAS(getError({INT64_MAX}), "needs 2^63 bytes or more");
  EXPECT_HAS(getError({int64_t(1) << 31, int64_t(1) << 31}),
             "needs 2^63 bytes or more");
  EXPECT_HAS(getError({INT64_MAX, 0}), "needs 2^63 bytes or more");
  EXPECT_HAS(getError(SmallVector<int64_t>(65, 1)),
             "65 dimensions, expected at most 64");
}

TEST_F(NpyTest, ReportsLackOfMemory) {
#ifdef KS_ASAN
  GTEST_SKIP() << "the sanitizer ends the program instead";
#endif
  for (int64_t size : {int64_t(1) << 60, (int64_t(1) << 61) - 1})
    EXPECT_HAS(toString(NpyArray::create(ElementType::F32, size).takeError()),
               "not enough memory");
}

TEST_F(NpyTest, WritesWhatNumpyWrites) {
  // The bytes of numpy.save(path, numpy.float32([[1, 2]])).
  Expected<NpyArray> array = NpyArray::create(ElementType::F32, {1, 2});
  ASSERT_TRUE(bool(array));
  static_cast<float *>(array->data())[0] = 1;
  static_cast<float *>(array->data())[1] = 2;
  ASSERT_FALSE(bool(writeNpy(path, *array)));
  std::string header = makeHeader("<f4", "(1, 2)");
  header.insert(header.size() - 1, 128 - 10 - header.size(), ' ');
  EXPECT_EQ(readFile(),
            makeFile(header, std::string("\0\0\x80\x3f\0\0\0\x40", 8)));
  EXPECT_EQ(countFiles(), 1);
}

TEST_F(NpyTest, RoundTrips) {
  for (ElementType type :
       {ElementType::F16, ElementType::BF16, ElementType::F32, ElementType::F64,
        ElementType::C64, ElementType::C128})
    for (SmallVector<int64_t> shape : {SmallVector<int64_t>{},
                                       {0},
                                       {7},
                                       {3, 0, 2},
                                       {2, 3, 4, 5},
                                       SmallVector<int64_t>(64, 1),
                                       {100000}}) {
      Expected<NpyArray> array = NpyArray::create(type, shape);
      ASSERT_TRUE(bool(array));
      for (int64_t i = 0; i < array->sizeInBytes(); ++i)
        static_cast<char *>(array->data())[i] = static_cast<char>(i * 7);
      ASSERT_EQ(toString(writeNpy(path, *array)), "");
      Expected<NpyArray> copy = readNpy(path);
      ASSERT_TRUE(bool(copy)) << toString(copy.takeError());
      EXPECT_EQ(copy->type, type);
      EXPECT_EQ(copy->shape, shape);
      ASSERT_EQ(copy->sizeInBytes(), array->sizeInBytes());
      EXPECT_EQ(std::memcmp(copy->data(), array->data(), array->sizeInBytes()),
                0);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(copy->data()) % 64, 0u);
      EXPECT_EQ(readFile().size() % 64, array->sizeInBytes() % 64u);
    }
}

TEST_F(NpyTest, ReadsAllVersionsAndSpellings) {
  std::string data(24, 'x');
  std::string header = makeHeader("<f4", "(2, 3)");
  for (int major : {1, 2, 3})
    EXPECT_EQ(getReadError(makeFile(header, data, major)), "");
  for (const char *spelling : {
           "{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}",
           "  { 'shape' : ( 2 , 3 , ) , 'fortran_order' : False ,"
           " 'descr' : '<f4' , }   \n",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }\n",
       })
    EXPECT_EQ(getReadError(makeFile(spelling, data)), "");
  // One dimension is row-major and column-major.
  EXPECT_EQ(getReadError(makeFile(makeHeader("<f4", "(6,)", "True"), data)),
            "");
  for (const char *descr : {"|V2", "<V2", "V2"}) {
    writeFile(makeFile(makeHeader(descr, "(12,)"), data));
    Expected<NpyArray> array = readNpy(path);
    ASSERT_TRUE(bool(array)) << toString(array.takeError());
    EXPECT_EQ(array->type, ElementType::BF16);
  }
}

TEST_F(NpyTest, RefusesPathsThatAreNoFiles) {
  EXPECT_HAS(toString(readNpy(path).takeError()), "cannot open the file");
  EXPECT_HAS(toString(readNpy("").takeError()), "cannot open the file");
  EXPECT_HAS(toString(readNpy(directory).takeError()), "is a directory");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_HAS(toString(readNpy(path).takeError()), "is a pipe or device");
}

TEST_F(NpyTest, RefusesUnreadableFiles) {
  writeFile("x");
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  if (geteuid() == 0)
    GTEST_SKIP() << "root reads everything";
  EXPECT_HAS(toString(readNpy(path).takeError()), "cannot read the file");
}

TEST_F(NpyTest, RefusesOtherFormats) {
  EXPECT_READ_ERROR("", "the file is empty");
  EXPECT_READ_ERROR("hello, world", "not a .npy file");
  EXPECT_READ_ERROR("\x93NUM", "not a .npy file");
  EXPECT_READ_ERROR("PK\3\4....", "like a .npz or .zip archive");
  std::string header = makeHeader("<f4", "(0,)");
  EXPECT_READ_ERROR(makeFile(header, "", 4), "unsupported .npy version 4.0");
  EXPECT_READ_ERROR(makeFile(header, "", 0), "unsupported .npy version 0.0");
  EXPECT_READ_ERROR(makeFile(header, "", 1, 1), "version 1.1");
  EXPECT_READ_ERROR(makeFile(header, "", 255, 255), "version 255.255");
}

TEST_F(NpyTest, RefusesEveryTruncation) {
  for (int major : {1, 2}) {
    std::string file =
        makeFile(makeHeader("<f4", "(2,)"), std::string(8, 'x'), major);
    ASSERT_EQ(getReadError(file), "");
    for (size_t size = 6; size < file.size(); ++size)
      EXPECT_READ_ERROR(StringRef(file).take_front(size), "truncated");
  }
  EXPECT_READ_ERROR(
      makeFile(makeHeader("<f4", "(2, 3)"), std::string(23, 'x')),
      "truncated data: expected 24 bytes of elements for shape (2, 3) and "
      "type float32, got 23");
  EXPECT_READ_ERROR(makeFile(makeHeader("<f4", "(2,)"), std::string(9, 'x')),
                    "trailing bytes: expected 8");
}

TEST_F(NpyTest, RefusesMalformedHeaders) {
  struct Case {
    const char *header, *expected;
  } cases[] = {
      {"", "expected '{' at character 0, got the end"},
      {"\n", "expected '{' at character 1, got the end"},
      {"[1]", "expected '{' at character 0, got \"[1]\""},
      {"{", "expected a quoted key"},
      {"{descr: '<f4'}", "expected a quoted key"},
      {"{'descr", "expected a quoted key"},
      {"{'descr'}", "expected ':' after the key 'descr'"},
      {"{'descr': }", "expected a quoted dtype"},
      {"{'descr': 4}", "expected a quoted dtype"},
      {"{'descr': [('x', '<f4')]}", "structured dtype"},
      {"{'fortran_order': 0}", "expected True or False"},
      {"{'fortran_order': Falsee}", "expected ',' or '}'"},
      {"{'shape': 3}", "expected '('"},
      {"{'shape': (3", "expected ',' or ')'"},
      {"{'shape': (3,", "expected an integer or ')'"},
      {"{'shape': (a)}", "expected an integer or ')'"},
      {"{'shape': (-)}", "expected an integer or ')'"},
      {"{'shape': (3 4)}", "expected ',' or ')'"},
      {"{'shape': (2.5,)}", "expected ',' or ')'"},
      {"{'shape': ()", "expected ',' or '}'"},
      {"{'size': 3}", "'fortran_order' and 'shape', not 'size'"},
      {"{'shape': (), 'shape': ()}", "the key 'shape' only once"},
      {"{'shape': ()}", "the keys 'descr', 'fortran_order' and 'shape'"},
      {"{} x", "nothing after '}'"},
      {"{'shape': (\x01\xff)}", "got \"\\01\\FF)}\""},
  };
  for (const Case &c : cases)
    EXPECT_READ_ERROR(makeFile(c.header, "xxxx"), c.expected);
}

TEST_F(NpyTest, RefusesShapes) {
  auto file = [](const char *shape) {
    return makeFile(makeHeader("<f4", shape), "xxxx");
  };
  EXPECT_READ_ERROR(file("(-1,)"), "shape (-1,) has a negative size");
  EXPECT_READ_ERROR(file("(99999999999999999999,)"), "does not fit in 64 bits");
  EXPECT_READ_ERROR(file("(4611686018427387904, 4)"),
                    "needs 2^63 bytes or more");
  // Fits in 63 bits, but must not be allocated before the file is measured.
  EXPECT_READ_ERROR(file("(1152921504606846976,)"), "truncated data");
}

TEST_F(NpyTest, RefusesTypes) {
  auto file = [](const char *descr) {
    return makeFile(makeHeader(descr, "()"), "xxxx");
  };
  EXPECT_READ_ERROR(file("<i8"), "unsupported dtype '<i8' (int64), expected");
  EXPECT_READ_ERROR(file("<i8"), "convert with .astype(numpy.float32)");
  EXPECT_READ_ERROR(file("|b1"), "'|b1' (bool)");
  EXPECT_READ_ERROR(file("|u1"), "'|u1' (uint8)");
  EXPECT_READ_ERROR(file("<u2"), "'<u2' (uint16)");
  EXPECT_READ_ERROR(file("<f16"), "'<f16' (longdouble)");
  EXPECT_READ_ERROR(file("|O"), "'|O' (Python objects)");
  EXPECT_READ_ERROR(file("<U5"), "'<U5' (str)");
  EXPECT_READ_ERROR(file("<M8[ns]"), "(datetime64)");
  EXPECT_READ_ERROR(file("|V4"), "unsupported dtype '|V4', expected");
  EXPECT_READ_ERROR(file("f4"), "unsupported dtype 'f4', expected");
  EXPECT_READ_ERROR(file(""), "unsupported dtype '', expected");
  EXPECT_READ_ERROR(file(">f4"), "'>f4' is big-endian");
  EXPECT_READ_ERROR(makeFile(makeHeader("<f4", "(1, 1)", "True"), "xxxx"),
                    "convert with numpy.ascontiguousarray");
}

TEST_F(NpyTest, ReplacesFilesButNothingElse) {
  Expected<NpyArray> array = NpyArray::create(ElementType::F16, {3});
  ASSERT_TRUE(bool(array));
  writeFile("old");
  EXPECT_EQ(toString(writeNpy(path, *array)), "");
  EXPECT_TRUE(bool(readNpy(path)));

  // A link stays one.
  SmallString<128> link(directory);
  sys::path::append(link, "link.npy");
  ASSERT_EQ(symlink(path.c_str(), link.c_str()), 0);
  array->type = ElementType::BF16;
  EXPECT_EQ(toString(writeNpy(link, *array)), "");
  EXPECT_TRUE(sys::fs::is_symlink_file(link));
  EXPECT_EQ(cantFail(readNpy(path)).type, ElementType::BF16);

  EXPECT_HAS(toString(writeNpy(directory, *array)), "is a directory");
  EXPECT_HAS(toString(writeNpy("/dev/null", *array)), "is a pipe or device");
  EXPECT_HAS(toString(writeNpy(path.str().str() + "/y.npy", *array)),
             "cannot write the file");
  EXPECT_EQ(countFiles(), 2);
}

TEST_F(NpyTest, KeepsTheOldFileWhenWritingFails) {
  Expected<NpyArray> array = NpyArray::create(ElementType::F32, {100000});
  ASSERT_TRUE(bool(array));
  writeFile("old");
  // As if the disk were full after 64 KiB.
  rlimit previous = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &previous), 0);
  rlimit limited = {1 << 16, previous.rlim_max};
  auto *handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
  std::string error = toString(writeNpy(path, *array));
  setrlimit(RLIMIT_FSIZE, &previous);
  std::signal(SIGXFSZ, handler);
  EXPECT_HAS(error, "cannot write the file");
  EXPECT_EQ(readFile(), "old");
  EXPECT_EQ(countFiles(), 1);
}

TEST_F(NpyTest, RefusesToWriteAnotherShape) {
  Expected<NpyArray> array = NpyArray::create(ElementType::F32, {6});
  ASSERT_TRUE(bool(array));
  array->shape = {2, 3};
  EXPECT_EQ(toString(writeNpy(path, *array)), "");
  array->shape = {7};
  EXPECT_HAS(toString(writeNpy(path, *array)),
             "shape (7,) needs 28 bytes, but it has 24");
  array->shape = {-6};
  EXPECT_HAS(toString(writeNpy(path, *array)), "negative size");
  EXPECT_EQ(cantFail(readNpy(path)).shape, (SmallVector<int64_t>{2, 3}));
  EXPECT_EQ(countFiles(), 1);
}

} // namespace
