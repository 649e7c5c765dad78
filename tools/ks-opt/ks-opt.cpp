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
#include "ks/Pipelines/Pipelines.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<ks::KSDialect>();
  ks::registerBufferizableOpInterfaceExternalModels(registry);
  mlir::registerAllPasses();
  ks::registerKSConversionPasses();
  ks::registerKSTransformsPasses();
  ks::registerPipelines();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "KS optimizer driver\n", registry));
}
