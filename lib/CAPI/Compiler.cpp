//===- Compiler.cpp - C API of the compiler -------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks-c/Compiler.h"

#include "CompilerSupport.h"

#include "ks/Analysis/Target.h"
#include "ks/ExecutionEngine/BuildArtifact.h"
#include "ks/ExecutionEngine/CompiledFunction.h"

using namespace ks;
using namespace ks::capi;

struct KsFunction {
  std::unique_ptr<CompiledFunction> function;
};

struct KsPackedWeights {
  const CompiledFunction *owner; ///< Compared, never followed.
  PackedWeights weights;
};

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

static llvm::Expected<CompileOptions> convert(const KsCompileOptions *given) {
  KsCompileOptions options = given ? *given : ksDefaultCompileOptions();
  CompileOptions result;
  if (options.entry)
    result.entry = options.entry;
  switch (static_cast<int>(options.path)) {
  case KS_PATH_CPU:
    result.path = Path::CPU;
    break;
  case KS_PATH_LOOPS:
    result.path = Path::Loops;
    break;
  case KS_PATH_REFERENCE:
    result.path = Path::Reference;
    break;
  default:
    return makeError("path is " + llvm::Twine(static_cast<int>(options.path)) +
                     "; expected a value of KsPath");
  }
  if (options.target)
    result.target = options.target;
  if (options.threads < 0)
    return makeError("threads is " + llvm::Twine(options.threads) +
                     "; expected 0 (all) or more");
  result.threads = options.threads;
  if (options.optLevel > 3)
    return makeError("optLevel is " + llvm::Twine(options.optLevel) +
                     "; expected 0 to 3");
  result.optLevel = options.optLevel;
  return result;
}

static llvm::Expected<llvm::SmallVector<Buffer, 8>>
convert(const KsBuffer *buffers, size_t count, const char *what) {
  if (count && !buffers)
    return makeNullError(what);
  llvm::SmallVector<Buffer, 8> results;
  for (size_t index = 0; index < count; ++index) {
    const KsBuffer &given = buffers[index];
    std::string name = (llvm::Twine(what) + " " + llvm::Twine(index)).str();
    auto type = static_cast<int>(given.type);
    if (type < KS_F16 || type > KS_C128)
      return makeError(name + " has element type " + llvm::Twine(type) +
                       "; expected a value of KsElementType");
    if (given.rank < 0 || (given.rank > 0 && !given.shape))
      return makeError(name + " has rank " + llvm::Twine(given.rank) +
                       (given.shape ? "" : " and no shape") +
                       "; expected a rank of at least 0 and a shape");
    llvm::ArrayRef<int64_t> shape(given.shape, given.rank);
    for (int64_t size : shape)
      if (size < 0)
        return makeError(name + " has size " + llvm::Twine(size) +
                         "; expected at least 0");
    Buffer buffer =
        Buffer::contiguous(given.data, static_cast<ElementType>(type), shape);
    if (given.strides)
      buffer.strides.assign(given.strides, given.strides + given.rank);
    results.push_back(std::move(buffer));
  }
  return results;
}

static_assert(static_cast<int>(ElementType::F16) == KS_F16 &&
                  static_cast<int>(ElementType::C128) == KS_C128,
              "the enumerations list the types in the same order");

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

KsCompileOptions ksDefaultCompileOptions(void) {
  return {/*entry=*/nullptr, KS_PATH_CPU,    /*target=*/nullptr,
          /*threads=*/0,     /*optLevel=*/2, /*sourceName=*/nullptr};
}

static const char *getName(const KsCompileOptions *options) {
  return options ? options->sourceName : nullptr;
}

static llvm::Error compile(const char *text, size_t length,
                           const KsCompileOptions *options,
                           llvm::ArrayRef<std::string> entries,
                           KsFunction **functions) {
  llvm::Expected<CompileOptions> converted = convert(options);
  if (!converted)
    return converted.takeError();
  Source source;
  if (llvm::Error error = source.parse(text, length, getName(options)))
    return error;
  auto compiled =
      CompiledFunction::compileAll(source.get(), *converted, entries);
  if (!compiled)
    return compiled.takeError();
  for (auto [index, function] : llvm::enumerate(*compiled))
    functions[index] = new KsFunction{std::move(function)};
  return llvm::Error::success();
}

char *ksCompile(const char *text, size_t length,
                const KsCompileOptions *options, KsFunction **function) {
  if (!function)
    return toCString(makeNullError("function"));
  std::string entry = options && options->entry ? options->entry : "";
  return toCString(compile(text, length, options, entry, function));
}

char *ksCompileAll(const char *text, size_t length,
                   const KsCompileOptions *options, const char *const *entries,
                   size_t count, KsFunction **functions) {
  if (count && !entries)
    return toCString(makeNullError("entries"));
  if (count && !functions)
    return toCString(makeNullError("functions"));
  std::vector<std::string> names;
  for (size_t index = 0; index < count; ++index) {
    if (!entries[index])
      return toCString(makeNullError("an entry"));
    names.emplace_back(entries[index]);
  }
  return toCString(compile(text, length, options, names, functions));
}

static llvm::Error emit(const char *text, size_t length,
                        const KsCompileOptions *options, KsRung rung,
                        char **emitted) {
  if (!emitted)
    return makeNullError("emitted");
  llvm::Expected<CompileOptions> converted = convert(options);
  if (!converted)
    return converted.takeError();
  auto number = static_cast<int>(rung);
  if (number < KS_RUNG_MATH || number > KS_RUNG_BINARY)
    return makeError("rung is " + llvm::Twine(number) +
                     "; expected a value of KsRung");
  bool isGPU = getGPUTarget(converted->target).has_value();
  if (!isGPU && number == KS_RUNG_BINARY)
    return makeError("rung is KS_RUNG_BINARY, expected an earlier one or one "
                     "of the targets " +
                     getGPUTargetNames());
  if (isGPU && converted->path != Path::CPU)
    return makeError("path is " + llvm::Twine(static_cast<int>(options->path)) +
                     "; expected the default with the target " +
                     converted->target);
  Source source;
  if (llvm::Error error = source.parse(text, length, getName(options)))
    return error;
  auto to = static_cast<Rung>(number);
  auto lowered = isGPU ? lowerToGPURung(source.get(), converted->target, to)
                       : lowerToRung(source.get(), *converted, to);
  if (!lowered)
    return lowered.takeError();
  std::string printed;
  llvm::raw_string_ostream os(printed);
  (*lowered)->print(os);
  *emitted = toCString(printed);
  return llvm::Error::success();
}

static_assert(static_cast<int>(Rung::Math) == KS_RUNG_MATH &&
                  static_cast<int>(Rung::Machine) == KS_RUNG_MACHINE &&
                  static_cast<int>(Rung::Binary) == KS_RUNG_BINARY,
              "the enumerations list the rungs in the same order");

char *ksEmit(const char *text, size_t length, const KsCompileOptions *options,
             KsRung rung, char **emitted) {
  return toCString(emit(text, length, options, rung, emitted));
}

void ksDestroyFunction(KsFunction *function) { delete function; }

void ksFreeString(char *string) { std::free(string); }

//===----------------------------------------------------------------------===//
// What a function is like
//===----------------------------------------------------------------------===//

const char *ksGetName(const KsFunction *function) {
  return function ? function->function->getName().data() : "";
}

size_t ksGetNumInputs(const KsFunction *function) {
  return function ? function->function->getInputs().size() : 0;
}

size_t ksGetNumOutputs(const KsFunction *function) {
  return function ? function->function->getOutputs().size() : 0;
}

static llvm::Error getInfo(const KsFunction *function,
                           llvm::ArrayRef<ArgumentInfo> infos, size_t index,
                           const char *what, KsArgumentInfo *result) {
  if (!function)
    return makeNullError("function");
  if (!result)
    return makeNullError("info");
  if (index >= infos.size())
    return makeError(llvm::Twine("index of ") + what + " is " +
                     llvm::Twine(index) + "; expected less than " +
                     llvm::Twine(infos.size()));
  const ArgumentInfo &info = infos[index];
  *result = {static_cast<KsElementType>(info.type),
             static_cast<int64_t>(info.shape.size()), info.shape.data(),
             info.isPacked, info.isRun};
  return llvm::Error::success();
}

char *ksGetInput(const KsFunction *function, size_t index,
                 KsArgumentInfo *info) {
  llvm::ArrayRef<ArgumentInfo> infos;
  if (function)
    infos = function->function->getInputs();
  return toCString(getInfo(function, infos, index, "argument", info));
}

char *ksGetOutput(const KsFunction *function, size_t index,
                  KsArgumentInfo *info) {
  llvm::ArrayRef<ArgumentInfo> infos;
  if (function)
    infos = function->function->getOutputs();
  return toCString(getInfo(function, infos, index, "result", info));
}

char *ksGetCompileTimes(const KsFunction *function, double *passes,
                        double *llvm) {
  if (!function || !passes || !llvm)
    return toCString(makeNullError("an argument"));
  const CompileTimes &times = function->function->getCompileTimes();
  *passes = times.passes;
  *llvm = times.llvm;
  return nullptr;
}

const char *ksGetLibrary(const KsFunction *function) {
  return function ? function->function->getLibraryName().data() : "";
}

static llvm::Error getResultShape(const KsFunction *function, size_t index,
                                  const KsBuffer *inputs, size_t numInputs,
                                  int64_t *result) {
  if (!function)
    return makeNullError("function");
  if (!result)
    return makeNullError("shape");
  size_t count = function->function->getOutputs().size();
  if (index >= count)
    return makeError("index of result is " + llvm::Twine(index) +
                     "; expected less than " + llvm::Twine(count));
  auto buffers = convert(inputs, numInputs, "argument");
  if (!buffers)
    return buffers.takeError();
  auto shape = function->function->getResultShape(index, *buffers);
  if (!shape)
    return shape.takeError();
  llvm::copy(*shape, result);
  return llvm::Error::success();
}

char *ksGetResultShape(const KsFunction *function, size_t index,
                       const KsBuffer *inputs, size_t numInputs,
                       int64_t *shape) {
  return toCString(getResultShape(function, index, inputs, numInputs, shape));
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

static llvm::Error pack(const KsFunction *function, const KsBuffer *inputs,
                        size_t numInputs, KsPackedWeights **result) {
  if (!function)
    return makeNullError("function");
  if (!result)
    return makeNullError("packed");
  auto buffers = convert(inputs, numInputs, "argument");
  if (!buffers)
    return buffers.takeError();
  auto weights = function->function->packWeights(*buffers);
  if (!weights)
    return weights.takeError();
  *result = new KsPackedWeights{function->function.get(), std::move(*weights)};
  return llvm::Error::success();
}

char *ksPack(const KsFunction *function, const KsBuffer *inputs,
             size_t numInputs, KsPackedWeights **packed) {
  return toCString(pack(function, inputs, numInputs, packed));
}

void ksDestroyPackedWeights(KsPackedWeights *packed) { delete packed; }

static llvm::Error run(const KsFunction *function,
                       const KsPackedWeights *packed, const KsBuffer *inputs,
                       size_t numInputs, const KsBuffer *outputs,
                       size_t numOutputs) {
  if (!function)
    return makeNullError("function");
  auto in = convert(inputs, numInputs, "argument");
  if (!in)
    return in.takeError();
  auto out = convert(outputs, numOutputs, "result");
  if (!out)
    return out.takeError();
  const CompiledFunction &compiled = *function->function;
  if (packed) {
    if (packed->owner != &compiled)
      return makeError("the packed weights are those of another function; "
                       "expected the result of ksPack on @" +
                       compiled.getName());
    return compiled.run(*in, *out, packed->weights);
  }
  if (llvm::Error error = compiled.check(*in, *out))
    return error;
  auto weights = compiled.packWeights(*in);
  if (!weights)
    return weights.takeError();
  return compiled.run(*in, *out, *weights);
}

char *ksRun(const KsFunction *function, const KsPackedWeights *packed,
            const KsBuffer *inputs, size_t numInputs, const KsBuffer *outputs,
            size_t numOutputs) {
  return toCString(
      run(function, packed, inputs, numInputs, outputs, numOutputs));
}
