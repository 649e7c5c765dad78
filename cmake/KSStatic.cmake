# KS_STATIC: programs and C libraries that hold LLVM themselves, and of shared
# libraries need only libc's: for machines without LLVM, and for wheels. What a
# GPU needs, its driver, is opened at run time. The archives' imported targets name the shared libraries (libMLIR,
# libLLVM, z3) in their interfaces; those are taken out, because a program that
# mixes both has two of every LLVM registry.

find_library(KS_ZSTD_ARCHIVE libzstd.a REQUIRED)
find_library(KS_ZLIB_ARCHIVE libz.a REQUIRED)

get_property(ks_imported DIRECTORY "${PROJECT_SOURCE_DIR}" PROPERTY IMPORTED_TARGETS)
foreach(ks_target IN LISTS ks_imported)
  if(NOT ks_target MATCHES "^(MLIR|LLVM)")
    continue()
  endif()
  get_target_property(ks_libraries ${ks_target} INTERFACE_LINK_LIBRARIES)
  if(NOT ks_libraries)
    continue()
  endif()
  list(REMOVE_ITEM ks_libraries LLVM MLIR)
  list(FILTER ks_libraries EXCLUDE REGEX "libz3")
  list(TRANSFORM ks_libraries REPLACE "^zstd::.*" "${KS_ZSTD_ARCHIVE}")
  list(TRANSFORM ks_libraries REPLACE "^ZLIB::ZLIB$" "${KS_ZLIB_ARCHIVE}")
  set_target_properties(${ks_target} PROPERTIES
    INTERFACE_LINK_LIBRARIES "${ks_libraries}")
endforeach()

# The LLVM archives that MLIR's need, with code generation for this machine
# and for NVIDIA's GPUs.
llvm_map_components_to_libnames(KS_LLVM_ARCHIVES
  analysis bitreader bitwriter core frontendoffloading frontendopenmp irreader
  linker mcjit native nvptxcodegen nvptxdesc nvptxinfo object option orcjit passes
  perfjitevents support target targetparser transformutils)

# ks_make_static(TARGET): links a program or a shared library with LLVM in it.
function(ks_make_static name)
  target_link_libraries(${name} PRIVATE ${KS_LLVM_ARCHIVES})
  target_link_options(${name} PRIVATE
    -static-libstdc++ -static-libgcc LINKER:--gc-sections -s)
endfunction()
