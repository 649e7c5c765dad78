//===- NativeDevice.cpp - Artefacts, devices and layers for Python --------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The C APIs for GPUs. The GIL is released whenever the driver is called.
//
//===----------------------------------------------------------------------===//

#include "Native.h"
#include "NativeTensor.h"

#include "ks-c/Runtime.h"

namespace nb = nanobind;
using namespace ks::python;

namespace {

struct DeviceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct DeviceMemoryError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws if a call of the runtime failed.
void check(KsStatus status) {
  switch (status) {
  case KS_OK:
    return;
  case KS_ERROR_ARGUMENT:
    throw std::invalid_argument(ksGetErrorMessage());
  case KS_ERROR_OUT_OF_MEMORY:
    throw DeviceMemoryError(ksGetErrorMessage());
  default:
    throw DeviceError(ksGetErrorMessage());
  }
}

/// Calls the runtime without the GIL.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
  nb::gil_scoped_release release;
  check(function(arguments...));
}

template <typename Handle, auto destroy>
using Owned = std::unique_ptr<Handle, Deleter<destroy>>;

struct Artifact {
  Owned<KsArtifact, ksDestroyArtifact> handle;
};
struct Device {
  Owned<KsDevice, ksCloseDevice> handle;
};
struct Memory {
  Owned<KsMemory, ksFreeMemory> handle;
};
struct Event {
  Owned<KsEvent, ksFreeEvent> handle;
};
struct Layer {
  Owned<KsLayer, ksFreeLayer> handle;
};

KsStream toStream(uintptr_t stream) {
  return reinterpret_cast<KsStream>(stream);
}

void *toPointer(uintptr_t address) { return reinterpret_cast<void *>(address); }

//===----------------------------------------------------------------------===//
// Artefacts
//===----------------------------------------------------------------------===//

Artifact buildArtifact(const std::string &text,
                       const std::optional<std::string> &entry,
                       const std::string &targets, bool assemble) {
  nb::gil_scoped_release release;
  KsArtifactOptions options = ksDefaultArtifactOptions();
  options.entry = entry ? entry->c_str() : nullptr;
  options.targets = targets.c_str();
  options.assemble = assemble;
  KsArtifact *artifact = nullptr;
  ks::python::check<CompileError>(
      ksBuildArtifact(text.data(), text.size(), &options, &artifact));
  Artifact result;
  result.handle.reset(artifact);
  return result;
}

nb::bytes getBytes(const Artifact &artifact) {
  size_t size = 0;
  const void *bytes = ksGetArtifactBytes(artifact.handle.get(), &size);
  return nb::bytes(static_cast<const char *>(bytes), size);
}

/// (element type, shape, whether it is a weight, whether it is a result)
using Info = std::tuple<int, std::vector<int64_t>, bool, bool>;

std::vector<Info> getArguments(const Artifact &artifact) {
  std::vector<Info> infos;
  const KsArtifact *handle = artifact.handle.get();
  for (size_t index = 0, e = ksGetNumArtifactArguments(handle); index < e;
       ++index) {
    KsLayerArgument info;
    ks::python::check<std::runtime_error>(
        ksGetArtifactArgument(handle, index, &info));
    infos.emplace_back(info.type,
                       std::vector(info.shape, info.shape + info.rank),
                       info.isWeight != 0, info.isResult != 0);
  }
  return infos;
}

std::tuple<double, double, double> getTimes(const Artifact &artifact) {
  double passes = 0, llvm = 0, ptxas = 0;
  ks::python::check<std::runtime_error>(
      ksGetArtifactTimes(artifact.handle.get(), &passes, &llvm, &ptxas));
  return {passes, llvm, ptxas};
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

Device openDevice(int ordinal) {
  KsDevice *device = nullptr;
  call(ksOpenDevice, ordinal, &device);
  Device result;
  result.handle.reset(device);
  return result;
}

KsDeviceInfo getInfo(const Device &device) {
  KsDeviceInfo info;
  check(ksGetDeviceInfo(device.handle.get(), &info));
  return info;
}

std::pair<uint64_t, bool> getStreamInfo(const Device &device,
                                        uintptr_t stream) {
  KsStreamInfo info;
  call(ksGetStreamInfo, device.handle.get(), toStream(stream), &info);
  return {info.id, info.isCapturing != 0};
}

Memory allocate(const Device &device, size_t bytes) {
  KsMemory *memory = nullptr;
  call(ksAllocate, device.handle.get(), bytes, &memory);
  Memory result;
  result.handle.reset(memory);
  return result;
}

void copy(const Device &device, uintptr_t to, uintptr_t from, size_t bytes,
          uintptr_t stream) {
  call(ksCopyOnDevice, device.handle.get(), toPointer(to), toPointer(from),
       bytes, toStream(stream));
}

Event record(const Device &device, uintptr_t stream) {
  KsEvent *event = nullptr;
  call(ksRecordEvent, device.handle.get(), toStream(stream), &event);
  Event result;
  result.handle.reset(event);
  return result;
}

Layer load(const Device &device, const Artifact &artifact) {
  size_t size = 0;
  const void *bytes = ksGetArtifactBytes(artifact.handle.get(), &size);
  KsLayer *layer = nullptr;
  call(ksLoadLayerOnDevice, device.handle.get(), bytes, size, &layer);
  Layer result;
  result.handle.reset(layer);
  return result;
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

using Tensors = std::vector<const Tensor *>;

std::vector<KsBuffer> toBuffers(const Tensors &tensors) {
  std::vector<KsBuffer> buffers;
  buffers.reserve(tensors.size());
  for (const Tensor *tensor : tensors)
    buffers.push_back(tensor->getBuffer());
  return buffers;
}

size_t getPackedBytes(const Layer &layer) {
  size_t bytes = 0;
  check(ksGetLayerPackedBytes(layer.handle.get(), &bytes));
  return bytes;
}

size_t getWorkspaceBytes(const Layer &layer, int64_t batch) {
  size_t bytes = 0;
  check(ksGetLayerWorkspaceBytes(layer.handle.get(), batch, &bytes));
  return bytes;
}

void pack(const Layer &layer, const Tensors &weights, uintptr_t packed,
          size_t packedBytes, uintptr_t stream) {
  std::vector<KsBuffer> buffers = toBuffers(weights);
  call(ksPackLayer, layer.handle.get(), buffers.data(), buffers.size(),
       toPointer(packed), packedBytes, toStream(stream));
}

void run(const Layer &layer, uintptr_t packed, const Tensors &arrays,
         uintptr_t workspace, size_t workspaceBytes, uintptr_t stream) {
  std::vector<KsBuffer> buffers = toBuffers(arrays);
  call(ksRunLayer, layer.handle.get(), toPointer(packed), buffers.data(),
       buffers.size(), toPointer(workspace), workspaceBytes, toStream(stream));
}

} // namespace

void ks::python::addDevices(nb::module_ &module) {
  nb::exception<DeviceError>(module, "DeviceError", PyExc_RuntimeError);
  nb::exception<DeviceMemoryError>(module, "DeviceMemoryError",
                                   PyExc_MemoryError);
  nb::class_<Artifact>(module, "Artifact")
      .def_prop_ro("entry",
                   [](const Artifact &artifact) {
                     return std::string(
                         ksGetArtifactEntry(artifact.handle.get()));
                   })
      .def("to_bytes", getBytes)
      .def_prop_ro("arguments", getArguments)
      .def_prop_ro("times", getTimes);
  nb::class_<Memory>(module, "Memory")
      .def_prop_ro("address", [](const Memory &memory) {
        return reinterpret_cast<uintptr_t>(ksGetAddress(memory.handle.get()));
      });
  nb::class_<Event>(module, "Event")
      .def("wait", [](const Event &event, uintptr_t stream) {
        call(ksWaitForEvent, event.handle.get(), toStream(stream));
      });
  nb::class_<Layer>(module, "Layer")
      .def_prop_ro("target",
                   [](const Layer &layer) {
                     return std::string(ksGetLayerTarget(layer.handle.get()));
                   })
      .def_prop_ro("library",
                   [](const Layer &layer) {
                     return std::string(ksGetLayerLibrary(layer.handle.get()));
                   })
      .def_prop_ro("packed_bytes", getPackedBytes)
      .def("workspace_bytes", getWorkspaceBytes)
      .def("pack", pack)
      .def("run", run);
  nb::class_<Device>(module, "Device")
      .def_prop_ro("ordinal",
                   [](const Device &device) { return getInfo(device).ordinal; })
      .def_prop_ro(
          "capability",
          [](const Device &device) { return getInfo(device).capability; })
      .def_prop_ro("name",
                   [](const Device &device) {
                     return std::string(getInfo(device).name);
                   })
      .def("synchronize",
           [](const Device &device) {
             call(ksSynchronizeDevice, device.handle.get());
           })
      .def("stream_info", getStreamInfo)
      .def("allocate", allocate)
      .def("copy", copy)
      .def("record", record)
      .def("load", load);
  module.def("open_device", openDevice, nb::arg("ordinal"));
  module.def("build_artifact", buildArtifact, nb::arg("text"),
             nb::arg("entry").none(), nb::arg("targets"), nb::arg("assemble"));
  module.def("find_gpu_target", [](const Device &device) {
    KsDeviceInfo info = getInfo(device);
    return std::string(ksFindGPUTarget(info.capability, info.multiprocessors,
                                       info.bytesPerSecond));
  });
}
