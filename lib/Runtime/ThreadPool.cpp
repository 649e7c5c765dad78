//===- ThreadPool.cpp - Parallel loops for compiled code --------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The caller of a loop opens a number of *seats*. Workers that are awake take
// a seat, run chunks of iterations until none is left, and leave. The caller
// does the same, closes the seats that nobody took, and waits only for the
// workers that sit: a worker that the system is slow to wake delays no loop.
//
// All of this hangs on one atomic word, the gate (see below). Threads, mutex
// and conditions are plain POSIX ones, because they report errors instead of
// throwing, are constant-initialized and have no destructor: the pool works
// before, during and after the constructors and destructors of a program.
//
//===----------------------------------------------------------------------===//

#include "ks/Runtime/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <type_traits>

#include <pthread.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

namespace {

constexpr int maxThreads = 1024;

/// How long a thread polls before it sleeps. Waking a sleeping thread takes
/// about 5 to 50 us; the gap between two layers of a network is shorter.
constexpr std::chrono::microseconds spinTime(40);

/// A caller takes 1/(4*threads) of the remaining iterations at a time: the
/// last chunks are small, and so is the imbalance.
constexpr int64_t chunksPerThread = 4;

// The gate, from the low bits up:
//   16 bits  how many workers sit, that is, may touch the current job
//   16 bits  how many seats are open; 0 between loops
//    1 bit   the caller sleeps until the last worker leaves
//    1 bit   workers shall end
//   30 bits  the epoch: the number of the loop, so that a worker sits down
//            only once per loop
constexpr uint64_t oneSitting = 1;
constexpr uint64_t sittingMask = 0xffff;
constexpr uint64_t oneSeat = uint64_t(1) << 16;
constexpr uint64_t seatsMask = sittingMask << 16;
constexpr uint64_t callerSleeps = uint64_t(1) << 32;
constexpr uint64_t stopBit = uint64_t(1) << 33;
constexpr uint64_t oneEpoch = uint64_t(1) << 34;
constexpr uint64_t epochMask = ~(oneEpoch - 1);

/// The groups are on cache lines of their own: workers poll the first, the
/// second changes with every chunk.
struct Pool {
  alignas(64) std::atomic<uint64_t> gate{0};

  alignas(64) std::atomic<int64_t> next{0};

  // The job. Written by the caller while nobody sits.
  alignas(64) KsParallelBody body = nullptr;
  void *context = nullptr;
  int64_t count = 0;
  int64_t divisor = 1;
  /// Whether waiting threads poll; constant while there are workers.
  bool spin = false;

  /// Held by the caller of the current loop; it alone changes what follows.
  alignas(64) std::atomic<bool> busy{false};
  /// The thread count that was asked for when the workers were started.
  std::atomic<int> builtFor{0};
  std::atomic<int> numWorkers{0};
  pthread_t workers[maxThreads] = {};

  /// The mutex guards nothing but the way to sleep.
  std::atomic<int> numAsleep{0};
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t wakeWorkers = PTHREAD_COND_INITIALIZER;
  pthread_cond_t wakeCaller = PTHREAD_COND_INITIALIZER;
};
static_assert(std::is_trivially_destructible_v<Pool>,
              "loops may run after the destructors of the program");

Pool pool;

/// The thread count asked for; 0 before it is first needed.
std::atomic<int> requestedThreads{0};

/// Set while this thread runs a body. (Not set once per worker: the first
/// access may take the loader's lock, which dlclose holds while it joins.)
thread_local bool insideBody = false;

struct InsideBody {
  bool previous = insideBody;
  InsideBody() { insideBody = true; }
  ~InsideBody() { insideBody = previous; }
};

/// noexcept: nobody could complete the loop after an exception.
void callBody(KsParallelBody body, void *context, int64_t begin,
              int64_t end) noexcept {
  body(context, begin, end);
}

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

/// Polls `done` for spinTime, if polling is allowed; returns its last answer.
template <typename Predicate> bool spinUntil(Predicate done) {
  if (done())
    return true;
  if (!pool.spin)
    return false;
  auto deadline = std::chrono::steady_clock::now() + spinTime;
  do {
    for (int i = 0; i < 16; ++i) {
      relax();
      if (done())
        return true;
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

/// How many cores this thread may run on; at least 1.
int countCores() {
#ifdef __linux__
  // The kernel refuses masks smaller than its own, so grow until it accepts.
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 4) {
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (!set)
      break;
    size_t size = CPU_ALLOC_SIZE(cpus);
    bool known = sched_getaffinity(0, size, set) == 0;
    int cores = known ? CPU_COUNT_S(size, set) : 0;
    bool tooSmall = !known && errno == EINVAL;
    CPU_FREE(set);
    if (cores > 0)
      return cores;
    if (!tooSmall)
      break;
  }
#endif
  return std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
}

int defaultThreads() {
  if (const char *text = std::getenv("KS_NUM_THREADS")) {
    char *end = nullptr;
    long threads = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && threads > 0)
      return static_cast<int>(std::min<long>(threads, maxThreads));
  }
  return std::min(countCores(), maxThreads);
}

int getRequestedThreads() {
  int threads = requestedThreads.load(std::memory_order_relaxed);
  if (threads != 0)
    return threads;
  int expected = 0;
  threads = defaultThreads();
  // A count set by another thread in the meantime wins.
  if (!requestedThreads.compare_exchange_strong(expected, threads))
    threads = expected;
  return threads;
}

/// Runs chunks of the current job until no iteration is left.
void runChunks() {
  InsideBody scope;
  int64_t begin = pool.next.load(std::memory_order_relaxed);
  while (begin < pool.count) {
    int64_t size = std::max<int64_t>(1, (pool.count - begin) / pool.divisor);
    if (!pool.next.compare_exchange_weak(begin, begin + size,
                                         std::memory_order_relaxed))
      continue;
    callBody(pool.body, pool.context, begin, begin + size);
    begin = pool.next.load(std::memory_order_relaxed);
  }
}

/// Returns a state of the gate that asks a worker, who last sat in the loop
/// `lastEpoch`, to sit down or to end.
uint64_t waitForWork(uint64_t lastEpoch) {
  uint64_t gate = 0;
  auto isWanted = [&] {
    gate = pool.gate.load();
    return (gate & stopBit) ||
           ((gate & seatsMask) && (gate & epochMask) != lastEpoch);
  };
  if (spinUntil(isWanted))
    return gate;
  pthread_mutex_lock(&pool.mutex);
  // Pairs with openSeats, which writes the gate and then reads numAsleep: in
  // the single order of these four operations one side sees the other.
  pool.numAsleep.fetch_add(1);
  while (!isWanted())
    pthread_cond_wait(&pool.wakeWorkers, &pool.mutex);
  pool.numAsleep.fetch_sub(1);
  pthread_mutex_unlock(&pool.mutex);
  return gate;
}

/// A thread between reading the gate and pthread_cond_wait holds the mutex;
/// passing through it makes sure that a wake-up call reaches that thread.
void passMutex() {
  pthread_mutex_lock(&pool.mutex);
  pthread_mutex_unlock(&pool.mutex);
}

void *runWorker(void *) {
#ifdef __linux__
  pthread_setname_np(pthread_self(), "ks-worker");
#endif
  uint64_t lastEpoch = stopBit; // Equal to no epoch.
  for (;;) {
    uint64_t gate = waitForWork(lastEpoch);
    if (gate & stopBit)
      return nullptr;
    if (!pool.gate.compare_exchange_strong(gate, gate - oneSeat + oneSitting))
      continue;
    lastEpoch = gate & epochMask;
    runChunks();
    gate = pool.gate.fetch_sub(oneSitting);
    if ((gate & callerSleeps) && (gate & sittingMask) == oneSitting) {
      passMutex();
      pthread_cond_signal(&pool.wakeCaller);
    }
  }
}

void openSeats(int seats) {
  uint64_t epoch = (pool.gate.load() & epochMask) + oneEpoch;
  pool.gate.store(epoch | seats * oneSeat);
  int asleep = pool.numAsleep.load();
  if (asleep == 0)
    return;
  passMutex();
  if (seats >= asleep) {
    pthread_cond_broadcast(&pool.wakeWorkers);
    return;
  }
  for (int i = 0; i < seats; ++i)
    pthread_cond_signal(&pool.wakeWorkers);
}

void closeSeats() {
  uint64_t gate = pool.gate.fetch_and(~seatsMask);
  auto isEmpty = [] { return (pool.gate.load() & sittingMask) == 0; };
  if (!(gate & sittingMask) || spinUntil(isEmpty))
    return;
  pool.gate.fetch_or(callerSleeps);
  pthread_mutex_lock(&pool.mutex);
  while (!isEmpty())
    pthread_cond_wait(&pool.wakeCaller, &pool.mutex);
  pthread_mutex_unlock(&pool.mutex);
}

/// In the child of a fork: the workers do not exist there, and any lock may
/// look held. Nothing here needs a lock or memory, as fork demands.
void resetInChild() { new (&pool) Pool; }

/// The next three functions need `busy`.
void stopWorkers() {
  int workers = pool.numWorkers.load();
  if (workers == 0)
    return;
  pool.gate.fetch_or(stopBit);
  passMutex();
  pthread_cond_broadcast(&pool.wakeWorkers);
  for (int i = 0; i < workers; ++i)
    pthread_join(pool.workers[i], nullptr);
  pool.gate.fetch_and(~stopBit);
  pool.numWorkers = 0;
}

void startWorkers(int workers) {
  static bool handlesFork = false; // Inherited by the child, as the handler.
  if (!handlesFork)
    handlesFork = pthread_atfork(nullptr, nullptr, resetInChild) == 0;
  if (!handlesFork)
    return;
  pool.spin = workers < countCores();

  // Leave the program's signals to its own threads; those that report a fault
  // of the thread itself cannot be left to others.
  sigset_t blocked, previous;
  sigfillset(&blocked);
  for (int fault :
       {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
    sigdelset(&blocked, fault);
  pthread_sigmask(SIG_SETMASK, &blocked, &previous);
  int started = 0;
  while (started < workers && pthread_create(&pool.workers[started], nullptr,
                                             runWorker, nullptr) == 0)
    ++started;
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  pool.numWorkers = started;
}

void setThreads(int threads) {
  pool.builtFor = 0; // ksGetNumThreads must not read a state in between.
  stopWorkers();
  startWorkers(threads - 1);
  pool.builtFor = threads;
}

/// At exit or dlclose. If a loop is running this is an exit, and the threads
/// end with the process. Else `busy` stays held: later loops run inline.
__attribute__((destructor)) void shutDown() {
  if (!pool.busy.exchange(true))
    stopWorkers();
}

} // namespace

extern "C" void ksParallelFor(int64_t count, KsParallelBody body,
                              void *context) {
  if (count <= 0)
    return;
  int threads = 1;
  if (count == 1 || insideBody || (threads = getRequestedThreads()) == 1 ||
      pool.busy.exchange(true)) {
    InsideBody scope;
    callBody(body, context, 0, count);
    return;
  }
  if (pool.builtFor.load() != threads)
    setThreads(threads);
  int64_t seats = std::min<int64_t>(pool.numWorkers.load(), count - 1);
  pool.body = body;
  pool.context = context;
  pool.count = count;
  pool.divisor = chunksPerThread * (seats + 1);
  pool.next.store(0);
  if (seats > 0)
    openSeats(static_cast<int>(seats));
  runChunks();
  if (seats > 0)
    closeSeats();
  pool.busy.store(false);
}

extern "C" void ksSetNumThreads(int threads) {
  requestedThreads =
      threads > 0 ? std::min(threads, maxThreads) : defaultThreads();
}

extern "C" int ksGetNumThreads(void) {
  int threads = getRequestedThreads();
  // Threads are started by the first loop that needs them.
  return pool.builtFor.load() == threads ? pool.numWorkers.load() + 1 : threads;
}
