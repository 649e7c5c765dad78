//===- ChainModule.cpp - A module for a chain on the command line ---------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSRun.h"

#include "ks/Analysis/Pattern.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace ks;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// "6,64,64,1;1,768,192,2"
static llvm::Expected<std::vector<KSPattern>> parseChain(llvm::StringRef text) {
  std::vector<KSPattern> patterns;
  llvm::SmallVector<llvm::StringRef> factors;
  text.split(factors, ';');
  for (llvm::StringRef factor : factors) {
    llvm::SmallVector<llvm::StringRef> numbers;
    factor.split(numbers, ',');
    int64_t sizes[4];
    bool good = numbers.size() == 4;
    for (size_t at = 0; good && at < 4; ++at)
      good = llvm::to_integer(numbers[at].trim(), sizes[at], 10);
    if (!good)
      return makeError("--chain has a factor '" + factor.trim() +
                       "'; expected four integers a,b,c,d, and ';' between "
                       "factors");
    patterns.push_back({sizes[0], sizes[1], sizes[2], sizes[3]});
    if (!patterns.back().isValid())
      return makeError("--chain has a factor '" + factor.trim() +
                       "'; expected sizes of at least 1 whose product can be "
                       "counted in 64 bits");
  }
  return patterns;
}

/// "a;d": per factor whether it is tied along a and d.
static llvm::Expected<std::vector<std::pair<bool, bool>>>
parseTied(llvm::StringRef text, size_t count) {
  std::vector<std::pair<bool, bool>> tied(count);
  if (text.empty())
    return tied;
  llvm::SmallVector<llvm::StringRef> factors;
  text.split(factors, ';');
  if (factors.size() != count)
    return makeError("--tied names " + llvm::Twine(factors.size()) +
                     " factors; expected " + llvm::Twine(count) +
                     ", with ';' between them and '-' for none");
  for (auto [factor, axes] : llvm::zip_equal(factors, tied)) {
    factor = factor.trim();
    if (factor.find_first_not_of("ad-") != llvm::StringRef::npos)
      return makeError("--tied has '" + factor +
                       "'; expected a, d, ad or - for each factor");
    axes = {factor.contains('a'), factor.contains('d')};
  }
  return tied;
}

llvm::Expected<std::string> ks::buildChainModule(const RunOptions &options) {
  auto patterns = parseChain(options.chain);
  if (!patterns)
    return patterns.takeError();
  auto tied = parseTied(options.tied, patterns->size());
  if (!tied)
    return tied.takeError();
  std::string element = llvm::StringSwitch<std::string>(options.type)
                            .Case("c64", "complex<f32>")
                            .Case("c128", "complex<f64>")
                            .Default(options.type);
  bool isFirst = options.layout == "first";
  std::string batch = options.hasAnyBatch ? "?" : std::to_string(options.batch);
  auto activations = [&](int64_t features) {
    std::string size = std::to_string(features);
    return llvm::formatv("tensor<{0}x{1}x{2}>", isFirst ? batch : size,
                         isFirst ? size : batch, element)
        .str();
  };
  std::string in = activations(patterns->front().inFeatures());
  std::string out = activations(patterns->back().outFeatures());
  std::string parameters = "%x: " + in, names = "%x", types = in, list;
  for (auto [t, p] : llvm::enumerate(*patterns)) {
    auto [tiedA, tiedD] = (*tied)[t];
    std::string type =
        llvm::formatv("tensor<{0}x{1}x{2}x{3}x{4}>", tiedA ? 1 : p.a, p.b, p.c,
                      tiedD ? 1 : p.d, element);
    parameters += llvm::formatv(", %w{0}: {1}{2}", t, type,
                                options.isFrozen ? " {ks.frozen}" : "");
    names += llvm::formatv(", %w{0}", t);
    types += ", " + type;
    list += llvm::formatv("{0}<{1}, {2}, {3}, {4}>", t ? ", " : "", p.a, p.b,
                          p.c, p.d);
  }
  std::string size;
  if (options.hasAnyBatch)
    size = llvm::formatv(R"(
  %axis = arith.constant {0} : index
  %batch = tensor.dim %x, %axis : {1})",
                         isFirst ? 0 : 1, in);
  return llvm::formatv(R"(func.func @chain({0}) -> {1} {10}{{{7}
  %init = tensor.empty({8}) : {1}
  %y = ks.chain [{2}] layout(batch_{3}) precision({4}){9}
         ins({5} : {6}) outs(%init : {1}) -> {1}
  return %y : {1}
}
)",
                       parameters, out, list, options.layout, options.precision,
                       names, types, size, options.hasAnyBatch ? "%batch" : "",
                       options.isReassoc ? " fastmath<reassoc>" : "",
                       options.kernels.empty() ? ""
                                               : "attributes {ks.kernels = \"" +
                                                     options.kernels + "\"} ")
      .str();
}
