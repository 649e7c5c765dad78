//===- CompiledFunction.cpp - Compile and run on the CPU ------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/ExecutionEngine/CompiledFunction.h"

#include "Buffers.h"
#include "JITSymbols.h"
#include "ModuleSupport.h"
#include "Optimize.h"

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/BufferizableOpInterfaceImpl.h"
#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/Pipelines/Pipelines.h"
#include "ks/Runtime/Blas.h"
#include "ks/Runtime/ThreadPool.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <chrono>

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// Signature
//===----------------------------------------------------------------------===//

static llvm::Expected<ArgumentInfo> getInfo(Type type, Attribute dims) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref) {
    std::string text;
    llvm::raw_string_ostream(text) << type;
    return makeError("entry has an argument of type " + text +
                     "; expected tensors or memrefs only");
  }
  llvm::Expected<ElementType> element = toElementType(memref.getElementType());
  if (!element)
    return element.takeError();
  ArgumentInfo info;
  info.type = *element;
  for (int64_t size : memref.getShape())
    info.shape.push_back(ShapedType::isDynamic(size) ? -1 : size);
  if (auto array = dyn_cast_or_null<DenseI64ArrayAttr>(dims))
    for (size_t at = 0; at + 1 < array.asArrayRef().size(); at += 2)
      info.dims.emplace_back(array[at], array[at + 1]);
  return info;
}

llvm::Error CompiledFunction::readSignature(ModuleOp module) {
  auto func = module.lookupSymbol<func::FuncOp>(name);
  if (func.getNumResults() != 0)
    return makeError("entry @" + name +
                     " returns something other than tensors, or other "
                     "functions call it; expected an entry of its own whose "
                     "results are tensors");
  for (unsigned number = 0; number < func.getNumArguments(); ++number) {
    Attribute dims = func.getArgAttr(number, "ks.result_dims");
    llvm::Expected<ArgumentInfo> info =
        getInfo(func.getArgument(number).getType(), dims);
    if (!info)
      return info.takeError();
    (dims ? outputs : inputs).push_back(std::move(*info));
  }
  auto packed = func->getAttrOfType<FlatSymbolRefAttr>("ks.packed");
  auto pack = func->getAttrOfType<FlatSymbolRefAttr>("ks.pack");
  if (!packed || !pack)
    return llvm::Error::success();
  packName = pack.getValue().str();
  packedName = packed.getValue().str();
  packArguments =
      func->getAttrOfType<DenseI64ArrayAttr>("ks.pack_args").asArrayRef().vec();
  packedArguments = func->getAttrOfType<DenseI64ArrayAttr>("ks.packed_args")
                        .asArrayRef()
                        .vec();
  for (auto [number, input] : llvm::enumerate(inputs)) {
    auto index = static_cast<int64_t>(number);
    input.isPacked = llvm::is_contained(packArguments, index);
    input.isRun = llvm::is_contained(packedArguments, index);
  }
  auto packFunc = module.lookupSymbol<func::FuncOp>(pack.getAttr());
  for (Type type :
       packFunc.getArgumentTypes().drop_front(packArguments.size())) {
    llvm::Expected<ArgumentInfo> info = getInfo(type, {});
    if (!info)
      return info.takeError();
    packedWeights.push_back(std::move(*info));
  }
  return llvm::Error::success();
}

/// Whether a library computes products that run with `func`.
static bool usesLibrary(Operation *func, SymbolTableCollection &symbols,
                        llvm::SmallPtrSetImpl<Operation *> &seen) {
  if (!func || !seen.insert(func).second)
    return false;
  WalkResult result = func->walk([&](Operation *op) {
    auto product = dyn_cast<ProductOpInterface>(op);
    auto call = dyn_cast<func::CallOp>(op);
    bool isThere = product
                       ? isa_and_nonnull<LibraryPlanAttr>(product.getPlanAttr())
                       : call && usesLibrary(symbols.lookupNearestSymbolFrom(
                                                 op, call.getCalleeAttr()),
                                             symbols, seen);
    return isThere ? WalkResult::interrupt() : WalkResult::advance();
  });
  return result.wasInterrupted();
}

llvm::Error CompiledFunction::findLibrary(ModuleOp module) {
  SymbolTableCollection symbols;
  llvm::SmallPtrSet<Operation *, 4> seen;
  if (!usesLibrary(module.lookupSymbol(name), symbols, seen))
    return llvm::Error::success();
  const Blas &blas = getBlas();
  if (blas.isAsked && !blas.note.empty())
    return makeError("@" + name + " may use a BLAS: " + blas.note);
  libraryName = blas.name;
  note = blas.note;
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

CompiledFunction::CompiledFunction() = default;
CompiledFunction::~CompiledFunction() = default;

/// Runs `pipeline` on `module`.
static LogicalResult runPasses(ModuleOp module, const CompileOptions &options,
                               Rung from, Rung to) {
  PassManager pm(module.getContext());
  pm.enableVerifier(false); // the module was verified; passes are tested
  if (options.path == Path::CPU) {
    CPUPipelineOptions cpu;
    cpu.target = options.target;
    cpu.threads = options.threads ? options.threads : ksGetNumThreads();
    cpu.from = from;
    cpu.to = to;
    buildCPUPipeline(pm, cpu);
  } else {
    if (options.path == Path::Reference && from == Rung::Math)
      pm.addPass(createWidenToF64());
    buildLoopsPipeline(pm, from, to);
  }
  return pm.run(module);
}

llvm::Expected<OwningOpRef<ModuleOp>>
ks::lowerToRung(ModuleOp original, const CompileOptions &options, Rung to) {
  DiagnosticCollector diagnostics(original.getContext());
  OwningOpRef<ModuleOp> module(cast<ModuleOp>(original->clone()));
  if (failed(runPasses(*module, options, Rung::Math, to)))
    return diagnostics.asError();
  return std::move(module);
}

/// Machine code for `module`, which is in the llvm dialect.
static llvm::Expected<std::shared_ptr<ExecutionEngine>>
createEngine(ModuleOp module, unsigned optLevel) {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  auto level = static_cast<llvm::CodeGenOptLevel>(std::min(optLevel, 3u));
  builder->setCodeGenOptLevel(level);
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  ExecutionEngineOptions engineOptions;
  auto transformer = [&](llvm::Module *llvmModule) {
    return optimize(*llvmModule, **machine, optLevel);
  };
  engineOptions.transformer = transformer;
  engineOptions.jitCodeGenOptLevel = level;
  engineOptions.enableGDBNotificationListener = false;
  engineOptions.enablePerfNotificationListener = false;
  auto engine = ExecutionEngine::create(module, engineOptions);
  if (!engine)
    return engine.takeError();
  (*engine)->registerSymbols(getJITSymbols);
  return std::shared_ptr<ExecutionEngine>(std::move(*engine));
}

llvm::Error CompiledFunction::findCode() {
  auto find = [&](const Twine &symbol, Packed &result) -> llvm::Error {
    auto address = engine->lookupPacked(("_mlir_ciface_" + symbol).str());
    if (!address)
      return address.takeError();
    result = *address;
    return llvm::Error::success();
  };
  if (packedWeights.empty())
    return find(name, function);
  if (llvm::Error error = find(packName, packFunction))
    return error;
  return find(packedName, packedFunction);
}

llvm::Expected<std::vector<std::unique_ptr<CompiledFunction>>>
CompiledFunction::compileAll(ModuleOp original, const CompileOptions &options,
                             llvm::ArrayRef<std::string> entries) {
  using Clock = std::chrono::steady_clock;
  auto seconds = [](Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  std::vector<std::unique_ptr<CompiledFunction>> results;
  for (const std::string &name : entries) {
    llvm::Expected<func::FuncOp> entry = findEntry(original, name);
    if (!entry)
      return entry.takeError();
    results.emplace_back(new CompiledFunction());
    results.back()->name = entry->getName().str();
  }

  DiagnosticCollector diagnostics(original.getContext());
  OwningOpRef<ModuleOp> module(cast<ModuleOp>(original->clone()));
  Clock::time_point begin = Clock::now();
  if (failed(runPasses(*module, options, Rung::Math, Rung::Buffers)))
    return diagnostics.asError();
  for (auto &result : results)
    for (auto step :
         {&CompiledFunction::readSignature, &CompiledFunction::findLibrary})
      if (llvm::Error error = (*result.*step)(*module))
        return std::move(error);
  // Functions that pack and run in one call are not called from here.
  for (auto &result : results)
    if (!result->packedWeights.empty())
      if (Operation *both = module->lookupSymbol(result->name);
          both && SymbolTable::symbolKnownUseEmpty(both, *module))
        both->erase();
  if (failed(runPasses(*module, options, Rung::Buffers, Rung::Machine)))
    return diagnostics.asError();
  CompileTimes times;
  times.passes = seconds(begin);
  begin = Clock::now();
  auto engine = createEngine(*module, options.optLevel);
  if (!engine)
    return engine.takeError();
  for (auto &result : results) {
    result->engine = *engine;
    if (llvm::Error error = result->findCode())
      return std::move(error);
  }
  times.llvm = seconds(begin);
  for (auto &result : results)
    result->times = times;
  return std::move(results);
}

llvm::Expected<std::unique_ptr<CompiledFunction>>
CompiledFunction::compile(ModuleOp module, const CompileOptions &options) {
  auto results = compileAll(module, options, options.entry);
  if (!results)
    return results.takeError();
  return std::move(results->front());
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

llvm::Error CompiledFunction::checkInputs(llvm::ArrayRef<Buffer> buffers,
                                          InputFilter matters) const {
  if (buffers.size() != inputs.size())
    return makeError("@" + name + " was given " + llvm::Twine(buffers.size()) +
                     " arguments; expected " + llvm::Twine(inputs.size()));
  for (auto [index, buffer, info] : llvm::enumerate(buffers, inputs))
    if (matters(info))
      if (llvm::Error error =
              checkBuffer(buffer, info, "argument " + llvm::Twine(index)))
        return error;
  return llvm::Error::success();
}

/// All inputs matter to a call that packs too. A run on packed weights leaves
/// those aside that only packing reads.
static bool always(const ArgumentInfo &) { return true; }
static bool whenPacked(const ArgumentInfo &info) {
  return info.isRun || !info.isPacked;
}

/// The shape of a result for inputs that were checked.
static llvm::SmallVector<int64_t, 4>
deriveShape(const ArgumentInfo &result, llvm::ArrayRef<Buffer> inputs) {
  llvm::SmallVector<int64_t, 4> shape;
  for (auto [input, dim] : result.dims)
    shape.push_back(input < 0 ? dim : inputs[input].shape[dim]);
  return shape;
}

llvm::Expected<llvm::SmallVector<int64_t, 4>>
CompiledFunction::getResultShape(unsigned index,
                                 llvm::ArrayRef<Buffer> buffers) const {
  if (llvm::Error error = checkInputs(buffers, whenPacked))
    return std::move(error);
  return deriveShape(outputs[index], buffers);
}

llvm::Error CompiledFunction::checkOutputs(llvm::ArrayRef<Buffer> inputBuffers,
                                           llvm::ArrayRef<Buffer> outputBuffers,
                                           InputFilter matters) const {
  if (outputBuffers.size() != outputs.size())
    return makeError("@" + name + " was given memory for " +
                     llvm::Twine(outputBuffers.size()) + " results; expected " +
                     llvm::Twine(outputs.size()));
  for (auto [index, buffer] : llvm::enumerate(outputBuffers)) {
    ArgumentInfo expected = outputs[index];
    expected.shape = deriveShape(expected, inputBuffers);
    if (llvm::Error error =
            checkBuffer(buffer, expected, "result " + llvm::Twine(index)))
      return error;
    for (auto [number, input, info] : llvm::enumerate(inputBuffers, inputs))
      if (matters(info) && mayOverlap(buffer, input))
        return makeError("result " + llvm::Twine(index) +
                         " overlaps argument " + llvm::Twine(number) +
                         " in memory; expected memory of its own (a product "
                         "cannot run in place)");
    for (size_t other = 0; other < index; ++other)
      if (mayOverlap(buffer, outputBuffers[other]))
        return makeError("result " + llvm::Twine(index) + " overlaps result " +
                         llvm::Twine(other) +
                         " in memory; expected memory of its own");
  }
  return llvm::Error::success();
}

llvm::Error
CompiledFunction::check(llvm::ArrayRef<Buffer> inputBuffers,
                        llvm::ArrayRef<Buffer> outputBuffers) const {
  if (llvm::Error error = checkInputs(inputBuffers, always))
    return error;
  return checkOutputs(inputBuffers, outputBuffers, always);
}

/// Arguments `numbers` of (inputs, outputs), then packed weights.
static llvm::SmallVector<Buffer, 8> select(llvm::ArrayRef<int64_t> numbers,
                                           llvm::ArrayRef<Buffer> inputs,
                                           llvm::ArrayRef<Buffer> outputs,
                                           const PackedWeights &packed) {
  llvm::SmallVector<Buffer, 8> selected;
  for (int64_t number : numbers) {
    auto index = static_cast<size_t>(number);
    selected.push_back(index < inputs.size() ? inputs[index]
                                             : outputs[index - inputs.size()]);
  }
  for (const NpyArray &array : packed.arrays)
    selected.push_back(Buffer::contiguous(const_cast<void *>(array.data()),
                                          array.type, array.shape));
  return selected;
}

llvm::Expected<PackedWeights>
CompiledFunction::packWeights(llvm::ArrayRef<Buffer> buffers) const {
  auto isPacked = [](const ArgumentInfo &info) { return info.isPacked; };
  if (llvm::Error error = checkInputs(buffers, isPacked))
    return std::move(error);
  PackedWeights packed;
  for (const ArgumentInfo &info : packedWeights) {
    llvm::Expected<NpyArray> array = NpyArray::create(info.type, info.shape);
    if (!array)
      return array.takeError();
    packed.arrays.push_back(std::move(*array));
  }
  if (packFunction)
    call(packFunction, select(packArguments, buffers, {}, packed));
  return std::move(packed);
}

llvm::Error CompiledFunction::run(llvm::ArrayRef<Buffer> inputBuffers,
                                  llvm::ArrayRef<Buffer> outputBuffers,
                                  const PackedWeights &packed) const {
  if (llvm::Error error = checkInputs(inputBuffers, whenPacked))
    return error;
  if (llvm::Error error = checkOutputs(inputBuffers, outputBuffers, whenPacked))
    return error;
  if (packed.arrays.size() != packedWeights.size())
    return makeError(
        "@" + name + " was given " + llvm::Twine(packed.arrays.size()) +
        " packed weights; expected " + llvm::Twine(packedWeights.size()) +
        ", as packWeights() of this function makes them");
  if (packedFunction) {
    call(packedFunction,
         select(packedArguments, inputBuffers, outputBuffers, packed));
    return llvm::Error::success();
  }
  llvm::SmallVector<Buffer, 8> all(inputBuffers);
  llvm::append_range(all, outputBuffers);
  call(function, all);
  return llvm::Error::success();
}

llvm::Error CompiledFunction::pack(llvm::ArrayRef<Buffer> buffers) {
  if (llvm::Error error = checkInputs(buffers, always))
    return error;
  llvm::Expected<PackedWeights> packed = packWeights(buffers);
  if (!packed)
    return packed.takeError();
  auto shared = std::make_shared<const PackedWeights>(std::move(*packed));
  std::lock_guard<std::mutex> lock(mutex);
  lastPacked = std::move(shared);
  return llvm::Error::success();
}

llvm::Error CompiledFunction::run(llvm::ArrayRef<Buffer> inputBuffers,
                                  llvm::ArrayRef<Buffer> outputBuffers) {
  if (llvm::Error error = check(inputBuffers, outputBuffers))
    return error;
  auto getPacked = [&] {
    std::lock_guard<std::mutex> lock(mutex);
    return lastPacked;
  };
  std::shared_ptr<const PackedWeights> packed = getPacked();
  if (!packed) {
    if (llvm::Error error = pack(inputBuffers))
      return error;
    packed = getPacked();
  }
  return run(inputBuffers, outputBuffers, *packed);
}
