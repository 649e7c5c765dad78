//===- LaunchCheck.cpp - What launches may say ----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LaunchCheck.h"

#include "ArtifactCheck.h"
#include "Text.h"

#include <climits>

using namespace ks;

namespace {

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
    if (std::string error = checkPattern(product, weightBytes); !error.empty())
      return error;
    if (launch.operands.size() != 3)
      return concat("it has ", launch.operands.size(),
                    " operands, expected 3: input, weights and result");
    for (const Operand &operand : launch.operands)
      if (operand.form != Operand::Form::Descriptor)
        return "an operand is a tensor map, expected a descriptor";
    return checkProductArrays(launch, weightBytes);
  }

  /// Sizes that a library counts by 32 bits; bytes of all matrices.
  static std::string checkPattern(const LibraryProduct &product,
                                  size_t &weightBytes) {
    std::string pattern = concat("its pattern is (", product.a, ", ", product.n,
                                 ", ", product.m, ", ", product.d, ")");
    for (int64_t size : {product.a, product.n, product.m, product.d})
      if (size < 1 || size > INT32_MAX)
        return concat(pattern, ", expected sizes from 1 to ", INT32_MAX);
    if (product.isBatchFirst && product.d != 1)
      return concat(pattern, " and its layout batch-first, expected 1 as the "
                             "last size, or batch-last");
    ArrayInfo weight{"",
                     product.type,
                     {{product.isTiedA ? 1 : product.a, 0},
                      {product.isTiedD ? 1 : product.d, 0},
                      {product.n, 0},
                      {product.m, 0}}};
    int64_t features = 0;
    for (int64_t rows : {product.n, product.m})
      if (__builtin_mul_overflow(product.a, rows, &features) ||
          __builtin_mul_overflow(features, product.d, &features) ||
          !getBytes(weight, 0, weightBytes))
        return concat(pattern, ", expected features and bytes that can be "
                               "counted");
    return "";
  }

  std::string checkProductArrays(const Launch &launch, size_t weightBytes) {
    const LibraryProduct &product = *launch.product;
    const ArrayInfo &input = getArray(launch.operands[0]);
    const ArrayInfo &result = getArray(launch.operands[2]);
    for (const ArrayInfo *array : {&input, &result}) {
      size_t features = product.isBatchFirst ? 1 : 0;
      int64_t expected =
          product.a * product.d * (array == &input ? product.m : product.n);
      if (array->type != product.type || array->shape.size() != 2 ||
          array->shape[features] != Size{expected, 0})
        return concat("array '", array->name, "' is no matrix of type ",
                      getElementName(product.type), " with ", expected,
                      " features, expected one");
    }
    size_t batch = product.isBatchFirst ? 0 : 1;
    if (input.shape[batch] != result.shape[batch])
      return "its input and its result have batches of their own, expected one";
    // The library is asked about the least batch when the layer is loaded.
    int64_t least = std::max<int64_t>(1, variant->minBatch);
    for (const ArrayInfo *array : {&input, &result})
      if (size_t bytes = 0; !getBytes(*array, least, bytes))
        return concat("array '", array->name, "' has more bytes for batch ",
                      least, " than can be counted, expected a smaller one");
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

} // namespace

std::string ks::checkLaunches(const Artifact &artifact,
                              const TargetCode &target, const Variant *variant,
                              const std::vector<Launch> &launches) {
  return LaunchChecker(artifact, target, variant).check(launches);
}
