//===- Artifact.cpp - Compiled layers as files ----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The file, little-endian, without gaps:
//
//   magic     8 bytes   "KSLAYER" and a zero
//   version   u32
//   count     u32       of sections
//   length    u64       of the file
//   table     count × { kind u32, target u32, offset u64, size u64,
//                       checksum u64 }
//   checksum  u64       of all the above
//   sections            in the order of the table
//
// Section 0 is the metadata; PTX, cubins and constants of targets follow. Each
// byte is below one checksum, so that a byte that changed is found wherever it
// is.
//
// Writer and Reader are driven by the same lists of fields, below.
//
//===----------------------------------------------------------------------===//

#include "ks/Runtime/Artifact.h"

#include "ArtifactCheck.h"
#include "Text.h"

#include <algorithm>
#include <cstring>

using namespace ks;

namespace {

constexpr std::string_view magic("KSLAYER\0", 8);
constexpr uint32_t formatVersion = 5;
constexpr size_t prefixBytes = 24;
constexpr size_t tableEntryBytes = 32;
constexpr size_t checksumBytes = 8;
constexpr const char *rewrite = "; write the artefact again, or copy it again";

enum class SectionKind : uint32_t { Metadata, PTX, Cubin, Constants };

struct Section {
  uint32_t kind = 0;
  uint32_t target = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t checksum = 0;
};

/// FNV-1a. Each step is a bijection of the state, so that texts of the same
/// length that differ in one byte always differ in their checksums.
uint64_t getChecksum(std::string_view bytes) {
  uint64_t state = 0xcbf29ce484222325;
  for (unsigned char byte : bytes)
    state = (state ^ byte) * 0x100000001b3;
  return state;
}

class Writer {
public:
  template <typename T> void integer(const T &value) {
    for (size_t byte = 0; byte < sizeof(T); ++byte)
      bytes += static_cast<char>(static_cast<uint64_t>(value) >> (8 * byte));
  }
  void text(const std::string &value) {
    integer(static_cast<uint32_t>(value.size()));
    bytes += value;
  }
  template <typename Enum> void choice(const Enum &value, uint8_t) {
    integer(static_cast<uint8_t>(value));
  }
  void flag(const bool &value) { integer(static_cast<uint8_t>(value)); }
  template <typename T, typename Fields>
  void list(const std::vector<T> &values, Fields fields) {
    integer(static_cast<uint32_t>(values.size()));
    for (const T &value : values)
      fields(*this, value);
  }
  template <typename T, typename Fields>
  void optional(const std::optional<T> &value, Fields fields) {
    flag(value.has_value());
    if (value)
      fields(*this, *value);
  }

  std::string bytes;
};

/// Remembers the first thing that was wrong, and reads zeros from then on.
class Reader {
public:
  explicit Reader(std::string_view bytes) : bytes(bytes) {}

  template <typename T> void integer(T &value) {
    value = 0;
    if (!has(sizeof(T)))
      return;
    uint64_t read = 0;
    for (size_t byte = 0; byte < sizeof(T); ++byte)
      read |= uint64_t(static_cast<unsigned char>(bytes[position + byte]))
              << (8 * byte);
    position += sizeof(T);
    value = static_cast<T>(read);
  }
  void text(std::string &value) {
    uint32_t size = 0;
    integer(size);
    if (!has(size))
      return;
    value.assign(bytes.substr(position, size));
    position += size;
  }
  template <typename Enum> void choice(Enum &value, uint8_t count) {
    uint8_t read = 0;
    integer(read);
    if (read >= count)
      fail(concat("a code is ", read, ", expected less than ", count));
    else
      value = static_cast<Enum>(read);
  }
  void flag(bool &value) {
    uint8_t read = 0;
    choice(read, 2);
    value = read != 0;
  }
  /// Grows with what is there, not with what a count claims.
  template <typename T, typename Fields>
  void list(std::vector<T> &values, Fields fields) {
    uint32_t count = 0;
    integer(count);
    for (uint32_t index = 0; index < count && error.empty(); ++index)
      fields(*this, values.emplace_back());
  }
  template <typename T, typename Fields>
  void optional(std::optional<T> &value, Fields fields) {
    bool isThere = false;
    flag(isThere);
    if (isThere)
      fields(*this, value.emplace());
  }

  std::string finish() {
    if (error.empty() && position != bytes.size())
      fail(concat(bytes.size() - position, " bytes are left over"));
    return error;
  }

private:
  bool has(size_t size) {
    if (error.empty() && size > bytes.size() - position)
      fail(concat("the metadata end at byte ", bytes.size(), ", but ", size,
                  " more are needed after byte ", position));
    return error.empty();
  }
  void fail(const std::string &message) {
    if (error.empty())
      error = message;
  }

  std::string_view bytes;
  size_t position = 0;
  std::string error;
};

//===----------------------------------------------------------------------===//
// Fields, in the order in which they are stored
//===----------------------------------------------------------------------===//

constexpr auto number = [](auto &io, auto &value) { io.integer(value); };

constexpr auto sizeFields = [](auto &io, auto &size) {
  io.integer(size.constant);
  io.integer(size.perBatch);
};

constexpr auto arrayFields = [](auto &io, auto &array) {
  io.text(array.name);
  io.choice(array.type, KS_C128 + 1);
  io.list(array.shape, sizeFields);
  io.integer(array.alignment);
};

constexpr auto argumentFields = [](auto &io, auto &argument) {
  arrayFields(io, argument.array);
  io.choice(argument.role, 3);
};

constexpr auto operandFields = [](auto &io, auto &operand) {
  io.choice(operand.kind, 4);
  io.choice(operand.form, 2);
  io.integer(operand.index);
  if (operand.form != Operand::Form::TensorMap)
    return;
  auto &recipe = operand.tensorMap;
  io.list(recipe.sizes, sizeFields);
  io.list(recipe.strides, number);
  io.list(recipe.box, number);
  io.integer(recipe.swizzleBytes);
};

constexpr auto productFields = [](auto &io, auto &product) {
  for (auto *size : {&product.a, &product.n, &product.m, &product.d})
    io.integer(*size);
  io.flag(product.isTiedA);
  io.flag(product.isTiedD);
  io.choice(product.type, KS_C128 + 1);
  io.flag(product.isBatchFirst);
  io.flag(product.isTF32);
};

constexpr auto launchFields = [](auto &io, auto &launch) {
  io.text(launch.kernel);
  io.integer(launch.tile);
  io.integer(launch.maxTiles);
  io.integer(launch.factor);
  io.integer(launch.threads);
  io.integer(launch.clusterBlocks);
  io.integer(launch.sharedBytes);
  io.flag(launch.waitsItself);
  io.choice(launch.condition, 3);
  io.optional(launch.product, productFields);
  io.list(launch.operands, operandFields);
};

constexpr auto variantFields = [](auto &io, auto &variant) {
  io.integer(variant.minBatch);
  io.integer(variant.maxBatch);
  io.text(variant.plan);
  io.list(variant.workspace, arrayFields);
  io.list(variant.launches, launchFields);
};

/// All but code and bytes of constants, which have sections of their own.
constexpr auto targetFields = [](auto &io, auto &target) {
  io.integer(target.capability);
  io.flag(target.isSpecific);
  io.list(target.packed, arrayFields);
  io.list(target.constants, arrayFields);
  io.list(target.pack, launchFields);
  io.list(target.variants, variantFields);
};

constexpr auto artifactFields = [](auto &io, auto &artifact) {
  io.text(artifact.entry);
  io.list(artifact.arguments, argumentFields);
  io.list(artifact.targets, targetFields);
};

constexpr auto sectionFields = [](auto &io, auto &section) {
  io.integer(section.kind);
  io.integer(section.target);
  io.integer(section.offset);
  io.integer(section.size);
  io.integer(section.checksum);
};

//===----------------------------------------------------------------------===//
// Reading the table
//===----------------------------------------------------------------------===//

std::string describeStart(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : bytes.substr(0, magic.size())) {
    if (!text.empty())
      text += ' ';
    text += digits[byte / 16];
    text += digits[byte % 16];
  }
  return text;
}

/// Checks magic, version and length, which say whether the rest can be read.
std::string readPrefix(std::string_view bytes, uint32_t &count) {
  if (bytes.substr(0, magic.size()) != magic.substr(0, bytes.size()) ||
      bytes.empty())
    return concat("this is no KS artefact: it begins with ",
                  bytes.empty() ? "nothing" : describeStart(bytes),
                  ", expected \"KSLAYER\"; pass a file that "
                  "`ks-run --emit=artifact` wrote");
  if (bytes.size() < prefixBytes)
    return concat("the artefact is truncated: it has ", bytes.size(),
                  " bytes, expected at least ", prefixBytes, rewrite);
  Reader reader(bytes.substr(magic.size(), prefixBytes - magic.size()));
  uint32_t version = 0;
  uint64_t length = 0;
  reader.integer(version);
  reader.integer(count);
  reader.integer(length);
  if (version != formatVersion)
    return concat("the artefact has format version ", version,
                  ", this runtime reads version ", formatVersion,
                  version > formatVersion
                      ? "; update the runtime"
                      : "; compile the layer again with this version of KS");
  if (length != bytes.size())
    return concat("the artefact is ",
                  length > bytes.size() ? "truncated" : "altered", ": it has ",
                  bytes.size(), " bytes, expected ", length, rewrite);
  return "";
}

std::string readTable(std::string_view bytes, std::vector<Section> &sections) {
  uint32_t count = 0;
  if (std::string error = readPrefix(bytes, count); !error.empty())
    return error;
  uint64_t tableEnd = prefixBytes + uint64_t(count) * tableEntryBytes;
  if (bytes.size() < tableEnd + checksumBytes)
    return concat("the artefact is altered: it claims ", count,
                  " sections, which do not fit in ", bytes.size(), " bytes",
                  rewrite);
  uint64_t checksum = 0;
  Reader(bytes.substr(tableEnd, checksumBytes)).integer(checksum);
  if (checksum != getChecksum(bytes.substr(0, tableEnd)))
    return concat("the artefact is altered: the checksum of its header is "
                  "wrong",
                  rewrite);
  Reader reader(bytes.substr(prefixBytes, tableEnd - prefixBytes));
  uint64_t position = tableEnd + checksumBytes;
  for (uint32_t index = 0; index < count; ++index) {
    Section &section = sections.emplace_back();
    sectionFields(reader, section);
    if (section.offset != position || section.size > bytes.size() - position)
      return concat("the artefact is malformed: section ", index,
                    " has offset ", section.offset, " and size ", section.size,
                    ", expected offset ", position, " and at most ",
                    bytes.size() - position, " bytes", rewrite);
    position += section.size;
    if (section.checksum !=
        getChecksum(bytes.substr(section.offset, section.size)))
      return concat("the artefact is altered: the checksum of section ", index,
                    " is wrong", rewrite);
  }
  if (position != bytes.size())
    return concat("the artefact is malformed: its sections end at byte ",
                  position, ", expected ", bytes.size(), rewrite);
  return "";
}

/// Where the bytes of a section of a target belong; null if of no such kind.
std::string *getPlace(TargetCode &target, uint32_t kind) {
  switch (static_cast<SectionKind>(kind)) {
  case SectionKind::PTX:
    return &target.ptx;
  case SectionKind::Cubin:
    return &target.cubin;
  case SectionKind::Constants:
    return &target.constantBytes;
  case SectionKind::Metadata:
    break;
  }
  return nullptr;
}

/// Puts the bytes of a section where they belong.
std::string addSection(const Section &section, std::string_view bytes,
                       Artifact &artifact) {
  if (section.target >= artifact.targets.size())
    return concat("the artefact is malformed: a section is for target ",
                  section.target, ", expected less than ",
                  artifact.targets.size(), rewrite);
  std::string *place = getPlace(artifact.targets[section.target], section.kind);
  if (!place)
    return concat("the artefact is malformed: a section has kind ",
                  section.kind,
                  ", expected PTX (1), cubin (2) or constants (3)", rewrite);
  if (!place->empty() || bytes.empty())
    return concat("the artefact is malformed: target ", section.target,
                  " has two sections of a kind, or an empty one", rewrite);
  place->assign(bytes);
  return "";
}

} // namespace

std::string ks::serialize(const Artifact &artifact) {
  std::vector<Section> sections;
  std::vector<std::string_view> contents;
  auto add = [&](SectionKind kind, size_t target, std::string_view bytes) {
    sections.push_back({static_cast<uint32_t>(kind),
                        static_cast<uint32_t>(target), 0, bytes.size(),
                        getChecksum(bytes)});
    contents.push_back(bytes);
  };
  Writer metadata;
  artifactFields(metadata, artifact);
  add(SectionKind::Metadata, 0, metadata.bytes);
  for (size_t index = 0; index < artifact.targets.size(); ++index) {
    const TargetCode &target = artifact.targets[index];
    if (!target.ptx.empty())
      add(SectionKind::PTX, index, target.ptx);
    if (!target.cubin.empty())
      add(SectionKind::Cubin, index, target.cubin);
    if (!target.constantBytes.empty())
      add(SectionKind::Constants, index, target.constantBytes);
  }

  uint64_t length =
      prefixBytes + sections.size() * tableEntryBytes + checksumBytes;
  for (Section &section : sections) {
    section.offset = length;
    length += section.size;
  }
  Writer file;
  file.bytes.reserve(length);
  file.bytes = magic;
  file.integer(formatVersion);
  file.integer(static_cast<uint32_t>(sections.size()));
  file.integer(length);
  for (const Section &section : sections)
    sectionFields(file, section);
  file.integer(getChecksum(file.bytes));
  for (std::string_view content : contents)
    file.bytes += content;
  return file.bytes;
}

std::string ks::deserialize(std::string_view bytes, Artifact &artifact) {
  std::vector<Section> sections;
  if (std::string error = readTable(bytes, sections); !error.empty())
    return error;
  if (sections.empty() ||
      sections[0].kind != static_cast<uint32_t>(SectionKind::Metadata) ||
      sections[0].target != 0)
    return concat("the artefact is malformed: its first section is not the "
                  "metadata",
                  rewrite);
  Artifact result;
  Reader reader(bytes.substr(sections[0].offset, sections[0].size));
  artifactFields(reader, result);
  if (std::string error = reader.finish(); !error.empty())
    return concat("the artefact is malformed: ", error, rewrite);
  for (size_t index = 1; index < sections.size(); ++index) {
    const Section &section = sections[index];
    if (std::string error = addSection(
            section, bytes.substr(section.offset, section.size), result);
        !error.empty())
      return error;
  }
  if (std::string error = check(result); !error.empty())
    return concat("the artefact is invalid: ", error,
                  "; compile the layer again, with this version of KS");
  artifact = std::move(result);
  return "";
}
