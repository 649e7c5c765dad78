//===- KSRun.h - The ks-run program -----------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_TOOLS_KSRUN_H
#define KS_TOOLS_KSRUN_H

namespace ks {

/// The ks-run program: compiles KS programs and runs them. Returns the exit
/// code: 0, 1 for a wrong result (--verify), 2 for bad input.
int ksRunMain(int argc, char **argv);

} // namespace ks

#endif // KS_TOOLS_KSRUN_H
