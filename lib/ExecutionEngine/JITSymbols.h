//===- JITSymbols.h - What compiled code calls ------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_EXECUTIONENGINE_JITSYMBOLS_H
#define KS_LIB_EXECUTIONENGINE_JITSYMBOLS_H

#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/Mangling.h"

namespace ks {

/// The functions that compiled code may call, by address: a static program
/// has no symbol table to find them in.
llvm::orc::SymbolMap getJITSymbols(llvm::orc::MangleAndInterner interner);

} // namespace ks

#endif // KS_LIB_EXECUTIONENGINE_JITSYMBOLS_H
