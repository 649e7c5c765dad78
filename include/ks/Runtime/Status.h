//===- Status.h - Errors as values ------------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_RUNTIME_STATUS_H
#define KS_RUNTIME_STATUS_H

#include "ks-c/Runtime.h"

#include <string>
#include <utility>

namespace ks {

/// How a call of the GPU runtime went. True in a condition if it failed:
///
///   if (Status status = layer->run(...))
///     return status;
class [[nodiscard]] Status {
public:
  /// All went well.
  Status() = default;
  /// A failure; the message says what was got, what was expected and what to
  /// do next.
  Status(KsStatus code, std::string message)
      : code(code), message(std::move(message)) {}

  explicit operator bool() const { return code != KS_OK; }
  KsStatus getCode() const { return code; }
  const std::string &getMessage() const { return message; }

  /// The same failure, with `where` and a colon in front of its message.
  Status in(const std::string &where) const {
    return code == KS_OK ? Status() : Status(code, where + ": " + message);
  }

private:
  KsStatus code = KS_OK;
  std::string message;
};

} // namespace ks

#endif // KS_RUNTIME_STATUS_H
