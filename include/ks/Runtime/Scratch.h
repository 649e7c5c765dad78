//===- Scratch.h - Memory for intermediates ---------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Memory for intermediates. Compiled code asks for it once per block of the
// batch, which is far too often for the system: fresh pages cost more than the
// products. A thread keeps what it frees, and gets it back next time.
//
//===----------------------------------------------------------------------===//

#ifndef KS_RUNTIME_SCRATCH_H
#define KS_RUNTIME_SCRATCH_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// At least `bytes` bytes; null if there is no memory. Any thread may free it.
void *ksScratchAlloc(size_t bytes);

/// Returns memory of ksScratchAlloc, or null. The calling thread keeps a few
/// blocks until it ends.
void ksScratchFree(void *memory);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // KS_RUNTIME_SCRATCH_H
