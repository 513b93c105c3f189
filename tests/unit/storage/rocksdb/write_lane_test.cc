// The lane alone, with a store that only notes what is asked of it.
#include "storage/rocksdb/write_lane.h"

#include <future>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace freshet::storage {
namespace {

// What happened, in order; the lane's thread while it runs, the test's when it has stopped.
using Events = std::vector<std::string>;

struct Says {
  std::string name;
  bool reads = false;
  std::uint64_t bytes = 0;
};

class Noted final : public Change {
 public:
  Noted(Says says, Events& events) : says_(std::move(says)), events_(events) {}
  [[nodiscard]] bool reads() const override { return says_.reads; }
  [[nodiscard]] std::uint64_t room_needed() const override { return says_.bytes; }
  void prepare(bool room, Database::Batch& batch) override {
    events_.push_back((room ? "prepare " : "no room ") + says_.name);
    if (room) batch.head_deletes.push_back(says_.name);
  }
  void finish(bool written) override { events_.push_back((written ? "done " : "failed ") + says_.name); }

 private:
  const Says says_;
  Events& events_;
};

class WriteLaneTest : public testing::Test {
 protected:
  WriteLaneTest()
      : lane_({[this](std::uint64_t bytes) { return bytes <= room_; },
               [this](const Change&) {
                 events_.emplace_back("waits");
                 return false;
               },
               [this](const Database::Batch& batch) {
                 std::string names;
                 for (const std::string& each : batch.head_deletes) names += " " + each;
                 events_.push_back("write" + names);
                 return works_;
               }},
              Milliseconds{3'600'000}) {}

  // So that all of them wait when the lane comes to them.
  void make(const std::vector<Says>& changes) {
    hold_.lock();
    lane_.post([this] { const std::lock_guard<std::mutex> held(hold_); });
    lane_.hurry();
    for (const Says& each : changes) lane_.post(std::make_unique<Noted>(each, events_));
    hold_.unlock();
    lane_.stop();
  }

  Events events_;
  bool works_ = true;
  std::uint64_t room_ = 1 << 30;
  std::mutex hold_;
  WriteLane lane_;
};

TEST_F(WriteLaneTest, WhatWaitsIsOneWrite) {
  make({{"a"}, {"b"}, {"c"}});
  EXPECT_EQ(events_,
            (Events{"prepare a", "prepare b", "prepare c", "write a b c", "done a", "done b", "done c"}));
}

TEST_F(WriteLaneTest, WhoReadsFindsWhatCameBeforeAndIsWrittenAlone) {
  make({{"a"}, {"b"}, {"reader", true}, {"c"}});
  EXPECT_EQ(events_, (Events{"prepare a", "prepare b", "write a b", "done a", "done b", "prepare reader",
                             "write reader", "done reader", "prepare c", "write c", "done c"}));
}

TEST_F(WriteLaneTest, AFailureIsToldToAllOfTheBatch) {
  works_ = false;
  make({{"a"}, {"b"}});
  EXPECT_EQ(events_, (Events{"prepare a", "prepare b", "write a b", "failed a", "failed b"}));
}

TEST_F(WriteLaneTest, ABatchIsBounded) {
  const std::uint64_t half = 200 * 1024;
  make({{"a", false, half}, {"b", false, half}, {"c", false, half}});
  EXPECT_EQ(events_, (Events{"prepare a", "prepare b", "write a b", "done a", "done b", "prepare c",
                             "write c", "done c"}));
}

// What is prepared needs its room too, and does not wait with who waits for some.
TEST_F(WriteLaneTest, NothingWaitsWithWhoFindsNoRoom) {
  room_ = 1500;
  make({{"a", false, 1000}, {"b", false, 1000}, {"head"}});
  EXPECT_EQ(events_, (Events{"prepare a", "write a", "done a", "waits", "no room b", "prepare head",
                             "write head", "done b", "done head"}));
}

// The moment is an hour here.
TEST_F(WriteLaneTest, GathersUntilSomebodyIsInAHurryOrItIsMuch) {
  std::promise<void> first;
  lane_.post([&] { first.set_value(); });
  lane_.hurry();
  first.get_future().wait();
  std::promise<void> second;
  lane_.post([&] { second.set_value(); });
  lane_.post(std::make_unique<Noted>(Says{"large", false, 300 * 1024}, events_));
  second.get_future().wait();
}

TEST_F(WriteLaneTest, MakesAllThatWasPostedInOrderAndNothingAfter) {
  std::vector<int> order;
  for (int i = 0; i < 500; ++i) lane_.post([&order, i] { order.push_back(i); });
  lane_.post([&] { lane_.post([&order] { order.push_back(500); }); });
  lane_.stop();
  ASSERT_EQ(order.size(), 501U);
  for (int i = 0; i <= 500; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  const auto held = std::make_shared<int>(0);
  lane_.post([held] { ++*held; });
  EXPECT_EQ(*held, 0);
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace freshet::storage
