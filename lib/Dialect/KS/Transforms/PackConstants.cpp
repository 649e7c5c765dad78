//===- PackConstants.cpp - Packing at compile time ------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ks.pack_weights does at run time, for weights that are constants.
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/SplitFloat.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace ks;

DenseElementsAttr ks::getDenseElements(Attribute attribute) {
  if (auto dense = dyn_cast<DenseElementsAttr>(attribute))
    return dense;
  auto resource = dyn_cast<DenseResourceElementsAttr>(attribute);
  if (!resource)
    return {};
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  bool isSplat = false;
  if (!blob || !DenseElementsAttr::isValidRawBuffer(resource.getType(),
                                                    blob->getData(), isSplat))
    return {};
  return DenseElementsAttr::getFromRawBuffer(resource.getType(),
                                             blob->getData());
}

//===----------------------------------------------------------------------===//
// For CPUs
//===----------------------------------------------------------------------===//

namespace {
/// Where a lane of a packed weight comes from.
struct PackedLane {
  int64_t i, n, k, j;
  bool isPadding;
};
} // namespace

/// Calls `f` for each lane, in the order of the packed weight; see
/// #ks.cpu_packing. Complex steps visit each lane once.
static void
forEachPackedLane(const KSPattern &p, CPUPackingAttr packing,
                  function_ref<void(PackedLane, bool isNewVectorRow)> f) {
  int64_t sizeI = packing.isTied(Ties::A) ? 1 : p.a;
  int64_t blocksJ = packing.isTied(Ties::D) ? 1 : packing.getNumBlocksJ(p);
  for (int64_t i = 0; i < sizeI; ++i)
    for (int64_t blockJ = 0; blockJ < blocksJ; ++blockJ)
      for (int64_t blockN = 0; blockN < packing.getNumBlocksN(p); ++blockN)
        for (int64_t k = 0; k < p.c; ++k)
          for (int64_t v = 0; v < packing.getVectors(); ++v)
            for (int64_t lane = 0; lane < packing.getLanes(); ++lane) {
              int64_t n0 = std::min(blockN * packing.getBlockN(),
                                    p.b - packing.getBlockN());
              int64_t j0 =
                  std::min(blockJ * packing.getJ(), p.d - packing.getJ());
              bool isPadding = lane >= packing.getN() * packing.getJ();
              int64_t n = n0 + v * packing.getN() +
                          (isPadding ? 0 : lane / packing.getJ());
              f({i, n, k, j0 + lane % packing.getJ(), isPadding},
                v == 0 && lane == 0);
            }
}

static DenseElementsAttr packForCPU(DenseElementsAttr weight,
                                    const KSPattern &p,
                                    CPUPackingAttr packing) {
  RankedTensorType type = packing.getPackedType(p, weight.getElementType());
  ArrayRef<int64_t> shape = weight.getType().getShape();
  Ties ties = getTies(p, shape);
  const llvm::fltSemantics &semantics =
      cast<FloatType>(type.getElementType()).getFloatSemantics();
  auto round = [&](APFloat value) {
    bool losesInfo;
    value.convert(semantics, APFloat::rmNearestTiesToEven, &losesInfo);
    return value;
  };
  auto offset = [&](const PackedLane &lane) {
    int64_t i = bitEnumContainsAny(ties, Ties::A) ? 0 : lane.i;
    int64_t j = bitEnumContainsAny(ties, Ties::D) ? 0 : lane.j;
    return ((i * shape[1] + lane.n) * shape[2] + lane.k) * shape[3] + j;
  };
  APFloat zero = APFloat::getZero(semantics);
  SmallVector<APFloat> packed;
  packed.reserve(type.getNumElements());

  if (!isa<ComplexType>(weight.getElementType())) {
    auto values = weight.getValues<APFloat>();
    forEachPackedLane(p, packing, [&](PackedLane lane, bool) {
      packed.push_back(lane.isPadding ? zero : round(values[offset(lane)]));
    });
    return DenseElementsAttr::get(type, packed);
  }

  // A step holds (re, re) of all its lanes, then (-im, im).
  auto values = weight.getValues<std::complex<APFloat>>();
  SmallVector<APFloat> imaginary;
  auto flush = [&] {
    llvm::append_range(packed, imaginary);
    imaginary.clear();
  };
  forEachPackedLane(p, packing, [&](PackedLane lane, bool isNewStep) {
    if (isNewStep)
      flush();
    APFloat re = zero, im = zero;
    if (!lane.isPadding) {
      std::complex<APFloat> value = values[offset(lane)];
      re = round(value.real());
      im = round(value.imag());
    }
    packed.append({re, re});
    imaginary.append({neg(im), im});
  });
  flush();
  return DenseElementsAttr::get(type, packed);
}

//===----------------------------------------------------------------------===//
// For GPUs
//===----------------------------------------------------------------------===//

/// Calls `f` with the place in the weight of each packed element, in order;
/// none for padding, and which part of it is packed. See #ks.gpu_packing.
static void forEachPackedPlace(
    const KSPattern &p, GPUPackingAttr packing,
    function_ref<void(std::optional<std::array<int64_t, 4>> place,
                      int64_t part)>
        f) {
  FragmentLayout layout = packing.getLayout();
  KSPattern kernel = packing.getKernelPattern(p);
  int64_t blocksOfPart = packing.getBlocksOfPart(p);
  int64_t rowsOfPart = kernel.b / packing.getParts();
  SmallVector<int64_t> shape = packing.getPackedShape(p);
  SmallVector<int64_t> at(shape.size(), 0);
  auto advance = [&] {
    for (size_t dim = shape.size(); dim-- > 0; at[dim] = 0)
      if (++at[dim] < shape[dim])
        return true;
    return false;
  };
  if (llvm::is_contained(shape, 0))
    return;
  do {
    FragmentLayout::WeightPlace place =
        layout.weightPlace(at[6], at[7], at[8], packing.getN());
    int64_t n = at[2] % blocksOfPart * packing.getN() + place.n;
    int64_t k = at[3] * packing.getK() + at[4] * layout.stepK() + place.k;
    int64_t j = at[1] * packing.getJ() + at[5];
    bool isInside = n < rowsOfPart && k < kernel.c && j < kernel.d;
    int64_t part = at[2] / blocksOfPart, run = packing.getRun();
    n = (n / run * packing.getParts() + part) * run + n % run;
    // Of what is folded, only the same columns of n and k meet.
    if (packing.getFolded()) {
      j = n % p.d;
      isInside &= j == k % p.d;
      n /= p.d;
      k /= p.d;
    }
    int64_t i = at[0], planes = packing.getPlanes(),
            r = packing.getRedundancy();
    if (planes != 0 && p.d == 1) { // Columns are groups.
      i = i * planes + j;
      j = 0;
      n = n % r * (p.b / r) + n / r;
    } else if (planes != 0) {
      k = k % (p.c / r) * r + k / (p.c / r);
    }
    if (isInside)
      f(std::array{i, n, k, j}, place.part);
    else
      f(std::nullopt, place.part);
  } while (advance());
}

static uint32_t readWord(const char *from) {
  uint32_t word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

static DenseElementsAttr packForGPU(DenseElementsAttr weight,
                                    const KSPattern &p,
                                    GPUPackingAttr packing) {
  Type element = weight.getElementType();
  RankedTensorType type = packing.getPackedType(p, element);
  ArrayRef<int64_t> shape = weight.getType().getShape();
  Ties ties = getTies(p, shape);
  ArrayRef<char> raw = weight.getRawData();
  size_t size = getRealType(element).getIntOrFloatBitWidth() / 8 *
                (isa<ComplexType>(element) ? 2 : 1);
  FragmentLayout layout = packing.getLayout();
  std::vector<char> packed;
  packed.reserve(type.getNumElements() * size);
  forEachPackedPlace(p, packing, [&](auto place, int64_t part) {
    packed.resize(packed.size() + (place ? size : layout.partBytes(size)));
    if (!place)
      return;
    auto [i, n, k, j] = *place;
    i = bitEnumContainsAny(ties, Ties::A) ? 0 : i;
    j = bitEnumContainsAny(ties, Ties::D) ? 0 : j;
    int64_t source = ((i * shape[1] + n) * shape[2] + k) * shape[3] + j;
    char *destination = packed.data() + packed.size() - size;
    std::memcpy(destination,
                raw.data() + (weight.isSplat() ? 0 : source * size), size);
    if (layout.isTF32()) {
      float number = roundToTF32(fromBits(readWord(destination)));
      std::memcpy(destination, &number, sizeof(number));
    }
    if (layout.isSplit()) {
      float number = splitFloat(fromBits(readWord(destination)))[part];
      uint16_t upper = getBits(number) >> 16;
      packed.resize(packed.size() - size + sizeof(upper));
      std::memcpy(packed.data() + packed.size() - sizeof(upper), &upper,
                  sizeof(upper));
    }
  });
  return DenseElementsAttr::getFromRawBuffer(type, packed);
}

DenseElementsAttr ks::packConstant(DenseElementsAttr weight, const KSPattern &p,
                                   PackingAttrInterface packing) {
  if (auto cpuPacking = dyn_cast<CPUPackingAttr>(packing))
    return packForCPU(weight, p, cpuPacking);
  return packForGPU(weight, p, cast<GPUPackingAttr>(packing));
}
