// Plans that do not fit the product that carries them: C18 of ks.chain.

// RUN: ks-opt %s --verify-diagnostics --split-input-file

func.func @number_of_tiles(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.chain' op plan does not fit: it has 1 tiles; expected one for each of 2 factors}}
  ks.chain [<1, 6, 6, 1>, <1, 6, 6, 1>]
    ins(%x, %k, %k : memref<?x6xf32>, memref<1x6x6x1xf32>, memref<1x6x6x1xf32>)
    outs(%y : memref<?x6xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 6, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 6, n = 6, j = 1>>]>
  return
}

// -----

func.func @too_many_tiles(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: it has 2 tiles; expected one for each of 1 factors}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 6, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 6, n = 6, j = 1>>,
      <rows = 1, vectors = 1, lanes = 6, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 6, n = 6, j = 1>>]>
  return
}

// -----

func.func @j_beyond_d(%x: memref<?x12xf32>, %k: memref<1x6x6x2xf32>, %y: memref<?x12xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: tile of factor 0 has packing.j = 4; expected at most d = 2}}
  ks.matmul <1, 6, 6, 2>
    ins(%x, %k : memref<?x12xf32>, memref<1x6x6x2xf32>) outs(%y : memref<?x12xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 4, n = 1, j = 4>>]>
  return
}

// -----

// The second of two factors.

func.func @n_beyond_b(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %k1: memref<1x3x6x1xf32>,
                      %y: memref<?x3xf32>) {
  // expected-error @+1 {{'ks.chain' op plan does not fit: tile of factor 1 has packing.vectors*packing.n = 4; expected at most b = 3}}
  ks.chain [<1, 6, 6, 1>, <1, 3, 6, 1>]
    ins(%x, %k, %k1 : memref<?x6xf32>, memref<1x6x6x1xf32>, memref<1x3x6x1xf32>)
    outs(%y : memref<?x3xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 3, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 3, lanes = 2, n = 2, j = 1>>,
      <rows = 1, vectors = 2, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 2, lanes = 2, n = 2, j = 1>>]>
  return
}

// -----

func.func @unroll(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: tile of factor 0 has unroll = 4; expected a divisor of c = 6}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 1, lanes = 6, unroll = 4, stationary = weights,
       packing = <vectors = 1, lanes = 6, n = 6, j = 1>>]>
  return
}

// -----

func.func @batch_first_vectors(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: tile of factor 0 has vectors x lanes = 2 x 2; expected those of its packing, 3 x 2, because the layout is batch_first}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 2, lanes = 2, unroll = 1, stationary = weights,
       packing = <vectors = 3, lanes = 2, n = 2, j = 1>>]>
  return
}

// -----

func.func @batch_first_lanes(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: tile of factor 0 has vectors x lanes = 3 x 4; expected those of its packing, 3 x 2, because the layout is batch_first}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 1, vectors = 3, lanes = 4, unroll = 1, stationary = weights,
       packing = <vectors = 3, lanes = 2, n = 2, j = 1>>]>
  return
}

// -----

func.func @batch_last_vectors(%x: memref<6x?xf32>, %k: memref<1x6x6x1xf32>, %y: memref<6x?xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: tile of factor 0 has packing #ks.cpu_packing<vectors = 2, lanes = 3, n = 3, j = 1>; expected vectors = 1, j = 1 and n = lanes = rows = 3, because the layout is batch_last}}
  ks.matmul <1, 6, 6, 1> layout(batch_last)
    ins(%x, %k : memref<6x?xf32>, memref<1x6x6x1xf32>) outs(%y : memref<6x?xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 3, vectors = 2, lanes = 8, unroll = 1, stationary = weights,
       packing = <vectors = 2, lanes = 3, n = 3, j = 1>>]>
  return
}

// -----

func.func @batch_last_j(%x: memref<12x?xf32>, %k: memref<1x6x6x2xf32>, %y: memref<12x?xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: tile of factor 0 has packing #ks.cpu_packing<vectors = 1, lanes = 6, n = 3, j = 2>; expected vectors = 1, j = 1 and n = lanes = rows = 3, because the layout is batch_last}}
  ks.matmul <1, 6, 6, 2> layout(batch_last)
    ins(%x, %k : memref<12x?xf32>, memref<1x6x6x2xf32>) outs(%y : memref<12x?xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 3, vectors = 2, lanes = 8, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 6, n = 3, j = 2>>]>
  return
}

// -----

func.func @batch_last_rows(%x: memref<6x?xf32>, %k: memref<1x6x6x1xf32>, %y: memref<6x?xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: tile of factor 0 has packing #ks.cpu_packing<vectors = 1, lanes = 3, n = 3, j = 1>; expected vectors = 1, j = 1 and n = lanes = rows = 2, because the layout is batch_last}}
  ks.matmul <1, 6, 6, 1> layout(batch_last)
    ins(%x, %k : memref<6x?xf32>, memref<1x6x6x1xf32>) outs(%y : memref<6x?xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch, tiles = [
      <rows = 2, vectors = 2, lanes = 8, unroll = 1, stationary = weights,
       packing = <vectors = 1, lanes = 3, n = 3, j = 1>>]>
  return
}

// -----

func.func @stationary_group(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: tile of factor 0 keeps activations stationary while groups or panels are parallel; expected stationary = weights, or parallel = batch}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = group, tiles = [
      <rows = 1, vectors = 3, lanes = 2, unroll = 1, stationary = activations,
       packing = <vectors = 3, lanes = 2, n = 2, j = 1>>]>
  return
}

// -----

func.func @stationary_panel(%x: memref<?x6xf32>, %k: memref<1x6x6x1xf32>, %y: memref<?x6xf32>) {
  // expected-error @+1 {{'ks.matmul' op plan does not fit: tile of factor 0 keeps activations stationary while groups or panels are parallel; expected stationary = weights, or parallel = batch}}
  ks.matmul <1, 6, 6, 1>
    ins(%x, %k : memref<?x6xf32>, memref<1x6x6x1xf32>) outs(%y : memref<?x6xf32>)
    plan #ks.cpu_plan<batch_block = 8, parallel = batch|panel, tiles = [
      <rows = 1, vectors = 3, lanes = 2, unroll = 1, stationary = activations,
       packing = <vectors = 3, lanes = 2, n = 2, j = 1>>]>
  return
}
