//===- Text.h - Messages ----------------------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_TEXT_H
#define KS_LIB_RUNTIME_TEXT_H

#include <string>
#include <string_view>
#include <type_traits>

namespace ks {

/// The parts, one after the other: strings, characters, whole numbers.
template <typename... Parts> std::string concat(const Parts &...parts) {
  std::string text;
  auto append = [&](const auto &part) {
    using Part = std::decay_t<decltype(part)>;
    if constexpr (std::is_same_v<Part, char>)
      text += part;
    else if constexpr (std::is_integral_v<Part>)
      text += std::to_string(part);
    else
      text += std::string_view(part);
  };
  (append(parts), ...);
  return text;
}

} // namespace ks

#endif // KS_LIB_RUNTIME_TEXT_H
