#include "proxy/net/passed_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "proxy/net/listener.h"
#include "proxy/net/socket_address.h"

namespace freshet::proxy {
namespace {

using Names = std::vector<std::string>;

std::string said(const PassedSocketsEnvironment& environment) {
  const auto names = passed_socket_names(environment, 42);
  if (!names.ok()) return names.error();
  std::string text;
  for (const std::string& name : names.value()) text += name + ";";
  return text;
}

TEST(PassedSockets, ReadsTheVariables) {
  EXPECT_EQ(said({"42", "2", "http:https"}), "http;https;");
  EXPECT_EQ(said({"42", "3", "http:http:x"}), "http;http;x;");
  EXPECT_EQ(said({"42", "2", ""}), "unknown;unknown;");
  EXPECT_EQ(said({"42", "0", ""}), "");
  EXPECT_EQ(said({"", "", ""}), "");
}

TEST(PassedSockets, WhatWasPassedToAnotherProcessIsNotOurs) {
  EXPECT_EQ(said({"43", "1", "http"}), "");
  EXPECT_EQ(said({"", "1", "http"}), "");
  EXPECT_EQ(said({"42x", "1", "http"}), "");
}

TEST(PassedSockets, VariablesThatContradictEachOther) {
  EXPECT_EQ(said({"42", "x", ""}), "LISTEN_FDS is no number of descriptors");
  EXPECT_EQ(said({"42", "-1", ""}), "LISTEN_FDS is no number of descriptors");
  EXPECT_EQ(said({"42", "9999", ""}), "LISTEN_FDS is no number of descriptors");
  EXPECT_EQ(said({"42", "2", "http"}), "LISTEN_FDNAMES does not have as many names as LISTEN_FDS says");
  EXPECT_EQ(said({"42", "1", "a:b"}), "LISTEN_FDNAMES does not have as many names as LISTEN_FDS says");
}

// Descriptors side by side, as a parent leaves them: blocking, and open across exec.
std::vector<Descriptor> side_by_side(const std::vector<int>& originals) {
  const int first = fcntl(originals.back(), F_DUPFD, 400);
  std::vector<Descriptor> copies;
  copies.emplace_back(first);
  for (std::size_t i = 1; i < originals.size(); ++i) copies.emplace_back(first + static_cast<int>(i));
  for (std::size_t i = 0; i < originals.size(); ++i) EXPECT_GE(dup2(originals[i], copies[i].get()), 0);
  return copies;
}

TEST(PassedSockets, AreTakenByName) {
  const auto made = open_listening_sockets(SocketAddress::parse("127.0.0.1:0").take(), 3).take();
  std::vector<Descriptor> copies = side_by_side({made[0].get(), made[1].get(), made[2].get()});
  for (const Descriptor& copy : copies) fcntl(copy.get(), F_SETFL, 0);
  const int first = copies[0].get();
  for (Descriptor& copy : copies) (void)copy.release();
  PassedSockets passed = PassedSockets::adopt({"http", "https", "http"}, first).take();
  EXPECT_EQ(passed.left(), (Names{"http", "https"}));
  const std::vector<Descriptor> http = passed.take("http");
  ASSERT_EQ(http.size(), 2U);
  EXPECT_EQ(http[0].get(), first);
  EXPECT_EQ(http[1].get(), first + 2);
  EXPECT_NE(fcntl(http[0].get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(http[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_TRUE(passed.take("http").empty());
  EXPECT_TRUE(passed.take("other").empty());
  EXPECT_EQ(passed.left(), (Names{"https"}));
}

TEST(PassedSockets, WhatDoesNotListenIsRefused) {
  const Descriptor datagrams{socket(AF_INET, SOCK_DGRAM, 0)};
  const Descriptor idle{socket(AF_INET, SOCK_STREAM, 0)};
  for (const int original : {datagrams.get(), idle.get()}) {
    const int copy = fcntl(original, F_DUPFD, 400);
    const auto passed = PassedSockets::adopt({"http"}, copy);
    ASSERT_FALSE(passed.ok());
    EXPECT_EQ(passed.error(), "what was passed as http is no stream socket that listens");
    EXPECT_EQ(fcntl(copy, F_GETFD), -1);  // closed
  }
  const auto missing = PassedSockets::adopt({"http"}, 900);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error(), "the descriptor passed as http is not open");
}

}  // namespace
}  // namespace freshet::proxy
