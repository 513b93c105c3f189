#include "proxy/listening.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::proxy {
namespace {

class ListeningTest : public testing::Test {
 protected:
  static Settings with(const std::vector<std::string>& clear, const std::vector<std::string>& secure = {}) {
    Settings settings;
    settings.server.listen.clear();
    for (const std::string& text : clear) settings.server.listen.push_back(*ListenAddress::parse(text));
    for (const std::string& text : secure) settings.tls.listen.push_back(*ListenAddress::parse(text));
    return settings;
  }
  Listening::Next change(const Settings& settings) {
    auto next = listening_.prepare(settings);
    EXPECT_TRUE(next.ok()) << next.error();
    listening_.adopt(*next);
    return next.take();
  }
  static std::size_t sockets(const std::vector<std::vector<ListeningSocket>>& of_workers) {
    std::size_t count = 0;
    for (const auto& each : of_workers) count += each.size();
    return count;
  }

  Listening listening_{2, PassedSockets{}};
};

TEST_F(ListeningTest, APortHasASocketForEachWorkerAndOneThatStaysIsKept) {
  Listening::Next first = change(with({"127.0.0.1:0"}));
  EXPECT_EQ(sockets(first.take()), 2U);
  const std::string text = listening_.text();
  EXPECT_TRUE(text.starts_with("http://127.0.0.1:")) << text;
  Listening::Next same = change(with({"127.0.0.1:0"}));
  EXPECT_EQ(sockets(same.take()), 0U);
  EXPECT_TRUE(same.changes().kinds.empty());
  EXPECT_TRUE(same.changes().closed.empty());
  EXPECT_EQ(listening_.text(), text);
}

TEST_F(ListeningTest, OneIsAddedAndAnotherIsClosed) {
  Listening::Next first = change(with({"127.0.0.1:0"}));
  const ListenerId id = first.take()[0].at(0).id;
  Listening::Next next = change(with({"127.0.0.2:0"}));
  const auto opened = next.take();
  EXPECT_EQ(sockets(opened), 2U);
  EXPECT_NE(opened[0].at(0).id, id);
  EXPECT_EQ(next.changes().closed, std::vector<ListenerId>{id});
}

TEST_F(ListeningTest, WhatComesOnASocketMayBecomeAnother) {
  Listening::Next first = change(with({"127.0.0.1:0"}));
  const ListenerId id = first.take()[0].at(0).id;
  Listening::Next next = change(with({}, {"127.0.0.1:0 proxy_protocol"}));
  EXPECT_EQ(sockets(next.take()), 0U);
  ASSERT_EQ(next.changes().kinds.size(), 1U);
  EXPECT_EQ(next.changes().kinds[0], std::pair(id, ListenerKind{true, true}));
  EXPECT_TRUE(listening_.text().starts_with("https://127.0.0.1:")) << listening_.text();
}

TEST_F(ListeningTest, WhatIsNotAdoptedLeavesNothing) {
  const storage::TemporaryDirectory directory;
  const std::string path = directory.path() + "/x.sock";
  change(with({"127.0.0.1:0"}));
  const std::string text = listening_.text();
  {
    auto next = listening_.prepare(with({"127.0.0.1:0", "unix:" + path}));
    ASSERT_TRUE(next.ok());
    EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_EQ(listening_.text(), text);
}

TEST_F(ListeningTest, AUnixSocketThatIsLeftHasNoFileAnyMore) {
  const storage::TemporaryDirectory directory;
  const std::string path = directory.path() + "/x.sock";
  const Listening::Next first = change(with({"unix:" + path}));
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  const Listening::Next same = change(with({"unix:" + path, "127.0.0.1:0"}));
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  const Listening::Next next = change(with({"127.0.0.1:0"}));
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST_F(ListeningTest, AnAddressThatCannotBeHadIsNamed) {
  Listening other(1, PassedSockets{});
  auto held = other.prepare(with({"127.0.0.1:0"}));
  ASSERT_TRUE(held.ok());
  other.adopt(*held);
  const std::string taken = other.text().substr(std::string("http://").size());
  const auto next = listening_.prepare(with({taken}));
  ASSERT_FALSE(next.ok());
  EXPECT_NE(next.error().find("server.listen: cannot listen on " + taken), std::string::npos) << next.error();
}

}  // namespace
}  // namespace freshet::proxy
