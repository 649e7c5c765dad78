//===- LaunchCheck.h - What launches may say --------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_LAUNCHCHECK_H
#define KS_LIB_RUNTIME_LAUNCHCHECK_H

#include "ks/Runtime/Artifact.h"

#include <string>
#include <vector>

namespace ks {

/// Checks the launches of a variant, or, without one, those that pack. A
/// message; empty on success. Arrays were checked before.
std::string checkLaunches(const Artifact &artifact, const TargetCode &target,
                          const Variant *variant,
                          const std::vector<Launch> &launches);

} // namespace ks

#endif // KS_LIB_RUNTIME_LAUNCHCHECK_H
