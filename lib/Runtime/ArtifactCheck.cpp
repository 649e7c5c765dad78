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

#include "Text.h"

#include <algorithm>
#include <climits>

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

namespace {

/// The error, with what it is about in front; "" stays "".
std::string in(const std::string &where, const std::string &error) {
  return error.empty() ? error : concat(where, ": ", error);
}

bool isPowerOfTwo(uint32_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

bool hasZero(const std::string &text) {
  return text.find('\0') != std::string::npos;
}

bool dependsOnBatch(const ArrayInfo &array) {
  return std::ranges::any_of(
      array.shape, [](const Size &size) { return size.perBatch != 0; });
}

std::string checkSize(const Size &size) {
  if (size.constant < 0 || size.perBatch < 0)
    return concat("a size is ", size.constant, " + ", size.perBatch,
                  " per batch entry, expected no negative number");
  return "";
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

std::string checkBox(const TensorMapRecipe &recipe, size_t elementBytes) {
  for (uint32_t size : recipe.box)
    if (size < 1 || size > 256)
      return concat("its box has size ", size, ", expected 1 to 256");
  size_t rowBytes = recipe.box[0] * elementBytes;
  if (rowBytes % 16 != 0)
    return concat("rows of its box have ", rowBytes,
                  " bytes, expected a multiple of 16");
  uint32_t swizzle = recipe.swizzleBytes;
  if (swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128)
    return concat("its swizzle is ", swizzle,
                  " bytes, expected 0, 32, 64 or 128");
  if (swizzle != 0 && rowBytes > swizzle)
    return concat("rows of its box have ", rowBytes,
                  " bytes, expected at most those of its swizzle, ", swizzle);
  return "";
}

/// The rules of cuTensorMapEncodeTiled, as far as they are known by now.
std::string checkTensorMap(const TensorMapRecipe &recipe,
                           const ArrayInfo &array) {
  size_t rank = recipe.sizes.size();
  if (rank < 1 || rank > 5 || recipe.box.size() != rank ||
      recipe.strides.size() != rank - 1)
    return concat("its tensor map has ", rank, " sizes, ",
                  recipe.strides.size(), " strides and ", recipe.box.size(),
                  " box sizes, expected n, n - 1 and n, with n from 1 to 5");
  for (const Size &size : recipe.sizes)
    if (std::string error = checkSize(size); !error.empty())
      return error;
  size_t elementBytes = getElementBytes(array.type);
  if (elementBytes > 8)
    return concat("its tensor map has elements of type ",
                  getElementName(array.type), ", expected at most 8 bytes");
  for (int64_t stride : recipe.strides) {
    if (stride == 0 || stride < -(int64_t(1) << 40) ||
        (stride < 0 && array.shape.empty()))
      return concat("its tensor map has stride ", stride,
                    " in an array of rank ", array.shape.size(),
                    ", expected a positive one, or a negative one above "
                    "-2^40 and a dimension");
    int64_t bytes = 0;
    if (stride < 0)
      continue;
    if (__builtin_mul_overflow(stride, int64_t(elementBytes), &bytes) ||
        bytes % 16 != 0 || bytes >= int64_t(1) << 40)
      return concat("its tensor map has a stride of ", stride, " elements of ",
                    elementBytes,
                    " bytes, expected a multiple of 16 bytes below 2^40");
  }
  return checkBox(recipe, elementBytes);
}

/// Checks the launches of a target, or, with a variant, of that variant.
class LaunchChecker {
public:
  LaunchChecker(const Artifact &artifact, const TargetCode &target,
                const Variant *variant)
      : artifact(artifact), target(target), variant(variant) {}

  std::string check(const std::vector<Launch> &launches) {
    for (size_t index = 0; index < launches.size(); ++index) {
      const Launch &launch = launches[index];
      std::string error = checkLaunch(launch);
      if (error.empty())
        error = checkCondition(launches, index);
      if (!error.empty())
        return concat(variant ? "" : "packing, ", "launch ", index,
                      launch.product
                          ? std::string(" (library product)")
                          : concat(" (kernel '", launch.kernel, "')"),
                      ": ", error);
    }
    return "";
  }

private:
  /// What a library does is done without it, too.
  static std::string checkCondition(const std::vector<Launch> &launches,
                                    size_t index) {
    if (launches[index].condition != Condition::WithLibrary)
      return "";
    for (size_t next = index + 1; next < launches.size(); ++next)
      if (launches[next].condition != Condition::WithLibrary)
        return launches[next].condition == Condition::WithoutLibrary
                   ? ""
                   : "it needs a library, expected what is done without one "
                     "behind it";
    return "it needs a library and is the last, expected what is done without "
           "one behind it";
  }

  std::string checkLaunch(const Launch &launch) {
    std::string error = launch.product ? "" : checkShape(launch);
    if (!error.empty())
      return error;
    size_t parameterBytes = 0;
    for (size_t index = 0; index < launch.operands.size(); ++index) {
      const Operand &operand = launch.operands[index];
      if (std::string error = checkOperand(operand); !error.empty())
        return concat("operand ", index, ": ", error);
      parameterBytes += getParameterBytes(operand, getArray(operand));
    }
    if (parameterBytes > maxParameterBytes)
      return concat("its parameters have ", parameterBytes,
                    " bytes, expected at most ", maxParameterBytes);
    return launch.product ? checkProduct(launch) : "";
  }

  std::string checkProduct(const Launch &launch) {
    const LibraryProduct &product = *launch.product;
    if (launch.condition != Condition::WithLibrary || !variant)
      return concat("it is ", variant ? "done without a library" : "packing",
                    ", expected a product of a run, with a library");
    if (product.type == KS_C64 || product.type == KS_C128)
      return concat("its elements are of type ", getElementName(product.type),
                    ", expected f16, bf16, f32 or f64");
    if (product.isTF32 && product.type != KS_F32)
      return concat("it is rounded to tf32 with elements of type ",
                    getElementName(product.type), ", expected f32");
    size_t weightBytes = 0;
    ArrayInfo weight{"", product.type, {{product.n, 0}, {product.m, 0}}};
    if (product.n < 1 || product.m < 1 || !getBytes(weight, 0, weightBytes))
      return concat("its matrix is ", product.n, " x ", product.m,
                    ", expected at least 1 x 1, and bytes that can be counted");
    if (launch.operands.size() != 3)
      return concat("it has ", launch.operands.size(),
                    " operands, expected 3: input, weights and result");
    for (const Operand &operand : launch.operands)
      if (operand.form != Operand::Form::Descriptor)
        return "an operand is a tensor map, expected a descriptor";
    return checkProductArrays(launch, weightBytes);
  }

  std::string checkProductArrays(const Launch &launch, size_t weightBytes) {
    const LibraryProduct &product = *launch.product;
    const ArrayInfo &input = getArray(launch.operands[0]);
    const ArrayInfo &result = getArray(launch.operands[2]);
    for (const ArrayInfo *array : {&input, &result}) {
      size_t features = product.isBatchFirst ? 1 : 0;
      int64_t expected = array == &input ? product.m : product.n;
      if (array->type != product.type || array->shape.size() != 2 ||
          array->shape[features] != Size{expected, 0})
        return concat("array '", array->name, "' is no matrix of type ",
                      getElementName(product.type), " with ", expected,
                      " features, expected one");
    }
    size_t batch = product.isBatchFirst ? 0 : 1;
    if (input.shape[batch] != result.shape[batch])
      return "its input and its result have batches of their own, expected one";
    const Operand &weights = launch.operands[1];
    if (weights.kind != Operand::Kind::Packed &&
        weights.kind != Operand::Kind::Constant)
      return "its weights are an argument or workspace, expected packed ones "
             "or a constant";
    size_t bytes = 0;
    getBytes(getArray(weights), /*batch=*/0, bytes);
    if (bytes < weightBytes)
      return concat("its weights have ", bytes, " bytes, expected at least ",
                    weightBytes);
    return "";
  }

  std::string checkShape(const Launch &launch) {
    if (launch.kernel.empty() || hasZero(launch.kernel))
      return "expected the name of a kernel";
    if (launch.tile < 0 || launch.maxTiles < 0 || launch.factor < 0 ||
        (launch.tile && !variant))
      return concat("its grid has tile ", launch.tile, ", at most ",
                    launch.maxTiles, " tiles and factor ", launch.factor,
                    ", expected no negative number",
                    variant ? "" : ", and tile 0 as there is no batch");
    if (launch.threads < 1 || launch.threads > 1024)
      return concat("its blocks have ", launch.threads,
                    " threads, expected 1 to 1024");
    if (launch.clusterBlocks < 1 || launch.clusterBlocks > 16 ||
        launch.factor % launch.clusterBlocks != 0)
      return concat("its clusters have ", launch.clusterBlocks,
                    " blocks, expected 1 to 16 and a divisor of its grid's "
                    "factor, ",
                    launch.factor);
    if (launch.clusterBlocks > 1 && target.capability < 90)
      return concat("its clusters have ", launch.clusterBlocks,
                    " blocks, expected 1 before sm_90");
    if (launch.waitsItself && target.capability < 90)
      return "it waits for earlier kernels itself, expected that not before "
             "sm_90";
    if (launch.sharedBytes > INT_MAX)
      return concat("it needs ", launch.sharedBytes,
                    " bytes of shared memory, expected at most ", INT_MAX);
    return "";
  }

  size_t getCount(Operand::Kind kind) {
    switch (kind) {
    case Operand::Kind::Argument:
      return artifact.arguments.size();
    case Operand::Kind::Packed:
      return target.packed.size();
    case Operand::Kind::Workspace:
      return variant ? variant->workspace.size() : 0;
    case Operand::Kind::Constant:
      return target.constants.size();
    }
    return 0;
  }

  const ArrayInfo &getArray(const Operand &operand) {
    return ks::getArray(artifact, target, variant, operand);
  }

  std::string checkOperand(const Operand &operand) {
    if (operand.index >= getCount(operand.kind))
      return concat("its index is ", operand.index, ", expected less than ",
                    getCount(operand.kind));
    if (operand.kind == Operand::Kind::Argument) {
      bool isWeight = artifact.arguments[operand.index].role == Role::Weight;
      if (isWeight != (variant == nullptr))
        return variant ? "it is a weight, expected its packed form"
                       : "it is no weight, expected one, as it packs";
    }
    if (operand.form != Operand::Form::TensorMap)
      return "";
    if (target.capability < 90)
      return "it is a tensor map, expected a descriptor before sm_90";
    return checkTensorMap(operand.tensorMap, getArray(operand));
  }

  const Artifact &artifact;
  const TargetCode &target;
  const Variant *variant;
};

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
            LaunchChecker(artifact, target, &variant).check(variant.launches);
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
  if (std::string error =
          LaunchChecker(artifact, target, nullptr).check(target.pack);
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
