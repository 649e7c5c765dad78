// Sums of blocks that share k, through the shared memory of a cluster.

// RUN: ks-opt %s --pass-pipeline="builtin.module(gpu.module(convert-ks-tiles-to-nvgpu,cse))" | FileCheck %s

gpu.module @kernels {
  // A lane's vectors are 512 bytes apart.
  // CHECK-LABEL: gpu.func @store(
  // CHECK-COUNT-4: vector.store {{.*}} {alignment = 16 : i64} : memref<2x4x32x4xf32, 3>, vector<4xf32>
  //   CHECK-NOT:   vector.store
  gpu.func @store(%parts: memref<2x4x32x4xf32, 3>, %warp: index) kernel {
    %acc = arith.constant dense<1.0> : vector<1x2x2x4xf32>
    ks.store_partials %acc, %parts[%warp] : vector<1x2x2x4xf32> to memref<2x4x32x4xf32, 3>
    gpu.return
  }

  // Of one tile of n, both tiles of m of both blocks, in the order of the blocks.
  // CHECK-LABEL: gpu.func @add(
  //       CHECK:   %[[FIRST:.*]] = nvvm.mapa %[[OWN:.*]], %{{.*}} : !llvm.ptr<3> -> !llvm.ptr<7>
  //       CHECK:   llvm.getelementptr %[[FIRST]][0]
  //       CHECK:   %[[A:.*]] = llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<7> -> vector<4xf32>
  //       CHECK:   llvm.getelementptr %[[FIRST]][512]
  //       CHECK:   %[[B:.*]] = llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<7> -> vector<4xf32>
  //       CHECK:   %[[SECOND:.*]] = nvvm.mapa %[[OWN]], %{{.*}} : !llvm.ptr<3> -> !llvm.ptr<7>
  //       CHECK:   llvm.getelementptr %[[SECOND]][0]
  //       CHECK:   %[[C:.*]] = llvm.load
  //       CHECK:   arith.addf %[[A]], %[[C]] : vector<4xf32>
  //       CHECK:   llvm.getelementptr %[[SECOND]][512]
  //       CHECK:   %[[D:.*]] = llvm.load
  //       CHECK:   arith.addf %[[B]], %[[D]] : vector<4xf32>
  gpu.func @add(%parts: memref<2x4x32x4xf32, 3>, %warp: index, %rank: index, %out: memref<64xf32>) kernel {
    %c = arith.constant 0 : index
    %sum = ks.add_partials %parts[%warp] share %rank of 2 : memref<2x4x32x4xf32, 3> to vector<1x1x2x4xf32>
    %e = vector.extract %sum[0, 0, 0] : vector<4xf32> from vector<1x1x2x4xf32>
    vector.store %e, %out[%c] : memref<64xf32>, vector<4xf32>
    %f = vector.extract %sum[0, 0, 1] : vector<4xf32> from vector<1x1x2x4xf32>
    vector.store %f, %out[%c] : memref<64xf32>, vector<4xf32>
    gpu.return
  }
}
