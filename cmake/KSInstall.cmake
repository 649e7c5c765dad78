# Installs headers, libraries, tools and a CMake package:
#   find_package(KS CONFIG); target_link_libraries(app KS::KSPipelines)
# or, for what compiled layers need at run time, without LLVM:
#   find_package(KS CONFIG COMPONENTS Runtime)
#   target_link_libraries(app KS::KSRuntime)

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(KS_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/KS")

# The runtime is a set of its own, so that it can be found without LLVM.
get_property(ks_libraries GLOBAL PROPERTY KS_LIBRARIES)
set(ks_runtime_libraries KSRuntime)
foreach(ks_library IN ITEMS KSRuntimeC KSMgpuRuntime)
  if(TARGET ${ks_library})
    list(APPEND ks_runtime_libraries ${ks_library})
  endif()
endforeach()
install(TARGETS ${ks_runtime_libraries} EXPORT KSRuntimeTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS ${ks_libraries} EXPORT KSTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(ks_set IN ITEMS KSRuntimeTargets KSTargets)
  install(EXPORT ${ks_set} NAMESPACE KS:: DESTINATION ${KS_CMAKE_DIR})
  # Users of the build tree find it here.
  export(EXPORT ${ks_set} NAMESPACE KS::
    FILE "${PROJECT_BINARY_DIR}/lib/cmake/KS/${ks_set}.cmake")
endforeach()

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" "${PROJECT_BINARY_DIR}/include/"
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.inc"
  PATTERN "CMakeFiles" EXCLUDE)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION share/doc/ks)

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/KSConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/lib/cmake/KS/KSConfig.cmake"
  INSTALL_DESTINATION ${KS_CMAKE_DIR})
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/lib/cmake/KS/KSConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/lib/cmake/KS/KSConfig.cmake"
  "${PROJECT_BINARY_DIR}/lib/cmake/KS/KSConfigVersion.cmake"
  DESTINATION ${KS_CMAKE_DIR})
