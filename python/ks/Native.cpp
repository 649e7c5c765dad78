//===- Native.cpp - The C API for Python ----------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thin layer: arrays arrive as (address, element type, shape, strides), which
// ks/_arrays.py makes from NumPy arrays and keeps alive. The GIL is released
// while the compiler and compiled code run.
//
//===----------------------------------------------------------------------===//

#include "Native.h"

// ks/Runtime/ThreadPool.h
extern "C" void ksSetNumThreads(int threads);
extern "C" int ksGetNumThreads(void);

namespace nb = nanobind;
using namespace ks::python;

namespace {

struct FunctionDeleter {
  void operator()(KsFunction *function) const { ksDestroyFunction(function); }
};
struct PackedDeleter {
  void operator()(KsPackedWeights *packed) const {
    ksDestroyPackedWeights(packed);
  }
};

struct Packed {
  std::unique_ptr<KsPackedWeights, PackedDeleter> handle;
};

struct Function {
  std::unique_ptr<KsFunction, FunctionDeleter> handle;
};

/// Address, element type, shape, strides in elements.
using Array =
    std::tuple<uintptr_t, int, std::vector<int64_t>, std::vector<int64_t>>;

std::vector<KsBuffer> toBuffers(const std::vector<Array> &arrays) {
  std::vector<KsBuffer> buffers;
  for (const auto &[address, type, shape, strides] : arrays)
    buffers.push_back(
        {reinterpret_cast<void *>(address), static_cast<KsElementType>(type),
         static_cast<int64_t>(shape.size()), shape.data(), strides.data()});
  return buffers;
}

struct Options {
  int path;
  std::string target;
  int64_t threads;
  unsigned optLevel;

  KsCompileOptions get() const {
    KsCompileOptions options = ksDefaultCompileOptions();
    options.path = static_cast<KsPath>(path);
    options.target = target.c_str();
    options.threads = threads;
    options.optLevel = optLevel;
    return options;
  }
};

/// Without entries: the only public function.
std::vector<Function>
compile(const std::string &text,
        const std::optional<std::vector<std::string>> &entries,
        const Options &given) {
  nb::gil_scoped_release release;
  KsCompileOptions options = given.get();
  if (!entries) {
    KsFunction *function = nullptr;
    check<CompileError>(
        ksCompile(text.data(), text.size(), &options, &function));
    std::vector<Function> result(1);
    result.front().handle.reset(function);
    return result;
  }
  std::vector<const char *> names;
  for (const std::string &entry : *entries)
    names.push_back(entry.c_str());
  std::vector<KsFunction *> functions(names.size());
  check<CompileError>(ksCompileAll(text.data(), text.size(), &options,
                                   names.data(), names.size(),
                                   functions.data()));
  std::vector<Function> results(functions.size());
  for (size_t index = 0; index < functions.size(); ++index)
    results[index].handle.reset(functions[index]);
  return results;
}

std::string emit(const std::string &text, int rung, const Options &given) {
  nb::gil_scoped_release release;
  KsCompileOptions options = given.get();
  char *emitted = nullptr;
  check<CompileError>(ksEmit(text.data(), text.size(), &options,
                             static_cast<KsRung>(rung), &emitted));
  std::string result(emitted ? emitted : "");
  ksFreeString(emitted);
  return result;
}

/// (element type, shape, whether packing reads it, whether runs read it)
using Info = std::tuple<int, std::vector<int64_t>, bool, bool>;

Info toInfo(const KsArgumentInfo &info) {
  return {info.type,
          {info.shape, info.shape + info.rank},
          info.isPacked != 0,
          info.isRun != 0};
}

std::vector<Info> getInputs(const Function &function) {
  std::vector<Info> infos;
  for (size_t index = 0, e = ksGetNumInputs(function.handle.get()); index < e;
       ++index) {
    KsArgumentInfo info;
    check<std::runtime_error>(ksGetInput(function.handle.get(), index, &info));
    infos.push_back(toInfo(info));
  }
  return infos;
}

std::vector<Info> getOutputs(const Function &function) {
  std::vector<Info> infos;
  for (size_t index = 0, e = ksGetNumOutputs(function.handle.get()); index < e;
       ++index) {
    KsArgumentInfo info;
    check<std::runtime_error>(ksGetOutput(function.handle.get(), index, &info));
    infos.push_back(toInfo(info));
  }
  return infos;
}

std::pair<double, double> getCompileTimes(const Function &function) {
  double passes = 0, llvm = 0;
  check<std::runtime_error>(
      ksGetCompileTimes(function.handle.get(), &passes, &llvm));
  return {passes, llvm};
}

std::vector<int64_t> getResultShape(const Function &function, size_t index,
                                    const std::vector<Array> &inputs) {
  KsArgumentInfo info;
  check<std::invalid_argument>(
      ksGetOutput(function.handle.get(), index, &info));
  std::vector<int64_t> shape(info.rank);
  std::vector<KsBuffer> buffers = toBuffers(inputs);
  check<std::invalid_argument>(ksGetResultShape(function.handle.get(), index,
                                                buffers.data(), buffers.size(),
                                                shape.data()));
  return shape;
}

Packed pack(const Function &function, const std::vector<Array> &inputs) {
  nb::gil_scoped_release release;
  std::vector<KsBuffer> buffers = toBuffers(inputs);
  KsPackedWeights *packed = nullptr;
  check<std::invalid_argument>(
      ksPack(function.handle.get(), buffers.data(), buffers.size(), &packed));
  Packed result;
  result.handle.reset(packed);
  return result;
}

void run(const Function &function, const Packed *packed,
         const std::vector<Array> &inputs, const std::vector<Array> &outputs) {
  nb::gil_scoped_release release;
  std::vector<KsBuffer> in = toBuffers(inputs), out = toBuffers(outputs);
  check<std::invalid_argument>(
      ksRun(function.handle.get(), packed ? packed->handle.get() : nullptr,
            in.data(), in.size(), out.data(), out.size()));
}

} // namespace

NB_MODULE(_native, module) {
  nb::exception<CompileError>(module, "CompileError", PyExc_RuntimeError);
  nb::class_<Options>(module, "Options")
      .def(nb::init<int, std::string, int64_t, unsigned>(), nb::arg("path"),
           nb::arg("target"), nb::arg("threads"), nb::arg("opt_level"));
  nb::class_<Packed>(module, "Packed");
  nb::class_<Function>(module, "Function")
      .def_prop_ro("name",
                   [](const Function &function) {
                     return std::string(ksGetName(function.handle.get()));
                   })
      .def_prop_ro("inputs", getInputs)
      .def_prop_ro("outputs", getOutputs)
      .def_prop_ro("compile_times", getCompileTimes)
      .def_prop_ro("library",
                   [](const Function &function) {
                     return std::string(ksGetLibrary(function.handle.get()));
                   })
      .def("result_shape", getResultShape)
      .def("pack", pack)
      .def("run", run, nb::arg("packed").none(), nb::arg("inputs"),
           nb::arg("outputs"));
  module.def("compile", compile, nb::arg("text"), nb::arg("entries").none(),
             nb::arg("options"));
  module.def("emit", emit);
  module.def("set_num_threads", ksSetNumThreads);
  module.def("get_num_threads", ksGetNumThreads);
  addTensors(module);
  addDevices(module);
}
