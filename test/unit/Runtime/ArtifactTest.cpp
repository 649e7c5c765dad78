//===- ArtifactTest.cpp - Tests of artefacts ------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerTestUtil.h"

#include <climits>
#include <cstring>
#include <functional>

using namespace ks;

namespace {

/// With something in every field.
Artifact makeRichArtifact() {
  Artifact artifact = makeArtifact();
  artifact.targets[0].cubin = "cubin for sm_80";
  artifact.targets.push_back(makeHopperTarget());
  addConstants(artifact.targets[1]);
  return artifact;
}

template <typename T> T readAt(const std::string &bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

template <typename T> void writeAt(std::string &bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

uint64_t getChecksum(std::string_view bytes) {
  uint64_t state = 0xcbf29ce484222325;
  for (unsigned char byte : bytes)
    state = (state ^ byte) * 0x100000001b3;
  return state;
}

constexpr size_t tableOffset = 24;
constexpr size_t entryBytes = 32;

/// Makes all checksums right, so that what lies below them is tested.
void repair(std::string &bytes) {
  auto count = readAt<uint32_t>(bytes, 12);
  for (uint32_t index = 0; index < count; ++index) {
    size_t entry = tableOffset + index * entryBytes;
    auto offset = readAt<uint64_t>(bytes, entry + 8);
    auto size = readAt<uint64_t>(bytes, entry + 16);
    if (offset <= bytes.size() && size <= bytes.size() - offset)
      writeAt(bytes, entry + 24,
              getChecksum(std::string_view(bytes).substr(offset, size)));
  }
  size_t end = tableOffset + count * entryBytes;
  writeAt(bytes, end, getChecksum(std::string_view(bytes).substr(0, end)));
}

std::string read(std::string_view bytes) {
  Artifact artifact;
  return deserialize(bytes, artifact);
}

/// The error must say something, and leave the result alone.
void expectRefused(const std::string &bytes, const std::string &text,
                   const std::string &what) {
  Artifact artifact;
  artifact.entry = "untouched";
  std::string error = deserialize(bytes, artifact);
  EXPECT_NE(error, "") << what;
  EXPECT_NE(error.find(text), std::string::npos) << what << ": " << error;
  EXPECT_NE(error.find("; "), std::string::npos)
      << what << " has no next step: " << error;
  EXPECT_EQ(artifact.entry, "untouched") << what;
}

TEST(ArtifactTest, RoundTrip) {
  for (const Artifact &artifact : {makeArtifact(), makeRichArtifact()}) {
    Artifact result;
    EXPECT_EQ(deserialize(serialize(artifact), result), "");
    EXPECT_EQ(result, artifact);
  }
}

TEST(ArtifactTest, KeepsExtremeNumbers) {
  Artifact artifact = makeArtifact();
  artifact.targets[0].variants[1].maxBatch = INT64_MAX;
  artifact.targets[0].ptx = std::string("a\0b\xff", 4);
  artifact.targets[0].pack[0].factor = INT64_MAX;
  Artifact result;
  EXPECT_EQ(deserialize(serialize(artifact), result), "");
  EXPECT_EQ(result, artifact);
}

/// The format must not change without a new version.
TEST(ArtifactTest, FormatIsStable) {
  std::string bytes = serialize(makeArtifact());
  EXPECT_EQ(bytes.substr(0, 8), std::string("KSLAYER\0", 8));
  EXPECT_EQ(readAt<uint32_t>(bytes, 8), 5u);
  EXPECT_EQ(readAt<uint32_t>(bytes, 12), 2u); // metadata, PTX
  EXPECT_EQ(readAt<uint64_t>(bytes, 16), bytes.size());
  EXPECT_EQ(getChecksum(bytes), 16739009376880206077u)
      << "version 5 has changed";
}

TEST(ArtifactTest, FindsTruncation) {
  std::string bytes = serialize(makeRichArtifact());
  for (size_t size = 0; size < bytes.size(); ++size)
    expectRefused(bytes.substr(0, size), size == 0 ? "no KS" : "truncated",
                  "cut to " + std::to_string(size));
  expectRefused(bytes + '\0', "altered", "one byte more");
}

TEST(ArtifactTest, FindsEveryAlteredByte) {
  const std::string bytes = serialize(makeRichArtifact());
  for (size_t position = 0; position < bytes.size(); ++position)
    for (int mask : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string altered = bytes;
      altered[position] = static_cast<char>(altered[position] ^ mask);
      expectRefused(altered, "", "byte " + std::to_string(position));
    }
}

/// Whoever alters a file and its checksums gets an error or another artefact
/// that is valid, but never a crash.
TEST(ArtifactTest, SurvivesAlteredBytesWithRightChecksums) {
  const std::string bytes = serialize(makeRichArtifact());
  auto metadata = readAt<uint64_t>(bytes, tableOffset + 8);
  size_t metadataEnd = metadata + readAt<uint64_t>(bytes, tableOffset + 16);
  size_t numAccepted = 0;
  for (size_t position = tableOffset; position < metadataEnd; ++position)
    for (int value = 0; value < 256; value += position < metadata ? 1 : 3) {
      std::string altered = bytes;
      altered[position] = static_cast<char>(value);
      repair(altered);
      Artifact artifact;
      if (!deserialize(altered, artifact).empty() || position < metadata)
        continue;
      ++numAccepted;
      EXPECT_EQ(serialize(artifact), altered) << "byte " << position;
    }
  EXPECT_GT(numAccepted, 0u) << "the checksums of this test are wrong";
}

TEST(ArtifactTest, SurvivesRandomMetadata) {
  const std::string bytes = serialize(makeRichArtifact());
  auto begin = readAt<uint64_t>(bytes, tableOffset + 8);
  size_t end = begin + readAt<uint64_t>(bytes, tableOffset + 16);
  uint64_t state = 1;
  auto next = [&] { return state = state * 6364136223846793005 + 1; };
  for (int round = 0; round < 20000; ++round) {
    std::string altered = bytes;
    for (int edit = 0; edit < 4; ++edit)
      altered[begin + (next() >> 33) % (end - begin)] =
          static_cast<char>(next() >> 40);
    repair(altered);
    read(altered);
  }
}

TEST(ArtifactTest, NamesForeignFiles) {
  expectRefused("", "begins with nothing, expected \"KSLAYER\"", "empty");
  expectRefused("\x7f"
                "ELF...........",
                "begins with 7f 45 4c 46", "ELF");
  expectRefused("module {}", "`ks-run --emit=artifact`", "MLIR");
}

TEST(ArtifactTest, NamesOtherVersions) {
  std::string bytes = serialize(makeArtifact());
  writeAt<uint32_t>(bytes, 8, 6);
  expectRefused(bytes,
                "format version 6, this runtime reads version 5; update the "
                "runtime",
                "newer");
  writeAt<uint32_t>(bytes, 8, 0);
  expectRefused(bytes, "compile the layer again", "older");
}

TEST(ArtifactTest, RefusesTablesThatDoNotFit) {
  std::string bytes = serialize(makeArtifact());
  auto refuse = [&](size_t offset, uint64_t value, const char *text) {
    std::string altered = bytes;
    writeAt(altered, tableOffset + offset, value);
    repair(altered);
    expectRefused(altered, text, text);
  };
  refuse(8, UINT64_MAX, "section 0 has offset");
  refuse(16, UINT64_MAX, "section 0 has offset");
  refuse(0, 1, "first section is not the metadata");
  refuse(entryBytes, 7, "kind 7, expected PTX (1), cubin (2) or constants (3)");
  refuse(entryBytes, uint64_t(9) << 32 | 1, "target 9, expected less than 1");
  std::string many = bytes;
  writeAt<uint32_t>(many, 12, UINT32_MAX);
  expectRefused(many, "claims 4294967295 sections", "count");
}

/// A change that makes the artefact invalid, and what the error must say.
struct Fault {
  std::string text;
  std::function<void(Artifact &)> apply;
};

TEST(ArtifactTest, RefusesInvalidContents) {
  auto small = [](Artifact &artifact) -> Launch & {
    return artifact.targets[0].variants[0].launches[0];
  };
  auto map = [](Artifact &artifact) -> Operand & {
    return artifact.targets[1].variants[0].launches[0].operands[0];
  };
  const Fault faults[] = {
      {"a size is -1 + 0 per batch entry",
       [](Artifact &a) { a.arguments[0].array.shape[1].constant = -1; }},
      {"a size is 0 + -2 per batch entry",
       [](Artifact &a) { a.arguments[0].array.shape[0].perBatch = -2; }},
      {"'x' has alignment 3, expected a power of two",
       [](Artifact &a) { a.arguments[0].array.alignment = 3; }},
      {"'x' has alignment 0",
       [](Artifact &a) { a.arguments[0].array.alignment = 0; }},
      {"'x' has rank 9, expected at most 8",
       [](Artifact &a) { a.arguments[0].array.shape.resize(9); }},
      {"'w' depends on the batch",
       [](Artifact &a) { a.arguments[1].array.shape[0] = {0, 1}; }},
      {"'w' has more bytes than can be counted",
       [](Artifact &a) { a.arguments[1].array.shape[0] = {INT64_MAX, 0}; }},
      {"comes after a result",
       [](Artifact &a) { a.arguments[0].role = Role::Result; }},
      {"it has no target", [](Artifact &a) { a.targets.clear(); }},
      {"it is there twice",
       [](Artifact &a) { a.targets.push_back(a.targets[0]); }},
      {"target 0 (sm_0)", [](Artifact &a) { a.targets[0].capability = 0; }},
      {"it has no code",
       [](Artifact &a) { a.targets[0].ptx = a.targets[0].cubin = ""; }},
      {"it has no variant", [](Artifact &a) { a.targets[0].variants.clear(); }},
      {"packed weights: array 'p0' has alignment 512, expected at most 256",
       [](Artifact &a) { a.targets[0].packed[0].alignment = 512; }},
      {"packed weights: array 'p0' depends on the batch",
       [](Artifact &a) { a.targets[0].packed[0].shape[0] = {0, 1}; }},
      {"packed weights: arrays have more bytes in all",
       [](Artifact &a) {
         for (ArrayInfo &array : a.targets[0].packed)
           array.shape = {{int64_t(1) << 60, 0}};
         a.targets[0].packed.resize(20, a.targets[0].packed[0]);
       }},
      {"constants: array 'c1' depends on the batch",
       [](Artifact &a) {
         addConstants(a.targets[0]);
         a.targets[0].constants[1].shape[0] = {0, 1};
       }},
      {"its constants have 511 bytes, expected 512",
       [](Artifact &a) {
         addConstants(a.targets[0]);
         a.targets[0].constantBytes.pop_back();
       }},
      {"its constants have 1 bytes, expected 0",
       [](Artifact &a) { a.targets[0].constantBytes = "c"; }},
      {"its index is 2, expected less than 2",
       [&](Artifact &a) {
         addConstants(a.targets[0]);
         small(a).operands[1].index = 2;
       }},
      {"batches -1 to 64",
       [](Artifact &a) { a.targets[0].variants[0].minBatch = -1; }},
      {"batches 65 to 64",
       [](Artifact &a) { a.targets[0].variants[0].minBatch = 65; }},
      {"ascending and disjoint",
       [](Artifact &a) { a.targets[0].variants[0].maxBatch = 65; }},
      {"ascending and disjoint",
       [](Artifact &a) {
         std::swap(a.targets[0].variants[0], a.targets[0].variants[1]);
       }},
      {"expected the name of a kernel",
       [&](Artifact &a) { small(a).kernel = ""; }},
      {"expected the name of a kernel",
       [&](Artifact &a) { small(a).kernel = std::string("a\0b", 3); }},
      {"tile -1", [&](Artifact &a) { small(a).tile = -1; }},
      {"factor -1", [&](Artifact &a) { small(a).factor = -1; }},
      {"tile 0 as there is no batch",
       [](Artifact &a) { a.targets[0].pack[0].tile = 1; }},
      {"0 threads", [&](Artifact &a) { small(a).threads = 0; }},
      {"1025 threads", [&](Artifact &a) { small(a).threads = 1025; }},
      {"clusters have 0 blocks",
       [&](Artifact &a) { small(a).clusterBlocks = 0; }},
      {"clusters have 2 blocks, expected 1 to 16 and a divisor",
       [&](Artifact &a) { small(a).clusterBlocks = 2; }},
      {"expected 1 before sm_90",
       [&](Artifact &a) { small(a).clusterBlocks = 3; }},
      {"it waits for earlier kernels itself",
       [&](Artifact &a) { small(a).waitsItself = true; }},
      {"2147483648 bytes of shared memory",
       [&](Artifact &a) { small(a).sharedBytes = 1u << 31; }},
      {"launch 0 (kernel 'small'): operand 0: its index is 3, expected less "
       "than 3",
       [&](Artifact &a) { small(a).operands[0].index = 3; }},
      {"its index is 2, expected less than 2",
       [&](Artifact &a) { small(a).operands[1].index = 2; }},
      {"its index is 0, expected less than 0",
       [&](Artifact &a) {
         small(a).operands[1] = descriptor(Operand::Kind::Workspace, 0);
       }},
      {"it is a weight", [&](Artifact &a) { small(a).operands[0].index = 1; }},
      {"packing, launch 0 (kernel 'pack'): operand 0: it is no weight",
       [](Artifact &a) { a.targets[0].pack[0].operands[0].index = 0; }},
      {"expected a descriptor before sm_90",
       [&](Artifact &a) {
         small(a).operands[0].form = Operand::Form::TensorMap;
       }},
      {"its parameters have 5600 bytes, expected at most 4096",
       [&](Artifact &a) {
         small(a).operands.assign(100, small(a).operands[0]);
       }},
      {"3 sizes, 1 strides and 3 box sizes",
       [&](Artifact &a) { map(a).tensorMap.strides.pop_back(); }},
      {"0 sizes, 0 strides and 0 box sizes",
       [&](Artifact &a) { map(a).tensorMap = {}; }},
      {"box has size 0", [&](Artifact &a) { map(a).tensorMap.box[1] = 0; }},
      {"box has size 257", [&](Artifact &a) { map(a).tensorMap.box[1] = 257; }},
      {"rows of its box have 8 bytes",
       [&](Artifact &a) { map(a).tensorMap.box[0] = 4; }},
      {"swizzle is 48 bytes",
       [&](Artifact &a) { map(a).tensorMap.swizzleBytes = 48; }},
      {"rows of its box have 64 bytes, expected at most those of its swizzle",
       [&](Artifact &a) {
         map(a).tensorMap.box[0] = 32;
         map(a).tensorMap.swizzleBytes = 32;
       }},
      {"stride of 4 elements of 2 bytes",
       [&](Artifact &a) { map(a).tensorMap.strides[0] = 4; }},
      {"has stride 0", [&](Artifact &a) { map(a).tensorMap.strides[0] = 0; }},
      {"expected a positive one, or a negative one above -2^40",
       [&](Artifact &a) { map(a).tensorMap.strides[0] = INT64_MIN; }},
      {"a size is -6",
       [&](Artifact &a) { map(a).tensorMap.sizes[1] = {-6, 0}; }},
  };
  for (const Fault &fault : faults) {
    Artifact artifact = makeRichArtifact();
    fault.apply(artifact);
    expectRefused(serialize(artifact), fault.text, fault.text);
  }
}

} // namespace
