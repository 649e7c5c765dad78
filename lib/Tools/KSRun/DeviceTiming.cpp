//===- DeviceTiming.cpp - How fast a GPU is -------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs are timed by events of the device, several at a time. The first of them
// is put on the stream behind work that lasts until all are there: otherwise
// short kernels would wait for the host, and its speed be measured.
//
//===----------------------------------------------------------------------===//

#include "Device.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <chrono>
#include <cmath>

using namespace ks;

using Clock = std::chrono::steady_clock;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static constexpr size_t kMiB = size_t{1} << 20;

static llvm::Expected<size_t> getFreeBytes(const Device &device) {
  DeviceInfo info;
  if (Status status = device.context.getDeviceInfo(info))
    return toError(status);
  return info.freeBytes;
}

namespace {

/// Times what is put on a stream between start() and stop().
class Stopwatch {
public:
  static llvm::Expected<Stopwatch> create(const Device &device,
                                          KsStream stream) {
    Stopwatch watch;
    watch.device = &device;
    watch.stream = stream;
    if (Status status = device.context.createEvent(watch.begin))
      return toError(status);
    if (Status status = device.context.createEvent(watch.end))
      return toError(status);
    return watch;
  }

  llvm::Error start() { return toError(device->context.record(begin, stream)); }

  /// Waits for the work; returns seconds.
  llvm::Expected<double> stop() {
    double milliseconds = 0;
    if (Status status = device->context.record(end, stream))
      return toError(status);
    if (Status status = device->context.getElapsed(begin, end, milliseconds))
      return toError(status);
    return milliseconds * 1e-3;
  }

private:
  const Device *device = nullptr;
  KsStream stream = nullptr;
  CUDAEvent begin, end;
};

/// Copies within device memory, each of a known duration.
class Copies {
public:
  static llvm::Expected<Copies> create(const Device &device, KsStream stream,
                                       size_t bytes);
  llvm::Error put(int64_t count);
  llvm::Expected<double> measure(int64_t count); ///< Seconds of one.

private:
  const Device *device = nullptr;
  KsStream stream = nullptr;
  size_t bytes = 0;
  DeviceMemory from, to;
};

} // namespace

llvm::Expected<Copies> Copies::create(const Device &device, KsStream stream,
                                      size_t bytes) {
  Copies copies;
  copies.device = &device;
  copies.stream = stream;
  copies.bytes = bytes;
  for (DeviceMemory *memory : {&copies.from, &copies.to}) {
    if (Status status = device.context.allocate(bytes, *memory))
      return toError(status);
    if (Status status = device.context.fill(memory->get(), 0, bytes, stream))
      return toError(status);
  }
  return copies;
}

llvm::Error Copies::put(int64_t count) {
  for (int64_t copy = 0; copy < count; ++copy)
    if (Status status =
            device->context.copyOnDevice(to.get(), from.get(), bytes, stream))
      return toError(status);
  return llvm::Error::success();
}

llvm::Expected<double> Copies::measure(int64_t count) {
  llvm::Expected<Stopwatch> watch = Stopwatch::create(*device, stream);
  if (!watch)
    return watch.takeError();
  if (llvm::Error error = put(1)) // what follows does not wait for the host
    return std::move(error);
  if (llvm::Error error = watch->start())
    return std::move(error);
  if (llvm::Error error = put(count))
    return std::move(error);
  llvm::Expected<double> seconds = watch->stop();
  if (!seconds)
    return seconds.takeError();
  return std::max(*seconds, 1e-9) / static_cast<double>(count);
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

namespace {

/// Copies of all that a run reads and writes, packed weights included, one
/// behind the other.
class BufferSets {
public:
  BufferSets(const Device &device, DeviceCall &call)
      : device(device), call(call) {}

  llvm::Error create(llvm::ArrayRef<NpyArray> in);
  int64_t size() const { return count; }
  DeviceArrays get(int64_t set) const;

private:
  llvm::Error chooseCount();
  llvm::Error fillFirst(llvm::ArrayRef<NpyArray> in);
  llvm::Error copyFirst();

  const Device &device;
  DeviceCall &call;
  std::vector<size_t> offsets; ///< Of arguments, then of packed weights.
  size_t bytes = 0;            ///< Of a set.
  int64_t count = 1;
  DeviceMemory memory;
};

} // namespace

/// As many as it takes to fall out of L2 before a set's turn comes again. One
/// set alone, where there is no memory for more, is large enough for that.
llvm::Error BufferSets::chooseCount() {
  constexpr size_t kAtLeast = 256 * kMiB, kMost = 4096;
  size_t beyond = std::max(kAtLeast, 4 * device.info.l2Bytes);
  llvm::Expected<size_t> free = getFreeBytes(device);
  if (!free)
    return free.takeError();
  size_t wanted = std::clamp<size_t>(beyond / bytes + 1, 2, kMost);
  size_t fitting = *free / 4 * 3 / bytes;
  count = static_cast<int64_t>(std::clamp<size_t>(fitting, 1, wanted));
  return llvm::Error::success();
}

DeviceArrays BufferSets::get(int64_t set) const {
  DeviceArrays arrays;
  char *start = static_cast<char *>(memory.get()) + bytes * set;
  for (size_t offset : llvm::ArrayRef(offsets).drop_back())
    arrays.arguments.push_back(start + offset);
  arrays.packed = start + offsets.back();
  return arrays;
}

llvm::Error BufferSets::fillFirst(llvm::ArrayRef<NpyArray> in) {
  DeviceArrays first = get(0);
  for (auto [array, pointer] : llvm::zip(in, first.arguments))
    if (array.sizeInBytes())
      if (Status status = device.context.copyToDevice(
              pointer, array.data(), static_cast<size_t>(array.sizeInBytes()),
              call.getStream()))
        return toError(status);
  return call.pack(first);
}

llvm::Error BufferSets::copyFirst() {
  auto *first = static_cast<char *>(memory.get());
  for (int64_t set = 1; set < count; ++set)
    if (Status status = device.context.copyOnDevice(first + bytes * set, first,
                                                    bytes, call.getStream()))
      return toError(status);
  return call.synchronize();
}

llvm::Error BufferSets::create(llvm::ArrayRef<NpyArray> in) {
  constexpr size_t kAlignment = 256;
  auto place = [&](size_t size) {
    offsets.push_back(bytes);
    bytes += llvm::alignTo(size, kAlignment);
  };
  for (size_t index = 0; index < call.getNumArguments(); ++index)
    place(call.getBytes(index));
  place(call.getPackedBytes());
  bytes = std::max(bytes, kAlignment);
  if (llvm::Error error = chooseCount())
    return error;
  if (Status status = device.context.allocate(bytes * count, memory))
    return toError(status);
  if (llvm::Error error = fillFirst(in))
    return error;
  return copyFirst();
}

//===----------------------------------------------------------------------===//
// Timing
//===----------------------------------------------------------------------===//

namespace {

/// Times runs of a layer.
class Sampler {
public:
  Sampler(DeviceCall &call, BufferSets &sets, Stopwatch watch, Copies copies)
      : call(call), sets(sets), watch(std::move(watch)),
        copies(std::move(copies)) {}

  /// Finds out how many runs make a sample.
  llvm::Error calibrate(size_t launches);
  llvm::Expected<Timing> takeSamples();

private:
  llvm::Error putRuns(int64_t count);
  llvm::Error warmUp();
  llvm::Expected<double> takeSample();

  DeviceCall &call;
  BufferSets &sets;
  Stopwatch watch;
  Copies copies;
  int64_t next = 0; ///< Set.
  int64_t perSample = 1, copiesInFront = 1;
};

} // namespace

llvm::Error Sampler::putRuns(int64_t count) {
  for (int64_t run = 0; run < count; ++run)
    if (llvm::Error error = call.run(sets.get(next++ % sets.size())))
      return error;
  return llvm::Error::success();
}

llvm::Error Sampler::calibrate(size_t launches) {
  constexpr int64_t kRuns = 5, kMostCopies = 256;
  constexpr double kSampleSeconds = 2e-3;
  // The driver keeps a limited number of launches in its queue.
  constexpr int64_t kQueue = 512;
  if (llvm::Error error = putRuns(1))
    return error;
  if (llvm::Error error = call.synchronize())
    return error;
  if (llvm::Error error = watch.start())
    return error;
  Clock::time_point begin = Clock::now();
  if (llvm::Error error = putRuns(kRuns))
    return error;
  std::chrono::duration<double> host = Clock::now() - begin;
  llvm::Expected<double> seconds = watch.stop();
  if (!seconds)
    return seconds.takeError();
  llvm::Expected<double> copySeconds = copies.measure(4);
  if (!copySeconds)
    return copySeconds.takeError();
  auto most = std::max<int64_t>(
      2, kQueue / static_cast<int64_t>(std::max<size_t>(launches, 1)));
  double runs = std::ceil(kSampleSeconds * kRuns / std::max(*seconds, 1e-7));
  perSample = std::clamp(static_cast<int64_t>(runs), int64_t{2}, most);
  double inFront = 2 * host.count() / kRuns *
                   static_cast<double>(perSample + 1) / *copySeconds;
  copiesInFront = 1 + std::min(kMostCopies, static_cast<int64_t>(inFront));
  return llvm::Error::success();
}

/// Seconds of a run. One in front is not timed: copies leave other things in
/// L2 than runs.
llvm::Expected<double> Sampler::takeSample() {
  if (llvm::Error error = copies.put(copiesInFront))
    return std::move(error);
  if (llvm::Error error = putRuns(1))
    return std::move(error);
  if (llvm::Error error = watch.start())
    return std::move(error);
  if (llvm::Error error = putRuns(perSample))
    return std::move(error);
  llvm::Expected<double> seconds = watch.stop();
  if (!seconds)
    return seconds.takeError();
  return *seconds / static_cast<double>(perSample);
}

/// Clocks rise under load.
llvm::Error Sampler::warmUp() {
  constexpr double kSeconds = 0.05;
  for (double total = 0; total < kSeconds;) {
    llvm::Expected<double> seconds = takeSample();
    if (!seconds)
      return seconds.takeError();
    total += std::max(*seconds, 1e-6) * static_cast<double>(perSample);
  }
  return llvm::Error::success();
}

llvm::Expected<Timing> Sampler::takeSamples() {
  if (llvm::Error error = warmUp())
    return std::move(error);
  constexpr double kSeconds = 0.2;
  constexpr size_t kMinSamples = 7, kMaxSamples = 1000;
  std::vector<double> samples;
  double total = 0;
  while (samples.size() < kMinSamples ||
         (total < kSeconds && samples.size() < kMaxSamples)) {
    llvm::Expected<double> seconds = takeSample();
    if (!seconds)
      return seconds.takeError();
    samples.push_back(*seconds);
    total += *seconds * static_cast<double>(perSample);
  }
  Timing timing;
  timing.median = takeMedian(samples);
  timing.best = samples.front();
  timing.perSample = perSample;
  timing.runs = static_cast<int64_t>(samples.size()) * perSample;
  timing.bufferSets = sets.size();
  return timing;
}

llvm::Expected<Timing> ks::timeLayer(const Device &device, const Layer &layer,
                                     llvm::ArrayRef<NpyArray> in,
                                     llvm::ArrayRef<NpyArray> out) {
  constexpr size_t kCopyBytes = 16 * kMiB;
  llvm::Expected<DeviceCall> call = DeviceCall::create(device, layer, in, out);
  if (!call)
    return call.takeError();
  KsStream stream = call->getStream();
  auto copies = Copies::create(device, stream, kCopyBytes);
  if (!copies)
    return copies.takeError();
  BufferSets sets(device, *call);
  if (llvm::Error error = sets.create(in))
    return std::move(error);
  llvm::Expected<Stopwatch> watch = Stopwatch::create(device, stream);
  if (!watch)
    return watch.takeError();
  Sampler sampler(*call, sets, std::move(*watch), std::move(*copies));
  if (llvm::Error error =
          sampler.calibrate(layer.getTarget().variants.front().launches.size()))
    return std::move(error);
  return sampler.takeSamples();
}

//===----------------------------------------------------------------------===//
// Peaks
//===----------------------------------------------------------------------===//

/// Bytes per second of a copy that no cache holds; those read and those written
/// count.
static llvm::Expected<double> measureBandwidth(const Device &device) {
  constexpr size_t kBytes = 512 * kMiB;
  constexpr int kSamples = 5;
  constexpr int64_t kCopies = 4;
  llvm::Expected<size_t> free = getFreeBytes(device);
  if (!free)
    return free.takeError();
  size_t bytes = std::clamp(*free / 4, kMiB, kBytes);
  CUDAStream stream;
  if (Status status = device.context.createStream(stream))
    return toError(status);
  auto copies = Copies::create(device, stream.get(), bytes);
  if (!copies)
    return copies.takeError();
  double best = 0;
  for (int sample = 0; sample < kSamples; ++sample) {
    llvm::Expected<double> seconds = copies->measure(kCopies);
    if (!seconds)
      return seconds.takeError();
    best = std::max(best, 2 * static_cast<double>(bytes) / *seconds);
  }
  return best;
}

/// The chain that measures the flops, and its batch.
static constexpr const char *kPeakChain = "1,4096,4096,1";
static constexpr int64_t kPeakBatch = 4096;

static RunOptions getPeakOptions(const RunOptions &original, ElementType type,
                                 bool isTF32) {
  constexpr const char *names[] = {"f16", "bf16", "f32", "f64", "c64", "c128"};
  RunOptions options;
  options.chain = kPeakChain;
  options.batch = kPeakBatch;
  options.type = names[static_cast<size_t>(type)];
  options.layout = "first";
  options.precision = isTF32 ? "tf32" : "ieee";
  options.assemble = original.assemble;
  return options;
}

/// Flops per second of a dense product, compiled as everything else is.
static llvm::Expected<double> measureProduct(const Device &device,
                                             const RunOptions &options) {
  auto text = buildChainModule(options);
  if (!text)
    return text.takeError();
  mlir::DialectRegistry registry;
  registerAllForCompilation(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(*text, &context);
  if (!module)
    return makeError("the product that measures the peak does not parse");
  Report quiet(/*isJSON=*/false, /*isQuiet=*/true);
  auto program = compileForDevice(*module, options, device, quiet);
  if (!program)
    return program.takeError();
  auto inputs = makeInputs(**program, options);
  if (!inputs)
    return inputs.takeError();
  auto outputs = makeOutputs(**program, *inputs);
  if (!outputs)
    return outputs.takeError();
  auto timing = (*program)->time(*inputs, *outputs);
  if (!timing)
    return timing.takeError();
  Work work = analyzeWork(*module, (*program)->getName(), options, *outputs);
  return work.flops / timing->best;
}

llvm::Expected<Peaks> ks::measureDevicePeaks(const Device &device,
                                             const RunOptions &options,
                                             ElementType type, bool isTF32) {
  Peaks peaks;
  llvm::Expected<double> bandwidth = measureBandwidth(device);
  if (!bandwidth)
    return bandwidth.takeError();
  llvm::Expected<double> flops =
      measureProduct(device, getPeakOptions(options, type, isTF32));
  if (!flops)
    return makeError(llvm::formatv("measuring the peak by the product {0} at "
                                   "batch {1}: {2}",
                                   kPeakChain, kPeakBatch,
                                   llvm::toString(flops.takeError()))
                         .str());
  peaks.bandwidth = *bandwidth;
  peaks.flops = *flops;
  peaks.name = "product";
  peaks.note =
      llvm::formatv("copy: within device memory, bytes read and written; "
                    "product: {0} at batch {1} by KS itself, a lower bound of "
                    "what the hardware can do",
                    kPeakChain, kPeakBatch)
          .str();
  peaks.key = "product_gflops_per_s";
  return peaks;
}
