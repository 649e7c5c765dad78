//===- library.cpp - ks-run as a function ---------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For tests that run the program in a process with an emulated GPU.
//
//===----------------------------------------------------------------------===//

#include "ks/Tools/KSRun.h"

#include "llvm/Support/raw_ostream.h"

extern "C" __attribute__((visibility("default"))) int ksRun(int argc,
                                                            char **argv) {
  int code = ks::ksRunMain(argc, argv);
  llvm::outs().flush();
  return code;
}
