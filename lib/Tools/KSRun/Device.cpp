//===- Device.cpp - ks-run on a GPU ---------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"

#include "ks/Analysis/Target.h"
#include "ks/ExecutionEngine/BuildArtifact.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <chrono>

using namespace ks;

using Clock = std::chrono::steady_clock;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

llvm::Error ks::toError(const Status &status) {
  if (!status)
    return llvm::Error::success();
  bool isMissing = status.getCode() == KS_ERROR_NO_DRIVER ||
                   status.getCode() == KS_ERROR_NO_DEVICE;
  return makeError(status.getMessage() +
                   (isMissing ? "; --target host runs on the CPU, --target "
                                "sm_80 and its like only compile"
                              : ""));
}

//===----------------------------------------------------------------------===//
// The GPU
//===----------------------------------------------------------------------===//

llvm::Expected<Device> ks::openDevice(llvm::StringRef overrides) {
  progress("opening the GPU");
  Device device;
  Clock::time_point begin = Clock::now();
  if (Status status = CUDAContext::openDevice(0, device.context))
    return toError(status);
  device.openSeconds = secondsSince(begin);
  if (Status status = device.context.getDeviceInfo(device.info))
    return toError(status);
  device.target =
      findGPUTarget({device.info.capability, device.info.multiprocessors,
                     device.info.getPeakBytesPerSecond()});
  if (device.target.empty())
    return makeError(
        llvm::formatv("the GPU, {0}, has compute capability {1}.{2}; expected "
                      "8.0 or later: choose another by CUDA_VISIBLE_DEVICES, "
                      "or run on the CPU with --target host",
                      device.info.name, device.info.capability / 10,
                      device.info.capability % 10)
            .str());
  device.target += overrides;
  if (!getGPUTarget(device.target))
    return makeError("unknown --target 'cuda" + overrides +
                     "'; expected cuda, or behind it :library=none, "
                     ":multiprocessors=N or :dram_gbps=N");
  return device;
}

void ks::describeDevice(const Device &device, Report &report) {
  const DeviceInfo &info = device.info;
  report.line("device",
              llvm::formatv("{0}, compute capability {1}.{2}; context in "
                            "{3:f1} ms",
                            info.name, info.capability / 10,
                            info.capability % 10, device.openSeconds * 1e3)
                  .str());
  report.figures["context_ms"] = device.openSeconds * 1e3;
  report.figures["device"] = llvm::json::Object{
      {"name", info.name},
      {"capability", static_cast<int64_t>(info.capability)},
      {"multiprocessors", info.multiprocessors},
      {"l2_bytes", static_cast<int64_t>(info.l2Bytes)},
      {"memory_bytes", static_cast<int64_t>(info.totalBytes)},
      {"driver_version", info.driverVersion}};
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// The batch of the first array that has one. A layer for one batch alone is
/// the same for all.
static int64_t findBatch(const Layer &layer, llvm::ArrayRef<NpyArray> in) {
  for (auto [argument, array] : llvm::zip(layer.getArguments(), in))
    for (auto [size, actual] : llvm::zip(argument.array.shape, array.shape))
      if (size.perBatch != 0)
        return actual;
  return 1;
}

llvm::Expected<DeviceCall> DeviceCall::create(const Device &device,
                                              const Layer &layer,
                                              llvm::ArrayRef<NpyArray> in,
                                              llvm::ArrayRef<NpyArray> out) {
  DeviceCall call;
  call.device = &device;
  call.layer = &layer;
  for (const NpyArray &array : llvm::concat<const NpyArray>(in, out)) {
    call.shapes.push_back(array.shape);
    call.bytes.push_back(static_cast<size_t>(array.sizeInBytes()));
    call.arguments.push_back({nullptr, static_cast<KsElementType>(array.type),
                              static_cast<int64_t>(array.shape.size()), nullptr,
                              nullptr});
  }
  if (Status status =
          layer.getWorkspaceBytes(findBatch(layer, in), call.workspaceBytes))
    return toError(status);
  if (Status status =
          device.context.allocate(call.workspaceBytes, call.workspace))
    return toError(status);
  if (Status status = device.context.createStream(call.stream))
    return toError(status);
  // NaN: what is read and was never written shows.
  if (call.workspaceBytes)
    if (Status status = device.context.fill(
            call.workspace.get(), 0xFF, call.workspaceBytes, call.stream.get()))
      return toError(status);
  return call;
}

/// The weights, or all other arrays.
std::vector<KsBuffer> DeviceCall::select(const DeviceArrays &arrays,
                                         bool weights) const {
  std::vector<KsBuffer> selected;
  for (auto [index, argument] : llvm::enumerate(layer->getArguments())) {
    if ((argument.role == Role::Weight) != weights)
      continue;
    selected.push_back(arguments[index]);
    selected.back().data = arrays.arguments[index];
    selected.back().shape = shapes[index].data();
  }
  return selected;
}

llvm::Error DeviceCall::pack(const DeviceArrays &arrays) {
  std::vector<KsBuffer> weights = select(arrays, /*weights=*/true);
  return toError(layer->pack(weights.data(), weights.size(), arrays.packed,
                             getPackedBytes(), stream.get()));
}

llvm::Error DeviceCall::run(const DeviceArrays &arrays) {
  std::vector<KsBuffer> others = select(arrays, /*weights=*/false);
  return toError(layer->run(arrays.packed, others.data(), others.size(),
                            workspace.get(), workspaceBytes, stream.get()));
}

llvm::Error DeviceCall::synchronize() const {
  return toError(device->context.synchronize(stream.get()));
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

namespace {
class DeviceProgram : public Program {
public:
  DeviceProgram(const Device &device, std::unique_ptr<Layer> loaded);

  llvm::Expected<llvm::SmallVector<int64_t, 4>>
  getResultShape(unsigned index,
                 llvm::MutableArrayRef<NpyArray> arrays) override;
  llvm::Error run(llvm::MutableArrayRef<NpyArray> in,
                  llvm::MutableArrayRef<NpyArray> out, Report &report) override;
  llvm::Expected<Timing> time(llvm::ArrayRef<NpyArray> in,
                              llvm::ArrayRef<NpyArray> out) override {
    return timeLayer(device, *layer, in, out);
  }
  llvm::Expected<Peaks> measurePeaks(const RunOptions &options,
                                     ElementType type,
                                     const Work &work) override {
    return measureDevicePeaks(device, options, type, work.isTF32);
  }
  std::string describeMachine() const override { return device.info.name; }

private:
  llvm::Error checkInputs(llvm::ArrayRef<NpyArray> arrays, int64_t batch) const;

  const Device &device;
  std::unique_ptr<Layer> layer;
};
} // namespace

static llvm::SmallVector<int64_t, 4> getShape(const Argument &argument,
                                              int64_t batch) {
  llvm::SmallVector<int64_t, 4> shape;
  for (const Size &size : argument.array.shape)
    shape.push_back(size.at(batch));
  return shape;
}

static std::string toText(llvm::ArrayRef<int64_t> shape) {
  return "(" +
         llvm::join(
             llvm::map_range(shape,
                             [](int64_t size) { return std::to_string(size); }),
             ", ") +
         ")";
}

DeviceProgram::DeviceProgram(const Device &device,
                             std::unique_ptr<Layer> loaded)
    : device(device), layer(std::move(loaded)) {
  name = layer->getArtifact().entry;
  plan = layer->getTarget().variants.front().plan;
  for (const Argument &argument : layer->getArguments()) {
    ArgumentInfo info;
    info.type = static_cast<ElementType>(argument.array.type);
    for (const Size &size : argument.array.shape)
      info.shape.push_back(size.perBatch ? -1 : size.constant);
    (argument.role == Role::Result ? outputs : inputs).push_back(info);
  }
}

/// The runtime checks, too, but would tell of its own arguments, not of the
/// program's.
llvm::Error DeviceProgram::checkInputs(llvm::ArrayRef<NpyArray> arrays,
                                       int64_t batch) const {
  for (auto [index, array, argument] : llvm::enumerate(
           arrays,
           llvm::ArrayRef(layer->getArguments()).take_front(inputs.size()))) {
    ElementType type = inputs[index].type;
    if (array.type != type)
      return makeError("argument " + llvm::Twine(index) + " has element type " +
                       getElementTypeName(array.type) + "; expected " +
                       getElementTypeName(type) + " (convert it)");
    llvm::SmallVector<int64_t, 4> expected = getShape(argument, batch);
    if (llvm::ArrayRef<int64_t>(array.shape) != llvm::ArrayRef(expected))
      return makeError("argument " + llvm::Twine(index) + " has shape " +
                       toText(array.shape) + "; expected " + toText(expected));
  }
  return llvm::Error::success();
}

llvm::Expected<llvm::SmallVector<int64_t, 4>>
DeviceProgram::getResultShape(unsigned index,
                              llvm::MutableArrayRef<NpyArray> arrays) {
  int64_t batch = findBatch(*layer, arrays);
  if (llvm::Error error = checkInputs(arrays, batch))
    return std::move(error);
  return getShape(layer->getArguments()[inputs.size() + index], batch);
}

/// Memory for each array on its own, so that tools that watch memory find
/// accesses outside of it.
static llvm::Error allocate(const Device &device, const DeviceCall &call,
                            DeviceArrays &arrays,
                            std::vector<DeviceMemory> &memory) {
  auto add = [&](size_t bytes) -> llvm::Expected<void *> {
    if (Status status = device.context.allocate(bytes, memory.emplace_back()))
      return toError(status);
    // NaN, in all types.
    if (bytes)
      if (Status status = device.context.fill(memory.back().get(), 0xFF, bytes,
                                              call.getStream()))
        return toError(status);
    return memory.back().get();
  };
  for (size_t index = 0; index < call.getNumArguments(); ++index) {
    llvm::Expected<void *> pointer = add(call.getBytes(index));
    if (!pointer)
      return pointer.takeError();
    arrays.arguments.push_back(*pointer);
  }
  llvm::Expected<void *> packed = add(call.getPackedBytes());
  if (!packed)
    return packed.takeError();
  arrays.packed = *packed;
  return llvm::Error::success();
}

static llvm::Error copyInputs(const Device &device, const DeviceCall &call,
                              llvm::ArrayRef<NpyArray> in,
                              const DeviceArrays &arrays) {
  for (auto [array, pointer] : llvm::zip(in, arrays.arguments))
    if (array.sizeInBytes())
      if (Status status = device.context.copyToDevice(
              pointer, array.data(), static_cast<size_t>(array.sizeInBytes()),
              call.getStream()))
        return toError(status);
  return call.synchronize();
}

static llvm::Error copyOutputs(const Device &device, const DeviceCall &call,
                               llvm::MutableArrayRef<NpyArray> out,
                               llvm::ArrayRef<void *> pointers) {
  for (auto [array, pointer] : llvm::zip_equal(out, pointers))
    if (array.sizeInBytes())
      if (Status status = device.context.copyToHost(
              array.data(), pointer, static_cast<size_t>(array.sizeInBytes()),
              call.getStream()))
        return toError(status);
  return call.synchronize();
}

llvm::Error DeviceProgram::run(llvm::MutableArrayRef<NpyArray> in,
                               llvm::MutableArrayRef<NpyArray> out,
                               Report &report) {
  std::vector<DeviceMemory> memory; // freed when the stream has come to rest
  DeviceArrays arrays;
  llvm::Expected<DeviceCall> call = DeviceCall::create(device, *layer, in, out);
  if (!call)
    return call.takeError();
  if (llvm::Error error = allocate(device, *call, arrays, memory))
    return error;
  if (llvm::Error error = copyInputs(device, *call, in, arrays))
    return error;
  // By the clock of the host, launches included.
  auto runTimed = [&](llvm::StringRef key, auto step) -> llvm::Error {
    Clock::time_point begin = Clock::now();
    if (llvm::Error error = (*call.*step)(arrays))
      return error;
    if (llvm::Error error = call->synchronize())
      return error;
    report.figures[key] = secondsSince(begin) * 1e3;
    return llvm::Error::success();
  };
  if (llvm::Error error = runTimed("pack_ms", &DeviceCall::pack))
    return error;
  if (llvm::Error error = runTimed("run_ms", &DeviceCall::run))
    return error;
  return copyOutputs(device, *call, out,
                     llvm::ArrayRef(arrays.arguments).drop_front(in.size()));
}

llvm::Expected<std::unique_ptr<Program>>
ks::compileForDevice(mlir::ModuleOp module, const RunOptions &options,
                     const Device &device, Report &report) {
  ArtifactOptions artifactOptions;
  artifactOptions.entry = options.entry;
  artifactOptions.targets = {device.target};
  artifactOptions.assemble = options.assemble;
  llvm::Expected<BuiltArtifact> built = buildArtifact(module, artifactOptions);
  if (!built)
    return built.takeError();
  reportArtifact(*built, device.target, report);
  std::string bytes = serialize(built->artifact);
  std::unique_ptr<Layer> layer;
  Clock::time_point begin = Clock::now();
  if (Status status = Layer::load(bytes, device.context, layer))
    return toError(status);
  double seconds = secondsSince(begin);
  llvm::StringRef from = layer->isCubin() ? "cubin" : "PTX";
  report.line("loaded", llvm::formatv("{0} for {1} in {2:f1} ms{3}{4}", from,
                                      layer->getTargetName(), seconds * 1e3,
                                      layer->getNote().empty() ? "" : "; ",
                                      layer->getNote())
                            .str());
  report.library(layer->getLibraryName());
  report.figures["architecture"] = layer->getTargetName();
  report.figures["load_ms"] = seconds * 1e3;
  report.figures["load_from"] = from.lower();
  return std::make_unique<DeviceProgram>(device, std::move(layer));
}
