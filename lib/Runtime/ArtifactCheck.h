//===- ArtifactCheck.h - What artefacts may say -----------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_ARTIFACTCHECK_H
#define KS_LIB_RUNTIME_ARTIFACTCHECK_H

#include "ks/Runtime/Artifact.h"

#include <cstddef>
#include <string>

namespace ks {

/// What all drivers accept as parameters of a kernel, in bytes.
constexpr size_t maxParameterBytes = 4096;

/// So that launches need no memory of the heap.
constexpr size_t maxRank = 8;

constexpr size_t tensorMapBytes = 128;

/// Bytes of an element.
size_t getElementBytes(KsElementType type);

/// "f16" and so on.
const char *getElementName(KsElementType type);

/// "sm_90a".
std::string getTargetName(const TargetCode &target);

/// The array that an operand of a launch refers to; without a variant, of one
/// that packs.
const ArrayInfo &getArray(const Artifact &artifact, const TargetCode &target,
                          const Variant *variant, const Operand &operand);

/// Bytes that an operand, which refers to `array`, takes as parameters.
size_t getParameterBytes(const Operand &operand, const ArrayInfo &array);

/// value rounded up to a multiple; false if that is too large.
bool roundUp(size_t &value, size_t multiple);

/// The size for a batch. False if it is too large.
bool getSize(const Size &size, int64_t batch, int64_t &value);

/// Bytes that `arrays` take for `batch`, each rounded up to arrayAlignment.
/// False if they cannot be counted.
bool getTotalBytes(const std::vector<ArrayInfo> &arrays, int64_t batch,
                   size_t &bytes);

/// Bytes of one array. False if they cannot be counted.
bool getBytes(const ArrayInfo &array, int64_t batch, size_t &bytes);

inline bool isPowerOfTwo(uint32_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

inline bool hasZero(const std::string &text) {
  return text.find('\0') != std::string::npos;
}

/// Checks that a size is no negative number. A message; empty on success.
std::string checkSize(const Size &size);

/// Checks whatever holds for all artefacts. A message; empty on success.
std::string check(const Artifact &artifact);

} // namespace ks

#endif // KS_LIB_RUNTIME_ARTIFACTCHECK_H
