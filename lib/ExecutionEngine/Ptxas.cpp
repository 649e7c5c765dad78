//===- Ptxas.cpp - Assembling PTX -----------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ptxas.h"

#include "ModuleSupport.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"

#include <tuple>

using namespace ks;

static std::string findPtxas() {
  if (auto path = llvm::sys::findProgramByName("ptxas"))
    return *path;
  for (const char *variable : {"CUDA_HOME", "CUDA_ROOT", "CUDA_PATH"})
    if (const char *root = std::getenv(variable)) {
      llvm::SmallString<128> path(root);
      llvm::sys::path::append(path, "bin", "ptxas");
      if (llvm::sys::fs::can_execute(path))
        return path.str().str();
    }
  return {};
}

/// Reads "Compiling entry function 'f'", "N bytes spill stores", "Used R
/// registers" and the like.
static std::vector<KernelResources> parseReport(llvm::StringRef report,
                                                llvm::StringRef target) {
  std::vector<KernelResources> kernels;
  llvm::Regex entry("Compiling entry function '([^']+)'"),
      spill("([0-9]+) bytes spill stores"),
      registers("Used ([0-9]+) registers"), shared("([0-9]+) bytes smem");
  llvm::SmallVector<llvm::StringRef> lines, match;
  report.split(lines, '\n');
  auto number = [&] {
    int64_t value = 0;
    (void)match[1].getAsInteger(10, value);
    return value;
  };
  for (llvm::StringRef line : lines) {
    if (entry.match(line, &match)) {
      kernels.emplace_back();
      kernels.back().target = target.str();
      kernels.back().kernel = match[1].str();
      continue;
    }
    if (kernels.empty())
      continue;
    if (spill.match(line, &match))
      kernels.back().spillBytes = number();
    if (registers.match(line, &match))
      kernels.back().registers = number();
    if (shared.match(line, &match))
      kernels.back().sharedBytes = number();
  }
  return kernels;
}

namespace {
/// A file that is removed in the end.
struct TemporaryFile {
  explicit TemporaryFile(llvm::StringRef suffix) {
    error = llvm::sys::fs::createTemporaryFile("ks", suffix, path);
  }
  ~TemporaryFile() {
    if (!error)
      // A file that cannot be removed is no failure.
      std::ignore = llvm::sys::fs::remove(path);
  }
  std::string read() const {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : std::string();
  }
  llvm::SmallString<128> path;
  std::error_code error;
};
} // namespace

llvm::Expected<Assembled> ks::runPtxas(llvm::StringRef ptx,
                                       llvm::StringRef target) {
  std::string program = findPtxas();
  if (program.empty())
    return Assembled();
  TemporaryFile input("ptx"), output("cubin"), report("log");
  for (const TemporaryFile *file : {&input, &output, &report})
    if (file->error)
      return makeError("cannot create a temporary file: " +
                       file->error.message());
  std::error_code error;
  {
    llvm::raw_fd_ostream os(input.path, error);
    os << ptx;
  }
  std::string arch = ("-arch=" + target).str();
  llvm::StringRef arguments[] = {program, "-v",        "-O3",     arch,
                                 "-o",    output.path, input.path};
  std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(),
                                                llvm::StringRef(report.path),
                                                llvm::StringRef(report.path)};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(program, arguments, std::nullopt,
                                         redirects, 0, 0, &message);
  std::string text = report.read();
  if (status != 0)
    return makeError("ptxas refused the code for " + target + ":\n" + text +
                     message);
  return Assembled{output.read(), parseReport(text, target)};
}
