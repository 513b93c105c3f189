#include "proxy/reload.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

using Names = std::vector<std::string>;

// An edge whose configuration is `read`, and which takes what it is given, now or when apply_now() says so.
class ReloadTest : public testing::Test {
 protected:
  ReloadDone told() {
    return [this](const ReloadReply& reply) { replies_.push_back(reply); };
  }

  Settings now_;
  Settings read_;
  std::vector<std::string> wrong_in_file_;
  std::vector<std::string> wrong_in_edge_;
  std::vector<std::function<void()>> applied_;
  std::vector<ReloadReply> replies_;
  Reload reload_{now_,
                 [this]() -> std::variant<Settings, std::vector<std::string>> {
                   if (!wrong_in_file_.empty()) return wrong_in_file_;
                   return read_;
                 },
                 [this](const Settings&, std::function<void()> applied) {
                   if (wrong_in_edge_.empty()) applied_.push_back(std::move(applied));
                   return wrong_in_edge_;
                 }};
};

TEST_F(ReloadTest, WhatIsAppliedHoldsWhenAllHaveIt) {
  read_.cache.status_key = true;
  reload_.ask("SIGHUP", told());
  EXPECT_TRUE(replies_.empty());
  EXPECT_FALSE(now_.cache.status_key);
  applied_.at(0)();
  ASSERT_EQ(replies_.size(), 1U);
  EXPECT_TRUE(replies_[0].applied);
  EXPECT_EQ(replies_[0].changed, Names{"cache.status_key"});
  EXPECT_TRUE(now_.cache.status_key);
  EXPECT_EQ(reload_.applied(), 1);
  EXPECT_EQ(reload_.refused(), 0);
}

TEST_F(ReloadTest, EveryMistakeIsToldAndNothingIsApplied) {
  wrong_in_file_ = {"a.toml:1: x", "a.toml:2: y"};
  reload_.ask("SIGHUP", told());
  ASSERT_EQ(replies_.size(), 1U);
  EXPECT_FALSE(replies_[0].applied);
  EXPECT_EQ(replies_[0].errors, wrong_in_file_);
  EXPECT_TRUE(applied_.empty());
  EXPECT_EQ(reload_.refused(), 1);
}

TEST_F(ReloadTest, WhatTheEdgeRefusesChangesNothing) {
  wrong_in_edge_ = {"server.listen: cannot listen"};
  read_.cache.status_key = true;
  reload_.ask("SIGHUP", told());
  ASSERT_EQ(replies_.size(), 1U);
  EXPECT_EQ(replies_[0].errors, wrong_in_edge_);
  EXPECT_FALSE(now_.cache.status_key);
  wrong_in_edge_.clear();
  reload_.ask("SIGHUP", told());
  applied_.at(0)();
  EXPECT_TRUE(replies_.at(1).applied);
}

TEST_F(ReloadTest, ASettingThatOnlyARestartChangesIsRefusedByName) {
  read_.server.workers = now_.server.workers + 1;
  read_.cache.status_key = true;
  reload_.ask("SIGHUP", told());
  ASSERT_EQ(replies_.size(), 1U);
  EXPECT_EQ(replies_[0].errors,
            Names{"server.workers: changes with a restart alone (0 now, 1 in the configuration)"});
  EXPECT_TRUE(applied_.empty());
}

TEST_F(ReloadTest, ASecretIsNotTold) {
  read_.admin.token = "hunter2hunter2";
  reload_.ask("SIGHUP", told());
  ASSERT_EQ(replies_.at(0).errors.size(), 1U);
  EXPECT_NE(replies_[0].errors[0].find("admin.token: changes with a restart alone"), std::string::npos)
      << replies_[0].errors[0];
  EXPECT_EQ(replies_[0].errors[0].find("hunter2"), std::string::npos) << replies_[0].errors[0];
}

TEST_F(ReloadTest, OneAfterAnotherEachReadAnew) {
  reload_.ask("SIGHUP", told());
  reload_.ask("SIGHUP", told());
  ASSERT_EQ(applied_.size(), 1U);
  read_.cache.status_key = true;
  applied_[0]();
  ASSERT_EQ(applied_.size(), 2U);
  applied_[1]();
  ASSERT_EQ(replies_.size(), 2U);
  EXPECT_TRUE(replies_[0].changed.empty());
  EXPECT_EQ(replies_[1].changed, Names{"cache.status_key"});
}

TEST_F(ReloadTest, AnEdgeThatStopsRefuses) {
  reload_.ask("SIGHUP", told());
  reload_.ask("SIGHUP", told());
  reload_.stop();
  ASSERT_EQ(replies_.size(), 1U);
  EXPECT_FALSE(replies_[0].applied);
  reload_.ask("SIGHUP", told());
  EXPECT_EQ(replies_.at(1).errors, Names{"the edge is stopping"});
  applied_.at(0)();
  EXPECT_TRUE(replies_.at(2).applied);
}

}  // namespace
}  // namespace freshet::proxy
