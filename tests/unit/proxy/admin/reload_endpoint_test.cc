#include "proxy/admin/reload_endpoint.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

TEST(ReloadEndpoint, AReplyIsReadAsItWasWritten) {
  const std::string applied = reload_reply_json({true, {"cache.status_key", "log.level"}, {}});
  EXPECT_EQ(applied, "{\"applied\":true,\"changed\":[\"cache.status_key\",\"log.level\"]}\n");
  auto read = parse_reload_reply(applied);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->applied);
  EXPECT_EQ(read->changed.size(), 2U);

  const std::string refused = reload_reply_json({false, {}, {"a.toml:3: \"x\xff\" is no size"}});
  auto wrong = parse_reload_reply(refused);
  ASSERT_TRUE(wrong.ok());
  EXPECT_FALSE(wrong->applied);
  ASSERT_EQ(wrong->errors.size(), 1U);
  EXPECT_TRUE(wrong->errors[0].starts_with("a.toml:3: \"x"));
}

TEST(ReloadEndpoint, WhatIsNoReplyIsAnError) {
  for (const char* text : {"", "[]", "{}", "{\"applied\":1}", "Not found.\n"}) {
    EXPECT_FALSE(parse_reload_reply(text).ok()) << text;
  }
}

}  // namespace
}  // namespace freshet::proxy
