//===- ThreadPool.h - Parallel loops for compiled code ----------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parallel loop that compiled CPU code calls. One pool of persistent
// threads serves the whole process. It starts on first use, needs neither
// OpenMP nor TBB, and never throws: what it cannot do in parallel it does on
// the calling thread. This header is also valid C.
//
//===----------------------------------------------------------------------===//

#ifndef KS_RUNTIME_THREADPOOL_H
#define KS_RUNTIME_THREADPOOL_H

#include <stdint.h>

// NOLINTBEGIN(modernize-use-using): C has typedef only.
#ifdef __cplusplus
extern "C" {
#endif

/// A loop body: runs the iterations [begin, end), where begin < end, with the
/// `context` given to ksParallelFor. It is called from several threads at once
/// and several times per thread. An exception that leaves it ends the process,
/// and so it must not be left through longjmp or pthread_exit either.
typedef void (*KsParallelBody)(void *context, int64_t begin, int64_t end);

/// Runs `body` over the iterations [0, count), each exactly once, in no
/// particular order; returns when all are done. What the body wrote is then
/// visible to the caller. A count below 1 does nothing.
///
/// The calling thread takes part. It runs all iterations itself, in one call
/// of the body, if count is 1, if the thread count is 1, if it is called from
/// inside a body (of any loop), or if another thread's loop has the pool.
///
/// Safe to call from any thread, and in the child of a fork() (which starts
/// threads of its own). A child forked *inside* a body must call exec or
/// _exit: its share of the loop cannot be completed.
///
/// At exit() and dlclose() the library joins its idle threads, so its code may
/// be unmapped. Loops that run later, from the destructors of other
/// libraries, run on the calling thread. No loop may run during dlclose().
void ksParallelFor(int64_t count, KsParallelBody body, void *context);

/// Sets how many threads, the caller included, later loops use. 0 or less
/// means the default: the environment variable KS_NUM_THREADS if it is a
/// positive integer, else the number of cores that the calling thread may run
/// on. Counts above 1024 become 1024. Loops that are running keep their count.
void ksSetNumThreads(int threads);

/// How many threads, the caller included, the next loop uses at most. Less
/// than what was asked for if the system refused to start more; it is asked
/// again when the count changes.
int ksGetNumThreads(void);

#ifdef __cplusplus
} // extern "C"
#endif
// NOLINTEND(modernize-use-using)

#endif // KS_RUNTIME_THREADPOOL_H
