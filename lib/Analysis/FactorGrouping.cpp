//===- FactorGrouping.cpp - Which factors share a kernel ------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/FactorGrouping.h"

#include "Rounding.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>
#include <tuple>

using namespace ks;

static constexpr double kNever = std::numeric_limits<double>::infinity();

bool Grouping::hasMerged() const {
  return llvm::any_of(kernels, [](const FactorKernel &kernel) {
    return llvm::any_of(kernel,
                        [](const FactorGroup &g) { return g.count > 1; });
  });
}

bool Grouping::hasDense() const {
  return llvm::any_of(kernels, [](const FactorKernel &kernel) {
    return llvm::any_of(kernel, [](const FactorGroup &g) { return g.isDense; });
  });
}

bool ks::isOrderedPair(llvm::ArrayRef<FactorGroup> kernel) {
  return kernel.size() == 2 && kernel.front().writesOrder;
}

Problem ks::getKernelProblem(const Problem &chain,
                             llvm::ArrayRef<FactorGroup> groups) {
  Problem problem = chain;
  problem.factors.clear();
  for (const FactorGroup &group : groups)
    problem.factors.push_back(group.factor);
  bool isLast = groups.back().end() == chain.factors.size();
  problem.hasEpilogue &= isLast;
  if (!isLast)
    problem.storedBytes = 0;
  if (groups.front().first != 0)
    problem.convertedBytes = 0;
  return problem;
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

std::optional<FactorGroup>
ks::makeGroup(llvm::ArrayRef<Problem::Factor> factors, unsigned first,
              unsigned count, bool isDense) {
  FactorGroup group{first, count, isDense, factors[first]};
  if (isDense) {
    KSPattern dense{1, factors[first + count - 1].pattern.outFeatures(),
                    factors[first].pattern.inFeatures(), 1};
    group.factor = {dense, false, false};
    return dense.isValid() ? std::optional(group) : std::nullopt;
  }
  for (const Problem::Factor &left : factors.slice(first + 1, count - 1)) {
    std::optional<KSPattern> product =
        getProduct(left.pattern, group.factor.pattern);
    if (!product)
      return std::nullopt;
    group.factor = {*product, group.factor.tiedA && left.tiedA,
                    group.factor.tiedD && left.tiedD};
  }
  return group;
}

namespace {

/// A kernel that may be part of the way: an edge between cut points.
struct Candidate {
  FactorKernel groups;
  double seconds; ///< Or a bound.
  bool isKnown;
  unsigned first() const { return groups.front().first; }
  unsigned end() const { return groups.back().end(); }
};

class Search {
public:
  Search(const GroupingProblem &problem, KernelCosts &costs)
      : problem(problem), costs(costs),
        size(static_cast<unsigned>(problem.factors.size())) {}

  GroupingResult run(bool isExplained);

private:
  void listGroups();
  double countBlocks(const FactorGroup &group) const;
  void keepFewBlocks();
  void keepFewBlocks(unsigned first, unsigned end);
  double countKernels() const;
  void listKernels(unsigned maxGroups);
  void listKernels(FactorKernel &groups, unsigned maxGroups);
  void listOrderedPairs(const FactorGroup &writer);
  std::optional<llvm::SmallVector<FactorKernel>>
  orderPairs(llvm::ArrayRef<FactorKernel> apart);
  Grouping findBest();
  bool isMergeable(unsigned first, unsigned count) const;
  bool isProductDense() const;
  Grouping findShortest(llvm::SmallVector<unsigned> &path) const;
  Grouping solve();
  std::optional<Grouping> price(llvm::ArrayRef<FactorKernel> kernels);

  const GroupingProblem &problem;
  KernelCosts &costs;
  const unsigned size;
  /// By their first factor.
  llvm::SmallVector<llvm::SmallVector<FactorGroup>> groupsAt;
  std::vector<Candidate> candidates;
};

} // namespace

bool Search::isMergeable(unsigned first, unsigned count) const {
  return llvm::all_of(llvm::ArrayRef(problem.isMergeable).slice(first, count),
                      [](bool mergeable) { return mergeable; });
}

/// Elements of weights that `factors` read per entry of the batch: flops.
static double countWeights(llvm::ArrayRef<Problem::Factor> factors) {
  double weights = 0;
  for (const Problem::Factor &factor : factors)
    weights += static_cast<double>(factor.pattern.numWeights());
  return weights;
}

/// All groups that are allowed and not plainly hopeless.
void Search::listGroups() {
  // What has so many times the flops of its factors does not make up for it.
  constexpr double kHopeless = 64;
  auto add = [&](const std::optional<FactorGroup> &group) {
    if (!group)
      return false;
    auto factors =
        llvm::ArrayRef(problem.factors).slice(group->first, group->count);
    double weights = static_cast<double>(group->factor.pattern.numWeights());
    if (group->count == 1 || weights <= kHopeless * countWeights(factors))
      groupsAt[group->first].push_back(*group);
    return true;
  };
  groupsAt.resize(size);
  for (unsigned first = 0; first < size; ++first) {
    add(makeGroup(problem.factors, first, 1, /*isDense=*/false));
    for (unsigned count = 2; first + count <= size; ++count) {
      if (!isMergeable(first, count))
        break;
      bool hasProduct =
          add(makeGroup(problem.factors, first, count, /*isDense=*/false));
      // The dense matrix has a·d times the weights of the product, if there is
      // one: worth a look for whole chains, which others call dense layers.
      if (!hasProduct || (count == size && !isProductDense()))
        add(makeGroup(problem.factors, first, count, /*isDense=*/true));
    }
  }
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

/// What a group takes in whole blocks: products, and weights.
double Search::countBlocks(const FactorGroup &group) const {
  const Problem::Factor &factor = group.factor;
  const KSPattern &p = factor.pattern;
  int64_t block = costs.getBlockSize();
  auto toDouble = [](int64_t value) { return static_cast<double>(value); };
  double copies = toDouble(p.a) * toDouble(p.d);
  double stored =
      toDouble(factor.tiedA ? 1 : p.a) * toDouble(factor.tiedD ? 1 : p.d);
  return toDouble(divideUp(p.b, block)) * toDouble(divideUp(p.c, block)) *
         (copies + stored);
}

/// Leaves groups out that are in no good division of factors `first` to
/// `end - 1`, all of which may be merged.
void Search::keepFewBlocks(unsigned first, unsigned end) {
  // By number of groups: the least blocks to reach a cut point, and from there.
  unsigned most = end - first;
  using Blocks = std::vector<std::vector<double>>;
  Blocks before(most + 1, std::vector<double>(end + 1, kNever)), after = before;
  before[0][first] = after[0][end] = 0;
  for (unsigned count = 0; count < most; ++count)
    for (unsigned at = first; at < end; ++at)
      for (const FactorGroup &group : groupsAt[at]) {
        double blocks = countBlocks(group);
        double &there = before[count + 1][group.end()];
        there = std::min(there, before[count][at] + blocks);
        double &here = after[count + 1][at];
        here = std::min(here, after[count][group.end()] + blocks);
      }

  // Of so many groups at most, less than these. With as many groups, how they
  // lie in memory may make up for some more.
  constexpr double kSome = 2;
  std::vector<double> limits(most + 1, kNever);
  double least = kNever;
  for (unsigned count = 1; count <= most; ++count) {
    limits[count] = std::min(least, kSome * before[count][end]);
    least = std::min(least, before[count][end]);
  }
  for (unsigned at = first; at < end; ++at)
    llvm::erase_if(groupsAt[at], [&](const FactorGroup &group) {
      double blocks = countBlocks(group);
      for (unsigned x = 0; x < most; ++x)
        for (unsigned y = 0; x + 1 + y <= most; ++y)
          if (before[x][at] + blocks + after[y][group.end()] <
              limits[x + 1 + y])
            return false;
      return true;
    });
}

/// The same for the whole chain.
void Search::keepFewBlocks() {
  if (costs.getBlockSize() == 1)
    return;
  for (unsigned first = 0; first < size;) {
    unsigned end = first + 1;
    if (problem.isMergeable[first])
      while (end < size && problem.isMergeable[end])
        ++end;
    keepFewBlocks(first, end);
    first = end;
  }
}

/// Whether the product of the whole chain has the dense pattern.
bool Search::isProductDense() const {
  std::optional<FactorGroup> all =
      makeGroup(problem.factors, 0, size, /*isDense=*/false);
  return all && all->factor.pattern.a == 1 && all->factor.pattern.d == 1;
}

/// How many kernels of any number of groups there are.
double Search::countKernels() const {
  double count = 0;
  llvm::SmallVector<double> from(size + 1, 1); // And from there on, or not.
  for (unsigned first = size; first-- > 0;) {
    double here = 0;
    for (const FactorGroup &group : groupsAt[first])
      here += from[group.end()];
    count += here;
    from[first] = 1 + here;
  }
  return count;
}

void Search::listKernels(unsigned maxGroups) {
  candidates.clear();
  for (unsigned first = 0; first < size; ++first)
    for (const FactorGroup &group : groupsAt[first]) {
      FactorKernel groups{group};
      listKernels(groups, maxGroups);
    }
}

/// Pairs with an order of features between them that begin with `writer`.
void Search::listOrderedPairs(const FactorGroup &writer) {
  for (const FactorGroup &reader : groupsAt[writer.end()])
    if (costs.canOrder(writer, reader)) {
      FactorKernel pair{writer, reader};
      pair.front().writesOrder = true;
      double bound = costs.bound(pair);
      candidates.push_back({std::move(pair), bound, /*isKnown=*/false});
    }
}

/// All kernels that begin with `groups`, which is left as it was.
void Search::listKernels(FactorKernel &groups, unsigned maxGroups) {
  candidates.push_back({groups, costs.bound(groups), /*isKnown=*/false});
  unsigned end = groups.back().end();
  if (end == size)
    return;
  if (groups.size() == 1)
    listOrderedPairs(groups.front());
  if (groups.size() >= maxGroups)
    return;
  for (const FactorGroup &next : groupsAt[end]) {
    groups.push_back(next);
    listKernels(groups, maxGroups);
    groups.pop_back();
  }
}

//===----------------------------------------------------------------------===//
// Shortest path
//===----------------------------------------------------------------------===//

Grouping Search::findShortest(llvm::SmallVector<unsigned> &path) const {
  // Seconds, kernels, factors merged: the way to each cut point.
  using Length = std::tuple<double, unsigned, unsigned>;
  llvm::SmallVector<Length> best(size + 1, Length(kNever, 0, 0));
  llvm::SmallVector<unsigned> last(size + 1, 0);
  best[0] = Length(0, 0, 0);
  // Candidates are in order of their first factor.
  for (auto [number, candidate] : llvm::enumerate(candidates)) {
    auto [seconds, kernels, merged] = best[candidate.first()];
    if (candidate.seconds == kNever || seconds == kNever)
      continue;
    for (const FactorGroup &group : candidate.groups)
      merged += group.count - 1;
    Length length(seconds + candidate.seconds, kernels + 1, merged);
    if (length < best[candidate.end()]) {
      best[candidate.end()] = length;
      last[candidate.end()] = static_cast<unsigned>(number);
    }
  }
  Grouping grouping;
  grouping.seconds = std::get<0>(best[size]);
  path.clear();
  for (unsigned end = size; end != 0; end = candidates[last[end]].first())
    path.push_back(last[end]);
  std::reverse(path.begin(), path.end());
  for (unsigned number : path)
    grouping.kernels.push_back(candidates[number].groups);
  return grouping;
}

/// The shortest path on which all times are known.
Grouping Search::solve() {
  llvm::SmallVector<unsigned> path;
  while (true) {
    Grouping grouping = findShortest(path);
    bool isKnown = true;
    for (unsigned number : path) {
      Candidate &candidate = candidates[number];
      if (candidate.isKnown)
        continue;
      isKnown = false;
      candidate.isKnown = true;
      candidate.seconds = costs.predict(candidate.groups).value_or(kNever);
    }
    if (isKnown)
      return grouping;
  }
}

//===----------------------------------------------------------------------===//
// Alternatives
//===----------------------------------------------------------------------===//

std::optional<Grouping> Search::price(llvm::ArrayRef<FactorKernel> kernels) {
  Grouping grouping;
  grouping.kernels.assign(kernels.begin(), kernels.end());
  for (const FactorKernel &kernel : kernels) {
    std::optional<double> seconds = costs.predict(kernel);
    if (!seconds)
      return std::nullopt;
    grouping.seconds += *seconds;
  }
  return grouping;
}

Grouping Search::findBest() {
  // Kernels of any number of groups are too many where chains are long: then
  // groups are chosen as if each was a kernel, and kernels of these.
  constexpr double kMostKernels = 1 << 14;
  constexpr unsigned kFew = 4;
  if (costs.getMaxGroups() > kFew && countKernels() > kMostKernels) {
    listKernels(/*maxGroups=*/1);
    Grouping groups = solve();
    for (auto &at : groupsAt)
      at.clear();
    for (const FactorKernel &kernel : groups.kernels)
      groupsAt[kernel.front().first].push_back(kernel.front());
  }
  listKernels(costs.getMaxGroups());
  return solve();
}

/// Factors apart, in pairs with an order between them where there can be one;
/// none if there cannot.
std::optional<llvm::SmallVector<FactorKernel>>
Search::orderPairs(llvm::ArrayRef<FactorKernel> apart) {
  llvm::SmallVector<FactorKernel> kernels;
  for (const FactorKernel &kernel : apart) {
    bool canJoin = !kernels.empty() && kernels.back().size() == 1 &&
                   costs.canOrder(kernels.back().front(), kernel.front());
    if (canJoin) {
      kernels.back().front().writesOrder = true;
      kernels.back().push_back(kernel.front());
    } else {
      kernels.push_back(kernel);
    }
  }
  if (kernels.size() == apart.size())
    return std::nullopt;
  return kernels;
}

GroupingResult Search::run(bool isExplained) {
  listGroups();
  keepFewBlocks();
  GroupingResult result;
  result.best = findBest();
  if (!isExplained)
    return result;

  auto reject = [&](llvm::StringRef name,
                    llvm::ArrayRef<FactorKernel> kernels) {
    std::optional<Grouping> priced = price(kernels);
    bool isKnown = !priced || *priced == result.best ||
                   llvm::any_of(result.rejected, [&](const Alternative &other) {
                     return other.grouping == *priced;
                   });
    if (!isKnown)
      result.rejected.push_back({name, std::move(*priced)});
  };
  llvm::SmallVector<FactorKernel> apart;
  FactorKernel together;
  for (unsigned t = 0; t < size; ++t) {
    FactorGroup alone{t, 1, false, problem.factors[t]};
    apart.push_back({alone});
    together.push_back(alone);
  }
  if (size <= costs.getMaxGroups())
    reject(kFusedWay, {together});
  reject(kApartWay, apart);
  if (std::optional<llvm::SmallVector<FactorKernel>> ordered =
          orderPairs(apart))
    reject(kOrderedWay, *ordered);
  if (size > 1 && isMergeable(0, size))
    for (bool isDense : {false, true})
      if (std::optional<FactorGroup> all =
              isDense && isProductDense()
                  ? std::nullopt
                  : makeGroup(problem.factors, 0, size, isDense))
        reject(isDense ? kDenseWay : kMergedWay, {FactorKernel{*all}});
  return result;
}

GroupingResult ks::groupFactors(const GroupingProblem &problem,
                                KernelCosts &costs, bool isExplained) {
  return Search(problem, costs).run(isExplained);
}
