//===- ks-run.cpp - Compile and run KS programs ---------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Tools/KSRun.h"

int main(int argc, char **argv) { return ks::ksRunMain(argc, argv); }
