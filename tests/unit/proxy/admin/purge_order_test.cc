#include "proxy/admin/purge_order.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

using storage::Scope;
using storage::ScopeKind;

// "urls[1]: is empty; all: ..."
std::string errors_of(std::string_view json) {
  PurgeOrder order;
  std::string text;
  for (const PurgeError& error : parse_purge_order(json, order)) {
    text += (text.empty() ? "" : "; ") + error.member + ": " + error.reason;
  }
  return text;
}

TEST(PurgeOrder, TakesScopesOfEveryKindAtOnce) {
  PurgeOrder order;
  EXPECT_TRUE(parse_purge_order(R"({"urls":["http://A/x","http://b/"],"prefixes":["http://a/"],"hosts":["B"],
                                    "tags":["t"],"all":true,"soft":true})",
                                order)
                  .empty());
  EXPECT_EQ(order.urls, (std::vector<std::string>{"http://a/x", "http://b/"}));
  EXPECT_EQ(order.prefixes, std::vector<std::string>{"http://a/"});
  EXPECT_EQ(order.hosts, std::vector<std::string>{"b"});
  EXPECT_EQ(order.tags, std::vector<std::string>{"t"});
  EXPECT_TRUE(order.all);
  EXPECT_TRUE(order.soft);
  EXPECT_EQ(order.scopes(), 6U);
}

TEST(PurgeOrder, SaysAllThatIsWrong) {
  EXPECT_EQ(errors_of(R"({"urls":["a","http://b/",""],"hosts":["x/y"]})"),
            "urls[0]: has no scheme; write http://... or https://...; urls[2]: is empty; "
            "hosts[0]: has a path; for a part of a host there are prefixes");
  EXPECT_EQ(errors_of(R"({"all":1,"soft":"no","tags":"a","urls":[null,{}],"x":0})"),
            "all: is not true or false; soft: is not true or false; tags: is not a list of strings; "
            "urls[0]: is not a string; urls[1]: is not a string; "
            "x: is no member; there are urls, prefixes, hosts, tags, all and soft");
  EXPECT_EQ(errors_of(R"({"urls":["http://a/"],"urls":["http://b/"]})"), "urls: is there twice");
}

TEST(PurgeOrder, NothingAndTooMuch) {
  EXPECT_EQ(errors_of("{}"), ": names nothing to purge");
  EXPECT_EQ(errors_of(R"({"all":false,"urls":[],"soft":true})"), ": names nothing to purge");
  std::string tags = "{\"tags\":[\"t\"";
  for (int i = 1; i < 10'000; ++i) tags += ",\"t\"";
  EXPECT_EQ(errors_of(tags + "]}"), "");
  EXPECT_EQ(errors_of(tags + ",\"t\"]}"), ": names more than 10000 scopes at once");
}

TEST(PurgeOrder, HostileContent) {
  for (const std::string& bad :
       {std::string(), std::string("{"), std::string("nul"), std::string("{\"all\":true}x"),
        std::string("{\"all\":true,}"), std::string("{'all':true}"), std::string("\xff\xfe{\0}\0", 6),
        std::string("{\"tags\":[\"\xff\"]}"), std::string("{\"tags\":[\"\\ud800\"]}"),
        std::string(1 << 20, '['), std::string(1 << 20, '{'),
        std::string("{\"a\":") + std::string(1 << 19, '[')}) {
    EXPECT_EQ(errors_of(bad), ": the content is not JSON") << bad.substr(0, 20);
  }
  const std::string deep(400'000, '[');
  EXPECT_EQ(errors_of("{\"urls\":" + deep + std::string(deep.size(), ']') + "}"), "urls[0]: is not a string");
  for (const char* other : {"null", "[]", "\"all\"", "1", "true"}) {
    EXPECT_EQ(errors_of(other), ": the content is not a JSON object") << other;
  }
  EXPECT_EQ(errors_of(R"({"urls":["http://a/\u0000"]})"), "urls[0]: has a control byte");
  EXPECT_EQ(errors_of(R"({"tags":["a\nb"]})"), "tags[0]: is longer than 1024 bytes, or has a control byte");
}

TEST(PurgeOrder, ThereAndBack) {
  PurgeOrder order;
  order.urls = {"http://a/\"\\"};
  order.tags = {"t"};
  order.soft = true;
  PurgeOrder read;
  EXPECT_TRUE(parse_purge_order(purge_order_json(order), read).empty());
  EXPECT_EQ(read.urls, order.urls);
  EXPECT_EQ(read.tags, order.tags);
  EXPECT_TRUE(read.soft);
  EXPECT_FALSE(read.all);
  order.urls = {"http://a/\xff"};
  EXPECT_FALSE(purge_order_json(order).empty()) << "bytes that no JSON can carry throw nothing";
}

TEST(PurgeOrder, WhatJsonCannotCarryIsAnErrorAndNotAnotherText) {
  PurgeOrder order;
  order.tags = {"caf\xc3\xa9", "caf\xe9"};
  const std::vector<PurgeError> errors = normalise(order);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].member, "tags[1]");
  EXPECT_EQ(errors[0].reason, "is not UTF-8; PURGE takes such bytes");
}

TEST(PurgeOrder, InShort) {
  PurgeOrder order;
  order.tags = {"t"};
  EXPECT_EQ(purge_text(order), "t");
  order.urls = {"http://a/" + std::string(1000, 'x'), "http://b/"};
  EXPECT_EQ(purge_text(order), order.urls[0].substr(0, 200) + "... and 2 more");
  order.all = true;
  EXPECT_EQ(purge_text(order), "everything");
}

TEST(PurgeOrder, WhatTheStoreIsAskedFor) {
  PurgeOrder order;
  order.urls = {"http://a/x", "http://a/x"};
  order.prefixes = {"https://a/d/"};
  order.hosts = {"a:80"};
  order.tags = {"t"};
  order.all = true;
  order.soft = true;
  const storage::Invalidation purge = invalidation_of(order, {}, SearchRules());
  EXPECT_EQ(purge.strength, storage::Strength::kSoft);
  EXPECT_EQ(purge.scopes, (std::vector<Scope>{{ScopeKind::kAll, ""},
                                              {ScopeKind::kHost, "a:80"},
                                              {ScopeKind::kPrefix, "http://a/d/"},
                                              {ScopeKind::kPrefix, "https://a/d/"},
                                              {ScopeKind::kTag, "t"},
                                              {ScopeKind::kUrl, "http://a/x"}}));
}

TEST(PurgeOrder, Replies) {
  PurgeOrder order;
  order.tags = {"a", "b"};
  auto durable = parse_purge_reply(purge_reply_json(order, {12, true, ""}));
  ASSERT_TRUE(durable.ok());
  EXPECT_EQ(durable->sequence, 12U);
  EXPECT_TRUE(durable->durable);
  auto not_durable = parse_purge_reply(purge_reply_json(order, {13, false, "disk \xff full"}));
  ASSERT_TRUE(not_durable.ok());
  EXPECT_FALSE(not_durable->durable);
  EXPECT_TRUE(not_durable->error.starts_with("applied, not durable: disk "));
  auto refused = parse_purge_reply(purge_errors_json({{"urls[0]", "is empty"}, {"", "nothing"}}));
  ASSERT_TRUE(refused.ok());
  ASSERT_EQ(refused->errors.size(), 2U);
  EXPECT_EQ(refused->errors[0].member, "urls[0]");
  EXPECT_EQ(refused->errors[1].reason, "nothing");
  for (const char* bad : {"", "[]", "{}", "{\"sequence\":-1,\"durable\":true}", "{\"sequence\":1}",
                          "{\"sequence\":1,\"durable\":1}", "not found"}) {
    EXPECT_FALSE(parse_purge_reply(bad).ok()) << bad;
  }
  EXPECT_TRUE(parse_purge_reply(R"({"errors":[1,{"member":2}]})").ok());
}

}  // namespace
}  // namespace freshet::proxy
