//===- Passes.td - Transformations of KS products ----------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_TRANSFORMS_PASSES_TD
#define KS_DIALECT_KS_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def DecomposeToDense : Pass<"ks-decompose-to-dense"> {
  let summary = "state ks.to_dense as a chain applied to the identity";
  let description = [{
    Input: `ks.to_dense` on tensors or memrefs. Output: a `linalg.generic` that
    writes the identity, and a batch-last `ks.chain` applied to it.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::complex::ComplexDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def FuseElementwise : Pass<"ks-fuse-elementwise"> {
  let summary = "make elementwise ops around a product part of it";
  let description = [{
    Input: products on tensors, and elementwise ops of linalg around them. Output:
    the same products, with the ops behind them in their epilogues, and with
    conversions of their input in what they load.

    ```mlir
    %y = ks.matmul <6, 64, 64, 1> ins(%x, %k : ...) outs(%e : ...) -> tensor<?x384xf16>
    %b = linalg.broadcast ins(%bias : tensor<384xf16>) outs(%e : ...) dimensions = [0]
    %s = linalg.add ins(%y, %b : ...) outs(%e : ...) -> tensor<?x384xf16>
    %r = linalg.tanh ins(%s : ...) outs(%e : ...) -> tensor<?x384xf16>
    ```

    becomes

    ```mlir
    %r = ks.matmul <6, 64, 64, 1> ins(%x, %k : ...) outs(%e : ...)
           epilogue(%bias : tensor<384xf16>) {
           ^bb0(%acc: f32, %b: f16):
             %y = arith.truncf %acc : f32 to f16
             %s = arith.addf %y, %b : f16
             %t = math.tanh %s : f16
             %r = arith.extf %t : f16 to f32
             ks.yield %r : f32
           } -> tensor<?x384xf16>
    ```

    Numbers do not change: the value that the product would have stored is rounded
    as before, and so are all others. The result, and what else is read, may be of
    another real type than the product (C7), so that casts are absorbed, too.

    Absorbed is a `linalg.generic`, `map`, `elementwise` or named op without
    reductions that reads the result of the product, or of ops that are absorbed,
    at the places where it writes. Several are absorbed at once if one value
    remains that others read: `%y * sigmoid(%y)` may be five ops. What else they read becomes

    * an extra operand, if it has the shape of the result or is one per feature,
      also through `linalg.broadcast`, `transpose` and `copy`;
    * a constant in the epilogue, if it is the same for all elements: constants
      in and outside of the body, splats, and what `linalg.fill` makes of them.

    The result goes where the last op wrote. The product moves down to there, so
    that results of other products can be extra operands, too.

    In front of products, one conversion to another real type is absorbed if
    only products in the same block read its result, each of which converts then:

    ```mlir
    %c = linalg.generic ... ins(%x : tensor<?x384xf32>) ... { arith.truncf ... }
    %y = ks.matmul <6, 64, 64, 1> ins(%c, %k : ...) ...
    ```

    becomes `ks.matmul <6, 64, 64, 1> load_as(f16) ins(%x, %k : ...)`.

    Refused, and told by remarks (category `ks-fuse-elementwise`), are

    * ops whose operand is also read by others;
    * ops that reduce, or read the product at other places than they write;
    * operands that differ along the batch only, scalars that are not known, and
      operands or results of types that the product cannot have (C7, C15);
    * bodies that hold what an epilogue may not (C17), like `linalg.index`;
    * products that have a plan, which was chosen without the epilogue;
    * other ops in front of a product: they would be computed again for each panel
      of weights that reads an element.

    On memrefs nothing is absorbed.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::complex::ComplexDialect"
  ];
}

def FuseFactors : Pass<"ks-fuse-factors"> {
  let summary = "choose which factors share a kernel: one ks op per kernel";
  let description = [{
    Input: products on tensors. Output: one op for each kernel, `ks.matmul` or
    `ks.chain`; where factors are multiplied with each other, its weight is made
    by `ks.merge_weights`.

    A product joins the next one through an intermediate that nothing else uses,
    where layout, precision and batch agree; an epilogue ends what can be joined.
    The pass then asks `groupFactors` (ks/Analysis/FactorGrouping.h) for the
    fastest way to run the factors, with the planners' times of kernels:
    neighbours merged, all multiplied out to the dense matrix, or apart. On CPUs
    factors that follow each other are one kernel, a `ks.chain`. On GPUs the
    dense product may be cublasLt's, and on CPUs a BLAS's, if the target says so
    (`host:library=blas`); see `ks-select-plan`. Where the batch is known at run
    time only, one is assumed.

    Kernels of several factors that follow each other carry `ks.kernel`, so that
    canonicalization does not join them, until they have plans.

    Merging changes roundings and takes weights for what they were when they were
    packed. It needs both permissions: `fastmath<reassoc>` on the ops, and weights
    that are constants or arguments marked `ks.frozen`. Without them nothing is
    merged.

    Products that have a plan, packed weights or memrefs are left alone. Remarks
    (category `ks-fuse-factors`) tell what was chosen, and what the alternatives
    would have cost.

    A function can ask for another way than the one that is predicted to be the
    fastest, by its attribute `ks.kernels`: "apart", "ordered" (apart, with an order
    of features between them where there can be one), "fused" (all factors in one
    kernel, as they are) or "dense". Where there is no such kernel, or permissions
    are missing, the fastest way is taken.

    Refuses a target that the table (ks/Analysis/Target.h) does not know, and other
    ways than these.
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
  let options = [
    Option<"target", "target", "std::string", /*default=*/"\"host\"",
           "Machine to plan for: host, or a row of a target table">,
    Option<"threads", "threads", "int64_t", /*default=*/"0",
           "Threads to plan for; 0: those of the target">,
    Option<"batch", "batch", "int64_t", /*default=*/"0",
           "Batch to assume where it is not known; 0: the planner's choice">,
  ];
}

def SplitChains : Pass<"ks-split-chains"> {
  let summary = "one ks.matmul per factor of a chain";
  let description = [{
    Input: `ks.chain` on tensors or memrefs, without a plan. Output: a
    `ks.matmul` for each factor, with intermediates between them; the epilogue
    stays with the last. Numbers do not change: each factor's result is rounded
    to the element type either way. Chains that have a plan stay.
  }];
  let dependentDialects = [
    "::mlir::memref::MemRefDialect", "::mlir::tensor::TensorDialect"
  ];
}

def SelectPlan : Pass<"ks-select-plan"> {
  let summary = "choose how each KS product runs";
  let description = [{
    Input: products, on tensors or memrefs. Output: the same, each with a plan.

    The only pass that chooses. It asks the planner of the target's kind
    (ks/Analysis/CPUPlanner.h, ks/Analysis/GPUPlanner.h) for the problem that
    the op states; an op that has a plan keeps it, if the target can realize it.
    Remarks (category `ks-select-plan`) tell, per factor, what was chosen, what
    it is expected to cost, and what the next best would have cost. On GPUs a
    product has one factor (see `ks-split-chains`).

    A dense product, and on GPUs others whose matrices a library reads where they
    lie, gets a `#ks.library_plan` if the target may have a library and that is
    predicted to be clearly faster (ks/Analysis/LibraryCost.h) than our own
    kernel, whose plan it holds for where the library is missing.

    Where the batch is known at run time only, one is assumed. To have several
    plans of a function, each for a range of batches, run the pass on copies of
    it; a copy whose attribute `ks.main_plans` lists the plans of another one
    keeps these where they are hardly slower, and their packed weights where
    that costs little, so that weights need not be packed twice.

    Refuses a target that the table (ks/Analysis/Target.h) does not know.
  }];
  let options = [
    Option<"target", "target", "std::string", /*default=*/"\"host\"",
           "Machine to plan for: host, or a row of a target table">,
    Option<"threads", "threads", "int64_t", /*default=*/"0",
           "Threads to plan for; 0: those of the target">,
    Option<"batch", "batch", "int64_t", /*default=*/"0",
           "Batch to assume where it is not known; 0: the planner's choice">,
    Option<"rank", "rank", "int64_t", /*default=*/"0",
           "How many better plans to pass over on GPUs: for measurements">,
  ];
}

def PackWeights : Pass<"ks-pack-weights", "::mlir::ModuleOp"> {
  let summary = "bring weights into the layout that the plans name, once";
  let description = [{
    Input: functions with planned products, on tensors or memrefs.
    Output: every weight of such a product is packed by `ks.pack_weights`, and
    packing is moved out of the hot path, together with `ks.merge_weights` in
    front of it:

    * a constant weight is merged and folded into a packed constant;
    * where weights are arguments of a function `@f`, or are made from arguments
      and constants alone, that function is split:
      `@f_pack` packs all of them into destinations and is called once,
      `@f_packed` takes the packed weights and is the hot one, and `@f` calls
      both. `@f` carries the names of the two (`ks.pack`, `ks.packed`) and
      which of its arguments each of them takes first (`ks.pack_args`,
      `ks.packed_args`);
    * any other weight, and all weights on memrefs, are packed in place.
  }];
  let dependentDialects = [
    "::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def ResultsToArguments : Pass<"ks-results-to-arguments", "::mlir::ModuleOp"> {
  let summary = "let callers provide the memory of a function's results";
  let description = [{
    Input: functions on tensors that no other function calls. Output: each
    tensor result has an argument, behind the others, into which it is
    materialized (`bufferization.materialize_in_destination`); upstream's
    `eliminate-empty-tensors` then computes it in place.

    Such an argument carries `ks.result_dims`: for each dimension a pair
    (argument, dimension) that has the same size, or (-1, size) if static; a
    caller uses it to allocate. The pass refuses a function whose result has a
    dimension that is not a dimension of an argument.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
}

def Bufferize : Pass<"ks-bufferize", "::mlir::ModuleOp"> {
  let summary = "One-Shot Bufferize, with rows of any pitch at the boundaries";
  let description = [{
    Upstream's One-Shot Bufferize with function boundaries. A rank-2 tensor
    argument becomes `memref<.., strided<[?, 1], offset: ?>>`, so callers can
    pass rows of any pitch; other arguments become contiguous memrefs. Results
    that are equivalent to an argument are dropped, and allocations that stay
    are freed.
  }];
  let dependentDialects = [
    "::mlir::bufferization::BufferizationDialect",
    "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"
  ];
}

def WidenToF64 : Pass<"ks-widen-to-f64", "::mlir::ModuleOp"> {
  let summary = "the same program with all reals in f64: a reference";
  let description = [{
    Replaces f16, bf16 and f32 by f64 (and complex likewise) in all types and
    constants; conversions between them vanish. Plans are dropped, and
    precision tf32 with them. Followed by `convert-ks-to-linalg` it gives the
    result without roundings that `ks-run --verify` compares with.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif // KS_DIALECT_KS_TRANSFORMS_PASSES_TD
