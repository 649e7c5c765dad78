//===- Artifact.h - Compiled layers as files --------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A compiled layer: what the compiler writes (`ks-run --emit=artifact`) and the
// runtime loads. It needs no LLVM.
//
//   Artifact                the function: its arguments
//     └ Target*             an architecture: code, packed weights, constants
//         └ Variant*        a range of batches: workspace, launches
//             └ Launch*     a kernel: grid formula, operands; or a product by
//                           the vendor's library
//
// Whatever depends on the batch is linear in it (Size) or a grid formula.
//
//===----------------------------------------------------------------------===//

#ifndef KS_RUNTIME_ARTIFACT_H
#define KS_RUNTIME_ARTIFACT_H

#include "ks-c/Types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ks {

/// Packed weights, constants and workspaces lie at multiples of this many
/// bytes, and so does each array in them.
constexpr size_t arrayAlignment = 256;

/// constant + perBatch · batch.
struct Size {
  int64_t constant = 0;
  int64_t perBatch = 0;
  int64_t at(int64_t batch) const { return constant + perBatch * batch; }
  bool operator==(const Size &o) const {
    return constant == o.constant && perBatch == o.perBatch;
  }
};

/// An array that kernels read or write.
struct ArrayInfo {
  std::string name;
  KsElementType type = KS_F32;
  std::vector<Size> shape;
  /// The first element, and all strides but the last (which is 1), are
  /// multiples of this many bytes.
  uint32_t alignment = 1;
  bool operator==(const ArrayInfo &o) const {
    return name == o.name && type == o.type && shape == o.shape &&
           alignment == o.alignment;
  }
};

/// What an argument of the function is for.
enum class Role : uint8_t {
  Input,  ///< Read by every run.
  Weight, ///< Read when weights are packed, and never after.
  Result  ///< Written by every run.
};

struct Argument {
  ArrayInfo array;
  Role role = Role::Input;
  bool operator==(const Argument &o) const {
    return array == o.array && role == o.role;
  }
};

/// How a tensor map is made from the array it describes
/// (cuTensorMapEncodeTiled). Innermost dimension first, as the driver has it.
struct TensorMapRecipe {
  std::vector<Size> sizes;      ///< In elements.
  std::vector<int64_t> strides; ///< In elements, but for the innermost; -q is
                                ///< q times the array's own stride of its
                                ///< first dimension.
  std::vector<uint32_t> box;    ///< In elements.
  uint32_t swizzleBytes = 0;    ///< 0, 32, 64 or 128.
  bool operator==(const TensorMapRecipe &o) const {
    return sizes == o.sizes && strides == o.strides && box == o.box &&
           swizzleBytes == o.swizzleBytes;
  }
};

/// An operand of a kernel, passed by value.
struct Operand {
  enum class Kind : uint8_t {
    Argument,  ///< Of the function.
    Packed,    ///< Weights, from the target's list.
    Workspace, ///< From the variant's list.
    Constant   ///< From the target's list.
  };
  /// What of it is passed.
  enum class Form : uint8_t {
    Descriptor, ///< MLIR's memref descriptor: pointer, pointer, offset, sizes,
                ///< strides (8 bytes each), in elements.
    TensorMap   ///< 128 bytes, made from tensorMap.
  };
  Kind kind = Kind::Argument;
  Form form = Form::Descriptor;
  uint32_t index = 0;
  TensorMapRecipe tensorMap;
  bool operator==(const Operand &o) const {
    return kind == o.kind && form == o.form && index == o.index &&
           tensorMap == o.tensorMap;
  }
};

/// Products by the vendor's library (cublasLt), of the pattern (a, n, m, d):
/// batch-last Y_ij = W_ij X_ij for i < a, j < d, where W_ij is n×m, and row k
/// of X_ij is row (i·m + k)·d + j of X [a·m·d, batch], as row k of Y_ij is row
/// (i·n + k)·d + j of Y. Batch-first, with d = 1, Y_i = X_i W_iᵀ, where X_i are
/// columns i·m to i·m + m of X [batch, a·m]. Rows of X and Y have any pitch;
/// those of W, [a][d][n][m], follow each other. f16 and bf16 are summed in f32.
struct LibraryProduct {
  int64_t a = 1, n = 0, m = 0, d = 1;
  bool isTiedA = false, isTiedD = false; ///< There is one W for all i, or j.
  KsElementType type = KS_F32;
  bool isBatchFirst = true;
  bool isTF32 = false; ///< f32 factors may be rounded to 10 bits.
  /// Matrices W from one i, or j, to the next.
  int64_t getStrideA() const { return isTiedA ? 0 : isTiedD ? 1 : d; }
  int64_t getStrideD() const { return isTiedD ? 0 : 1; }
  /// Whether a call is of all products of an i, one for each j, and not of all
  /// of a j.
  bool isCallAlongD() const { return a < d; }
  /// How often the library is called, and of how many products each call is.
  int64_t getNumCalls() const { return isCallAlongD() ? a : d; }
  int64_t getCallProducts() const { return isCallAlongD() ? d : a; }
  bool operator==(const LibraryProduct &o) const {
    return a == o.a && n == o.n && m == o.m && d == o.d &&
           isTiedA == o.isTiedA && isTiedD == o.isTiedD && type == o.type &&
           isBatchFirst == o.isBatchFirst && isTF32 == o.isTF32;
  }
};

/// When a launch is one. Whether the library is there is found out when the
/// layer is loaded, for all of it.
enum class Condition : uint8_t { Always, WithLibrary, WithoutLibrary };

/// One launch of a kernel. The grid has min(ceil(batch / tile), maxTiles) ·
/// factor blocks along x, or `factor` if tile is 0; nothing is launched if that
/// is 0. With a `product` it is that instead, and nothing else counts but its
/// operands, X, W and Y.
///
/// What is `WithLibrary` is followed by what is done without it.
struct Launch {
  std::string kernel;
  int64_t tile = 0;
  int64_t factor = 1;
  uint32_t threads = 1;       ///< Per block.
  uint32_t clusterBlocks = 1; ///< Per cluster.
  uint32_t sharedBytes = 0;   ///< Dynamic shared memory per block.
  std::vector<Operand> operands;
  int64_t maxTiles = INT64_MAX; ///< Blocks go on to further tiles.
  bool waitsItself = false;     ///< For earlier kernels of its stream, so that
                                ///< it may be launched before they end.
  Condition condition = Condition::Always;
  std::optional<LibraryProduct> product = std::nullopt;
  bool operator==(const Launch &o) const {
    return kernel == o.kernel && tile == o.tile && maxTiles == o.maxTiles &&
           factor == o.factor && threads == o.threads &&
           clusterBlocks == o.clusterBlocks && sharedBytes == o.sharedBytes &&
           operands == o.operands && waitsItself == o.waitsItself &&
           condition == o.condition && product == o.product;
  }
};

/// Launches for batches from minBatch to maxBatch, both included.
struct Variant {
  int64_t minBatch = 0;
  int64_t maxBatch = INT64_MAX;
  std::string plan; ///< For people: the plans it was made from.
  std::vector<ArrayInfo> workspace;
  std::vector<Launch> launches;
  /// Whether a library computes some of it, where there is one.
  bool hasLibraryProduct() const {
    for (const Launch &launch : launches)
      if (launch.product)
        return true;
    return false;
  }
  bool operator==(const Variant &o) const {
    return minBatch == o.minBatch && maxBatch == o.maxBatch && plan == o.plan &&
           workspace == o.workspace && launches == o.launches;
  }
};

/// Code for one architecture.
struct TargetCode {
  /// compute capability, 10·major + minor: 80, 90, 120.
  uint32_t capability = 80;
  /// Whether the code runs on that very capability only (sm_90a); otherwise
  /// on later ones too, compiled by the driver.
  bool isSpecific = false;
  std::string ptx;
  std::string cubin; ///< Empty if there is none; for this capability only.
  std::vector<ArrayInfo> packed;
  /// What the program holds itself, such as weights that never change; the
  /// bytes of all, each at a multiple of arrayAlignment.
  std::vector<ArrayInfo> constants;
  std::string constantBytes;
  std::vector<Launch> pack;      ///< From weights to packed weights.
  std::vector<Variant> variants; ///< Disjoint, in ascending order of batches.
  bool operator==(const TargetCode &o) const {
    return capability == o.capability && isSpecific == o.isSpecific &&
           ptx == o.ptx && cubin == o.cubin && packed == o.packed &&
           constants == o.constants && constantBytes == o.constantBytes &&
           pack == o.pack && variants == o.variants;
  }
};

/// A compiled function.
struct Artifact {
  std::string entry;
  std::vector<Argument> arguments; ///< Results come last.
  std::vector<TargetCode> targets;
  bool operator==(const Artifact &o) const {
    return entry == o.entry && arguments == o.arguments && targets == o.targets;
  }
};

/// The bytes of the file: a header with a version, and sections with a checksum
/// each.
std::string serialize(const Artifact &artifact);

/// Reads what serialize wrote. Returns a message, empty on success: truncated,
/// altered and foreign bytes are found, as are indices out of range, negative
/// sizes, and what no version of this format can say.
std::string deserialize(std::string_view bytes, Artifact &artifact);

} // namespace ks

#endif // KS_RUNTIME_ARTIFACT_H
