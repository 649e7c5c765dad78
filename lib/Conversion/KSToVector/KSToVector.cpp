#include "ks/Conversion/Passes.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Math/IR/Math.h"
namespace ks {
#define GEN_PASS_DEF_CONVERTKSTOVECTOR
#include "ks/Conversion/Passes.h.inc"
} // namespace ks
namespace {
struct ConvertKSToVectorPass
    : ks::impl::ConvertKSToVectorBase<ConvertKSToVectorPass> {
  void runOnOperation() override {}
};
} // namespace
