//===- Artifact.cpp - C API of the compiler: artefacts for GPUs -----------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompilerSupport.h"

#include "ks-c/Compiler.h"

#include "ks/Analysis/Target.h"
#include "ks/ExecutionEngine/BuildArtifact.h"

using namespace ks;
using namespace ks::capi;

struct KsArtifact {
  std::string bytes;
  std::string entry;
  std::vector<Argument> arguments;
  /// Of all arguments, as KsLayerArgument has them.
  std::vector<std::vector<int64_t>> shapes;
  ArtifactTimes times;
};

KsArtifactOptions ksDefaultArtifactOptions(void) {
  return {/*entry=*/nullptr, /*targets=*/nullptr, /*assemble=*/1,
          /*sourceName=*/nullptr};
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

static llvm::Expected<ArtifactOptions>
convert(const KsArtifactOptions *options) {
  if (!options || !options->targets)
    return makeError(
        "targets is NULL; expected rows of the GPU target table: " +
        getGPUTargetNames());
  ArtifactOptions result;
  if (options->entry)
    result.entry = options->entry;
  llvm::SmallVector<llvm::StringRef> names;
  llvm::StringRef(options->targets).split(names, ',');
  for (llvm::StringRef name : names)
    result.targets.push_back(name.trim().str());
  result.assemble = options->assemble != 0;
  return result;
}

static std::unique_ptr<KsArtifact> describe(const BuiltArtifact &built) {
  auto result = std::make_unique<KsArtifact>();
  result->bytes = serialize(built.artifact);
  result->entry = built.artifact.entry;
  result->arguments = built.artifact.arguments;
  result->times = built.times;
  for (const Argument &argument : result->arguments) {
    auto &shape = result->shapes.emplace_back();
    for (const Size &size : argument.array.shape)
      shape.push_back(size.perBatch == 0 ? size.constant : -1);
  }
  return result;
}

static llvm::Error build(const char *text, size_t length,
                         const KsArtifactOptions *options,
                         KsArtifact **artifact) {
  if (!artifact)
    return makeNullError("artifact");
  llvm::Expected<ArtifactOptions> converted = convert(options);
  if (!converted)
    return converted.takeError();
  Source source;
  if (llvm::Error error = source.parse(text, length, options->sourceName))
    return error;
  llvm::Expected<BuiltArtifact> built = buildArtifact(source.get(), *converted);
  if (!built)
    return built.takeError();
  *artifact = describe(*built).release();
  return llvm::Error::success();
}

char *ksBuildArtifact(const char *text, size_t length,
                      const KsArtifactOptions *options, KsArtifact **artifact) {
  return toCString(build(text, length, options, artifact));
}

void ksDestroyArtifact(KsArtifact *artifact) { delete artifact; }

//===----------------------------------------------------------------------===//
// What an artefact is like
//===----------------------------------------------------------------------===//

const void *ksGetArtifactBytes(const KsArtifact *artifact, size_t *size) {
  if (size)
    *size = artifact ? artifact->bytes.size() : 0;
  return artifact ? artifact->bytes.data() : nullptr;
}

const char *ksGetArtifactEntry(const KsArtifact *artifact) {
  return artifact ? artifact->entry.c_str() : "";
}

size_t ksGetNumArtifactArguments(const KsArtifact *artifact) {
  return artifact ? artifact->arguments.size() : 0;
}

static llvm::Error getArgument(const KsArtifact *artifact, size_t index,
                               KsLayerArgument *info) {
  if (!artifact)
    return makeNullError("artifact");
  if (!info)
    return makeNullError("info");
  if (index >= artifact->arguments.size())
    return makeError("index of argument is " + llvm::Twine(index) +
                     "; expected less than " +
                     llvm::Twine(artifact->arguments.size()));
  const Argument &argument = artifact->arguments[index];
  const std::vector<int64_t> &shape = artifact->shapes[index];
  *info = {argument.array.name.c_str(),
           argument.array.type,
           static_cast<int64_t>(shape.size()),
           shape.data(),
           argument.role == Role::Weight,
           argument.role == Role::Result,
           argument.array.alignment};
  return llvm::Error::success();
}

char *ksGetArtifactArgument(const KsArtifact *artifact, size_t index,
                            KsLayerArgument *info) {
  return toCString(getArgument(artifact, index, info));
}

char *ksGetArtifactTimes(const KsArtifact *artifact, double *passes,
                         double *llvm, double *ptxas) {
  if (!artifact || !passes || !llvm || !ptxas)
    return toCString(makeNullError("an argument"));
  *passes = artifact->times.passes;
  *llvm = artifact->times.llvm;
  *ptxas = artifact->times.ptxas;
  return nullptr;
}

const char *ksFindGPUTarget(int capability, int multiprocessors,
                            double bytesPerSecond) {
  thread_local std::string name;
  name = findGPUTarget({capability, multiprocessors, bytesPerSecond});
  return name.c_str();
}
