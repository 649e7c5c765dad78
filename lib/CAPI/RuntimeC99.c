/* Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The header of the GPU runtime compiles as C99, alone. */

#include "ks-c/Runtime.h"

const char *(*const ksRuntimeHeaderIsC99)(void);
// NOLINTNEXTLINE(misc-use-internal-linkage): it would be unused.
const char *(*const ksRuntimeHeaderIsC99)(void) = ksGetErrorMessage;
