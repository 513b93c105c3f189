// The log of invalidations on a disk that fails: a purge that could not be written is in effect, is said not
// to be durable, and is on disk as soon as the disk works again, without a restart.
#include <filesystem>
#include <gtest/gtest.h>
#include <set>

#include "storage/invalidation/invalidation_queue.h"
#include "storage/rocksdb/invalidation_database.h"
#include "tests/support/fault_env.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

using tests::Fault;
using tests::FileKind;
using tests::FileOp;
using What = Fault::What;

struct FaultCase {
  std::string name;
  Fault fault;
};

class InvalidationFaults : public testing::TestWithParam<FaultCase> {
 protected:
  InvalidationFaults() { open(); }
  void TearDown() override { env_.clear(); }

  void open() {
    auto opened = InvalidationDatabase::open({directory(), env_.env()});
    ASSERT_TRUE(opened.ok()) << opened.error();
    log_ = opened.take();
    generations_.restore({});
    queue_ = std::make_unique<InvalidationQueue>(
        generations_, log_.get(), counters_,
        InvalidationQueueOptions{Milliseconds{3'600'000}, Milliseconds{3'600'000}}, nullptr);
  }
  void close() {
    queue_ = nullptr;
    log_ = nullptr;
  }
  [[nodiscard]] std::string directory() const { return directory_.path() + "/invalidations"; }
  Acknowledgement purge(const std::string& tag) {
    Acknowledgement answer;
    queue_->purge({{{ScopeKind::kTag, tag}}, Strength::kHard}, executor_,
                  [&](const Acknowledgement& given) { answer = given; });
    queue_->settle();
    executor_.run();
    return answer;
  }
  // The tags that a log in that directory has.
  static std::set<std::string> tags_in(const std::string& path) {
    auto opened = InvalidationDatabase::open({path});
    EXPECT_TRUE(opened.ok()) << opened.error();
    std::set<std::string> tags;
    if (!opened.ok()) return tags;
    const std::vector<ScopeRecord> records = opened.value()->records().take();
    for (const ScopeRecord& each : records) tags.insert(each.text);
    return tags;
  }
  // After a power cut at this moment, at which nothing is left of what was not synced.
  [[nodiscard]] std::set<std::string> tags_after_power_cut() {
    const std::string left = directory_.path() + "/left" + std::to_string(++cuts_);
    env_.copy_as_after_power_cut(directory(), left, 0);
    return tags_in(left);
  }

  TemporaryDirectory directory_;
  tests::FaultEnv env_;
  Counters counters_;
  Generations generations_{1};
  tests::ManualExecutor executor_;
  std::unique_ptr<InvalidationDatabase> log_;
  std::unique_ptr<InvalidationQueue> queue_;
  int cuts_ = 0;
};

using Tags = std::set<std::string>;

TEST_P(InvalidationFaults, WhatCouldNotBeWrittenIsWrittenWhenTheFaultHasPassed) {
  EXPECT_TRUE(purge("before").durable);
  for (int time = 0; time < 2; ++time) {
    const std::string number = std::to_string(time);
    env_.inject(GetParam().fault);
    for (const std::string name : {"a", "b", "c"}) {
      const Acknowledgement answer = purge(name + number);
      EXPECT_FALSE(answer.durable);
      EXPECT_FALSE(answer.error.empty());
      EXPECT_EQ(answer.sequence, generations_.current()) << "in effect";
      EXPECT_TRUE(queue_->failing());
    }
    env_.clear();
    queue_->settle();
    EXPECT_FALSE(queue_->failing());
    EXPECT_TRUE(purge("after" + number).durable);
  }
  const Tags all{"before", "a0", "b0", "c0", "after0", "a1", "b1", "c1", "after1"};
  EXPECT_EQ(tags_after_power_cut(), all);
  close();
  EXPECT_EQ(tags_in(directory()), all);
}

TEST_P(InvalidationFaults, WhatWasAcknowledgedBeforeOutlivesAPowerCutDuringIt) {
  EXPECT_TRUE(purge("before").durable);
  env_.inject(GetParam().fault);
  EXPECT_FALSE(purge("during").durable);
  const Tags left = tags_after_power_cut();
  EXPECT_EQ(left.count("before"), 1U);
  EXPECT_FALSE(std::filesystem::exists(directory() + ".damaged"));
  env_.clear();
}

// That passes: nothing is set aside, nothing forgotten.
TEST_P(InvalidationFaults, ALogThatCannotBeOpenedNowIsAnError) {
  EXPECT_TRUE(purge("before").durable);
  close();
  env_.inject({GetParam().fault.what, {}, {}});
  const auto opened = InvalidationDatabase::open({directory(), env_.env()});
  EXPECT_FALSE(opened.ok());
  env_.clear();
  EXPECT_FALSE(std::filesystem::exists(directory() + ".damaged"));
  EXPECT_EQ(tags_in(directory()), Tags{"before"});
}

class InvalidationFiles : public InvalidationFaults {};

TEST_P(InvalidationFiles, WhatIsWrittenToFilesThatAreGoneIsNotDurable) {
  EXPECT_TRUE(purge("before").durable);
  const std::string& how = GetParam().name;
  if (how == "Moved") {
    std::filesystem::rename(directory(), directory() + ".away");
  } else {
    std::filesystem::remove_all(directory());
  }
  if (how == "RemovedAndMadeAnew") std::filesystem::create_directory(directory());
  if (how == "RemovedAndAnothers") {
    EXPECT_EQ(tags_in(directory() + ".others"), Tags{});
    std::filesystem::rename(directory() + ".others", directory());
  }
  for (const std::string name : {"a", "b"}) {
    const Acknowledgement answer = purge(name);
    EXPECT_FALSE(answer.durable);
    EXPECT_NE(answer.error.find(directory() + " were removed"), std::string::npos) << answer.error;
    EXPECT_EQ(answer.sequence, generations_.current()) << "in effect";
    EXPECT_TRUE(queue_->failing());
  }
  if (how == "RemovedAndAnothers") {
    EXPECT_EQ(tags_in(directory()), Tags{});
  } else if (how != "RemovedAndMadeAnew") {
    EXPECT_FALSE(std::filesystem::exists(directory())) << "nothing is made anew";
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, InvalidationFiles,
                         testing::Values(FaultCase{"Removed", {}}, FaultCase{"RemovedAndMadeAnew", {}},
                                         FaultCase{"RemovedAndAnothers", {}}, FaultCase{"Moved", {}}),
                         [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Faults, InvalidationFaults,
    testing::Values(FaultCase{"FullAtWrite", {What::kNoSpace, {FileOp::kWrite}, {FileKind::kLog}}},
                    FaultCase{"FullEverywhere", {What::kNoSpace, {}, {}}},
                    FaultCase{"ErrorAtWrite", {What::kIoError, {FileOp::kWrite}, {FileKind::kLog}}},
                    FaultCase{"ErrorAtSync", {What::kIoError, {FileOp::kSync}, {FileKind::kLog}}},
                    FaultCase{"ErrorEverywhere", {What::kIoError, {}, {}}},
                    FaultCase{"HalfWritten", {What::kHalfWritten, {FileOp::kWrite}, {FileKind::kLog}}}),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace freshet::storage
