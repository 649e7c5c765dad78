//===- Buffers.h - Arguments of compiled functions --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_EXECUTIONENGINE_BUFFERS_H
#define KS_LIB_EXECUTIONENGINE_BUFFERS_H

#include "ks/ExecutionEngine/CompiledFunction.h"

namespace ks {

/// Checks that `buffer` is what `expected` says; `what` names it in messages.
llvm::Error checkBuffer(const Buffer &buffer, const ArgumentInfo &expected,
                        const llvm::Twine &what);

/// Whether the two may share memory.
bool mayOverlap(const Buffer &x, const Buffer &y);

/// A ranked memref descriptor, as MLIR's C interface passes it.
class Descriptor {
public:
  explicit Descriptor(const Buffer &buffer);
  void *get() { return words.data(); }

private:
  llvm::SmallVector<int64_t, 11> words;
};

/// Calls a packed function of the execution engine.
void call(void (*function)(void **), llvm::ArrayRef<Buffer> arguments);

} // namespace ks

#endif // KS_LIB_EXECUTIONENGINE_BUFFERS_H
