/* Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

/* The headers of the C API are C99. A C file must hold something. */
#include "ks-c/Compiler.h"
#include "ks-c/Runtime.h"
#include "ks/Runtime/ThreadPool.h"

extern int ksHeadersAreC99;
