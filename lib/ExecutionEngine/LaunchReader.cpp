//===- LaunchReader.cpp - From host code to launches ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LaunchReader.h"

#include "ModuleSupport.h"

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace ks;

static std::string toText(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

llvm::Expected<ArrayInfo> ks::getArrayInfo(Type type, Twine name) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref)
    return makeError("an artefact cannot hold an argument of type " +
                     toText(type) + "; expected tensors or memrefs");
  llvm::Expected<ElementType> element = toElementType(memref.getElementType());
  if (!element)
    return element.takeError();
  ArrayInfo info;
  info.name = name.str();
  info.type = static_cast<KsElementType>(*element);
  for (int64_t size : memref.getShape())
    info.shape.push_back(ShapedType::isDynamic(size) ? Size{0, 1}
                                                     : Size{size, 0});
  // Kernels look at pointers and pitches themselves.
  info.alignment =
      getRealType(memref.getElementType()).getIntOrFloatBitWidth() / 8;
  return info;
}

/// ceil(s / tile) · factor, as canonicalized forms of it. Multiplies to
/// `factor`, and sets `tile`.
static bool matchGrid(AffineExpr expr, int64_t &tile, int64_t &factor) {
  if (auto binary = dyn_cast<AffineBinaryOpExpr>(expr)) {
    auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
    if (!constant)
      return false;
    if (expr.getKind() == AffineExprKind::Mul) {
      factor *= constant.getValue();
      return matchGrid(binary.getLHS(), tile, factor);
    }
    if (expr.getKind() == AffineExprKind::CeilDiv && tile == 1) {
      tile = constant.getValue();
      return matchGrid(binary.getLHS(), tile, factor);
    }
    return false;
  }
  return isa<AffineSymbolExpr, AffineDimExpr>(expr);
}

/// min(ceil(s / tile), tiles).
static bool matchMinimum(AffineMap map, Launch &launch) {
  int64_t factor = 1;
  for (AffineExpr expr : map.getResults())
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      launch.maxTiles = constant.getValue();
    else if (!matchGrid(expr, launch.tile, factor))
      return false;
  return map.getNumResults() == 2 && factor == 1;
}

llvm::Error LaunchReader::readGrid(Value blocks, Launch &launch) {
  IntegerAttr constant;
  if (matchPattern(blocks, m_Constant(&constant))) {
    launch.tile = 0;
    launch.factor = constant.getInt();
    return llvm::Error::success();
  }
  launch.tile = launch.factor = 1;
  // From the outside in: · factor, the minimum, ceil(batch / tile).
  bool matches = true;
  while (matches && !blocks.getDefiningOp<memref::DimOp>()) {
    if (auto apply = blocks.getDefiningOp<affine::AffineApplyOp>()) {
      matches = apply.getMapOperands().size() == 1 &&
                matchGrid(apply.getAffineMap().getResult(0), launch.tile,
                          launch.factor);
      blocks = matches ? apply.getMapOperands().front() : blocks;
    } else {
      auto min = blocks.getDefiningOp<affine::AffineMinOp>();
      matches = min && min.getMapOperands().size() == 1 &&
                matchMinimum(min.getAffineMap(), launch);
      blocks = matches ? min.getMapOperands().front() : blocks;
    }
  }
  if (matches)
    return llvm::Error::success();
  return makeError("kernel @" + launch.kernel +
                   " has a grid that is not min(ceil(batch / tile), tiles) * "
                   "factor");
}

static void addTensorMap(TensorMapOp op, Operand &operand) {
  operand.form = Operand::Form::TensorMap;
  TensorMapRecipe &recipe = operand.tensorMap;
  for (int64_t size : op.getSizes())
    recipe.sizes.push_back(size < 0 ? Size{0, 1} : Size{size, 0});
  recipe.strides.assign(op.getStrides().begin(), op.getStrides().end());
  for (int64_t size : op.getBox())
    recipe.box.push_back(static_cast<uint32_t>(size));
  recipe.swizzleBytes = static_cast<uint32_t>(op.getSwizzle());
}

/// Adds an operand of `what` to the launch.
llvm::Error LaunchReader::readOperand(Value value, Twine what, Launch &launch) {
  auto map = value.getDefiningOp<TensorMapOp>();
  if (map)
    value = map.getSource();
  while (auto cast = value.getDefiningOp<memref::CastOp>())
    value = cast.getSource();
  if (auto global = value.getDefiningOp<memref::GetGlobalOp>())
    if (llvm::Error error = readConstant(global))
      return error;
  auto known = operands.find(value);
  if (known == operands.end())
    return makeError(what + " has an operand that is neither an argument nor "
                            "an intermediate nor a constant");
  launch.operands.push_back(known->second);
  if (map)
    addTensorMap(map, launch.operands.back());
  return llvm::Error::success();
}

llvm::Error LaunchReader::readProduct(LibraryProductOp op,
                                      std::vector<Launch> &launches) {
  KSPattern p = op.getPattern().getPattern();
  auto type = cast<MemRefType>(op.getInit().getType());
  llvm::Expected<ElementType> element = toElementType(type.getElementType());
  if (!element)
    return element.takeError();
  Launch launch;
  launch.product = {p.a,
                    p.b,
                    p.c,
                    p.d,
                    bitEnumContainsAny(op.getTied(), Ties::A),
                    bitEnumContainsAny(op.getTied(), Ties::D),
                    static_cast<KsElementType>(*element),
                    op.getLayout() == Layout::BatchFirst,
                    op.getPrecision() == Precision::TF32};
  for (Value operand : op->getOperands())
    if (llvm::Error error = readOperand(operand, "a library's product", launch))
      return error;
  launches.push_back(std::move(launch));
  return llvm::Error::success();
}

llvm::Error LaunchReader::readLaunch(gpu::LaunchFuncOp op,
                                     std::vector<Launch> &launches) {
  Launch launch;
  launch.kernel = op.getKernelName().str();
  if (llvm::Error error = readGrid(op.getGridSizeX(), launch))
    return error;
  IntegerAttr threads, shared;
  if (!matchPattern(op.getBlockSizeX(), m_Constant(&threads)))
    return makeError("kernel @" + launch.kernel +
                     " has blocks of unknown size");
  launch.threads = static_cast<uint32_t>(threads.getInt());
  if (Value size = op.getDynamicSharedMemorySize();
      size && matchPattern(size, m_Constant(&shared)))
    launch.sharedBytes = static_cast<uint32_t>(shared.getInt());
  if (auto kernel = SymbolTable::lookupNearestSymbolFrom<gpu::GPUFuncOp>(
          op, op.getKernel()))
    kernel.walk([&](NVVM::GriddepcontrolOp control) {
      launch.waitsItself |= control.getKind() == NVVM::GridDepActionKind::wait;
    });
  for (Value operand : op.getKernelOperands())
    if (llvm::Error error =
            readOperand(operand, "kernel @" + launch.kernel, launch))
      return error;
  launches.push_back(std::move(launch));
  return llvm::Error::success();
}

llvm::Error LaunchReader::readAlloc(memref::AllocOp op) {
  auto index = static_cast<uint32_t>(workspace.size());
  llvm::Expected<ArrayInfo> info = getArrayInfo(
      op.getType(),
      (kind == Operand::Kind::Packed ? "merged" : "workspace") + Twine(index));
  if (!info)
    return info.takeError();
  workspace.push_back(std::move(*info));
  operands[op] = {kind, Operand::Form::Descriptor, index, {}};
  return llvm::Error::success();
}

/// Bytes that a constant takes.
static size_t getBytes(const ArrayInfo &array) {
  auto bytes = static_cast<size_t>(
      getElementTypeSize(static_cast<ElementType>(array.type)));
  for (const Size &size : array.shape)
    bytes *= static_cast<size_t>(size.constant);
  return llvm::alignTo(bytes, arrayAlignment);
}

/// Adds the values of a global, unless they are there already.
llvm::Error LaunchReader::readConstant(memref::GetGlobalOp op) {
  auto global = SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(
      op, op.getNameAttr());
  std::string name = op.getName().str();
  DenseElementsAttr values;
  if (global && global.getInitialValue())
    values = getDenseElements(*global.getInitialValue());
  if (!values)
    return makeError("global @" + name +
                     " has no values; expected a constant, or an argument");
  auto index = static_cast<uint32_t>(code.constants.size());
  llvm::Expected<ArrayInfo> info =
      getArrayInfo(op.getType(), "constant" + Twine(index));
  if (!info)
    return info.takeError();
  ArrayRef<char> raw = values.getRawData();
  std::string bytes;
  for (int64_t copy = 0,
               copies = values.isSplat() ? values.getNumElements() : 1;
       copy < copies; ++copy)
    bytes.append(raw.begin(), raw.end());
  bytes.resize(llvm::alignTo(bytes.size(), arrayAlignment));
  // Equal ones are one.
  size_t offset = 0;
  for (auto [known, array] : llvm::enumerate(code.constants)) {
    size_t size = getBytes(array);
    if (array.type == info->type && array.shape == info->shape &&
        code.constantBytes.compare(offset, size, bytes) == 0)
      index = static_cast<uint32_t>(known);
    offset += size;
  }
  operands[op] = {
      Operand::Kind::Constant, Operand::Form::Descriptor, index, {}};
  if (index < code.constants.size())
    return llvm::Error::success();
  code.constants.push_back(std::move(*info));
  code.constantBytes += bytes;
  return llvm::Error::success();
}

llvm::Error LaunchReader::read(func::FuncOp func,
                               std::vector<Launch> &launches) {
  return read(func.front(), func.getName(), Condition::Always, launches);
}

llvm::Error LaunchReader::read(Block &block, StringRef function,
                               Condition condition,
                               std::vector<Launch> &launches) {
  for (Operation &op : block) {
    size_t before = launches.size();
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op)) {
      if (llvm::Error error = readLaunch(launch, launches))
        return error;
      launches[before].condition = condition;
    } else if (auto product = dyn_cast<LibraryProductOp>(op)) {
      if (llvm::Error error = readProduct(product, launches))
        return error;
      launches[before].condition = condition;
    } else if (auto choice = dyn_cast<WithLibraryOp>(op)) {
      if (llvm::Error error = read(choice.getThere().front(), function,
                                   Condition::WithLibrary, launches))
        return error;
      if (llvm::Error error = read(choice.getOtherwise().front(), function,
                                   Condition::WithoutLibrary, launches))
        return error;
    } else if (auto alloc = dyn_cast<memref::AllocOp>(op)) {
      if (llvm::Error error = readAlloc(alloc))
        return error;
    } else if (!isa<TensorMapOp, memref::DeallocOp, memref::CastOp,
                    memref::GetGlobalOp, memref::DimOp, affine::AffineApplyOp,
                    affine::AffineMinOp, func::ReturnOp>(op) &&
               !op.hasTrait<OpTrait::ConstantLike>()) {
      return makeError("an artefact cannot hold the op '" +
                       op.getName().getStringRef() + "' of @" + function +
                       "; expected KS products of the function's arguments");
    }
  }
  return llvm::Error::success();
}
