#include "revalidate/origin/origin_addresses.h"

#include <atomic>
#include <cstring>
#include <gtest/gtest.h>

#include "tests/unit/revalidate/origin/poll_loop.h"

namespace freshet::revalidate {
namespace {

SocketEnd end_number(int number) {
  SocketEnd end;
  std::memcpy(&end.address, &number, sizeof(number));
  end.size = sizeof(number);
  return end;
}

int number_of(const SocketEnd& end) {
  int number = 0;
  std::memcpy(&number, &end.address, sizeof(number));
  return number;
}

OriginUrl url(const std::string& host) {
  OriginUrl url;
  url.host = host;
  url.port = 8080;
  return url;
}

class OriginAddressesTest : public testing::Test {
 protected:
  OriginAddresses::Known known() {
    return [this](const OriginAddresses::List& list, const std::string&) {
      ++told_;
      list_ = list;
    };
  }
  OriginAddresses::Resolve two() {
    return [this](const OriginUrl&, std::string&) {
      ++asked_;
      return std::vector<SocketEnd>{end_number(1), end_number(2)};
    };
  }
  void wait_until_told(int times) {
    ASSERT_TRUE(loop_.run_until([this, times] { return told_ == times; }));
  }

  PollLoop loop_;
  std::atomic<int> asked_{0};
  int told_ = 0;
  OriginAddresses::List list_;
};

TEST_F(OriginAddressesTest, AnAddressIsKnownAtOnce) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    OriginAddresses addresses(loop_, url(host), known(), two());
    ASSERT_NE(addresses.list(), nullptr) << host;
    EXPECT_EQ(addresses.list()->size(), 1U);
    addresses.all_failed();
    EXPECT_NE(addresses.list(), nullptr);
  }
  EXPECT_EQ(asked_, 0);
}

TEST_F(OriginAddressesTest, ANameIsAskedOnceForAllWhoWait) {
  OriginAddresses addresses(loop_, url("name"), known(), two());
  EXPECT_EQ(addresses.list(), nullptr);
  EXPECT_EQ(addresses.list(), nullptr);
  wait_until_told(1);
  ASSERT_NE(addresses.list(), nullptr);
  EXPECT_EQ(addresses.list(), list_);
  EXPECT_EQ(asked_, 1);
}

TEST_F(OriginAddressesTest, WhatFailsFirstComesLast) {
  OriginAddresses addresses(loop_, url("name"), known(), two());
  EXPECT_EQ(addresses.list(), nullptr);
  wait_until_told(1);
  const auto old = addresses.list();
  addresses.first_failed(old);
  EXPECT_EQ(number_of(addresses.list()->front()), 2);
  addresses.first_failed(old);  // of another attempt, which began before: known already
  EXPECT_EQ(number_of(addresses.list()->front()), 2);
}

TEST_F(OriginAddressesTest, WhereAllFailItIsAskedAnew) {
  OriginAddresses addresses(loop_, url("name"), known(), two());
  EXPECT_EQ(addresses.list(), nullptr);
  wait_until_told(1);
  addresses.all_failed();
  EXPECT_EQ(addresses.list(), nullptr);
  wait_until_told(2);
  EXPECT_EQ(asked_, 2);
}

}  // namespace
}  // namespace freshet::revalidate
