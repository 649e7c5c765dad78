//===- Options.cpp - Command line of ks-run -------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSRun.h"

#include "ks/Analysis/Target.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Option/Arg.h"
#include "llvm/Option/ArgList.h"
#include "llvm/Option/OptTable.h"
#include "llvm/Support/raw_ostream.h"

using namespace ks;
using namespace llvm::opt; // the generated table names its types

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// `value` is one of `names`.
static llvm::Error checkChoice(llvm::StringRef flag, llvm::StringRef value,
                               llvm::ArrayRef<llvm::StringRef> names) {
  if (llvm::is_contained(names, value))
    return llvm::Error::success();
  return makeError("unknown " + flag + " '" + value + "'; expected one of " +
                   llvm::join(names, ", "));
}

static llvm::Error check(const RunOptions &options) {
  if (options.file.empty() == options.chain.empty())
    return makeError(
        options.file.empty()
            ? "nothing to run; expected FILE.mlir, or --chain "
              "\"a,b,c,d;a,b,c,d\" (see ks-run --help)"
            : "both a file and --chain are given; expected one of them");
  if (options.chain.empty() && (options.isFrozen || options.isReassoc))
    return makeError("--frozen or --reassoc is given with a file; expected "
                     "--chain (in a file, write {ks.frozen} behind arguments, "
                     "and fastmath<reassoc> in products)");
  if (options.chain.empty() && !options.kernels.empty())
    return makeError("--kernels is given with a file; expected --chain (in a "
                     "file, write attributes {ks.kernels = \"" +
                     options.kernels + "\"} behind a function)");
  if (!options.kernels.empty())
    if (llvm::Error error = checkChoice("--kernels", options.kernels,
                                        {"apart", "ordered", "fused", "dense"}))
      return error;
  if (options.batch < 0)
    return makeError("--batch is " + llvm::Twine(options.batch) +
                     "; expected 0 or more");
  if (options.threads < 0)
    return makeError("--threads is " + llvm::Twine(options.threads) +
                     "; expected 0 (all cores) or more");
  if (options.optLevel > 3)
    return makeError("--opt-level is " + llvm::Twine(options.optLevel) +
                     "; expected 0 to 3");
  if (llvm::Error error = checkChoice(
          "--type", options.type, {"f16", "bf16", "f32", "f64", "c64", "c128"}))
    return error;
  if (llvm::Error error =
          checkChoice("--layout", options.layout, {"first", "last"}))
    return error;
  if (llvm::Error error =
          checkChoice("--precision", options.precision, {"ieee", "tf32"}))
    return error;
  if (options.plans < 0)
    return makeError("--plans is " + llvm::Twine(options.plans) +
                     "; expected 1 or more");
  for (const std::string &target : options.moreTargets)
    if (!options.emitArtifact || !getGPUTarget(target))
      return makeError("--target has several names, of which one is '" +
                       target +
                       "'; expected several only with --emit artifact, and "
                       "each of them one of " +
                       getGPUTargetNames());
  bool isGPU = options.isOnDevice() || getGPUTarget(options.target).has_value();
  std::string gpuNames = getGPUTargetNames() + ", cuda";
  if (!isGPU && !getCPUTarget(options.target))
    return makeError("unknown --target '" + options.target +
                     "'; expected one of " + getCPUTargetNames() + ", " +
                     gpuNames);
  if (options.plans && !isGPU)
    return makeError("--plans is given with --target '" + options.target +
                     "'; expected a GPU, one of " + gpuNames);
  if (options.emitArtifact && !isGPU)
    return makeError("--emit is artifact with --target '" + options.target +
                     "'; expected a GPU, one of " + gpuNames);
  if (options.emitArtifact && options.output.empty())
    return makeError("--emit is artifact without -o; expected the name of a "
                     "file, as -o layer.ks");
  if (!options.emitArtifact && !options.output.empty())
    return makeError("-o is given without --emit artifact; expected both");
  if (options.emit == Rung::Binary && !isGPU)
    return makeError("--emit is binary with --target '" + options.target +
                     "'; expected a GPU, one of " + gpuNames);
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Table
//===----------------------------------------------------------------------===//

namespace {
enum OptionID {
  OPT_INVALID = 0,
#define OPTION(...) LLVM_MAKE_OPT_ID(__VA_ARGS__),
#include "Options.inc"
#undef OPTION
};

#define OPTTABLE_STR_TABLE_CODE
#include "Options.inc"
#undef OPTTABLE_STR_TABLE_CODE

#define OPTTABLE_PREFIXES_TABLE_CODE
#include "Options.inc"
#undef OPTTABLE_PREFIXES_TABLE_CODE

constexpr llvm::opt::OptTable::Info kTable[] = {
#define OPTION(...) LLVM_CONSTRUCT_OPT_INFO(__VA_ARGS__),
#include "Options.inc"
#undef OPTION
};

class RunTable : public llvm::opt::GenericOptTable {
public:
  RunTable() : GenericOptTable(OptionStrTable, OptionPrefixesTable, kTable) {}
};
} // namespace

/// Reads an integer flag into `value`, if it is given.
template <typename T>
static llvm::Error readInteger(const llvm::opt::InputArgList &list, OptionID id,
                               llvm::StringRef flag, T &value) {
  if (const llvm::opt::Arg *arg = list.getLastArg(id))
    if (!llvm::to_integer(llvm::StringRef(arg->getValue()), value, 10))
      return makeError(flag + " is '" + arg->getValue() +
                       "'; expected an integer");
  return llvm::Error::success();
}

llvm::Expected<RunOptions> ks::parseCommandLine(int argc, char **argv) {
  RunTable table;
  unsigned missingIndex, missingCount;
  llvm::opt::InputArgList list =
      table.ParseArgs(llvm::ArrayRef<const char *>(argv + 1, argc - 1),
                      missingIndex, missingCount);
  if (list.hasArg(OPT_help)) {
    table.printHelp(llvm::outs(), "ks-run [options] [FILE.mlir]",
                    "Compiles a program on Kronecker-sparse matrices and runs "
                    "it on this machine");
    llvm::outs().flush();
    std::exit(0);
  }
  if (missingCount)
    return makeError(llvm::Twine(list.getArgString(missingIndex)) +
                     " has no value; expected one behind it");
  for (const llvm::opt::Arg *arg : list.filtered(OPT_UNKNOWN))
    return makeError("unknown option '" + arg->getAsString(list) +
                     "'; see ks-run --help");

  RunOptions options;
  std::vector<std::string> files = list.getAllArgValues(OPT_INPUT);
  if (files.size() > 1)
    return makeError("got the files '" + files[0] + "' and '" + files[1] +
                     "'; expected one");
  if (!files.empty())
    options.file = files.front();
  options.entry = list.getLastArgValue(OPT_entry).str();
  options.args = list.getAllArgValues(OPT_arg);
  options.outs = list.getAllArgValues(OPT_out);
  options.chain = list.getLastArgValue(OPT_chain).str();
  options.type = list.getLastArgValue(OPT_type, "f32").str();
  options.layout = list.getLastArgValue(OPT_layout, "first").str();
  options.precision = list.getLastArgValue(OPT_precision, "ieee").str();
  options.tied = list.getLastArgValue(OPT_tied).str();
  llvm::SmallVector<llvm::StringRef> targets;
  list.getLastArgValue(OPT_target, "host").split(targets, ',');
  options.target = targets.front().str();
  for (llvm::StringRef target : llvm::ArrayRef(targets).drop_front())
    options.moreTargets.push_back(target.str());
  options.output = list.getLastArgValue(OPT_o).str();
  options.plan = list.getLastArgValue(OPT_plan).str();
  if (llvm::Error error =
          readInteger(list, OPT_plans, "--plans", options.plans))
    return std::move(error);
  options.assemble = !list.hasArg(OPT_no_cubin);
  options.isFrozen = list.hasArg(OPT_frozen);
  options.isReassoc = list.hasArg(OPT_reassoc);
  options.kernels = list.getLastArgValue(OPT_kernels).str();
  options.verify = list.hasArg(OPT_verify);
  options.time = list.hasArg(OPT_time);
  options.json = list.hasArg(OPT_json);
  options.hasAnyBatch = list.getLastArgValue(OPT_batch) == "any";
  if (!options.hasAnyBatch)
    if (llvm::Error error =
            readInteger(list, OPT_batch, "--batch", options.batch))
      return std::move(error);
  if (llvm::Error error = readInteger(list, OPT_seed, "--seed", options.seed))
    return std::move(error);
  if (llvm::Error error =
          readInteger(list, OPT_threads, "--threads", options.threads))
    return std::move(error);
  if (llvm::Error error =
          readInteger(list, OPT_opt_level, "--opt-level", options.optLevel))
    return std::move(error);
  if (list.hasArg(OPT_emit)) {
    llvm::StringRef rung = list.getLastArgValue(OPT_emit);
    options.emitArtifact = rung == "artifact";
    options.emit = parseRung(rung);
    if (!options.emit && !options.emitArtifact)
      return makeError("unknown rung '" + rung + "'; expected one of " +
                       getRungNames() + ", or artifact");
  }
  if (llvm::Error error = check(options))
    return std::move(error);
  return options;
}
