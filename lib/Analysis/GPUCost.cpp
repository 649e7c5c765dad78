//===- GPUCost.cpp - What a plan costs ------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/GPUCost.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace ks;

static double toDouble(int64_t value) { return static_cast<double>(value); }

/// The first tile of a block, which nothing hides, in seconds.
struct ks::FittedStart {
  double bulkChunk, chunk;     ///< To wait for a chunk, by who copies.
  double bulkLatency, latency; ///< Of a copy; `stages - 1` are under way.
  double clusterChunk;         ///< More, where blocks wait for each other.
  double engineRow;            ///< Cycles of a row that the engine copies.
  double piece, element;       ///< Cycles of a piece that a lane copies.
};

namespace {
/// What differs between kinds of kernels, fitted to times on an H100.
struct Fitted {
  double launch; ///< Seconds; of barriers and tensor maps, too.
  double start;  ///< Seconds until a block's ring is full; see FittedStart.
  double l2;     ///< Of the table's bandwidth.
  double norm;   ///< Near infinity, all resources are used at a time.
  double rows16, rows32,
      rows64; ///< Of the DRAM's bandwidth, by rows of such bytes.
};

/// The same of wgmma16 alone.
struct FittedOperands {
  double rows128, rows256; ///< As in Fitted.
  // Cycles of shared memory, of what is counted.
  double operands, copied, perLine;
  double units;             ///< Cycles of products, of those at the rate.
  double latency, exponent; ///< Cycles of a chunk, over stages to that power.
};

/// The same of split operands. All are what is counted without.
struct FittedSplit {
  double units, issue, shared, latency;
  double perProduct; ///< Instructions: six mma, two additions.
  double perElement; ///< Instructions to split an activation.
  double warps;      ///< Power of the warps by which they hide each other.
};
} // namespace

/// Of L2: both of its halves hold copies, and activations pass through.
constexpr double kKeptInL2 = 0.15;

/// Cycles of a load of activations, of those that it takes at least, where
/// nothing else is done meanwhile.
constexpr double kCyclesOfLoad = 1.76;

constexpr FittedStart kStart{0.21e-6,  0.09e-6, 0.12e-6, 0.23e-6,
                             0.035e-6, 0.31,    9.8,     105};

/// Where launches with small batches follow each other, activations of so much
/// of L2 are still there from who wrote them, and weights of so much from the
/// launch before.
constexpr double kWarmActivations = 0.25, kWarmWeights = 0.75;
constexpr int64_t kWarmBatch = 1024;

/// What differs then, fitted to graphs of launches.
constexpr FittedStart kWarmStart{0.26e-6, 0.13e-6, 0.03e-6, 0.06e-6,
                                 0,       0.085,   3.2,     52};
struct FittedWarm {
  double launch, l2, norm; ///< As in Fitted; of bandwidth that is there then.
};
constexpr FittedWarm kWarm{0.28e-6, 0.845, 1.85}, kWarmWgmma{1.8e-6, 0.97, 20};
constexpr struct {
  double perSharedRow; ///< Cycles of a row that the engine brings a cluster.
  double partOfSector; ///< Of a sector whose other parts nobody asks for.
  double perCopy;      ///< Cycles of a thread that copies 16 bytes.
  double perWarp;      ///< More time for each of `warps` that an SM lacks.
  double warps;
  double units; ///< Of the time that products take.
  double norm;  ///< Where all weights are waited for first.
} kWarmCopies{2.04, 0.48, 21, 0.22, 2, 0.755, 1.3};

constexpr FittedSplit kSplit{1.88, 6.1, 0.83, 1.32, 14, 5, 0.85};

/// Blocks that share k: to wait for each other; bytes of partial sums.
constexpr struct {
  double meeting, bytesPerCycle;
} kPartials{0.95e-6, 15};

/// Of planes: 468 plans of 13 problems on an H100, the best of which the model
/// ranks first but for 1 % in the mean.
constexpr struct {
  double copied, perLine, units; ///< As in FittedOperands.
  double engineRow;              ///< Cycles of a row that the engine copies.
  double latency, exponent;      ///< As in FittedOperands.
  double rows32, partOfRow32;    ///< Of the DRAM's bandwidth, by pieces of the
                                 ///< result; and of shorter ones.
} kPlanes{2.2, 3.9, 1.97, 3.8, 1870, 1.59, 0.92, 0.73};

static Fitted getFitted(const GPUPlan &plan, bool batchFirst) {
  if (plan.planes != 0)
    return {1.8e-6, 0.1e-6, 1.04, 5.75, 0.2, 0.53, 0.97};
  if (plan.isWgmmaRS())
    return {1.8e-6, 0.1e-6, 1.25, 5, 0.2, 0.53, 0.97};
  if (plan.isWgmma() && batchFirst)
    return {4e-6, 1.5e-6, 1.37, 2.8, 0.34, 0.52, 0.56};
  if (plan.isWgmma())
    return {1.3e-6, 2.2e-6, 1.8, 3.6, 0.34, 0.52, 0.56};
  if (plan.fragments.isSplit())
    return {1e-6, 0, 0.59, 3.5, 0.21, 0.62, 1};
  return {0.95e-6, 0, 1, 2, 0.34, 0.52, 0.56};
}

static FittedOperands getFittedOperands(bool batchFirst) {
  if (batchFirst)
    return {1, 1, 0.68, 1.17, 0, 1.1, 1170, 1.84};
  return {0.88, 0.93, 0.66, 1.61, 3.4, 0.78, 1590, 1.4};
}

/// The share of the DRAM's bandwidth that is left when rows are read in short
/// pieces; sectors have 32 bytes.
double GPUCostModel::getRowEfficiency(int64_t batch) const {
  if (plan.planes != 0)
    return getPlanesEfficiency();
  int64_t piece = getRunBytes(problem, plan, batch);
  // Pieces that begin inside of a sector share it with others, even more so
  // where the last ones of a row are shorter.
  double split = 1;
  if (plan.isWgmmaRS() && plan.j != p.d && p.d * bytes % 32 != 0)
    split = p.d % plan.j == 0 ? 1.95 : 4;
  Fitted fitted = getFitted(plan, batchFirst);
  if (piece >= 512 || (piece >= 128 && !plan.isWgmmaSS()))
    return 1;
  if (piece >= 256)
    return getFittedOperands(batchFirst).rows256;
  if (piece >= 128)
    return getFittedOperands(batchFirst).rows128;
  // Neighbours that run at the same time complete the line: groups i where
  // there is one column, and else columns, which are read once if a cluster has
  // all rows n.
  if (batchFirst && p.d == 1 && p.a > 1)
    return plan.isWgmma() ? 0.82 : 1;
  if (plan.isWgmmaRS() && piece >= 32 && split == 1) {
    if (p.d * bytes < 128)
      return 0.8;
    if (plan.cluster <= 2 && plan.n * plan.cluster >= p.b)
      return 0.75;
  }
  if (piece >= 64)
    return fitted.rows64;
  if (piece >= 32)
    return fitted.rows32 / split;
  return fitted.rows16 * toDouble(piece) / 16 / split;
}

/// Of planes, input is read in long pieces, and the result written in those of
/// a slab's columns, which L2 puts together.
double GPUCostModel::getPlanesEfficiency() const {
  int64_t piece = plan.j == p.d ? plan.n * p.d * bytes : plan.j * bytes;
  double ofResult = piece >= 128  ? 1
                    : piece >= 32 ? kPlanes.rows32
                                  : kPlanes.partOfRow32 * toDouble(piece) / 32;
  double in = toDouble(p.c), out = toDouble(p.b);
  return (in + out) / (in + out / ofResult);
}

/// Multiprocessors that can work. Clusters are placed in groups of 14 to 18
/// multiprocessors, of which larger ones leave some.
double GPUCostModel::getMultiprocessors() const {
  int64_t count = target.multiprocessors;
  return toDouble(plan.getClusterBlocks() > 2 ? count * 10 / 11 : count);
}

GPUCostModel::GPUCostModel(const Problem &problem, const GPUPlan &plan,
                           const GPUTarget &target)
    : problem(problem), plan(plan), target(target),
      p(plan.getKernelPattern(problem.factors.front().pattern)),
      batchFirst(problem.batchFirst), bytes(problem.elementBytes()),
      traffic(problem, plan) {
  int64_t byShared =
      target.sharedPerSM /
      (plan.getSharedBytes(p, batchFirst, bytes, problem.resultBytes()) + 1024);
  int64_t byRegisters =
      target.registersPerSM /
      ((plan.getRegisters(problem) + 7) / 8 * 8 *
       static_cast<int64_t>(llvm::alignTo(plan.getThreads(), 64)));
  int64_t byThreads = target.threadsPerSM / plan.getThreads();
  blocksPerSM = std::max<int64_t>(
      1, std::min({byShared, byRegisters, byThreads, target.blocksPerSM}));
  double copied = traffic.getCopiedBytes(plan);
  tile.units = getUnitCycles();
  tile.shared = getSharedCycles(copied);
  tile.issue = getIssueCycles(copied);
  tile.latency = getLatencyCycles();
  if (plan.fragments.isSplit()) {
    tile.units *= kSplit.units;
    tile.shared *= kSplit.shared;
    tile.issue *= kSplit.issue;
    tile.latency *= kSplit.latency;
  }
  constexpr double kCyclesOfRow = 2;
  tile.engine = plan.planes != 0   ? kPlanes.engineRow * getEngineRows()
                : plan.isWgmmaRS() ? kCyclesOfRow * getEngineRows()
                                   : 0;
  startSeconds = getStartSeconds(kStart);
  warmStartSeconds = getStartSeconds(kWarmStart);
}

/// Rows of a tile that the copy engine copies.
double GPUCostModel::getEngineRows() const {
  int64_t row = !batchFirst                 ? plan.getAtomEntries(bytes)
                : plan.planes != 0          ? plan.getAtomDepth()
                : plan.isFlatCopy(p, bytes) ? plan.getAtomWidth()
                                            : plan.j;
  return traffic.inputBytes / toDouble(row * bytes * plan.cluster);
}

/// Cycles that a tile keeps the multipliers of an SM busy.
double GPUCostModel::getUnitCycles() const {
  double rate = target.fma32PerClock;
  if (plan.fragments.instruction == WarpInstruction::WgmmaRS8)
    rate = target.wgmma16PerClock / 2;
  else if (plan.isWgmma())
    rate = target.wgmma16PerClock;
  else if (plan.fragments.instruction == WarpInstruction::Mma16)
    rate = target.mma16PerClock;
  else if (plan.fragments.instruction == WarpInstruction::Mma8)
    rate = target.mma8PerClock;
  else if (plan.fragments.isSplit())
    rate = target.getSplitPerClock();
  else if (problem.accumulatorBytes == 8)
    rate = target.fma64PerClock;
  return traffic.products / rate;
}

/// Cycles of a warp and step to load activations, if nothing gets in the way.
double GPUCostModel::getActivationCycles() const {
  return traffic.activationLoads *
         std::max(1.0, toDouble(traffic.accessBytes) / 4);
}

/// Cycles of loads and stores: 128 bytes a cycle, a cycle at least for a load,
/// some for a line that a store touches.
double GPUCostModel::getSharedCycles(double copied) const {
  double activations = getActivationCycles();
  // Pieces that are no power of two meet in banks, whatever the padding.
  int64_t piece = traffic.pieceBytes;
  if (!plan.isBulk && batchFirst && (piece & (piece - 1)) != 0 &&
      !plan.shiftsRows(p, batchFirst, bytes))
    activations *= 2.5;
  if (plan.planes != 0) {
    // What the tensor cores read hides behind what is copied.
    return kPlanes.copied * copied / 128 +
           kPlanes.perLine * traffic.storeLines * toDouble(plan.getWarps());
  }
  if (plan.isWgmmaRS())
    return 1.73 * copied / 128 + traffic.steps * kCyclesOfLoad * activations +
           getStoreCycles();
  if (plan.isWgmma()) {
    // The tensor cores read both operands for each 64 rows n; stores.
    double operands =
        toDouble(plan.getTilesN() * plan.entries + plan.warpsM * plan.n) *
        traffic.chunks * toDouble(plan.k * bytes) / 128;
    FittedOperands fitted = getFittedOperands(batchFirst);
    return fitted.operands * operands + fitted.copied * copied / 128 +
           fitted.perLine * traffic.storeLines * toDouble(plan.getWarps());
  }
  double perLine = plan.isBulk ? 6.1 : 4.9;
  double perCopy = plan.isBulk ? 0.3 : 0.2; // of 128 bytes
  return traffic.steps * (0.66 * activations + traffic.weightLoads * 4) +
         perCopy * copied / 128 +
         perLine * traffic.storeLines * toDouble(plan.getWarps());
}

/// Cycles of a tile's stores, with activations from registers.
double GPUCostModel::getStoreCycles() const {
  constexpr double kPerLine = 4.6;
  return kPerLine * traffic.storeLines * toDouble(plan.getWarps());
}

/// Cycles of a tile in which its warps do one thing after the other.
double GPUCostModel::getSerialCycles(double resident, double waits) const {
  if (plan.planes != 0)
    return kPlanes.units * tile.units + waits / resident;
  if (plan.isWgmmaRS()) {
    double loads = kCyclesOfLoad * traffic.steps * getActivationCycles();
    return std::max(1.29 * tile.units, loads) +
           (waits + 0.54 * getStoreCycles()) / resident;
  }
  if (plan.isWgmma())
    return getFittedOperands(batchFirst).units * tile.units + waits / resident;
  // Few warps take turns at loading and multiplying; many do both at a time.
  double warps = std::max(1.0, resident * toDouble(plan.getWarps()) / 4);
  double power = plan.fragments.isSplit() ? kSplit.warps : 1.5;
  return (tile.units + tile.shared) / std::pow(warps, power) + waits / resident;
}

/// Cycles to issue everything, four warps at a time: a rough count.
double GPUCostModel::getIssueCycles(double copied) const {
  if (plan.isWgmma())
    return 0; // One instruction for all.
  double tiles = toDouble(plan.vector * plan.getTilesM(batchFirst));
  double perStep = 6 + traffic.activationLoads + traffic.weightLoads +
                   (bytes == 2 ? 3 : 1) * tiles;
  double products =
      toDouble(plan.vector * plan.getTilesN() * plan.getTilesM(batchFirst));
  if (plan.fragments.isSplit())
    perStep += products * kSplit.perProduct +
               tiles * FragmentLayout::slotsK * kSplit.perElement;
  else
    perStep += plan.fragments.isMma() ? products
                                      : products * FragmentLayout::slotsK *
                                            (problem.isComplex ? 4 : 1);
  double copies = plan.isBulk ? 0 : copied / 16 / 32 * 8;
  // Less than 4 bytes cannot be copied asynchronously.
  constexpr double kElement = 3;
  double elements = !plan.isBulk && getCopyBytes() < 4
                        ? traffic.inputBytes / toDouble(bytes)
                        : 0;
  double stores = traffic.stores * toDouble(plan.getWarps()) * 6;
  // A chunk is a wait, a barrier and new addresses.
  double rings = traffic.chunks * toDouble(plan.getWarps()) * 40;
  constexpr double kOverlap = 0.4; // of what was counted
  return kOverlap * (traffic.steps * perStep + rings + copies + stores) / 4 +
         kElement * elements;
}

/// Cycles of a tile in which a warp waits, and nothing but other warps can use
/// the SM: the barrier and the first loads of each chunk, the end of the last
/// products, conversions and stores.
double GPUCostModel::getLatencyCycles() const {
  // A stage that has been read is copied anew: the others hide that.
  double hidden = std::max(1.0, toDouble(plan.stages - 1));
  // One stage more is held by the products under way.
  if (plan.planes != 0)
    return traffic.chunks * kPlanes.latency /
           std::pow(hidden, kPlanes.exponent);
  if (plan.isWgmmaRS())
    return traffic.chunks * 2030 / std::pow(hidden, 1.1);
  if (plan.isWgmma()) {
    FittedOperands fitted = getFittedOperands(batchFirst);
    return traffic.chunks * fitted.latency / std::pow(hidden, fitted.exponent);
  }
  double perChunk = plan.isBulk ? 600 / std::pow(hidden, 2.3) : 530;
  if (plan.stages == 1)
    perChunk = 1500; // Nothing is under way meanwhile.
  double perStore = plan.isBulk ? 33 : 25;
  return traffic.chunks * perChunk + traffic.stores * perStore;
}

/// Little's law: the share of the bandwidth that the bytes under way allow.
double GPUCostModel::getOverlap(double resident) const {
  constexpr double kLatency = 300e-9;
  double stage = traffic.getCopiedBytes(plan) / traffic.chunks;
  double underWay =
      resident * stage * (plan.stages > 1 ? toDouble(plan.stages - 1) : 0.5);
  double needed =
      target.dramBandwidth / toDouble(target.multiprocessors) * kLatency;
  return std::min(1.0, std::sqrt(underWay / needed));
}

/// Bytes of X that a lane copies at a time.
int64_t GPUCostModel::getCopyBytes() const {
  if (plan.shiftsRows(p, batchFirst, bytes))
    return 16;
  int64_t neighbours = plan.j == p.d ? p.c * p.d : std::gcd(plan.j, p.d);
  if (!batchFirst)
    neighbours = problem.batch ? std::max<int64_t>(*problem.batch, 1) : 16;
  return getAccessBytes(neighbours * bytes);
}

/// Seconds of a block's first tile, of which all steps are waited for, and of
/// the first weights.
double GPUCostModel::getStartSeconds(const FittedStart &fitted) const {
  double perSM = target.l2Bandwidth / getMultiprocessors();
  double start = getFitted(plan, batchFirst).start +
                 traffic.weightBytes / traffic.chunks / perSM;
  if (plan.isWgmmaSS())
    return start;
  double rounds =
      traffic.chunks / (plan.stages > 1 ? toDouble(plan.stages - 1) : 1);
  double hertz = target.gigahertz * 1e9;
  if (!plan.isBulk) {
    int64_t access = getCopyBytes();
    double perPiece = access < 4 ? fitted.element : fitted.piece;
    double cycles = perPiece * traffic.inputBytes / toDouble(access) +
                    fitted.piece * traffic.weightBytes / 16;
    return start + traffic.chunks * fitted.chunk + rounds * fitted.latency +
           cycles / toDouble(plan.getThreads()) / hertz;
  }
  start += fitted.engineRow * getEngineRows() / hertz;
  if (plan.cluster > 1)
    start += traffic.chunks * fitted.clusterChunk;
  if (plan.isWgmma()) // Warps of their own copy.
    return start;
  return start + traffic.chunks * fitted.bulkChunk +
         rounds * fitted.bulkLatency;
}

/// Seconds to copy what takes L2 `l2`, where nothing is waited for but L2: it
/// takes threads to ask for it, and warps to have enough under way.
double GPUCostModel::getWarmCopySeconds(double l2, double resident,
                                        double tilesOfSM) const {
  double asking = plan.isBulk ? 0
                              : tilesOfSM / resident * kWarmCopies.perCopy *
                                    traffic.getCopiedBytes(plan) / 16 /
                                    toDouble(plan.getThreads()) /
                                    (target.gigahertz * 1e9);
  double lacking =
      std::max(0.0, kWarmCopies.warps - resident * toDouble(plan.getWarps()));
  return (l2 + asking) * (1 + kWarmCopies.perWarp * lacking);
}

/// Seconds of a tile until blocks that share k have added up their sums, which
/// nothing hides.
double GPUCostModel::getPartialSeconds() const {
  if (plan.splits == 1)
    return 0;
  double cycles = traffic.partialBytes / kPartials.bytesPerCycle;
  return kPartials.meeting + cycles / (target.gigahertz * 1e9);
}

GPUCost GPUCostModel::predict(int64_t batchBlocks, int64_t batch,
                              double bound) const {
  GPUCost cost;
  cost.blocksPerSM = blocksPerSM;
  Fitted fitted = getFitted(plan, batchFirst);
  double hertz = target.gigahertz * 1e9;
  double sms = getMultiprocessors();
  double tiles = std::max(1.0, toDouble(plan.getNumTiles(batch)));
  double sharing = std::min(toDouble(batchBlocks), tiles);
  double slabs = toDouble(plan.getNumSlabs(p) * plan.splits);
  double blocks = sharing * slabs;
  double perBlock = std::ceil(tiles / sharing);
  double resident = std::min(toDouble(blocksPerSM), std::ceil(blocks / sms));
  // In the last wave not all SMs work; short grids are dominated by it.
  double waves = std::ceil(blocks / (sms * toDouble(blocksPerSM)));
  double blocksOfSM =
      waves <= 2 ? std::ceil(blocks / sms) : blocks / sms + 0.5 * resident;
  // The next launch begins where there is room, which some SMs have more of: it
  // is spread evenly only if all of it, or nothing, finds room beside this one.
  double room = toDouble(blocksPerSM);
  if (waves <= 1 && perBlock == 1 && room > resident && room < 2 * resident)
    blocksOfSM = room;
  double tilesOfSM = blocksOfSM * perBlock;
  double busy = std::min(1.0, blocks / sms);

  // Weights that do not stay in L2 come from DRAM again.
  double active = std::min(blocks, sms * toDouble(blocksPerSM));
  double weights =
      getActiveWeightBytes(traffic, problem, plan, batchBlocks, batch, active);
  double kept = kKeptInL2 * toDouble(target.l2Bytes);
  bool isMma = plan.fragments.isMma(); // FMAs leave DRAM the time.
  double again = isMma && weights > kept ? 1 - kept / weights : 0;
  // Constants for wgmma were fitted to many tiles, with the first one counted.
  double rounds = plan.isWgmma() && tiles > 1 ? tiles : tiles - 1;
  cost.dramBytes = getMinimumBytes(problem, batch) +
                   again * rounds * slabs * traffic.weightBytes;
  double overlap = plan.isWgmma() ? 1 : getOverlap(resident);
  // Packed weights are read in one piece, if they are not there yet.
  double stored = toDouble(problem.factors.front().storedWeights() * bytes);
  double l2Size = toDouble(target.l2Bytes);
  bool isWarm =
      batch <= kWarmBatch && stored < kWarmWeights * l2Size &&
      getMinimumBytes(problem, batch) - stored < kWarmActivations * l2Size;
  if (!isWarm)
    cost.dram = (stored + (cost.dramBytes - stored) /
                              (getRowEfficiency(batch) * overlap)) /
                (target.dramBandwidth * busy);
  cost.l2Bytes = getL2Bytes(traffic, problem, plan, batchBlocks, batch);
  // Pieces of parts of a sector cost L2 the sector.
  FittedWarm warm = plan.isWgmma() ? kWarmWgmma : kWarm;
  cost.launch = isWarm ? warm.launch : fitted.launch;
  double ofSector = isWarm ? kWarmCopies.partOfSector : 1;
  constexpr int64_t kSector = 32;
  int64_t piece = std::min(kSector, getRunBytes(problem, plan, batch));
  bool isSmall = batch <= kWarmBatch;
  if (plan.fragments.isSplit() || isSmall)
    cost.l2Bytes += ofSector * tiles * slabs * traffic.inputBytes *
                    (toDouble(kSector) / toDouble(piece) - 1);
  // The busiest SM takes its share of the bytes.
  double l2Bandwidth = target.l2Bandwidth * fitted.l2 * (isWarm ? warm.l2 : 1);
  cost.l2 = cost.l2Bytes * (tilesOfSM * sms / (tiles * slabs)) / l2Bandwidth;
  if (isWarm)
    cost.l2 = getWarmCopySeconds(cost.l2, resident, tilesOfSM);
  cost.shared = tilesOfSM * tile.shared / hertz;
  double engine = tile.engine;
  if (isWarm && plan.cluster > 1) // Rows arrive one by one, whoever asked.
    engine = std::max(engine, kWarmCopies.perSharedRow * getEngineRows() *
                                  toDouble(plan.cluster));
  cost.engine = tilesOfSM * engine / hertz;
  // What is waited for in a block's only tile is its start.
  double waits = perBlock > 1 || plan.isWgmma() ? tile.latency : 0;
  cost.units =
      tilesOfSM *
      std::max({tile.units, tile.issue, getSerialCycles(resident, waits)}) *
      (isWarm ? kWarmCopies.units : 1) / hertz;
  double most =
      std::max({cost.dram, cost.l2, cost.shared, cost.engine, cost.units});
  cost.limit = most == cost.dram     ? "DRAM"
               : most == cost.l2     ? "L2"
               : most == cost.engine ? "copy engine"
               : most == cost.shared ? "shared memory"
                                     : "multiplications";
  if (cost.launch > most)
    cost.limit = "launch";
  // A block begins by filling its ring, and ends by emptying it; others on the
  // SM work meanwhile.
  double startup = waves * (isWarm ? warmStartSeconds : startSeconds) /
                   (waves > 1 ? resident : 1);
  double fixed = cost.launch + startup + waves * perBlock * getPartialSeconds();
  // All takes as long as the longest at least: most plans are out of the race.
  cost.seconds = fixed + most;
  if (cost.seconds >= bound)
    return cost;
  // What all keep busy takes longer than what one does: they wait for another.
  // Nothing is hidden where all weights are waited for before the only tile.
  bool waitsForAll =
      isSmall && plan.isResident && !plan.isBulk && perBlock == 1;
  double norm = waitsForAll ? kWarmCopies.norm
                : isWarm    ? warm.norm
                            : fitted.norm;
  double sum = 0;
  for (double part : {cost.dram, cost.l2, cost.shared, cost.engine, cost.units})
    sum += std::pow(part / most, norm);
  cost.seconds = fixed + most * std::pow(sum, 1 / norm);
  return cost;
}

int64_t GPUCostModel::chooseBatchBlocks(int64_t batch, GPUCost &cost,
                                        double bound) const {
  int64_t tiles = std::max<int64_t>(1, plan.getNumTiles(batch));
  int64_t slots = static_cast<int64_t>(getMultiprocessors()) * blocksPerSM;
  int64_t best = 0;
  llvm::SmallVector<int64_t, 8> considered;
  auto consider = [&](int64_t blocks) {
    blocks = std::clamp<int64_t>(blocks, 1, std::min<int64_t>(tiles, 1 << 20));
    if (llvm::is_contained(considered, blocks))
      return;
    considered.push_back(blocks);
    GPUCost candidate = predict(blocks, batch, bound);
    if (candidate.seconds >= bound)
      return;
    best = blocks;
    cost = candidate;
    bound = candidate.seconds;
  };
  // Whole waves of blocks, or a few tiles for each.
  for (int64_t waves : {1, 2, 3, 4})
    consider(waves * slots / (plan.getNumSlabs(p) * plan.splits));
  for (int64_t perBlock : {1, 2, 4, 8})
    consider((tiles + perBlock - 1) / perBlock);
  return best;
}

GPUCost ks::predictGPU(const Problem &problem, const GPUPlan &plan,
                       const GPUTarget &target, int64_t batch) {
  return GPUCostModel(problem, plan, target)
      .predict(plan.batchBlocks, batch,
               std::numeric_limits<double>::infinity());
}
