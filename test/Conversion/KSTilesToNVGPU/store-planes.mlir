// Results of neighbouring groups as planes, and of neighbouring columns in one register.

// RUN: ks-opt %s --convert-ks-tiles-to-nvgpu --canonicalize | FileCheck %s

gpu.module @kernels {
  // Eight groups are eight neighbours in k: 16 bytes of each of four columns, for two tiles of
  // entries.
  // CHECK-LABEL: gpu.func @planes(
  // CHECK-COUNT-8:   vector.store {{.*}} : memref<1x1x1056x32xf16, #gpu.address_space<workgroup>>, vector<8xf16>
  //     CHECK-NOT:   vector.store
  gpu.func @planes(%planes: memref<1x1x1056x32xf16, #gpu.address_space<workgroup>>, %y: vector<1x2x2x2xf16>, %i: index, %row: index) kernel {
    ks.store_planes %y, %y, %y, %y, %y, %y, %y, %y to %planes[%i, %row] columns 16
      : vector<1x2x2x2xf16>, vector<1x2x2x2xf16>, vector<1x2x2x2xf16>, vector<1x2x2x2xf16>,
        vector<1x2x2x2xf16>, vector<1x2x2x2xf16>, vector<1x2x2x2xf16>, vector<1x2x2x2xf16>
      to memref<1x1x1056x32xf16, #gpu.address_space<workgroup>>
    gpu.return
  }

  // Of redundancy 2 a group has two neighbours: with two groups, 8 bytes.
  // CHECK-LABEL: gpu.func @redundant(
  // CHECK-COUNT-4:   vector.store {{.*}}, vector<4xf16>
  //     CHECK-NOT:   vector.store
  gpu.func @redundant(%planes: memref<1x1x528x64xf16, #gpu.address_space<workgroup>>, %y: vector<1x2x2x2xf16>, %i: index, %row: index) kernel {
    ks.store_planes %y, %y to %planes[%i, %row] columns 8
      : vector<1x2x2x2xf16>, vector<1x2x2x2xf16>
      to memref<1x1x528x64xf16, #gpu.address_space<workgroup>>
    gpu.return
  }

  // Both columns are rounded together, and stay so.
  // CHECK-LABEL: gpu.func @interleave(
  //       CHECK:   arith.truncf %{{.*}} : vector<4xf32> to vector<4xf16>
  // CHECK-COUNT-2: nvvm.shfl.sync bfly
  gpu.func @interleave(%out: memref<1x1x1x4xf16>, %sum: vector<2x1x1x2xf32>) kernel {
    %y = ks.interleave_columns %sum : vector<2x1x1x2xf32> to vector<1x1x1x4xf16>
    %v = vector.extract %y[0, 0, 0] : vector<4xf16> from vector<1x1x1x4xf16>
    %c0 = arith.constant 0 : index
    vector.store %v, %out[%c0, %c0, %c0, %c0] : memref<1x1x1x4xf16>, vector<4xf16>
    gpu.return
  }
}
