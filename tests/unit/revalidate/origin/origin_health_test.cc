#include "revalidate/origin/origin_health.h"

#include <gtest/gtest.h>

namespace freshet::revalidate {
namespace {

TEST(OriginHealth, CountsFailuresInARowUntilAnAnswer) {
  OriginHealth health("http://origin.test:80");
  EXPECT_EQ(health.last_failure(), "");
  health.failed({OriginFailure::kConnect, "refused"});
  health.failed({OriginFailure::kTimeout, "no response in time"});
  EXPECT_EQ(health.failures_in_a_row(), 2U);
  EXPECT_EQ(health.last_failure(), "too slow: no response in time");
  health.answered();
  EXPECT_EQ(health.failures_in_a_row(), 0U);
}

TEST(OriginHealth, FaultsOfClientsAndOurOwnSayNothingAboutTheOrigin) {
  OriginHealth health("http://origin.test:80");
  health.failed({OriginFailure::kUploadFailed, "x"});
  health.failed({OriginFailure::kLocal, "x"});
  EXPECT_EQ(health.failures_in_a_row(), 0U);
}

}  // namespace
}  // namespace freshet::revalidate
