/* Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The public C headers compile as C99, alone and in any order. */

#include "ks-c/Compiler.h"
#include "ks/Runtime/ThreadPool.h"

KsCompileOptions (*const ksHeadersAreC99)(void);
// NOLINTNEXTLINE(misc-use-internal-linkage): it would be unused.
KsCompileOptions (*const ksHeadersAreC99)(void) = ksDefaultCompileOptions;
