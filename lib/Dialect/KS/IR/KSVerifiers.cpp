//===- KSVerifiers.cpp - Constraints of the KS ops ------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each check carries the number of the constraint in the op's description, and
// its message says what was got, what was expected, and what to do next.
//
//===----------------------------------------------------------------------===//

#include "KSVerifiers.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace ks;
using namespace ks::detail;

//===----------------------------------------------------------------------===//
// Factors and weights: shared by products, ks.to_dense and ks.pack_weights
//===----------------------------------------------------------------------===//

std::string ks::detail::shapeToString(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::interleave(
      shape, os,
      [&](int64_t size) {
        ShapedType::isDynamic(size) ? os << '?' : os << size;
      },
      "x");
  return text;
}

static LogicalResult verifyFactors(Operation *op, ArrayRef<KSPattern> patterns,
                                   ValueRange weights) {
  // C3
  if (patterns.empty())
    return op->emitOpError("has no factors; expected at least one pattern");
  if (patterns.size() != weights.size())
    return op->emitOpError("has ")
           << weights.size() << " weights for " << patterns.size()
           << " patterns; expected one weight per pattern";
  // C4
  for (size_t t = 1; t < patterns.size(); ++t)
    if (!isComposable(patterns[t], patterns[t - 1]))
      return op->emitOpError("factor ")
             << t << " takes a*c*d = " << patterns[t].inFeatures()
             << " features; expected a*b*d = " << patterns[t - 1].outFeatures()
             << " of factor " << t - 1
             << " (factors are listed in the order they are applied)";
  return success();
}

/// C5 and C6: all on tensors with one result, or all on memrefs without.
static LogicalResult verifyOneKind(DestinationStyleOpInterface op) {
  Type init = op.getDpsInits().front().getType();
  bool onTensors = isa<TensorType>(init);
  // C5
  for (Type type : op->getOperandTypes())
    if (isa<TensorType>(type) != onTensors)
      return op->emitOpError("mixes tensors and memrefs: got ")
             << type << " beside outs " << init
             << "; expected all of one kind (bufferize the whole function)";
  // C6
  if (onTensors ? op->getNumResults() != 1 || op->getResult(0).getType() != init
                : op->getNumResults() != 0)
    return op->emitOpError("has results (")
           << op->getResultTypes() << "); expected "
           << (onTensors ? "one result of the type of outs"
                         : "none, because it is on memrefs");
  return success();
}

static LogicalResult verifyWeightShape(Operation *op, const Twine &name,
                                       const KSPattern &p,
                                       ArrayRef<int64_t> shape) {
  // C10
  auto fits = [](int64_t got, int64_t full) { return got == full || got == 1; };
  if (shape.size() == 4 && fits(shape[0], p.a) && shape[1] == p.b &&
      shape[2] == p.c && fits(shape[3], p.d))
    return success();
  return op->emitOpError() << name << " has shape " << shapeToString(shape)
                           << "; expected "
                           << shapeToString({p.a, p.b, p.c, p.d})
                           << ", with 1 for a or d where it is tied";
}

//===----------------------------------------------------------------------===//
// Memrefs
//===----------------------------------------------------------------------===//

static LogicalResult verifyMemRef(Operation *op, const Twine &name, Type type) {
  // C12
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref)
    return success();
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(memref.getStridesAndOffset(strides, offset)))
    return op->emitOpError()
           << name << " is " << type << "; expected a strided layout";
  // An inner stride that is not known may still be 1; kernels, which need to
  // know, refuse it when they are made.
  if (!strides.empty() && strides.back() != 1 &&
      !ShapedType::isDynamic(strides.back()))
    return op->emitOpError()
           << name << " is " << type
           << "; expected inner stride 1 (copy it, or exchange the axes with "
              "the other layout)";
  if (memref.getRank() == 2) {
    int64_t width = memref.getDimSize(1), pitch = strides[0];
    if (!ShapedType::isDynamic(width) && !ShapedType::isDynamic(pitch) &&
        pitch < width && memref.getDimSize(0) != 1)
      return op->emitOpError() << name << " has row pitch " << pitch
                               << "; expected at least its width " << width;
    return success();
  }
  if (!memref.areTrailingDimsContiguous(memref.getRank()) &&
      !llvm::is_contained(strides, ShapedType::kDynamic))
    return op->emitOpError()
           << name << " is " << type << "; expected a contiguous memref";
  return success();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

bool ks::isRealElementType(Type type) {
  return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type);
}

static LogicalResult verifyTypes(ProductOpInterface op) {
  if (failed(verifyOneKind(op))) // C5, C6
    return failure();
  // C7
  Type element = op.getElementType(), input = op.getInputElementType();
  StringRef source = op.getLoadAsAttr() ? "load_as says" : "input has";
  if (op.getLoadAsAttr() && element != input &&
      (!isRealElementType(element) || !isRealElementType(input) ||
       element.getIntOrFloatBitWidth() == input.getIntOrFloatBitWidth()))
    return op->emitOpError("load_as is ")
           << element << " where input has element type " << input
           << "; expected both to be of f16, bf16, f32 and f64, and one wider "
              "than the other (convert before the product)";
  auto fits = [&](const Twine &name, Value value) -> LogicalResult {
    Type got = getElementTypeOrSelf(value.getType());
    if (got == element ||
        (isRealElementType(got) && isRealElementType(element)))
      return success();
    return op->emitOpError()
           << name << " has element type " << got << "; expected " << element
           << ", as " << source
           << (isa<FloatType>(element) ? ", or another real type" : "");
  };
  if (failed(fits("outs", op.getInit())))
    return failure();
  for (Value extra : op.getExtras())
    if (failed(fits("epilogue operand", extra)))
      return failure();
  return success();
}

static LogicalResult verifyActivations(ProductOpInterface op) {
  auto input = cast<ShapedType>(op.getInput().getType());
  auto init = cast<ShapedType>(op.getInit().getType());
  SmallVector<KSPattern> patterns = op.getPatternList();
  // C8
  auto verifyFeatures = [&](StringRef name, ShapedType type, int64_t expected,
                            StringRef formula) -> LogicalResult {
    if (type.getRank() == 2 && type.getDimSize(op.getFeatureDim()) == expected)
      return success();
    return op->emitOpError()
           << name << " is " << type << "; expected rank 2 with " << formula
           << " = " << expected << " features in axis " << op.getFeatureDim()
           << " (layout " << stringifyLayout(op.getLayout()) << ")";
  };
  if (failed(verifyFeatures("input", input, patterns.front().inFeatures(),
                            "a*c*d")) ||
      failed(
          verifyFeatures("outs", init, patterns.back().outFeatures(), "a*b*d")))
    return failure();
  // C9
  int64_t inBatch = input.getDimSize(op.getBatchDim());
  int64_t outBatch = init.getDimSize(op.getBatchDim());
  if (!ShapedType::isDynamic(inBatch) && !ShapedType::isDynamic(outBatch) &&
      inBatch != outBatch)
    return op->emitOpError("input has batch ")
           << inBatch << "; expected " << outBatch << ", as outs has";
  return success();
}

static LogicalResult verifyWeights(ProductOpInterface op) {
  PlanAttrInterface plan = op.getPlanAttr();
  for (auto [t, pattern, weight] :
       llvm::enumerate(op.getPatternList(), op.getWeightOperands())) {
    auto type = cast<ShapedType>(weight.getType());
    if (type.getRank() != 1) {
      if (failed(verifyWeightShape(op, "weight of factor " + Twine(t), pattern,
                                   type.getShape())))
        return failure();
      if (type.getElementType() != op.getElementType()) // C10
        return op->emitOpError("weight of factor ")
               << t << " has element type " << type.getElementType()
               << "; expected " << op.getElementType() << ", as "
               << (op.getLoadAsAttr() ? "load_as says" : "input has");
      continue;
    }
    // C11
    PackingAttrInterface packing = plan ? plan.getPacking(t) : nullptr;
    if (!packing)
      return op->emitOpError("weight of factor ")
             << t << " is packed (rank 1), but no plan names its packing; "
             << "expected a plan, or an unpacked weight of rank 4";
    RankedTensorType packed =
        packing.getPackedType(pattern, op.getElementType());
    if (!packed)
      return op->emitOpError("packed weight of factor ")
             << t << " does not fit in 64 bits; expected fewer lanes or "
             << "vectors in " << packing;
    if (packed.getShape() != type.getShape() ||
        packed.getElementType() != type.getElementType())
      return op->emitOpError("packed weight of factor ")
             << t << " is " << Type(type) << "; expected the form of "
             << packing << ", " << packed << " (repack it)";
  }
  return success();
}

static LogicalResult verifyMemRefs(ProductOpInterface op) {
  if (op.isOnTensors())
    return success();
  // C12
  if (failed(verifyMemRef(op, "input", op.getInput().getType())) ||
      failed(verifyMemRef(op, "outs", op.getInit().getType())))
    return failure();
  for (Value weight : op.getWeightOperands())
    if (failed(verifyMemRef(op, "weight", weight.getType())))
      return failure();
  for (Value extra : op.getExtras())
    if (failed(verifyMemRef(op, "epilogue operand", extra.getType())))
      return failure();
  // C13
  for (OpOperand *input : op.getDpsInputOperands())
    if (input->get() == op.getInit())
      return op->emitOpError("outs aliases operand ")
             << input->getOperandNumber()
             << "; expected another buffer (a product cannot run in place)";
  return success();
}

LogicalResult ks::detail::verifyNaturalOrder(Operation *operation) {
  if (getProblem(cast<ProductOpInterface>(operation)).getPlanes() == 0)
    return success();
  return operation->emitOpError(
      "has features in another order, which only kernels for GPUs know; "
      "expected their natural order (leave out reads and writes)");
}

LogicalResult ks::detail::verifyProductOp(Operation *operation) {
  auto op = cast<ProductOpInterface>(operation);
  if (failed(verifyFactors(op, op.getPatternList(), op.getWeightOperands())) ||
      failed(verifyTypes(op)) || failed(verifyActivations(op)) ||
      failed(verifyWeights(op)) || failed(verifyMemRefs(op)))
    return failure();
  // C14
  if (op.getPrecision() == Precision::TF32 && !op.getElementType().isF32())
    return op->emitOpError("precision is tf32 with element type ")
           << op.getElementType() << "; expected f32, or precision(ieee)";
  if (failed(verifyEpilogue(op)))
    return failure();
  // C18
  PlanAttrInterface plan = op.getPlanAttr();
  return plan ? plan.verifyPlan(op) : success();
}

LogicalResult MatmulOp::verify() {
  FeatureOrderAttr reads = getReadsAttr(), writes = getWritesAttr();
  if (!reads && !writes)
    return success();
  KSPattern p = getPatternAttr().getPattern();
  // C19
  if (reads && (reads.getA() != p.a || reads.getP() * reads.getR() != p.c ||
                reads.getQ() != p.d))
    return emitOpError("reads ")
           << reads << "; expected a = " << p.a << ", p*r = " << p.c
           << " and q = " << p.d << ", those of the pattern";
  if (writes && (p.d != 1 || writes.getA() * writes.getP() != p.a ||
                 writes.getR() * writes.getQ() != p.b))
    return emitOpError("writes ")
           << writes << "; expected a*p = " << p.a << ", r*q = " << p.b
           << " and a pattern with d = 1, which has d = " << p.d;
  if (writes && getEpilogue())
    return emitOpError("writes features in an order and has an epilogue; "
                       "expected one of them");
  // C20
  if (reads && writes)
    return emitOpError("reads and writes features in an order; expected one");
  if (getLayout() != Layout::BatchFirst || getLoadAsAttr())
    return emitOpError("has features in an order with ")
           << (getLoadAsAttr() ? "load_as" : "layout batch_last")
           << "; expected layout batch_first and no load_as";
  return success();
}

//===----------------------------------------------------------------------===//
// Other ops
//===----------------------------------------------------------------------===//

LogicalResult ExchangeEntriesOp::verify() {
  VectorType from = getSource().getType(), to = getResult().getType();
  if (from.getDimSize(0) != 1 || to.getDimSize(0) != 8 ||
      from.getDimSize(1) != to.getDimSize(1) ||
      from.getDimSize(2) != 8 * to.getDimSize(2) || from.getDimSize(3) != 4 ||
      to.getDimSize(3) != 4 || from.getElementType() != to.getElementType() ||
      from.getElementTypeBitWidth() != 16)
    return emitOpError("is from ")
           << from << " to " << to
           << "; expected [1][n][8 * m][4] to [8][n][m][4], of the same 16-bit "
              "type";
  return success();
}

LogicalResult InterleaveColumnsOp::verify() {
  VectorType from = getSource().getType(), to = getResult().getType();
  VectorType apart = isApart() ? to : from, together = isApart() ? from : to;
  bool keepsTypes =
      isApart() ? from.getElementType() == to.getElementType()
                : from.getElementTypeBitWidth() >= to.getElementTypeBitWidth();
  if (apart.getDimSize(0) != 2 * together.getDimSize(0) ||
      apart.getDimSize(1) != together.getDimSize(1) ||
      apart.getDimSize(2) != together.getDimSize(2) ||
      2 * apart.getDimSize(3) != together.getDimSize(3) || !keepsTypes)
    return emitOpError("is from ") << from << " to " << to
                                   << "; expected [2 * c][n][m][s] to "
                                      "[c][n][m][2 * s], of the same or a "
                                      "narrower type, or back, of the same";
  for (Operation *user : getResult().getUsers())
    if (isApart() && !isa<StoreLinesOp>(user))
      return emitOpError("puts columns apart for ")
             << user->getName() << "; expected ks.store_lines";
  return success();
}

LogicalResult StorePlanesOp::verify() {
  // C1
  TypeRange types = getFragments().getTypes();
  if (types.empty() || !llvm::all_equal(types))
    return emitOpError("has ")
           << types.size()
           << " fragments of different types; expected one or more, of one";
  auto fragment = cast<VectorType>(types.front());
  if (fragment.getDimSize(0) != 1 || fragment.getDimSize(2) != 2 ||
      fragment.getDimSize(3) != 2)
    return emitOpError("has fragments of type ")
           << fragment << "; expected [1][tiles][2][2]";
  // C2
  int64_t columns = getColumns(), rows = 8 * fragment.getDimSize(1);
  auto type = cast<MemRefType>(getDestination().getType());
  if (columns < 4 || columns % 4 != 0 || rows % columns != 0 ||
      type.getRank() != 4 || type.getDimSize(2) % columns != 0)
    return emitOpError("has ") << columns << " columns for " << rows
                               << " rows n and planes of type " << type
                               << "; expected a multiple of 4 that divides the "
                                  "rows n and the third "
                                  "of four dimensions";
  return success();
}

LogicalResult CopyActivationsOp::verify() {
  if (!getShifted())
    return success();
  KSPattern p = getPattern().getPattern();
  // C1
  if (getLayout() != Layout::BatchFirst ||
      static_cast<int64_t>(getSlab()) != p.d)
    return emitOpError("copies shifted rows of ")
           << getSlab() << " columns with layout "
           << stringifyLayout(getLayout()) << "; expected all d = " << p.d
           << " of them, and batch_first";
  // C2
  int64_t unit = 16 / (getElementTypeOrSelf(getDestination().getType())
                           .getIntOrFloatBitWidth() /
                       8);
  if (static_cast<int64_t>(getWidth()) % unit != 0)
    return emitOpError("copies shifted rows of width ")
           << getWidth() << "; expected a multiple of " << unit << ", 16 bytes";
  return success();
}

LogicalResult LoadActivationsOp::verify() {
  // C1
  if (getShift().empty())
    return success();
  if (getShift().size() != 2 || getLayout() != Layout::BatchFirst)
    return emitOpError("has ")
           << getShift().size() << " numbers of shifted rows with layout "
           << stringifyLayout(getLayout())
           << "; expected the first and the pitch, and batch_first";
  return success();
}

LogicalResult JoinPartsOp::verify() {
  VectorType from = getSource().getType(), to = getResult().getType();
  if (from.getShape().drop_back() != to.getShape().drop_back() ||
      from.getDimSize(3) != 2 * to.getDimSize(3) ||
      !from.getElementType().isF32() || !to.getElementType().isF32())
    return emitOpError("is from ")
           << from << " to " << to
           << "; expected [j][n][m][2 * s] to [j][n][m][s], of f32";
  return success();
}

LogicalResult PackWeightsOp::verify() {
  // C1
  auto type = cast<ShapedType>(getWeight().getType());
  KSPattern pattern = getPattern().getPattern();
  if (failed(verifyWeightShape(*this, "weight", pattern, type.getShape())))
    return failure();
  Ties ties = getTies(pattern, type.getShape());
  Ties packedTies = getPacking().getTied();
  auto ofGPU = dyn_cast<GPUPackingAttr>(getPacking());
  if (ofGPU && ofGPU.getPlanes() != 0) {
    // C1: groups may be columns.
    if (pattern.d == 1 && bitEnumContainsAny(ties, Ties::A))
      ties = ties | Ties::D;
    int64_t planes = ofGPU.getPlanes(), redundancy = ofGPU.getRedundancy();
    bool areGroups = pattern.d == 1;
    if (areGroups ? pattern.a % planes != 0 : pattern.d != planes)
      return emitOpError("packing has ")
             << planes << " planes; expected "
             << (areGroups ? "a divisor of a = " : "d = ")
             << (areGroups ? pattern.a : pattern.d);
    int64_t size = areGroups ? pattern.b : pattern.c;
    if (size % redundancy != 0)
      return emitOpError("packing redundancy is ")
             << redundancy << "; expected a divisor of "
             << (areGroups ? "b = " : "c = ") << size;
  }
  if ((packedTies & ties) != packedTies)
    return emitOpError("packing is tied along ")
           << stringifyTies(packedTies) << ", the weight along "
           << stringifyTies(ties)
           << "; expected a packing that keeps all of the weight";
  // C2
  if (auto packing = dyn_cast<GPUPackingAttr>(getPacking()))
    if (pattern.b % packing.getParts() != 0 ||
        pattern.b / packing.getParts() % packing.getRun() != 0)
      return emitOpError("packing has ")
             << packing.getParts() << " parts of n in runs of "
             << packing.getRun()
             << "; expected them to divide b = " << pattern.b;
  RankedTensorType expected =
      getPacking().getPackedType(pattern, type.getElementType());
  if (!expected)
    return emitOpError("packed size does not fit in 64 bits; expected fewer "
                       "lanes or vectors in ")
           << getPacking();
  auto init = cast<ShapedType>(getInit().getType());
  if (init.getShape() != expected.getShape() ||
      init.getElementType() != expected.getElementType())
    return emitOpError("outs is ")
           << Type(init) << "; expected shape and element type of " << expected;
  // C3
  return verifyOneKind(*this);
}

static std::string patternToString(const KSPattern &p) {
  return llvm::formatv("<{0}, {1}, {2}, {3}>", p.a, p.b, p.c, p.d);
}

/// C5 of ks.merge_weights.
static LogicalResult verifyMergedTypes(MergeWeightsOp op) {
  Type accumulator, element;
  for (Value operand : op->getOperands()) {
    Type type = getElementTypeOrSelf(operand.getType());
    Type own = getAccumulatorType(type);
    if (!accumulator)
      accumulator = own;
    bool isOther = type != own && element && type != element;
    if (own != accumulator || isOther)
      return op.emitOpError("has operands of types ")
             << op->getOperandTypes()
             << "; expected one element type, or its accumulator type";
    if (type != own)
      element = type;
  }
  return success();
}

LogicalResult MergeWeightsOp::verify() {
  KSPattern left = getLeft().getPattern(), right = getRight().getPattern();
  KSPattern merged = getPattern().getPattern();
  // C1
  if (!isComposable(left, right))
    return emitOpError("left factor takes a*c*d = ")
           << left.inFeatures()
           << " features; expected a*b*d = " << right.outFeatures()
           << " of the right one (factors are listed in the order they are "
              "applied)";
  // C2
  std::optional<KSPattern> product = getProduct(left, right);
  KSPattern dense{1, left.outFeatures(), right.inFeatures(), 1};
  if (merged != product && merged != dense)
    return emitOpError("merges into ")
           << patternToString(merged) << "; expected "
           << (product ? patternToString(*product) + ", the product, or "
                       : std::string())
           << patternToString(dense) << ", the dense pattern"
           << (product ? "" : " (the two are not chainable)");
  // C3
  auto rightType = cast<ShapedType>(getRightWeight().getType());
  auto leftType = cast<ShapedType>(getLeftWeight().getType());
  if (failed(verifyWeightShape(*this, "right weight", right,
                               rightType.getShape())) ||
      failed(
          verifyWeightShape(*this, "left weight", left, leftType.getShape())))
    return failure();
  // C4
  ArrayRef<int64_t> shape = cast<ShapedType>(getInit().getType()).getShape();
  if (failed(verifyWeightShape(*this, "outs", merged, shape)))
    return failure();
  for (auto [axis, dim, full] :
       {std::tuple("a", 0, merged.a), std::tuple("d", 3, merged.d)})
    if (shape[dim] != full &&
        (rightType.getDimSize(dim) != 1 || leftType.getDimSize(dim) != 1))
      return emitOpError("outs has shape ")
             << shapeToString(shape) << ", tied along " << axis << "; expected "
             << full << " there, as not both weights have size 1 along "
             << axis;
  if (failed(verifyMergedTypes(*this))) // C5
    return failure();
  return verifyOneKind(*this); // C6
}

LogicalResult ToDenseOp::verify() {
  SmallVector<KSPattern> patterns = getPatternList();
  if (failed(verifyFactors(*this, patterns, getWeights())) || // C3, C4
      failed(verifyOneKind(*this)))                           // C5, C6
    return failure();
  auto init = cast<ShapedType>(getInit().getType());
  for (auto [t, pattern, weight] : llvm::enumerate(patterns, getWeights())) {
    auto type = cast<ShapedType>(weight.getType());
    if (failed(verifyWeightShape(*this, "weight of factor " + Twine(t), pattern,
                                 type.getShape())))
      return failure();
    if (type.getElementType() != init.getElementType()) // C7
      return emitOpError("weight of factor ")
             << t << " has element type " << type.getElementType()
             << "; expected " << init.getElementType() << ", as outs has";
  }
  // C1
  SmallVector<int64_t> shape{patterns.back().outFeatures(),
                             patterns.front().inFeatures()};
  if (init.getShape() != ArrayRef(shape))
    return emitOpError("outs has shape ")
           << shapeToString(init.getShape()) << "; expected the matrix, "
           << shapeToString(shape);
  return success();
}
