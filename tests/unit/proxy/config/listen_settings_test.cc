#include "proxy/config/listen_settings.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "proxy/config/setting_table.h"

namespace freshet::proxy {
namespace {

using Lines = std::vector<std::string>;

Lines wrong(const std::string& plain, const std::string& tls = "") {
  Settings settings;
  EXPECT_TRUE(set_setting(settings, "server.listen", plain).ok());
  EXPECT_TRUE(set_setting(settings, "tls.listen", tls).ok());
  return check_listen_settings(settings);
}

TEST(ListenSettings, AddressesThatStandBesideEachOther) {
  EXPECT_EQ(wrong("127.0.0.1:80"), Lines{});
  EXPECT_EQ(wrong("", "127.0.0.1:443"), Lines{});
  EXPECT_EQ(wrong("0.0.0.0:80,[::]:80 v6only,unix:/run/a,unix:/run/b,systemd:http", "[::]:443"), Lines{});
  EXPECT_EQ(wrong("127.0.0.1:0,127.0.0.1:0,[::]:0,0.0.0.0:0", "127.0.0.1:0"), Lines{});
  EXPECT_EQ(wrong("[::]:80", "0.0.0.0:443"), Lines{});
}

TEST(ListenSettings, AddressesThatCannot) {
  EXPECT_EQ(wrong(""), (Lines{"server.listen: names no address, and tls.listen none either"}));
  EXPECT_EQ(wrong("127.0.0.1:80,localhost:80"), (Lines{"server.listen: localhost:80 is named twice"}));
  EXPECT_EQ(wrong("127.0.0.1:80", "127.0.0.1:80"), (Lines{"tls.listen: 127.0.0.1:80 is named twice"}));
  EXPECT_EQ(wrong("unix:/a,unix:/a mode=0600"), (Lines{"server.listen: unix:/a is named twice"}));
  EXPECT_EQ(wrong("systemd:http", "systemd:http"), (Lines{"tls.listen: systemd:http is named twice"}));
  const std::string both =
      "server.listen: [::]:80 takes IPv4 too, so 0.0.0.0:80 cannot stand beside it; write \"[::]:80 v6only\"";
  EXPECT_EQ(wrong("0.0.0.0:80,[::]:80"), Lines{both});
  EXPECT_EQ(wrong("[::]:80,0.0.0.0:80"), Lines{both});
  EXPECT_EQ(wrong("127.0.0.1:80,*:80").size(), 1U);
}

}  // namespace
}  // namespace freshet::proxy
