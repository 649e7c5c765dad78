//===- ParallelToRuntime.cpp - Parallel loops on the runtime --------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// scf.parallel becomes a call of the runtime:
//
//   scf.parallel (%i) = (%lo) to (%hi) step (%s) { body(%i, %a, %b) }
//
//   func private @f_parallel(%context: !llvm.ptr, %begin: i64, %end: i64) {
//     %a, %b, %lo, %s = load %context
//     for %t = %begin to %end { body(%lo + %t * %s, %a, %b) }
//   }
//   ...
//   store %a, %b, %lo, %s to %context on the stack
//   ksParallelFor((%hi - %lo) ceildiv %s, @f_parallel, %context)
//
// A nest of several dimensions is one range, the last dimension fastest.
//
//===----------------------------------------------------------------------===//

#include "ks/Conversion/Passes.h"

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/RegionUtils.h"

namespace ks {
#define GEN_PASS_DEF_CONVERTPARALLELTORUNTIME
#include "ks/Conversion/Passes.h.inc"
} // namespace ks

using namespace mlir;

namespace {

constexpr llvm::StringLiteral kParallelFor = "ksParallelFor";

class Outliner {
public:
  explicit Outliner(ModuleOp module)
      : module(module), symbols(module), converter(module.getContext()) {}

  LogicalResult outline(scf::ParallelOp loop);

private:
  /// Values defined outside of the loop that its body uses; constants are
  /// cloned into the body instead.
  SetVector<Value> sinkConstantsAndGetCaptures(scf::ParallelOp loop);
  LLVM::LLVMFuncOp getParallelFor();
  /// A value in the form in which it travels, and back.
  Value toLLVM(OpBuilder &b, Location loc, Value value) {
    Type type = converter.convertType(value.getType());
    if (type == value.getType())
      return value;
    return UnrealizedConversionCastOp::create(b, loc, type, value).getResult(0);
  }
  Value fromLLVM(OpBuilder &b, Location loc, Value value, Type type) {
    if (type == value.getType())
      return value;
    return UnrealizedConversionCastOp::create(b, loc, type, value).getResult(0);
  }
  func::FuncOp createBody(scf::ParallelOp loop, ArrayRef<Value> captures,
                          LLVM::LLVMStructType contextType);

  ModuleOp module;
  SymbolTable symbols;
  LLVMTypeConverter converter;
};

SetVector<Value> Outliner::sinkConstantsAndGetCaptures(scf::ParallelOp loop) {
  SetVector<Value> used, captures;
  getUsedValuesDefinedAbove(loop.getRegion(), used);
  OpBuilder b = OpBuilder::atBlockBegin(loop.getBody());
  for (Value value : used) {
    if (matchPattern(value, m_Constant())) {
      Value inner = b.clone(*value.getDefiningOp())->getResult(0);
      replaceAllUsesInRegionWith(value, inner, loop.getRegion());
    } else {
      captures.insert(value);
    }
  }
  for (Value bound : llvm::concat<Value>(loop.getLowerBound(),
                                         loop.getUpperBound(), loop.getStep()))
    captures.insert(bound);
  return captures;
}

LLVM::LLVMFuncOp Outliner::getParallelFor() {
  if (auto func = symbols.lookup<LLVM::LLVMFuncOp>(kParallelFor))
    return func;
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                  {b.getI64Type(), pointer, pointer});
  auto func = LLVM::LLVMFuncOp::create(b, module.getLoc(), kParallelFor, type);
  symbols.insert(func);
  return func;
}

/// ceil((upper - lower) / step), at least 0.
Value createTripCount(OpBuilder &b, Location loc, Value lower, Value upper,
                      Value step) {
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value extent = arith::SubIOp::create(b, loc, upper, lower);
  extent = arith::MaxSIOp::create(b, loc, extent, zero);
  return arith::CeilDivUIOp::create(b, loc, extent, step);
}

func::FuncOp Outliner::createBody(scf::ParallelOp loop,
                                  ArrayRef<Value> captures,
                                  LLVM::LLVMStructType contextType) {
  Location loc = loop.getLoc();
  OpBuilder b(module.getContext());
  auto parent = loop->getParentOfType<FunctionOpInterface>();
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto func = func::FuncOp::create(
      b, loc, (parent.getName() + "_parallel").str(),
      b.getFunctionType({pointer, b.getI64Type(), b.getI64Type()}, {}));
  func.setPrivate();
  symbols.insert(func, Block::iterator(parent));

  Block *entry = func.addEntryBlock();
  b.setInsertionPointToStart(entry);
  IRMapping mapping;
  Value context =
      LLVM::LoadOp::create(b, loc, contextType, entry->getArgument(0));
  for (auto [index, value] : llvm::enumerate(captures)) {
    Value member = LLVM::ExtractValueOp::create(b, loc, context, index);
    mapping.map(value, fromLLVM(b, loc, member, value.getType()));
  }
  auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
  };
  auto inner = [&](Value value) { return mapping.lookup(value); };
  SmallVector<Value> counts;
  for (auto [lower, upper, step] : llvm::zip_equal(
           loop.getLowerBound(), loop.getUpperBound(), loop.getStep()))
    counts.push_back(
        createTripCount(b, loc, inner(lower), inner(upper), inner(step)));

  auto iterations = scf::ForOp::create(
      b, loc, toIndex(entry->getArgument(1)), toIndex(entry->getArgument(2)),
      arith::ConstantIndexOp::create(b, loc, 1));
  func::ReturnOp::create(b, loc);

  b.setInsertionPointToStart(iterations.getBody());
  Value rest = iterations.getInductionVar();
  for (size_t dim = counts.size(); dim-- > 0;) {
    Value index = rest;
    if (dim != 0) {
      index = arith::RemUIOp::create(b, loc, rest, counts[dim]);
      rest = arith::DivUIOp::create(b, loc, rest, counts[dim]);
    }
    index = arith::MulIOp::create(b, loc, index, inner(loop.getStep()[dim]));
    index =
        arith::AddIOp::create(b, loc, index, inner(loop.getLowerBound()[dim]));
    mapping.map(loop.getInductionVars()[dim], index);
  }
  for (Operation &op : loop.getBody()->without_terminator())
    b.clone(op, mapping);
  return func;
}

LogicalResult Outliner::outline(scf::ParallelOp loop) {
  if (loop.getNumReductions() != 0)
    return loop.emitOpError(
        "has a reduction, which the thread pool cannot run; expected none "
        "(use scf.for, or reduce after the loop)");
  Location loc = loop.getLoc();
  SmallVector<Value> captures =
      llvm::to_vector(sinkConstantsAndGetCaptures(loop));
  SmallVector<Type> members;
  for (Value value : captures) {
    Type type = converter.convertType(value.getType());
    if (!type)
      return loop.emitOpError("uses a value of type ")
             << value.getType()
             << ", which cannot be handed to another thread; expected a type "
                "that converts to LLVM";
    members.push_back(type);
  }
  auto contextType =
      LLVM::LLVMStructType::getLiteral(module.getContext(), members);
  func::FuncOp body = createBody(loop, captures, contextType);

  OpBuilder b(loop);
  Value total;
  for (auto [lower, upper, step] : llvm::zip_equal(
           loop.getLowerBound(), loop.getUpperBound(), loop.getStep())) {
    Value count = createTripCount(b, loc, lower, upper, step);
    total = total ? arith::MulIOp::create(b, loc, total, count) : count;
  }
  total = arith::IndexCastOp::create(b, loc, b.getI64Type(), total);

  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value context = LLVM::PoisonOp::create(b, loc, contextType);
  for (auto [index, value] : llvm::enumerate(captures))
    context = LLVM::InsertValueOp::create(b, loc, context,
                                          toLLVM(b, loc, value), index);
  Value memory;
  {
    // In the entry block: an alloca inside a loop would grow the stack.
    OpBuilder::InsertionGuard guard(b);
    auto parent = loop->getParentOfType<FunctionOpInterface>();
    b.setInsertionPointToStart(&parent.getFunctionBody().front());
    Value one = LLVM::ConstantOp::create(b, loc, b.getI64Type(),
                                         b.getI64IntegerAttr(1));
    memory = LLVM::AllocaOp::create(b, loc, pointer, contextType, one);
  }
  LLVM::StoreOp::create(b, loc, context, memory);
  Value function =
      fromLLVM(b, loc,
               func::ConstantOp::create(b, loc, body.getFunctionType(),
                                        FlatSymbolRefAttr::get(body)),
               pointer);
  LLVM::CallOp::create(b, loc, getParallelFor(),
                       ValueRange{total, function, memory});
  loop.erase();
  return success();
}

struct ConvertParallelToRuntimePass
    : ks::impl::ConvertParallelToRuntimeBase<ConvertParallelToRuntimePass> {
  void runOnOperation() override {
    Outliner outliner(getOperation());
    // Outermost loops first; loops inside run on one thread.
    SmallVector<scf::ParallelOp> loops;
    getOperation().walk<WalkOrder::PreOrder>([&](scf::ParallelOp loop) {
      loops.push_back(loop);
      return WalkResult::skip();
    });
    for (scf::ParallelOp loop : loops)
      if (failed(outliner.outline(loop)))
        return signalPassFailure();
  }
};

} // namespace
