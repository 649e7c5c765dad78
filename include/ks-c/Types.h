//===- Types.h - Types of the C APIs ----------------------------*- C -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ks-c/Compiler.h and ks-c/Runtime.h have in common.
//
//===----------------------------------------------------------------------===//

#ifndef KS_C_TYPES_H
#define KS_C_TYPES_H

#include <stdint.h>

#if defined(_WIN32)
#define KS_EXPORTED __declspec(dllexport)
#else
#define KS_EXPORTED __attribute__((visibility("default")))
#endif

// NOLINTBEGIN(modernize-use-using): C has typedef only.

/// Element types; KS_C64 and KS_C128 are pairs (real, imaginary) of KS_F32 and
/// KS_F64.
typedef enum KsElementType {
  KS_F16 = 0,
  KS_BF16 = 1,
  KS_F32 = 2,
  KS_F64 = 3,
  KS_C64 = 4,
  KS_C128 = 5
} KsElementType;

/// Memory that a compiled function reads or writes; owned by the caller.
typedef struct KsBuffer {
  void *data;             ///< May be NULL if there are no elements.
  KsElementType type;     ///< Must be the type of the argument.
  int64_t rank;           ///< Length of shape and strides.
  const int64_t *shape;   ///< Sizes.
  const int64_t *strides; ///< In elements; NULL: row-major, contiguous.
                          ///< Arrays of rank 2 may have rows of any pitch of
                          ///< at least their width; others are contiguous.
} KsBuffer;

/// What a layer for GPUs says of an argument. Arguments are those of the
/// compiled function in order, followed by its results.
typedef struct KsLayerArgument {
  const char *name; ///< Owned by the layer or artefact.
  KsElementType type;
  int64_t rank;
  const int64_t *shape; ///< -1 where the size depends on the batch.
  int isWeight;         ///< Read by ksPackLayer only.
  int isResult;         ///< Written by ksRunLayer.
  uint32_t alignment;   ///< In bytes, of the data and of row pitches.
} KsLayerArgument;

// NOLINTEND(modernize-use-using)

#endif // KS_C_TYPES_H
