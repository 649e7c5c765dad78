//===- KSOps.cpp - Operations of the KS dialect ---------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/Dialect/LLVMIR/LLVMTypes.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ks;

Problem ks::getProblem(ProductOpInterface op) {
  Problem problem;
  for (auto [t, pattern, weight] :
       llvm::enumerate(op.getPatternList(), op.getWeightOperands())) {
    auto shape = cast<ShapedType>(weight.getType()).getShape();
    Ties ties = Ties::None;
    if (shape.size() == 4)
      ties = getTies(pattern, shape);
    else if (PlanAttrInterface plan = op.getPlanAttr())
      if (PackingAttrInterface packing = plan.getPacking(t))
        ties = packing.getTied();
    problem.factors.push_back({pattern, bitEnumContainsAny(ties, Ties::A),
                               bitEnumContainsAny(ties, Ties::D)});
  }
  if (!ShapedType::isDynamic(op.getBatch()))
    problem.batch = op.getBatch();
  problem.batchFirst = op.getLayout() == Layout::BatchFirst;
  problem.isComplex = isa<ComplexType>(op.getElementType());
  problem.hasEpilogue = op.hasEpilogue();
  problem.tf32 =
      op.getElementType().isF32() && op.getPrecision() == Precision::TF32;
  problem.realBytes =
      getRealType(op.getElementType()).getIntOrFloatBitWidth() / 8;
  problem.accumulatorBytes =
      getRealType(op.getAccumulatorType()).getIntOrFloatBitWidth() / 8;
  if (op.getInputElementType() != op.getElementType())
    problem.convertedBytes =
        op.getInputElementType().getIntOrFloatBitWidth() / 8;
  if (auto matmul = dyn_cast<MatmulOp>(*op)) {
    if (FeatureOrderAttr order = matmul.getReadsAttr())
      problem.reads = order.getOrder();
    if (FeatureOrderAttr order = matmul.getWritesAttr())
      problem.writes = order.getOrder();
  }
  if (op.getResultElementType() != op.getElementType())
    problem.storedBytes = op.getResultElementType().getIntOrFloatBitWidth() / 8;
  return problem;
}

//===----------------------------------------------------------------------===//
// Custom assembly
//===----------------------------------------------------------------------===//

/// `[<a, b, c, d>, ...]`
static ParseResult parsePatterns(OpAsmParser &parser, ArrayAttr &patterns) {
  SmallVector<Attribute> list;
  auto parsePattern = [&]() -> ParseResult {
    PatternAttr pattern;
    if (parser.parseCustomAttributeWithFallback(pattern))
      return failure();
    list.push_back(pattern);
    return success();
  };
  if (parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Square,
                                     parsePattern))
    return failure();
  patterns = parser.getBuilder().getArrayAttr(list);
  return success();
}

static void printPatterns(OpAsmPrinter &printer, Operation *,
                          ArrayAttr patterns) {
  printer << '[';
  llvm::interleaveComma(
      patterns.getAsRange<PatternAttr>(), printer,
      [&](PatternAttr pattern) { printer.printStrippedAttrOrType(pattern); });
  printer << ']';
}

/// `epilogue` (`(` operands `:` types `)`)? region
static ParseResult
parseEpilogue(OpAsmParser &parser,
              SmallVectorImpl<OpAsmParser::UnresolvedOperand> &extras,
              SmallVectorImpl<Type> &types,
              SmallVectorImpl<std::unique_ptr<Region>> &regions) {
  if (failed(parser.parseOptionalKeyword("epilogue")))
    return success();
  if (succeeded(parser.parseOptionalLParen()))
    if (parser.parseOperandList(extras) || parser.parseColonTypeList(types) ||
        parser.parseRParen())
      return failure();
  regions.push_back(std::make_unique<Region>());
  return parser.parseRegion(*regions.back());
}

static void printEpilogue(OpAsmPrinter &printer, Operation *,
                          OperandRange extras, TypeRange types,
                          MutableArrayRef<Region> regions) {
  if (regions.empty() && extras.empty())
    return;
  printer << "epilogue";
  if (!extras.empty())
    printer << '(' << extras << " : " << types << ')';
  for (Region &region : regions) {
    printer << ' ';
    printer.printRegion(region);
  }
}

/// (`layout` `(` keyword `)`)? (`precision` `(` keyword `)`)?
template <typename AttrTy>
static ParseResult parseClause(OpAsmParser &parser, StringRef name,
                               AttrTy &attr) {
  if (failed(parser.parseOptionalKeyword(name)))
    return success();
  return failure(parser.parseLParen() ||
                 parser.parseCustomAttributeWithFallback(attr) ||
                 parser.parseRParen());
}

/// (`tied` `(` axes `)`)?
static ParseResult parseTiedClause(OpAsmParser &parser, TiesAttr &tied) {
  return parseClause(parser, "tied", tied);
}

static void printTiedClause(OpAsmPrinter &printer, Operation *, TiesAttr tied) {
  if (tied && tied.getValue() != Ties::None)
    printer << "tied(" << stringifyTies(tied.getValue()) << ")";
}

static ParseResult parseClauses(OpAsmParser &parser, LayoutAttr &layout,
                                PrecisionAttr &precision) {
  return failure(parseClause(parser, "layout", layout) ||
                 parseClause(parser, "precision", precision));
}

static void printClauses(OpAsmPrinter &printer, Operation *, LayoutAttr layout,
                         PrecisionAttr precision) {
  SmallVector<std::string, 2> clauses;
  if (layout && layout.getValue() != Layout::BatchFirst)
    clauses.push_back(
        ("layout(" + stringifyLayout(layout.getValue()) + ")").str());
  if (precision && precision.getValue() != Precision::IEEE)
    clauses.push_back(
        ("precision(" + stringifyPrecision(precision.getValue()) + ")").str());
  llvm::interleave(clauses, printer, " ");
}

#include "ks/Dialect/KS/IR/KSOpInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "ks/Dialect/KS/IR/KSOps.cpp.inc"

//===----------------------------------------------------------------------===//
// MatmulOp, ChainOp
//===----------------------------------------------------------------------===//

static SmallVector<KSPattern> toPatternList(ArrayAttr patterns) {
  return llvm::map_to_vector(
      patterns.getAsRange<PatternAttr>(),
      [](PatternAttr pattern) { return pattern.getPattern(); });
}

SmallVector<KSPattern> MatmulOp::getPatternList() {
  return {getPatternAttr().getPattern()};
}
OperandRange MatmulOp::getWeightOperands() { return getODSOperands(1); }

SmallVector<KSPattern> ChainOp::getPatternList() {
  return toPatternList(getPatterns());
}
OperandRange ChainOp::getWeightOperands() { return getWeights(); }

void ks::detail::getDestinationStyleEffects(
    DestinationStyleOpInterface op,
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  if (op->getNumResults() != 0) // on tensors
    return;
  for (OpOperand *input : op.getDpsInputOperands())
    effects.emplace_back(MemoryEffects::Read::get(), input);
  for (OpOperand &init : op.getDpsInitsMutable())
    effects.emplace_back(MemoryEffects::Write::get(), &init);
}

void ks::detail::nameEpilogueArguments(Region &region,
                                       OpAsmSetValueNameFn setName) {
  if (!region.empty() && region.getNumArguments() != 0)
    setName(region.getArgument(0), "acc");
}

//===----------------------------------------------------------------------===//
// MergeWeightsOp
//===----------------------------------------------------------------------===//

bool MergeWeightsOp::isChainable() {
  return getProduct(getLeft().getPattern(), getRight().getPattern()) ==
         getPattern().getPattern();
}

//===----------------------------------------------------------------------===//
// ToDenseOp
//===----------------------------------------------------------------------===//

SmallVector<KSPattern> ToDenseOp::getPatternList() {
  return toPatternList(getPatterns());
}

//===----------------------------------------------------------------------===//
// RealViewOp
//===----------------------------------------------------------------------===//

MemRefType RealViewOp::getViewType(MemRefType source) {
  auto complex = dyn_cast<ComplexType>(source.getElementType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (!complex || source.getRank() == 0 ||
      failed(source.getStridesAndOffset(strides, offset)) ||
      strides.back() != 1)
    return {};
  auto twice = [](int64_t size) {
    return ShapedType::isDynamic(size) ? size : 2 * size;
  };
  SmallVector<int64_t> shape(source.getShape());
  shape.back() = twice(shape.back());
  for (int64_t &stride : MutableArrayRef(strides).drop_back())
    stride = twice(stride);
  MemRefLayoutAttrInterface layout;
  if (!source.getLayout().isIdentity())
    layout =
        StridedLayoutAttr::get(source.getContext(), twice(offset), strides);
  return MemRefType::get(shape, complex.getElementType(), layout,
                         source.getMemorySpace());
}

void RealViewOp::build(OpBuilder &, OperationState &state, Value source) {
  state.addOperands(source);
  state.addTypes(getViewType(cast<MemRefType>(source.getType())));
}

LogicalResult RealViewOp::verify() {
  // C1
  MemRefType expected = getViewType(getSource().getType());
  if (!expected)
    return emitOpError("source is ")
           << getSource().getType() << "; expected inner stride 1";
  if (getView().getType() != expected)
    return emitOpError("result is ")
           << getView().getType() << "; expected " << expected;
  return success();
}
