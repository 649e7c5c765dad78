//===- Scratch.cpp - Memory for intermediates -----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Runtime/Scratch.h"

#include <cstdint>
#include <cstdlib>

namespace {

/// In front of each block; keeps what follows aligned to a cache line.
struct alignas(64) Header {
  size_t bytes;
};

/// The blocks that this thread has freed.
class Cache {
public:
  ~Cache() {
    for (Header *&block : blocks)
      std::free(block);
  }

  /// The smallest block that is large enough and not wastefully so; or null.
  Header *take(size_t bytes) {
    Header **best = nullptr;
    for (Header *&block : blocks)
      if (block && block->bytes >= bytes && block->bytes / 2 <= bytes &&
          (!best || block->bytes < (*best)->bytes))
        best = &block;
    if (!best)
      return nullptr;
    Header *block = *best;
    *best = nullptr;
    return block;
  }

  /// Keeps `block`; what is returned, if anything, is to be freed: a smaller
  /// one, which is cheaper to get again.
  Header *put(Header *block) {
    Header **smallest = &blocks[0];
    for (Header *&kept : blocks) {
      if (!kept) {
        kept = block;
        return nullptr;
      }
      if (kept->bytes < (*smallest)->bytes)
        smallest = &kept;
    }
    if ((*smallest)->bytes >= block->bytes)
      return block;
    Header *evicted = *smallest;
    *smallest = block;
    return evicted;
  }

private:
  // A chain uses two at a time.
  Header *blocks[4] = {};
};

thread_local Cache cache;

} // namespace

extern "C" void *ksScratchAlloc(size_t bytes) {
  Header *block = cache.take(bytes);
  if (!block) {
    size_t padding = sizeof(Header) + alignof(Header);
    if (bytes > SIZE_MAX - padding)
      return nullptr;
    size_t total = (bytes + padding) / alignof(Header) * alignof(Header);
    block = static_cast<Header *>(std::aligned_alloc(alignof(Header), total));
    if (!block)
      return nullptr;
    block->bytes = bytes;
  }
  return block + 1;
}

extern "C" void ksScratchFree(void *memory) {
  if (memory)
    std::free(cache.put(static_cast<Header *>(memory) - 1));
}
