//===- BufferizableOpInterfaceImpl.h - Bufferization of KS ops --*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H
#define KS_DIALECT_KS_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace ks {

/// Lets upstream's One-Shot Bufferize handle the KS ops. `outs` of a product is
/// overwritten and never read, and does not share a buffer with an input.
void registerBufferizableOpInterfaceExternalModels(
    mlir::DialectRegistry &registry);

} // namespace ks

#endif // KS_DIALECT_KS_TRANSFORMS_BUFFERIZABLEOPINTERFACEIMPL_H
