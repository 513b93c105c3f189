// The page, from an Explanation by way of its JSON.
#include "proxy/admin/explain_page.h"

#include <gtest/gtest.h>

#include "proxy/admin/explain_json.h"
#include "revalidate/policy/response_facts.h"
#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::proxy {
namespace {

using namespace revalidate::test;
using revalidate::Reason;

Explanation explained(Reason reason, CacheOutcome outcome, int status) {
  Explanation it;
  it.request = request({{"Host", "example.com"}, {"Accept", "text/html"}});
  it.key = storage::make_cache_key("http", "example.com", "/a/b?c=d");
  it.now = at(70);
  it.reason = reason;
  it.outcome = outcome;
  it.status = status;
  it.cache_status = "freshet; hit; ttl=-10";
  return it;
}

ExplainedResponse stored(const Lines& lines) {
  ExplainedResponse out;
  storage::StoredHead head = stored_head(lines);
  head.tags = {"news"};
  head.selecting = {{"accept-language", "fr"}};
  out.response = keep(head);
  out.in_memory = out.selected = true;
  out.freshness =
      revalidate::account_of_freshness(out.response->head(), revalidate::facts_of(*out.response), {}, at(70));
  return out;
}

std::string page_of(const Explanation& explanation) {
  const auto page = explain_page(explain_json(explanation));
  return page ? page.value() : page.error();
}

void expect_line(const std::string& page, const std::string& line) {
  EXPECT_NE(page.find("\n" + line + "\n"), std::string::npos) << line << "\nis not in\n" << page;
}

TEST(ExplainPage, SaysWhatHappensFirstAndWhy) {
  const std::string page = page_of(explained(Reason::kUriMiss, CacheOutcome::kError, 504));
  EXPECT_TRUE(page.starts_with("GET http://example.com/a/b?c=d\n  Accept: text/html\n\nERROR: 504 ")) << page;
  expect_line(page, "  why         Nothing is stored for the target URI. (uri-miss; RFC 9211, 2.2)");
  expect_line(page, "stored        nothing, in memory or on disk");
  expect_line(page, "origin        not asked for this lately, as far as is remembered");
}

TEST(ExplainPage, AMissSaysWhatBecameOfTheLastAnswer) {
  Explanation it = explained(Reason::kUriMiss, CacheOutcome::kMiss, 0);
  it.asking.emplace();
  it.asking->method = "GET";
  it.asking->target = "/a/b?c=d";
  it.status_if_unreachable = 502;
  revalidate::OriginContact contact;
  contact.at = at(10);
  contact.took = Milliseconds{12};
  contact.status = 200;
  contact.reason = Reason::kNoStore;
  it.contacts = {contact};
  const std::string page = page_of(it);
  expect_line(page, "MISS: the origin is asked for the whole answer");
  expect_line(page,
              "  last time   GET: 200 in 12 ms. The origin forbids to store. (no-store; RFC 9111, 5.2.2.5)");
  expect_line(page, "  asks        GET /a/b?c=d, without conditions");
  expect_line(page, "  if it fails 502: nothing that is stored may stand in");
  EXPECT_NE(page.find("\n  1 min ago"), std::string::npos) << page;
}

TEST(ExplainPage, AStoredResponseIsToldWithAllThatDecides) {
  Explanation it = explained(Reason::kClientMaxStale, CacheOutcome::kStale, 200);
  it.stored.push_back(stored({{"Cache-Control", "max-age=60"}, {"ETag", "\"v1\""}}));
  it.stored.front().purges.push_back({{storage::ScopeKind::kTag, "news"}, storage::Strength::kSoft, 1029});
  it.stored.front().standing = storage::Standing::kStale;
  const std::string page = page_of(it);
  expect_line(page, "STALE: 200 from the store, the origin is not asked");
  expect_line(page, "stored        200, 0 B, in memory");
  expect_line(page, "  purged      softly: it has to be validated before it counts as fresh");
  expect_line(page, "  varies by   accept-language: stored for \"fr\", this request: absent");
  expect_line(page, "  said        Cache-Control: max-age=60");
  expect_line(page, "  validator   ETag \"v1\", the origin's");
  expect_line(page, "  tags        news");
  expect_line(page, "  soft        tag news, sequence 1029");
  EXPECT_NE(
      page.find("\n  stale for                      10 s  freshness_lifetime 60 s less current_age 70 s"),
      std::string::npos)
      << page;
}

TEST(ExplainPage, ATerminalGetsNoControlBytesOfOthers) {
  Explanation it = explained(Reason::kFresh, CacheOutcome::kHit, 200);
  it.request.fields.add("X-Odd", "a\x1b[31mb\x7f");
  const std::string page = page_of(it);
  EXPECT_NE(page.find("X-Odd: a?[31mb?"), std::string::npos) << page;
}

TEST(ExplainPage, WhatIsNoExplanationIsAnError) {
  EXPECT_FALSE(explain_page("").ok());
  EXPECT_FALSE(explain_page("{}").ok());
}

}  // namespace
}  // namespace freshet::proxy
