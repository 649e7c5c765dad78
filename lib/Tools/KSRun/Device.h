//===- Device.h - ks-run on a GPU -------------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `--target cuda`: programs on the GPU of this machine, through the runtime
// that artefacts are made for. The driver is opened when it is needed.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_TOOLS_KSRUN_DEVICE_H
#define KS_LIB_TOOLS_KSRUN_DEVICE_H

#include "KSRun.h"

#include "ks/Runtime/CUDADriver.h"
#include "ks/Runtime/Layer.h"

namespace ks {

/// The GPU of this machine, in the context that all of ks-run uses.
struct Device {
  CUDAContext context;
  DeviceInfo info;
  std::string target;     ///< Row of the GPU target table to compile for.
  double openSeconds = 0; ///< From the driver's start to the context.
};

/// Opens the first GPU. Errors say what is missing.
/// `overrides` is what the target has otherwise, as ":library=none".
llvm::Expected<Device> openDevice(llvm::StringRef overrides);
void describeDevice(const Device &device, Report &report);

/// What the runtime says, as an error.
llvm::Error toError(const Status &status);

/// Compiles `module` for the GPU and loads it there.
llvm::Expected<std::unique_ptr<Program>>
compileForDevice(mlir::ModuleOp module, const RunOptions &options,
                 const Device &device, Report &report);

/// Runs each factor of `module` with its options.plans best-ranked plans, and
/// lists what they were predicted to take and what they take. The exit code.
llvm::Expected<int> timePlans(mlir::ModuleOp module, const RunOptions &options,
                              const Device &device);

/// Where the arrays of a call are: one per argument of the layer, its results
/// last, and the packed weights.
struct DeviceArrays {
  std::vector<void *> arguments;
  void *packed = nullptr;
};

/// Calls of a layer for arguments of the same shapes.
class DeviceCall {
public:
  static llvm::Expected<DeviceCall> create(const Device &device,
                                           const Layer &layer,
                                           llvm::ArrayRef<NpyArray> in,
                                           llvm::ArrayRef<NpyArray> out);

  size_t getNumArguments() const { return arguments.size(); }
  size_t getBytes(size_t argument) const { return bytes[argument]; }
  size_t getPackedBytes() const { return layer->getPackedBytes(); }

  /// Both only put work on the stream.
  llvm::Error pack(const DeviceArrays &arrays);
  llvm::Error run(const DeviceArrays &arrays);

  KsStream getStream() const { return stream.get(); }
  llvm::Error synchronize() const;

private:
  std::vector<KsBuffer> select(const DeviceArrays &arrays, bool weights) const;

  const Device *device = nullptr;
  const Layer *layer = nullptr;
  std::vector<llvm::SmallVector<int64_t>> shapes;
  std::vector<KsBuffer> arguments; ///< Without data.
  std::vector<size_t> bytes;
  size_t workspaceBytes = 0;
  DeviceMemory workspace;
  CUDAStream stream;
};

/// Times the layer; see Program::time.
llvm::Expected<Timing> timeLayer(const Device &device, const Layer &layer,
                                 llvm::ArrayRef<NpyArray> in,
                                 llvm::ArrayRef<NpyArray> out);

/// See Program::measurePeaks.
llvm::Expected<Peaks> measureDevicePeaks(const Device &device,
                                         const RunOptions &options,
                                         ElementType type, bool isTF32);

} // namespace ks

#endif // KS_LIB_TOOLS_KSRUN_DEVICE_H
