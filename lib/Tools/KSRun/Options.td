//===- Options.td - Command line of ks-run -----------------*- tablegen -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "llvm/Option/OptParser.td"

class Switch<string name, string help>
    : Option<["--"], name, KIND_FLAG>, HelpText<help>;

/// `--name value` and `--name=value`.
multiclass Value<string name, string meta, string help> {
  def NAME : Separate<["--"], name>, HelpText<help>, MetaVarName<meta>;
  def NAME#_eq : Joined<["--"], name#"=">, Alias<!cast<Separate>(NAME)>;
}

def help : Switch<"help", "Show this text">;
def h : Option<["-"], "h", KIND_FLAG>, Alias<help>;

defm entry : Value<"entry", "NAME", "Function to run (default: the only one)">;
defm arg : Value<"arg", "x.npy", "Argument, in order; without any, random ones are made">;
defm out : Value<"out", "y.npy", "Where to write a result, in order">;
defm chain : Value<"chain", "a,b,c,d;...", "Instead of a file: the patterns, in the order of application">;
defm batch : Value<"batch", "N|any", "Batch, for --chain and for random arguments (default 512); any: the program of --chain is for any batch">;
defm type : Value<"type", "T", "Element type for --chain: f16, bf16, f32 (default), f64, c64, c128">;
defm layout : Value<"layout", "first|last", "Where the batch is, for --chain (default first)">;
defm precision : Value<"precision", "ieee|tf32", "Precision of f32, for --chain (default ieee)">;
def frozen : Switch<"frozen", "For --chain: weights do not change after packing">;
def reassoc : Switch<"reassoc", "For --chain: factors may be multiplied with each other, if they are frozen">;
defm kernels : Value<"kernels", "apart|ordered|fused|dense", "How factors of --chain share kernels (default: as is predicted to be the fastest)">;
defm tied : Value<"tied", "a;d;ad;-", "Per factor, the axes along which its weight is shared">;
defm seed : Value<"seed", "N", "Seed of random arguments (default 1)">;
defm target : Value<"target", "NAME", "Machine: host (default), a kind of CPU, cuda (the GPU of this machine), sm_80 and later (compiles only; several, with commas, for --emit artifact)">;
defm threads : Value<"threads", "N", "Threads (default: all cores)">;
defm opt_level : Value<"opt-level", "0..3", "LLVM's optimization level (default 2)">;
def verify : Switch<"verify", "Compare the results with the same program in f64">;
def time : Switch<"time", "Time it, against the floor of this machine">;
def json : Switch<"json", "Print all figures as one JSON object">;
defm emit : Value<"emit", "RUNG", "Print the IR at a rung and stop: math, kernels, plans, buffers, tiles, machine, binary; or artifact, with -o">;
def o : Separate<["-"], "o">, HelpText<"Where --emit artifact goes">, MetaVarName<"layer.ks">;
def no_cubin : Switch<"no-cubin", "Do not assemble: artefacts hold PTX alone">;
defm plan : Value<"plan", "#ks.gpu_plan<...>", "Plan for products that have none, instead of the planner's">;
defm plans : Value<"plans", "N", "List the N best-ranked plans of a factor, and what they are predicted to take; with --target cuda, time them">;
