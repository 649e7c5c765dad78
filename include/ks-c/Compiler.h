//===- Compiler.h - C API of the compiler -----------------------*- C -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From MLIR text to a function that runs on this machine's CPU, or to an
// artefact that ks-c/Runtime.h runs on a GPU, for C and for languages that
// speak C. The library is libKSCompilerC.
//
//   KsFunction *function = NULL;
//   char *error = ksCompile(text, strlen(text), NULL, &function);
//   if (error) { fprintf(stderr, "%s\n", error); ksFreeString(error); }
//   error = ksRun(function, NULL, inputs, numInputs, outputs, numOutputs);
//   ...
//   ksDestroyFunction(function);
//
// Errors. A function that can fail returns NULL when all went well, otherwise
// a message that says what it got and what it expected. The caller owns it and
// frees it with ksFreeString. Results are written only on success. Bad
// arguments are errors, never crashes, as long as pointers are NULL or valid;
// running out of memory inside the compiler ends the process.
//
// Permissions are part of the text. Factors are multiplied with each other,
// where that is faster, if products say fastmath<reassoc> and weights are
// constants or arguments marked {ks.frozen}. ksPack does it, once; so does
// ksRun without packed weights, at each call.
//
// Threads. All functions may be called from several threads at once, on the
// same objects too, except that nothing else may use an object while it is
// destroyed. ksSetNumThreads and ksGetNumThreads (ks/Runtime/ThreadPool.h) set
// how many threads compiled code uses; this library exports them as well.
//
// Sizes, strides and ranks count elements, not bytes. Times are in seconds.
//
//===----------------------------------------------------------------------===//

#ifndef KS_C_COMPILER_H
#define KS_C_COMPILER_H

#include "ks-c/Types.h"

#include <stddef.h>
#include <stdint.h>

// NOLINTBEGIN(modernize-use-using): C has typedef only.
#ifdef __cplusplus
extern "C" {
#endif

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// A compiled function.
typedef struct KsFunction KsFunction;

/// Weights in the order in which one compiled function reads them.
typedef struct KsPackedWeights KsPackedWeights;

/// Ways through the compiler.
typedef enum KsPath {
  KS_PATH_CPU = 0,      ///< Vector kernels: the fast one.
  KS_PATH_LOOPS = 1,    ///< Scalar loops, in the types of the program.
  KS_PATH_REFERENCE = 2 ///< Scalar loops that compute in f64.
} KsPath;

/// Rungs of the ladder at which ksEmit can stop.
typedef enum KsRung {
  KS_RUNG_MATH = 0,
  KS_RUNG_KERNELS = 1,
  KS_RUNG_PLANS = 2,
  KS_RUNG_BUFFERS = 3,
  KS_RUNG_TILES = 4,
  KS_RUNG_MACHINE = 5,
  KS_RUNG_BINARY = 6 ///< Of GPUs only: PTX.
} KsRung;

/// Options of compilation. Start from ksDefaultCompileOptions().
typedef struct KsCompileOptions {
  const char *entry;      ///< Function to compile; NULL: the only public one.
  KsPath path;            ///< KS_PATH_CPU by default.
  const char *target;     ///< Row of the CPU target table, perhaps with
                          ///< ":library=blas"; NULL: "host".
  int64_t threads;        ///< To plan for; 0: those that compiled code uses.
  unsigned optLevel;      ///< Of LLVM, 0 to 3; 2 by default.
  const char *sourceName; ///< In front of line:column; NULL: "<mlir>".
} KsCompileOptions;

/// What a function expects of an argument, or says of a result.
typedef struct KsArgumentInfo {
  KsElementType type;
  int64_t rank;
  const int64_t *shape; ///< -1 where any size will do. Owned by the function.
  int isPacked;         ///< Whether ksPack reads it (inputs only).
  int isRun;            ///< Whether runs on packed weights read it.
} KsArgumentInfo;

/// A function compiled for GPUs.
typedef struct KsArtifact KsArtifact;

/// Options of ksBuildArtifact. Start from ksDefaultArtifactOptions().
typedef struct KsArtifactOptions {
  const char *entry;      ///< Function to compile; NULL: the only public one.
  const char *targets;    ///< Rows of the GPU target table: "sm_80,sm_90".
  int assemble;           ///< Whether `ptxas` assembles PTX, if it is there; 1.
  const char *sourceName; ///< In front of line:column; NULL: "<mlir>".
} KsArtifactOptions;

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

/// The options that a NULL stands for.
KS_EXPORTED KsCompileOptions ksDefaultCompileOptions(void);

/// Compiles a function of the module in `text`, of `length` bytes (no
/// terminating zero needed). Messages hold the diagnostics with line:column.
KS_EXPORTED char *ksCompile(const char *text, size_t length,
                            const KsCompileOptions *options,
                            KsFunction **function);

/// Compiles several functions of a module at once, which takes less time than
/// one by one. `options->entry` is ignored; `entries` has `count` names, and
/// `functions` room for as many results. On errors there are none.
KS_EXPORTED char *ksCompileAll(const char *text, size_t length,
                               const KsCompileOptions *options,
                               const char *const *entries, size_t count,
                               KsFunction **functions);

/// The module in `text`, taken to `rung`, as text that the caller frees with
/// ksFreeString. `options->entry` is ignored: the whole module is shown. The
/// target may be a row of the GPU target table.
KS_EXPORTED char *ksEmit(const char *text, size_t length,
                         const KsCompileOptions *options, KsRung rung,
                         char **emitted);

/// NULL does nothing. Packed weights may outlive their function.
KS_EXPORTED void ksDestroyFunction(KsFunction *function);

/// Frees a message or text of this API. NULL does nothing.
KS_EXPORTED void ksFreeString(char *string);

//===----------------------------------------------------------------------===//
// What a function is like
//===----------------------------------------------------------------------===//

/// The name of the function, which owns the string. "" for NULL.
KS_EXPORTED const char *ksGetName(const KsFunction *function);

/// How many arguments and results there are. 0 for NULL.
KS_EXPORTED size_t ksGetNumInputs(const KsFunction *function);
KS_EXPORTED size_t ksGetNumOutputs(const KsFunction *function);

/// Argument or result `index`.
KS_EXPORTED char *ksGetInput(const KsFunction *function, size_t index,
                             KsArgumentInfo *info);
KS_EXPORTED char *ksGetOutput(const KsFunction *function, size_t index,
                              KsArgumentInfo *info);

/// Where compile time went, in seconds: MLIR's passes, and LLVM.
KS_EXPORTED char *ksGetCompileTimes(const KsFunction *function, double *passes,
                                    double *llvm);

/// The library that computes dense products of the function, as "OpenBLAS
/// 0.3.21"; "" if kernels do, or for NULL. Only functions that were compiled
/// for a target with ":library=blas" look for one; see ks/Runtime/Blas.h. The
/// function owns the string.
KS_EXPORTED const char *ksGetLibrary(const KsFunction *function);

/// The shape of result `index` for `inputs`, which are checked: as many sizes
/// as its rank are written to `shape`.
KS_EXPORTED char *ksGetResultShape(const KsFunction *function, size_t index,
                                   const KsBuffer *inputs, size_t numInputs,
                                   int64_t *shape);

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

/// Packs the weights among `inputs`: a copy, so that the originals may change
/// or go. Inputs that packing does not read (see isPacked) are not looked at.
/// A function without weights to pack makes an empty result.
KS_EXPORTED char *ksPack(const KsFunction *function, const KsBuffer *inputs,
                         size_t numInputs, KsPackedWeights **packed);

/// NULL does nothing.
KS_EXPORTED void ksDestroyPackedWeights(KsPackedWeights *packed);

/// Runs the function on `packed`, which ksPack made for it; inputs that only
/// packing reads are not looked at then. With NULL the weights among the
/// inputs are packed for this call alone. Outputs are overwritten, and must
/// not overlap in memory with inputs or with each other.
KS_EXPORTED char *ksRun(const KsFunction *function,
                        const KsPackedWeights *packed, const KsBuffer *inputs,
                        size_t numInputs, const KsBuffer *outputs,
                        size_t numOutputs);

//===----------------------------------------------------------------------===//
// Artefacts for GPUs
//===----------------------------------------------------------------------===//

/// The options that a NULL stands for, but for targets, which must be given.
KS_EXPORTED KsArtifactOptions ksDefaultArtifactOptions(void);

/// Compiles a function of the module in `text`, of `length` bytes, for GPUs.
/// Needs neither a GPU nor a CUDA toolkit.
KS_EXPORTED char *ksBuildArtifact(const char *text, size_t length,
                                  const KsArtifactOptions *options,
                                  KsArtifact **artifact);

/// NULL does nothing.
KS_EXPORTED void ksDestroyArtifact(KsArtifact *artifact);

/// What ksLoadLayerFromMemory reads, owned by the artefact; NULL for NULL.
KS_EXPORTED const void *ksGetArtifactBytes(const KsArtifact *artifact,
                                           size_t *size);

/// The name of the function, owned by the artefact. "" for NULL.
KS_EXPORTED const char *ksGetArtifactEntry(const KsArtifact *artifact);

/// Arguments in order, then results. 0 for NULL.
KS_EXPORTED size_t ksGetNumArtifactArguments(const KsArtifact *artifact);
KS_EXPORTED char *ksGetArtifactArgument(const KsArtifact *artifact,
                                        size_t index, KsLayerArgument *info);

/// Where compile time went, in seconds.
KS_EXPORTED char *ksGetArtifactTimes(const KsArtifact *artifact, double *passes,
                                     double *llvm, double *ptxas);

/// The target for a GPU of compute capability 10 * major + minor, so many
/// multiprocessors, and memory that moves so many bytes per second in theory (0
/// where this is not known): the latest row of the table that it runs, and in
/// what it differs, as in "sm_90:multiprocessors=114". "" if there is none. It
/// holds until the thread's next call.
KS_EXPORTED const char *ksFindGPUTarget(int capability, int multiprocessors,
                                        double bytesPerSecond);

#ifdef __cplusplus
} // extern "C"
#endif
// NOLINTEND(modernize-use-using)

#endif // KS_C_COMPILER_H
