//===- Convert.cpp - Numbers in arrays ------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Support/Convert.h"

#include "llvm/ADT/bit.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace ks;

namespace {

/// bfloat16 is the upper half of a float.
struct BFloat16 {
  uint16_t bits;
  explicit operator double() const {
    return llvm::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
  static BFloat16 round(double value) {
    if (std::isnan(value))
      return {0x7fc0};
    auto word = llvm::bit_cast<uint32_t>(static_cast<float>(value));
    word += 0x7fff + ((word >> 16) & 1); // to nearest, ties to even
    return {static_cast<uint16_t>(word >> 16)};
  }
};

/// IEEE binary16, by hand: not every compiler has the type.
struct Float16 {
  uint16_t bits;
  explicit operator double() const {
    int exponent = (bits >> 10) & 31;
    double mantissa = bits & 1023;
    double magnitude =
        exponent == 0 ? std::ldexp(mantissa, -24)
        : exponent == 31
            ? (mantissa == 0 ? std::numeric_limits<double>::infinity()
                             : std::numeric_limits<double>::quiet_NaN())
            : std::ldexp(mantissa + 1024, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
  }
  static Float16 round(double value) {
    uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    if (std::isnan(value))
      return {static_cast<uint16_t>(sign | 0x7e00)};
    double magnitude = std::fabs(value);
    if (magnitude >= 65520) // halfway between the largest number and 2^16
      return {static_cast<uint16_t>(sign | 0x7c00)};
    int exponent = magnitude == 0 ? -14 : std::max(std::ilogb(magnitude), -14);
    // In units of the last place; nearbyint rounds to nearest, ties to even.
    auto units = static_cast<uint32_t>(
        std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
    uint32_t biased = static_cast<uint32_t>(exponent + 14) << 10;
    return {static_cast<uint16_t>(sign | (biased + units))};
  }
};

template <typename T> T roundTo(double value) { return static_cast<T>(value); }
template <> BFloat16 roundTo(double value) { return BFloat16::round(value); }
template <> Float16 roundTo(double value) { return Float16::round(value); }

/// Calls f(pointer to the array's reals, their number).
template <typename Array, typename Function>
auto visitReals(Array &array, Function f) {
  int64_t count = array.numElements();
  auto as = [&](auto *null, int64_t perElement) {
    using T = std::remove_pointer_t<decltype(null)>;
    using Pointer = std::conditional_t<std::is_const_v<Array>, const T *, T *>;
    return f(static_cast<Pointer>(array.data()), count * perElement);
  };
  switch (array.type) {
  case ElementType::F16:
    return as(static_cast<Float16 *>(nullptr), 1);
  case ElementType::BF16:
    return as(static_cast<BFloat16 *>(nullptr), 1);
  case ElementType::F32:
    return as(static_cast<float *>(nullptr), 1);
  case ElementType::F64:
    return as(static_cast<double *>(nullptr), 1);
  case ElementType::C64:
    return as(static_cast<float *>(nullptr), 2);
  case ElementType::C128:
    return as(static_cast<double *>(nullptr), 2);
  }
  llvm_unreachable("all element types are handled");
}

bool isComplex(ElementType type) {
  return type == ElementType::C64 || type == ElementType::C128;
}

} // namespace

llvm::Expected<NpyArray> ks::widenToF64(const NpyArray &array) {
  llvm::Expected<NpyArray> wide = NpyArray::create(
      isComplex(array.type) ? ElementType::C128 : ElementType::F64,
      array.shape);
  if (!wide)
    return wide.takeError();
  auto *to = static_cast<double *>(wide->data());
  visitReals(array, [&](auto *from, int64_t count) {
    for (int64_t index = 0; index < count; ++index)
      to[index] = static_cast<double>(from[index]);
  });
  return std::move(*wide);
}

void ks::fillRandom(NpyArray &array, uint64_t seed, double scale) {
  std::mt19937_64 engine(seed);
  visitReals(array, [&](auto *to, int64_t count) {
    using T = std::remove_pointer_t<decltype(to)>;
    for (int64_t index = 0; index < count; ++index) {
      // 53 random bits in [0, 1): std::uniform_real_distribution is not the
      // same everywhere.
      double unit = std::ldexp(static_cast<double>(engine() >> 11), -53);
      to[index] = roundTo<T>(scale * (2 * unit - 1));
    }
  });
}

void ks::fillNaN(NpyArray &array) {
  visitReals(array, [&](auto *to, int64_t count) {
    using T = std::remove_pointer_t<decltype(to)>;
    for (int64_t index = 0; index < count; ++index)
      to[index] = roundTo<T>(std::numeric_limits<double>::quiet_NaN());
  });
}

llvm::Expected<Difference> ks::compare(const NpyArray &array,
                                       const NpyArray &reference) {
  llvm::Expected<NpyArray> wide = widenToF64(array);
  if (!wide)
    return wide.takeError();
  const auto *x = static_cast<const double *>(wide->data());
  const auto *y = static_cast<const double *>(reference.data());
  int64_t count =
      reference.sizeInBytes() / static_cast<int64_t>(sizeof(double));
  Difference difference;
  double error = 0, norm = 0;
  for (int64_t index = 0; index < count; ++index) {
    if (!std::isfinite(y[index]))
      continue;
    difference.isFinite &= std::isfinite(x[index]);
    double delta = std::fabs(x[index] - y[index]);
    difference.maxAbsolute = std::max(difference.maxAbsolute, delta);
    error += delta * delta;
    norm += y[index] * y[index];
  }
  difference.relativeFrobenius =
      norm == 0 ? std::sqrt(error) : std::sqrt(error / norm);
  return difference;
}
