//===- ArtifactCheck.cpp - What artefacts may say -------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever can be known before a batch is known is checked here, once, so that
// launches need not: indices, ranges, and the limits of CUDA.
//
//===----------------------------------------------------------------------===//

#include "ArtifactCheck.h"

#include "LaunchCheck.h"
#include "Text.h"

#include <algorithm>

using namespace ks;

size_t ks::getElementBytes(KsElementType type) {
  switch (type) {
  case KS_F16:
  case KS_BF16:
    return 2;
  case KS_F32:
    return 4;
  case KS_F64:
  case KS_C64:
    return 8;
  case KS_C128:
    return 16;
  }
  return 1;
}

const char *ks::getElementName(KsElementType type) {
  switch (type) {
  case KS_F16:
    return "f16";
  case KS_BF16:
    return "bf16";
  case KS_F32:
    return "f32";
  case KS_F64:
    return "f64";
  case KS_C64:
    return "complex<f32>";
  case KS_C128:
    return "complex<f64>";
  }
  return "an unknown type";
}

std::string ks::getTargetName(const TargetCode &target) {
  return concat("sm_", target.capability, target.isSpecific ? "a" : "");
}

const ArrayInfo &ks::getArray(const Artifact &artifact,
                              const TargetCode &target, const Variant *variant,
                              const Operand &operand) {
  switch (operand.kind) {
  case Operand::Kind::Packed:
    return target.packed[operand.index];
  case Operand::Kind::Workspace:
    return variant->workspace[operand.index];
  case Operand::Kind::Constant:
    return target.constants[operand.index];
  case Operand::Kind::Argument:
    break;
  }
  return artifact.arguments[operand.index].array;
}

size_t ks::getParameterBytes(const Operand &operand, const ArrayInfo &array) {
  if (operand.form == Operand::Form::TensorMap)
    return tensorMapBytes;
  return 8 * (3 + 2 * array.shape.size());
}

bool ks::roundUp(size_t &value, size_t multiple) {
  if (__builtin_add_overflow(value, multiple - 1, &value))
    return false;
  value -= value % multiple;
  return true;
}

bool ks::getSize(const Size &size, int64_t batch, int64_t &value) {
  return !__builtin_mul_overflow(size.perBatch, batch, &value) &&
         !__builtin_add_overflow(value, size.constant, &value);
}

bool ks::getBytes(const ArrayInfo &array, int64_t batch, size_t &bytes) {
  int64_t total = static_cast<int64_t>(getElementBytes(array.type));
  bool isEmpty = false;
  for (const Size &size : array.shape) {
    int64_t value = 0;
    if (!getSize(size, batch, value))
      return false;
    if (value == 0)
      isEmpty = true;
    else if (__builtin_mul_overflow(total, value, &total))
      return false;
  }
  bytes = isEmpty ? 0 : static_cast<size_t>(total);
  return true;
}

bool ks::getTotalBytes(const std::vector<ArrayInfo> &arrays, int64_t batch,
                       size_t &bytes) {
  bytes = 0;
  for (const ArrayInfo &array : arrays) {
    size_t size = 0;
    if (!getBytes(array, batch, size) || !roundUp(size, arrayAlignment) ||
        __builtin_add_overflow(bytes, size, &bytes))
      return false;
  }
  return true;
}

std::string ks::checkSize(const Size &size) {
  if (size.constant < 0 || size.perBatch < 0)
    return concat("a size is ", size.constant, " + ", size.perBatch,
                  " per batch entry, expected no negative number");
  return "";
}

namespace {

/// The error, with what it is about in front; "" stays "".
std::string in(const std::string &where, const std::string &error) {
  return error.empty() ? error : concat(where, ": ", error);
}

bool dependsOnBatch(const ArrayInfo &array) {
  return std::ranges::any_of(
      array.shape, [](const Size &size) { return size.perBatch != 0; });
}

std::string checkArray(const ArrayInfo &array) {
  std::string where = concat("array '", array.name, "'");
  if (array.shape.size() > maxRank)
    return concat(where, " has rank ", array.shape.size(),
                  ", expected at most ", maxRank);
  if (hasZero(array.name))
    return concat(where, " has a zero in its name");
  for (const Size &size : array.shape)
    if (std::string error = checkSize(size); !error.empty())
      return in(where, error);
  if (!isPowerOfTwo(array.alignment))
    return concat(where, " has alignment ", array.alignment,
                  ", expected a power of two");
  size_t bytes = 0;
  if (!getBytes(array, /*batch=*/1, bytes))
    return concat(where, " has more bytes than can be counted");
  return "";
}

/// Of weights before and after packing.
std::string checkFixedArray(const ArrayInfo &array) {
  if (dependsOnBatch(array))
    return concat("array '", array.name,
                  "' depends on the batch, expected weights not to");
  return "";
}

/// Of arrays that the runtime places.
std::string checkPlacedArrays(const std::vector<ArrayInfo> &arrays) {
  for (const ArrayInfo &array : arrays) {
    if (std::string error = checkArray(array); !error.empty())
      return error;
    if (array.alignment > arrayAlignment)
      return concat("array '", array.name, "' has alignment ", array.alignment,
                    ", expected at most ", arrayAlignment);
  }
  size_t bytes = 0;
  if (!getTotalBytes(arrays, /*batch=*/1, bytes))
    return "arrays have more bytes in all than can be counted";
  return "";
}

/// Of arrays that the runtime places once.
std::string checkFixedArrays(const std::vector<ArrayInfo> &arrays) {
  for (const ArrayInfo &array : arrays)
    if (std::string error = checkFixedArray(array); !error.empty())
      return error;
  return checkPlacedArrays(arrays);
}

std::string checkArguments(const std::vector<Argument> &arguments) {
  bool seenResult = false;
  for (const Argument &argument : arguments) {
    if (std::string error = checkArray(argument.array); !error.empty())
      return error;
    bool isResult = argument.role == Role::Result;
    if (seenResult && !isResult)
      return concat("argument '", argument.array.name,
                    "' comes after a result, expected results last");
    seenResult |= isResult;
    if (argument.role == Role::Weight)
      if (std::string error = checkFixedArray(argument.array); !error.empty())
        return error;
  }
  return "";
}

std::string checkVariants(const Artifact &artifact, const TargetCode &target) {
  const Variant *previous = nullptr;
  for (const Variant &variant : target.variants) {
    if (variant.minBatch < 0 || variant.minBatch > variant.maxBatch)
      return concat("a variant is for batches ", variant.minBatch, " to ",
                    variant.maxBatch, ", expected 0 <= first <= last");
    if (previous && previous->maxBatch >= variant.minBatch)
      return concat("a variant for batches from ", variant.minBatch,
                    " follows one for batches up to ", previous->maxBatch,
                    ", expected ascending and disjoint ranges");
    previous = &variant;
    std::string where =
        concat("batches ", variant.minBatch, " to ", variant.maxBatch);
    if (std::string error = checkPlacedArrays(variant.workspace);
        !error.empty())
      return in(where + ", workspace", error);
    if (std::string error =
            checkLaunches(artifact, target, &variant, variant.launches);
        !error.empty())
      return in(where, error);
  }
  return "";
}

std::string checkTarget(const Artifact &artifact, const TargetCode &target) {
  if (target.capability < 10 || target.capability > 9999)
    return "expected a compute capability, as 10 * major + minor";
  if (target.ptx.empty() && target.cubin.empty())
    return "it has no code, expected PTX or a cubin";
  if (target.variants.empty())
    return "it has no variant, expected one at least";
  if (std::string error = checkFixedArrays(target.packed); !error.empty())
    return in("packed weights", error);
  if (std::string error = checkFixedArrays(target.constants); !error.empty())
    return in("constants", error);
  size_t constantBytes = 0;
  getTotalBytes(target.constants, /*batch=*/0, constantBytes);
  if (target.constantBytes.size() != constantBytes)
    return concat("its constants have ", target.constantBytes.size(),
                  " bytes, expected ", constantBytes);
  if (std::string error = checkLaunches(artifact, target, nullptr, target.pack);
      !error.empty())
    return error;
  return checkVariants(artifact, target);
}

} // namespace

std::string ks::check(const Artifact &artifact) {
  if (std::string error = checkArguments(artifact.arguments); !error.empty())
    return error;
  if (artifact.targets.empty())
    return "it has no target, expected one at least";
  for (size_t index = 0; index < artifact.targets.size(); ++index) {
    const TargetCode &target = artifact.targets[index];
    std::string where =
        concat("target ", index, " (", getTargetName(target), ")");
    for (size_t other = 0; other < index; ++other)
      if (getTargetName(artifact.targets[other]) == getTargetName(target))
        return in(where, "it is there twice, expected once");
    if (std::string error = checkTarget(artifact, target); !error.empty())
      return in(where, error);
  }
  return "";
}
