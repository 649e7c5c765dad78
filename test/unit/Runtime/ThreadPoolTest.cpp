//===- ThreadPoolTest.cpp - Tests of the parallel loop ----------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Runtime/ThreadPool.h"

#include "gtest/gtest.h"

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__
#define KS_TSAN 1
#endif
#ifdef __SANITIZE_ADDRESS__
#define KS_ASAN 1
#endif
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define KS_TSAN 1
#endif
#if __has_feature(address_sanitizer)
#define KS_ASAN 1
#endif
#endif

#ifdef KS_TSAN
/// The children below start threads, which this sanitizer forbids by default.
extern "C" const char *__tsan_default_options();
extern "C" const char *__tsan_default_options() { return "die_after_fork=0"; }
#endif

namespace {

using Body = std::function<void(int64_t, int64_t)>;

void parallelFor(int64_t count, Body body) {
  ksParallelFor(
      count,
      [](void *context, int64_t begin, int64_t end) {
        (*static_cast<Body *>(context))(begin, end);
      },
      &body);
}

/// Runs a loop of `count` iterations; true if each ran exactly once.
bool coversOnce(int64_t count) {
  // Not atomic: each element belongs to one iteration, and the sanitizers see
  // whether the loop publishes it.
  std::vector<int> hits(count);
  std::atomic<bool> valid{true};
  parallelFor(count, [&](int64_t begin, int64_t end) {
    if (begin < 0 || begin >= end || end > count)
      valid = false;
    for (int64_t i = begin; i < end; ++i)
      ++hits[i];
  });
  for (int hit : hits)
    if (hit != 1)
      return false;
  return valid;
}

/// Runs `function` in a forked child; returns its exit status, or -1 if it
/// crashed or hung.
int runInChild(const std::function<int()> &function) {
  std::fflush(nullptr);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(function());
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
    return -1;
  return WEXITSTATUS(status);
}

class ThreadPoolTest : public testing::Test {
protected:
  void SetUp() override { ksSetNumThreads(4); }
  void TearDown() override {
    unsetenv("KS_NUM_THREADS");
    ksSetNumThreads(0);
  }
};

TEST_F(ThreadPoolTest, RunsEachIterationOnce) {
  for (int threads : {1, 2, 3, 4, 7}) {
    ksSetNumThreads(threads);
    for (int64_t count : {1, 2, 3, 4, 5, 7, 8, 16, 100, 1023, 65536})
      EXPECT_TRUE(coversOnce(count)) << threads << " threads, " << count;
  }
}

TEST_F(ThreadPoolTest, DoesNothingForEmptyLoops) {
  for (int64_t count : {int64_t(0), int64_t(-1), INT64_MIN}) {
    ksParallelFor(
        count, [](void *, int64_t, int64_t) { ADD_FAILURE(); }, nullptr);
    ksParallelFor(count, nullptr, nullptr);
  }
}

TEST_F(ThreadPoolTest, HandlesHugeCounts) {
  // Chunks shrink with what remains, so even this takes few calls.
  std::atomic<int64_t> sum{0};
  parallelFor(INT64_MAX, [&](int64_t begin, int64_t end) {
    if (end - begin > 1)
      sum += end - begin;
    else
      ++sum;
  });
  EXPECT_EQ(sum, INT64_MAX);
}

TEST_F(ThreadPoolTest, RunsTrivialLoopsInline) {
  std::thread::id self = std::this_thread::get_id();
  int calls = 0;
  auto body = [&](int64_t begin, int64_t end) {
    EXPECT_EQ(std::this_thread::get_id(), self);
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, calls == 0 ? 1 : 1000);
    ++calls;
  };
  parallelFor(1, body);
  ksSetNumThreads(1);
  parallelFor(1000, body);
  EXPECT_EQ(calls, 2);
}

TEST_F(ThreadPoolTest, UsesAllThreads) {
  // Four iterations that wait for each other need four threads.
  std::atomic<int> arrived{0};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  parallelFor(4, [&](int64_t, int64_t) {
    ++arrived;
    while (arrived < 4)
      std::this_thread::yield();
    std::lock_guard<std::mutex> lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(threads.size(), 4u);
  EXPECT_EQ(threads.count(std::this_thread::get_id()), 1u);
}

TEST_F(ThreadPoolTest, WakesSleepingWorkers) {
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> arrived{0};
    parallelFor(4, [&](int64_t, int64_t) {
      ++arrived;
      while (arrived < 4)
        std::this_thread::yield();
    });
  }
}

TEST_F(ThreadPoolTest, WaitsForSlowWorkers) {
  // The caller's own share is nothing; it has to sleep until the others end.
  std::thread::id self = std::this_thread::get_id();
  std::atomic<int> done{0};
  std::atomic<bool> workerSits{false};
  parallelFor(4, [&](int64_t, int64_t) {
    if (std::this_thread::get_id() == self) {
      while (!workerSits)
        std::this_thread::yield();
    } else {
      workerSits = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
    ++done;
  });
  EXPECT_EQ(done, 4);
}

TEST_F(ThreadPoolTest, RunsNestedLoopsInline) {
  std::vector<int> hits(64 * 64);
  parallelFor(64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::thread::id self = std::this_thread::get_id();
      int calls = 0;
      parallelFor(64, [&](int64_t innerBegin, int64_t innerEnd) {
        EXPECT_EQ(std::this_thread::get_id(), self);
        ++calls;
        parallelFor(2, [&](int64_t, int64_t) {
          EXPECT_EQ(std::this_thread::get_id(), self);
        });
        for (int64_t j = innerBegin; j < innerEnd; ++j)
          ++hits[i * 64 + j];
      });
      EXPECT_EQ(calls, 1);
    }
  });
  for (int hit : hits)
    ASSERT_EQ(hit, 1);
  // The caller's mark is gone: this needs several threads.
  std::atomic<int> arrived{0};
  parallelFor(2, [&](int64_t, int64_t) {
    ++arrived;
    while (arrived < 2)
      std::this_thread::yield();
  });
}

TEST_F(ThreadPoolTest, ServesConcurrentCallers) {
  std::atomic<int> failures{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 6; ++t)
    callers.emplace_back([&failures, t] {
      for (int i = 0; i < 400; ++i)
        if (!coversOnce(1 + (i * 37 + t * 11) % 300))
          ++failures;
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(failures, 0);
}

TEST_F(ThreadPoolTest, ServesCallersWhileTheCountChanges) {
  std::atomic<int> failures{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t)
    callers.emplace_back([&] {
      while (!stop)
        if (!coversOnce(97) || ksGetNumThreads() < 1)
          ++failures;
    });
  for (int i = 0; i < 100; ++i) {
    ksSetNumThreads(1 + i % 5);
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  stop = true;
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(failures, 0);
}

TEST_F(ThreadPoolTest, SetsTheThreadCount) {
  for (int threads : {3, 1, 6, 2}) {
    ksSetNumThreads(threads);
    EXPECT_EQ(ksGetNumThreads(), threads);
    EXPECT_TRUE(coversOnce(100));
    EXPECT_EQ(ksGetNumThreads(), threads);
  }
  ksSetNumThreads(INT_MAX);
  EXPECT_EQ(ksGetNumThreads(), 1024);
}

TEST_F(ThreadPoolTest, SetsTheThreadCountInsideABody) {
  parallelFor(10, [](int64_t, int64_t) { ksSetNumThreads(2); });
  EXPECT_EQ(ksGetNumThreads(), 2);
  EXPECT_TRUE(coversOnce(100));
}

TEST_F(ThreadPoolTest, ReadsTheEnvironment) {
  unsetenv("KS_NUM_THREADS");
  ksSetNumThreads(0);
  int cores = ksGetNumThreads();
  EXPECT_GE(cores, 1);
  ksSetNumThreads(-5);
  EXPECT_EQ(ksGetNumThreads(), cores);
  setenv("KS_NUM_THREADS", "3", 1);
  EXPECT_EQ(ksGetNumThreads(), cores); // Read when the default is asked for.
  ksSetNumThreads(0);
  EXPECT_EQ(ksGetNumThreads(), 3);
  setenv("KS_NUM_THREADS", "99999999999999999999", 1);
  ksSetNumThreads(0);
  EXPECT_EQ(ksGetNumThreads(), 1024);
  for (const char *invalid : {"", "0", "-2", "many", "2x", "2.5"}) {
    setenv("KS_NUM_THREADS", invalid, 1);
    ksSetNumThreads(0);
    EXPECT_EQ(ksGetNumThreads(), cores) << invalid;
  }
}

TEST_F(ThreadPoolTest, SurvivesFork) {
  auto work = [] {
    // Two threads must meet: the child has workers of its own.
    std::atomic<int> arrived{0};
    parallelFor(2, [&](int64_t, int64_t) {
      ++arrived;
      while (arrived < 2)
        std::this_thread::yield();
    });
    return coversOnce(1000) ? 0 : 1;
  };
  ASSERT_EQ(work(), 0);
  EXPECT_EQ(runInChild(work), 0);
  EXPECT_EQ(runInChild([&] { return runInChild(work); }), 0);
  EXPECT_EQ(work(), 0);
}

TEST_F(ThreadPoolTest, SurvivesForkDuringALoop) {
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop)
      coversOnce(64);
  });
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(runInChild([] { return coversOnce(1000) ? 0 : 1; }), 0);
  stop = true;
  other.join();
}

TEST_F(ThreadPoolTest, ForkedInsideABodyMayExit) {
  std::atomic<int> failures{0};
  parallelFor(4, [&](int64_t, int64_t) {
    if (runInChild([] { return coversOnce(10) ? 0 : 1; }) != 0)
      ++failures;
  });
  EXPECT_EQ(failures, 0);
}

TEST_F(ThreadPoolTest, ExitsCleanly) {
  // exit() runs the pool's destructor, unlike the children above.
  auto exitAfter = [](const std::function<void()> &function) {
    return runInChild([&]() -> int {
      function();
      std::exit(7);
    });
  };
  EXPECT_EQ(exitAfter([] {}), 7);
  EXPECT_EQ(exitAfter([] { coversOnce(100); }), 7);
  EXPECT_EQ(exitAfter([] {
              coversOnce(100);
              std::atexit([] { std::_Exit(coversOnce(100) ? 7 : 8); });
            }),
            7);
  // In the middle of a loop, from whichever thread is first.
  EXPECT_EQ(exitAfter([] {
              std::atomic_flag exits = ATOMIC_FLAG_INIT;
              parallelFor(64, [&](int64_t, int64_t) {
                if (!exits.test_and_set())
                  std::exit(7);
                std::this_thread::sleep_for(std::chrono::seconds(50));
              });
            }),
            7);
}

TEST_F(ThreadPoolTest, MakesDoWithFewerThreads) {
#if defined(KS_TSAN) || defined(KS_ASAN)
  GTEST_SKIP() << "sanitizers need the address space that this test limits";
#endif
  EXPECT_EQ(runInChild([] {
              long pages = 0;
              std::FILE *file = std::fopen("/proc/self/statm", "r");
              if (!file || std::fscanf(file, "%ld", &pages) != 1)
                return 0; // Not Linux.
              std::fclose(file);
              // Room for few of the stacks, usually of 8 MiB each.
              rlim_t limit = pages * sysconf(_SC_PAGESIZE) + (48 << 20);
              rlimit limits = {limit, limit};
              if (setrlimit(RLIMIT_AS, &limits) != 0)
                return 1;
              ksSetNumThreads(1000);
              if (!coversOnce(100))
                return 2;
              if (ksGetNumThreads() >= 1000)
                return 3;
              return coversOnce(100) ? 0 : 4;
            }),
            0);
}

} // namespace
