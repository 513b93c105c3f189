#include "proxy/net/listen_address.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace freshet::proxy {
namespace {

ListenAddress read(std::string_view text) {
  auto parsed = ListenAddress::parse(text);
  EXPECT_TRUE(parsed.ok()) << parsed.error();
  EXPECT_EQ(ListenAddress::parse(parsed.value().text()).value(), parsed.value()) << text;
  return parsed.take();
}

std::string error_of(std::string_view text) {
  const auto parsed = ListenAddress::parse(text);
  return parsed.ok() ? "ok" : parsed.error();
}

TEST(ListenAddress, ReadsAnAddressAndItsWords) {
  EXPECT_EQ(read("127.0.0.1:8080"), (ListenAddress{"127.0.0.1:8080"}));
  EXPECT_EQ(read("[::]:80 v6only").where, "[::]:80");
  EXPECT_TRUE(read("[::]:80 v6only").v6_only);
  const ListenAddress proxied = read("*:81 proxy_protocol");
  EXPECT_EQ(proxied.where, "*:81");
  EXPECT_TRUE(proxied.proxy_protocol);
  EXPECT_FALSE(proxied.v6_only);
  const ListenAddress file = read("unix:/run/a b.sock mode=0600 proxy_protocol");
  EXPECT_EQ(file.where, "unix:/run/a b.sock");
  EXPECT_EQ(file.mode, 0600U);
  EXPECT_TRUE(file.proxy_protocol);
  EXPECT_EQ(file.text(), "unix:/run/a b.sock mode=0600 proxy_protocol");
  EXPECT_EQ(read("unix:/x").mode, ListenAddress::kUsualMode);
  EXPECT_EQ(read("unix:/x mode=0777 proxy_protocol"), read("unix:/x proxy_protocol mode=0777"));
  EXPECT_EQ(read("systemd:http").passed_name(), "http");
  EXPECT_EQ(read("systemd:freshet.socket proxy_protocol").passed_name(), "freshet.socket");
  EXPECT_EQ(read("127.0.0.1:80").passed_name(), "");
}

TEST(ListenAddress, SaysWhatIsWrong) {
  EXPECT_EQ(error_of(""), "\"\" is not HOST:PORT (try 127.0.0.1:8080 or [::1]:8080)");
  EXPECT_EQ(error_of("127.0.0.1"), "'127.0.0.1': no port (HOST:PORT)");
  EXPECT_EQ(error_of("127.0.0.1:80 fast"), "'127.0.0.1:80 fast': port is not a number from 0 to 65535");
  EXPECT_EQ(error_of("example.org:80"),
            "'example.org:80': host is not an IP address, [IPv6 address], localhost or *");
  EXPECT_EQ(error_of("127.0.0.1:80 v6only"), "\"127.0.0.1:80 v6only\" says v6only of what is not IPv6");
  EXPECT_EQ(error_of("127.0.0.1:80 mode=0600"),
            "\"127.0.0.1:80 mode=0600\" has a mode, which only a unix socket has");
  for (const std::string mode : {"", "600", "0888", "01777", "0x1f", "rw"}) {
    EXPECT_EQ(error_of("unix:/x mode=" + mode), "\"unix:/x mode=" + mode + "\" has no mode such as 0660");
  }
  EXPECT_EQ(error_of("unix:run/x"),
            "\"unix:run/x\" needs a path that begins with / (try unix:/run/freshet/http.sock)");
  EXPECT_EQ(error_of("unix:"), "'unix:': no path after unix:");
  EXPECT_EQ(error_of("systemd:"), "\"systemd:\" names no socket (try systemd:http)");
  EXPECT_EQ(error_of("systemd:a:b"), "\"systemd:a:b\" names no socket (try systemd:http)");
  EXPECT_EQ(error_of("systemd:http mode=0600"),
            "\"systemd:http mode=0600\" has a word that is its socket unit's to say");
}

}  // namespace
}  // namespace freshet::proxy
