//===- Runtime.h - C API of the GPU runtime ---------------------*- C -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs compiled layers on NVIDIA GPUs. It needs no LLVM and no CUDA toolkit:
// the driver is opened at run time.
//
//   KsLayer *layer = NULL;
//   KsStatus status = ksLoadLayer("layer.ks", &layer);
//   if (status != KS_OK) fprintf(stderr, "%s\n", ksGetErrorMessage());
//   ksPackLayer(layer, weights, numWeights, packed, packedBytes, stream);
//   ksRunLayer(layer, packed, arrays, numArrays, workspace, bytes, stream);
//
// Errors. Every function returns a code; the text that goes with it, of the
// last failure on this thread, is what ksGetErrorMessage returns: what was got,
// what was expected, and what to do. Nothing is launched when a check fails.
//
// Threads. All functions may be called from several threads at once, on the
// same layer too, except that nothing else may use a layer while it is freed.
//
// Devices. A layer is loaded for the CUDA context that is current, or else for
// the primary context of device 0, and runs in that context alone, whatever is
// current when it is called. ksLoadLayerOnDevice names the device.
//
// Packing and running allocate nothing on the device and wait for nothing: they
// enqueue launches on `stream` (a CUstream; NULL is the default stream), and
// can be captured in a CUDA graph.
//
//===----------------------------------------------------------------------===//

#ifndef KS_C_RUNTIME_H
#define KS_C_RUNTIME_H

#include "ks-c/Types.h"

#include <stddef.h>

// NOLINTBEGIN(modernize-use-using): C has typedef only.
#ifdef __cplusplus
extern "C" {
#endif

typedef enum KsStatus {
  KS_OK = 0,
  KS_ERROR_NO_DRIVER = 1, ///< No NVIDIA driver, or an unusable one.
  KS_ERROR_NO_DEVICE = 2, ///< No GPU, or no code in the artefact for it.
  KS_ERROR_ARTIFACT = 3,  ///< Truncated, altered, foreign or unreadable.
  KS_ERROR_ARGUMENT = 4,  ///< Wrong number, type, shape, strides, alignment,
                          ///< batch; NULL; overlapping results; little room.
  KS_ERROR_OUT_OF_MEMORY = 5, ///< Of the device or the host.
  KS_ERROR_COMPILE = 6,       ///< The driver could not load the code.
  KS_ERROR_CUDA = 7           ///< Whatever else the driver reports.
} KsStatus;

/// A loaded layer.
typedef struct KsLayer KsLayer;

/// A CUstream.
typedef void *KsStream;

/// A GPU, in its primary context.
typedef struct KsDevice KsDevice;

/// Memory of a GPU.
typedef struct KsMemory KsMemory;

/// A moment on a stream.
typedef struct KsEvent KsEvent;

/// What a GPU is like.
typedef struct KsDeviceInfo {
  int ordinal;
  int capability;   ///< 10 * major + minor.
  const char *name; ///< Owned by the device.
  int multiprocessors;
  double bytesPerSecond; ///< Of its memory, in theory; 0 if not known.
} KsDeviceInfo;

/// What a stream is like.
typedef struct KsStreamInfo {
  uint64_t id;     ///< Never used again by another stream, unlike its handle;
                   ///< the handle, while a graph is captured.
  int isCapturing; ///< Whether work on it is recorded in a CUDA graph.
} KsStreamInfo;

/// The text of the last failure on this thread; "" if there was none. It holds
/// until the thread's next call that fails.
KS_EXPORTED const char *ksGetErrorMessage(void);

/// Loads an artefact from a file, or from memory (which may be freed after).
KS_EXPORTED KsStatus ksLoadLayer(const char *path, KsLayer **layer);
KS_EXPORTED KsStatus ksLoadLayerFromMemory(const void *bytes, size_t size,
                                           KsLayer **layer);

/// Loads an artefact from memory for the primary context of a device, which is
/// kept as long as the layer.
KS_EXPORTED KsStatus ksLoadLayerOnDevice(const KsDevice *device,
                                         const void *bytes, size_t size,
                                         KsLayer **layer);

/// NULL does nothing. Launches of the layer must have ended.
KS_EXPORTED void ksFreeLayer(KsLayer *layer);

KS_EXPORTED size_t ksGetNumLayerArguments(const KsLayer *layer);
KS_EXPORTED KsStatus ksGetLayerArgument(const KsLayer *layer, size_t index,
                                        KsLayerArgument *info);

/// The architecture whose code was loaded, as "sm_90" or "sm_90a"; "" for NULL.
KS_EXPORTED const char *ksGetLayerTarget(const KsLayer *layer);

/// The library that computes products of the layer, as "cublasLt 13.1.0";
/// "" if kernels do: it has none for a library, or no library was found (see
/// KS_CUBLASLT in docs/gpu.md), or for NULL.
KS_EXPORTED const char *ksGetLayerLibrary(const KsLayer *layer);

/// Bytes of device memory for packed weights.
KS_EXPORTED KsStatus ksGetLayerPackedBytes(const KsLayer *layer, size_t *bytes);

/// Bytes of device memory that a run with `batch` entries works in.
KS_EXPORTED KsStatus ksGetLayerWorkspaceBytes(const KsLayer *layer,
                                              int64_t batch, size_t *bytes);

/// Packs weights into `packed`, of at least `packedBytes` bytes aligned to 256.
/// `weights` are all arguments with isWeight, in order, in device memory. May
/// be repeated when weights change; on one stream, order is kept.
KS_EXPORTED KsStatus ksPackLayer(const KsLayer *layer, const KsBuffer *weights,
                                 size_t numWeights, void *packed,
                                 size_t packedBytes, KsStream stream);

/// Runs the layer. `arrays` are all arguments without isWeight, in order, in
/// device memory; the batch is read from their shapes, which must agree.
/// `workspace` has at least `workspaceBytes` bytes aligned to 256 and belongs
/// to one run at a time. Results must not overlap with anything else.
KS_EXPORTED KsStatus ksRunLayer(const KsLayer *layer, const void *packed,
                                const KsBuffer *arrays, size_t numArrays,
                                void *workspace, size_t workspaceBytes,
                                KsStream stream);

//===----------------------------------------------------------------------===//
// Devices: what programs need that have no CUDA runtime of their own
//===----------------------------------------------------------------------===//

/// Opens GPU `ordinal`; -1: the one of the context that is current on this
/// thread, or else the first.
KS_EXPORTED KsStatus ksOpenDevice(int ordinal, KsDevice **device);

/// NULL does nothing. What was made of the device may outlive it.
KS_EXPORTED void ksCloseDevice(KsDevice *device);

KS_EXPORTED KsStatus ksGetDeviceInfo(const KsDevice *device,
                                     KsDeviceInfo *info);

/// Waits for all work on the device.
KS_EXPORTED KsStatus ksSynchronizeDevice(const KsDevice *device);

KS_EXPORTED KsStatus ksGetStreamInfo(const KsDevice *device, KsStream stream,
                                     KsStreamInfo *info);

/// Memory of the device, aligned to 256 bytes. Freeing waits for work that may
/// use it; NULL does nothing. The address is NULL for 0 bytes.
KS_EXPORTED KsStatus ksAllocate(const KsDevice *device, size_t bytes,
                                KsMemory **memory);
KS_EXPORTED void *ksGetAddress(const KsMemory *memory);
KS_EXPORTED void ksFreeMemory(KsMemory *memory);

/// Puts a copy on a stream.
KS_EXPORTED KsStatus ksCopyOnDevice(const KsDevice *device, void *to,
                                    const void *from, size_t bytes,
                                    KsStream stream);

/// An event after all work that is on `stream` now; lets another stream of the
/// same device wait for it. NULL is not freed.
KS_EXPORTED KsStatus ksRecordEvent(const KsDevice *device, KsStream stream,
                                   KsEvent **event);
KS_EXPORTED KsStatus ksWaitForEvent(const KsEvent *event, KsStream stream);
KS_EXPORTED void ksFreeEvent(KsEvent *event);

#ifdef __cplusplus
} // extern "C"
#endif
// NOLINTEND(modernize-use-using)

#endif // KS_C_RUNTIME_H
