#include "proxy/net/socket_address.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace freshet::proxy {
namespace {

std::string text_of(std::string_view text) {
  const auto parsed = SocketAddress::parse(text);
  return parsed.ok() ? parsed.value().text() : parsed.error();
}

TEST(SocketAddress, ReadsTheFormsThatASettingMayHave) {
  EXPECT_EQ(text_of("127.0.0.1:8080"), "127.0.0.1:8080");
  EXPECT_EQ(text_of("[::1]:8080"), "[::1]:8080");
  EXPECT_EQ(text_of("localhost:0"), "127.0.0.1:0");
  EXPECT_EQ(text_of("*:80"), "[::]:80");
  EXPECT_EQ(text_of(":65535"), "[::]:65535");
  EXPECT_EQ(text_of("unix:/run/a b.sock"), "unix:/run/a b.sock");
  EXPECT_EQ(text_of("unix:" + std::string(107, 'p')), "unix:" + std::string(107, 'p'));
}

TEST(SocketAddress, SaysWhatIsWrong) {
  EXPECT_EQ(text_of("8080"), "'8080': no port (HOST:PORT)");
  EXPECT_EQ(text_of("127.0.0.1:x"), "'127.0.0.1:x': port is not a number from 0 to 65535");
  const std::string_view bad_port = ": port is not a number from 0 to 65535";
  for (const std::string text : {"a:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:80 "}) {
    EXPECT_EQ(text_of(text), "'" + text + "'" + std::string(bad_port));
  }
  for (const std::string text :
       {"example.org:80", "::1:80", "[127.0.0.1]:80", "[]:80", "[:80", "127.0.0:80", " 127.0.0.1:80"}) {
    EXPECT_EQ(text_of(text), "'" + text + "': host is not an IP address, [IPv6 address], localhost or *");
  }
  EXPECT_EQ(text_of("unix:"), "'unix:': no path after unix:");
  EXPECT_NE(text_of("unix:" + std::string(108, 'p')).find("path too long"), std::string::npos);
}

TEST(SocketAddress, KnowsItsParts) {
  const SocketAddress v4 = SocketAddress::parse("192.0.2.1:81").take();
  EXPECT_EQ(v4.ip(), IpAddress::parse("192.0.2.1"));
  EXPECT_EQ(v4.port(), 81);
  EXPECT_EQ(v4.with_port(82).text(), "192.0.2.1:82");
  const SocketAddress file = SocketAddress::parse("unix:/x").take();
  EXPECT_TRUE(file.is_unix());
  EXPECT_EQ(file.path(), "/x");
  EXPECT_EQ(file.ip(), std::nullopt);
  EXPECT_EQ(file.port(), 0);
}

}  // namespace
}  // namespace freshet::proxy
