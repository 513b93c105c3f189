#include "proxy/admin/explain_order.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

std::string error_of(const ExplainOrder& order) {
  const auto request = request_of(order);
  return request ? "" : request.error();
}

TEST(ExplainOrder, WhatTheCommandWritesTheEdgeReads) {
  const ExplainOrder order{"https://Example.com/a", "HEAD", {"Accept: */*", "X-Empty:"}, true};
  auto read = parse_explain_order(explain_order_json(order));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->url, order.url);
  EXPECT_EQ(read->method, order.method);
  EXPECT_EQ(read->fields, order.fields);
  EXPECT_TRUE(read->trusted);
}

TEST(ExplainOrder, TheRequestIsWhatAClientWouldSend) {
  auto request = request_of({"HTTPS://Example.COM:443/a?b", "GET", {"Accept-Encoding:  gzip "}, false});
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->scheme, "https");
  EXPECT_EQ(request->authority, "example.com");
  EXPECT_EQ(request->target, "/a?b");
  EXPECT_EQ(request->method, storage::Method::kGet);
  EXPECT_EQ(request->fields.first("Accept-Encoding"), "gzip");
  EXPECT_EQ(request->fields.first("Host"), "example.com");
}

TEST(ExplainOrder, AHostFieldOverridesTheUrls) {
  auto request = request_of({"http://127.0.0.1:8080/", "GET", {"Host: example.com"}, false});
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->authority, "example.com");
  EXPECT_EQ(request->fields.count(storage::FieldName::kHost), 1U);
}

TEST(ExplainOrder, SaysWhatIsWrong) {
  EXPECT_EQ(error_of({"example.com", "GET", {}, false}),
            "the URL \"example.com\" has no scheme; write http://... or https://...");
  EXPECT_EQ(error_of({"http://a/", "G T", {}, false}), "the method \"G T\" is no token");
  EXPECT_EQ(error_of({"http://a/", "PURGE", {}, false}), "PURGE cannot be asked about: it acts at once");
  EXPECT_EQ(error_of({"http://a/", "GET", {"x"}, false}), "the field \"x\" is not \"Name: value\"");
  EXPECT_EQ(error_of({"http://a/", "GET", {"a b: x"}, false}), "the field \"a b: x\" has no valid name");
  EXPECT_NE(error_of({"http://a/", "GET", {"a: x\r\nb: y"}, false}), "");
  EXPECT_NE(error_of({"http://a/", "GET", {"Host: a,b"}, false}), "");
  EXPECT_NE(error_of({"http://a/", "GET", {"transfer-encoding: chunked"}, false}), "");
}

TEST(ExplainOrder, ReadsNoOtherJson) {
  for (const char* const json : {"", "[]", R"({"url":1})", R"({"fields":"x"})", R"({"fields":[1]})",
                                 R"({"trusted":"yes"})", R"({"uri":"http://a/"})"}) {
    EXPECT_FALSE(parse_explain_order(json).ok()) << json;
  }
}

}  // namespace
}  // namespace freshet::proxy
