//===- SharedLibraries.h - Libraries that are opened at run time -*- C++-*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_SHAREDLIBRARIES_H
#define KS_LIB_RUNTIME_SHAREDLIBRARIES_H

#include "ks/Runtime/Status.h"

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace ks {

/// What an environment variable says of a library that one can do without.
struct AskedLibrary {
  const char *path = nullptr; ///< Of one that must be there; null if any does.
  bool isNone = false;        ///< None is wanted.

  explicit AskedLibrary(const char *variable) {
    const char *value = std::getenv(variable);
    isNone = value && std::string_view(value) == "none";
    if (value && *value && !isNone)
      path = value;
  }
};

/// The functions of libraries, each of which is opened once per path and stays
/// open. To be leaked: what uses them may be freed by the destructors of a
/// program.
template <typename Functions> class SharedLibraries {
public:
  using Open = Status(const char *path, std::unique_ptr<const Functions> &);

  /// Those of the library at `path`, which have it as their `path`. Failures
  /// are not kept.
  Status get(const char *path, Open &open, const Functions *&functions) {
    std::lock_guard<std::mutex> lock(mutex);
    for (const auto &library : opened) {
      if (library->path != path)
        continue;
      functions = library.get();
      return {};
    }
    std::unique_ptr<const Functions> found;
    if (Status status = open(path, found))
      return status;
    functions = opened.emplace_back(std::move(found)).get();
    return {};
  }

private:
  std::mutex mutex;
  std::vector<std::unique_ptr<const Functions>> opened;
};

} // namespace ks

#endif // KS_LIB_RUNTIME_SHAREDLIBRARIES_H
