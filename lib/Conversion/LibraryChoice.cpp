//===- LibraryChoice.cpp - With a library or without ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LibraryChoice.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ks;

WithLibraryOp ks::createWithLibrary(RewriterBase &b, Operation *op,
                                    Library library) {
  b.setInsertionPoint(op);
  auto choice = WithLibraryOp::create(b, op->getLoc(), library);
  for (Region *region : {&choice.getThere(), &choice.getOtherwise()})
    region->emplaceBlock();
  return choice;
}

void ks::moveToLibraryChoice(RewriterBase &b, ProductOpInterface op,
                             LibraryPlanAttr plan) {
  WithLibraryOp choice = createWithLibrary(b, op, plan.getLibrary());
  b.setInsertionPointToStart(&choice.getThere().front());
  auto pattern = PatternAttr::get(b.getContext(), op.getPatternList().front());
  LibraryProductOp::create(b, op->getLoc(), pattern, op.getInput(),
                           op.getWeightOperands().front(), op.getInit(),
                           plan.getFallback().getPacking(0).getTied(),
                           op.getLayout(), op.getPrecision());
  Block &otherwise = choice.getOtherwise().front();
  op->moveBefore(&otherwise, otherwise.end());
  op.setPlanAttr(plan.getFallback());
}

void ks::moveToOtherwise(WithLibraryOp choice, PackWeightsOp op) {
  Block &otherwise = choice.getOtherwise().front();
  op->moveBefore(&otherwise, otherwise.end());
  op.setPackingAttr(cast<LibraryPackingAttr>(op.getPacking()).getFallback());
}
