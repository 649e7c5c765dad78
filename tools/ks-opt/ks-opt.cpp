//===- ks-opt.cpp - KS optimizer driver -----------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Conversion/Passes.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/BufferizableOpInterfaceImpl.h"
#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/ExecutionEngine/CompiledFunction.h"
#include "ks/Pipelines/Pipelines.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

#ifndef KS_STATIC
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#endif

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  ks::registerAllForCompilation(registry);
#ifdef KS_STATIC
  // The pipelines bring the upstream passes they use.
  mlir::registerTransformsPasses();
#else
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllPasses();
#endif
  ks::registerKSConversionPasses();
  ks::registerKSTransformsPasses();
  ks::registerPipelines();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "KS optimizer driver\n", registry));
}
