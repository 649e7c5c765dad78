# Finds LLVM and MLIR, sets the project's flags, and defines the helpers that
# libraries and tools are declared with.

if(NOT MLIR_DIR AND NOT LLVM_DIR)
  find_program(KS_LLVM_CONFIG NAMES llvm-config-22 llvm-config)
  if(KS_LLVM_CONFIG)
    execute_process(COMMAND ${KS_LLVM_CONFIG} --cmakedir
      OUTPUT_VARIABLE KS_LLVM_CMAKE_DIR OUTPUT_STRIP_TRAILING_WHITESPACE)
    list(APPEND CMAKE_PREFIX_PATH "${KS_LLVM_CMAKE_DIR}/../../..")
  endif()
endif()
find_package(MLIR 22.1 REQUIRED CONFIG)
message(STATUS "Using MLIR ${LLVM_PACKAGE_VERSION} in ${MLIR_DIR}")

list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
find_program(LLVM_TABLEGEN_EXE llvm-tblgen HINTS "${LLVM_TOOLS_BINARY_DIR}" REQUIRED)
include(TableGen)
include(AddLLVM)
include(AddMLIR)

set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(KS_CCACHE ccache)
if(KS_CCACHE)
  # Precompiled headers carry time stamps; these settings let ccache see past.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    env "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime" ${KS_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  find_program(KS_LLD NAMES ld.lld-22 ld.lld)
  if(KS_LLD)
    add_link_options("-fuse-ld=${KS_LLD}")
  endif()
endif()

add_compile_options(-Wall -Wextra -Wno-unused-parameter)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # `return std::move(error)` into an Expected is LLVM's idiom; not all
  # compilers move there by themselves.
  add_compile_options(-Wno-redundant-move)
endif()
if(KS_WERROR)
  add_compile_options(-Werror)
endif()

include_directories(
  "${PROJECT_SOURCE_DIR}/include" "${PROJECT_BINARY_DIR}/include")
# LLVM's headers are not ours to warn about.
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
separate_arguments(KS_LLVM_DEFINITIONS NATIVE_COMMAND ${LLVM_DEFINITIONS})
add_definitions(${KS_LLVM_DEFINITIONS})

# Libraries link against libMLIR and libLLVM, or, for the static programs, the
# archives; never both, because that splits LLVM's registries in two.
set(MLIR_LINK_MLIR_DYLIB ON)
set(LLVM_LINK_LLVM_DYLIB ON)
if(KS_STATIC)
  set(MLIR_LINK_MLIR_DYLIB OFF)
  set(LLVM_LINK_LLVM_DYLIB OFF)
  include(KSStatic)
endif()

# ks_link_mlir(TARGET PUBLIC|PRIVATE mlir-libs...)
function(ks_link_mlir name visibility)
  if(KS_STATIC)
    target_link_libraries(${name} ${visibility} ${ARGN})
  elseif(ARGN)
    target_link_libraries(${name} ${visibility} MLIR LLVM)
  endif()
endfunction()

# ks_add_library(NAME SOURCES... [LINK_LIBS PRIVATE|PUBLIC libs...]
#                [MLIR_LIBS libs...])
# A static library of the project: no exceptions, RTTI on, as LLVM itself.
function(ks_add_library name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS;MLIR_LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  add_library(KS::${name} ALIAS ${name})
  add_dependencies(${name} ks-headers)
  target_compile_options(${name} PRIVATE -fno-exceptions)
  target_include_directories(${name} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
    $<INSTALL_INTERFACE:include>)
  target_link_libraries(${name} PUBLIC ${ARG_LINK_LIBS})
  ks_link_mlir(${name} PUBLIC ${ARG_MLIR_LIBS})
  ks_precompile(${name})
  set_property(GLOBAL APPEND PROPERTY KS_LIBRARIES ${name})
endfunction()

# The headers that dominate compile time, compiled once for all.
function(ks_precompile name)
  if(NOT KS_ENABLE_PCH)
    return()
  endif()
  if(NOT TARGET ks-pch)
    file(WRITE "${PROJECT_BINARY_DIR}/pch.cpp" "")
    add_library(ks-pch OBJECT "${PROJECT_BINARY_DIR}/pch.cpp")
    target_compile_options(ks-pch PRIVATE -fno-exceptions)
    target_precompile_headers(ks-pch PRIVATE
      "$<$<COMPILE_LANGUAGE:CXX>:${PROJECT_SOURCE_DIR}/cmake/pch.h>")
  endif()
  target_precompile_headers(${name} REUSE_FROM ks-pch)
endfunction()
