#include "proxy/exchange/purge.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

using storage::RequestHead;
using storage::Scope;
using storage::ScopeKind;
using storage::Strength;

constexpr const char* kToken = "0123456789abcdef";

PurgeOptions options(const std::vector<const char*>& allow, const std::vector<const char*>& trusted = {}) {
  PurgeOptions made;
  for (const char* text : allow) made.allow.push_back(*IpNetwork::parse(text));
  for (const char* text : trusted) made.trusted_proxies.push_back(*IpNetwork::parse(text));
  return made;
}

RequestHead purge_with(const std::vector<std::pair<const char*, const char*>>& fields) {
  RequestHead request;
  request.method = storage::Method::kOther;
  request.method_text = "PURGE";
  for (const auto& [name, value] : fields) request.fields.add(name, value);
  return request;
}

TEST(Purge, IsOneMethodInCapitals) {
  RequestHead request = purge_with({});
  EXPECT_TRUE(is_purge(request));
  request.method_text = "purge";
  EXPECT_FALSE(is_purge(request));
}

TEST(Purge, IsForThePeersThatAreAllowed) {
  const PurgeOptions loopback = options({"127.0.0.0/8", "::1"});
  EXPECT_TRUE(may_purge(purge_with({}), "127.0.0.1", loopback));
  EXPECT_TRUE(may_purge(purge_with({}), "::1", loopback));
  EXPECT_FALSE(may_purge(purge_with({}), "10.0.0.1", loopback));
  EXPECT_FALSE(may_purge(purge_with({}), "unix", loopback));
  EXPECT_FALSE(may_purge(purge_with({}), "127.0.0.1", options({})));
  EXPECT_FALSE(options({}).on());
}

TEST(Purge, WhoComesByAUnixSocketHasNoAddressAndMayWhereThatIsSaid) {
  PurgeOptions some = options({"10.1.0.0/16"});
  some.allow_unix = true;
  EXPECT_TRUE(some.on());
  EXPECT_TRUE(may_purge(purge_with({}), kUnixPeer, some));
  EXPECT_FALSE(may_purge(purge_with({}), "unknown", some));  // of the proxy's unix socket, by a PROXY header
  EXPECT_EQ(purge_client(purge_with({}), kUnixPeer, some), "unix");
  // A proxy behind it that is not trusted lends nobody its place.
  EXPECT_FALSE(may_purge(purge_with({{"X-Forwarded-For", "10.1.2.3"}}), kUnixPeer, some));
  some.trust_unix = true;
  EXPECT_TRUE(may_purge(purge_with({{"X-Forwarded-For", "10.1.2.3"}}), kUnixPeer, some));
  EXPECT_FALSE(may_purge(purge_with({{"X-Forwarded-For", "192.0.2.1"}}), kUnixPeer, some));
  EXPECT_EQ(purge_client(purge_with({{"X-Forwarded-For", "10.1.2.3"}}), kUnixPeer, some),
            "10.1.2.3 by way of unix");
}

TEST(Purge, AProxyThatIsNotTrustedLendsNobodyItsAddress) {
  const PurgeOptions loopback = options({"127.0.0.0/8"});
  for (const char* name : {"X-Forwarded-For", "Forwarded", "Via"}) {
    EXPECT_FALSE(may_purge(purge_with({{name, "127.0.0.1"}}), "127.0.0.1", loopback)) << name;
  }
}

TEST(Purge, ATrustedProxySpeaksOfItsClient) {
  const PurgeOptions some = options({"127.0.0.0/8", "10.1.0.0/16"}, {"127.0.0.1", "10.9.0.0/16"});
  const auto may = [&](const char* list, const char* peer = "127.0.0.1") {
    return may_purge(purge_with({{"X-Forwarded-For", list}}), peer, some);
  };
  EXPECT_TRUE(may("10.1.2.3"));
  EXPECT_FALSE(may("192.0.2.1"));
  EXPECT_TRUE(may("192.0.2.1, 10.1.2.3")) << "what stands before it is hearsay";
  EXPECT_FALSE(may("10.1.2.3, 192.0.2.1"));
  EXPECT_TRUE(may("10.1.2.3, 10.9.0.1, 127.0.0.1")) << "through trusted ones";
  EXPECT_FALSE(may("192.0.2.1 ,10.9.0.1"));
  EXPECT_TRUE(may("127.0.0.1")) << "the proxy itself, allowed as any other";
  for (const char* bad : {"", ",", "10.1.2.3,", "unknown", "10.1.2.3:80", "10.1.2.3 x"})
    EXPECT_FALSE(may(bad)) << bad;
  EXPECT_FALSE(may("10.1.2.3", "10.1.5.5")) << "not trusted, so not believed";
  EXPECT_FALSE(may_purge(purge_with({{"Via", "1.1 x"}}), "127.0.0.1", some)) << "it does not say for whom";
  EXPECT_TRUE(may_purge(purge_with({}), "127.0.0.1", some)) << "its own request";
}

TEST(Purge, TheEventLogNamesWhoAsked) {
  PurgeOptions some = options({"127.0.0.0/8", "10.1.0.0/16"}, {"10.9.0.1"});
  some.token = kToken;
  EXPECT_EQ(purge_client(purge_with({}), "127.0.0.1", some), "127.0.0.1");
  EXPECT_EQ(purge_client(purge_with({{"X-Forwarded-For", "10.1.2.3"}}), "10.9.0.1", some),
            "10.1.2.3 by way of 10.9.0.1");
  EXPECT_EQ(purge_client(purge_with({}), "192.0.2.1", some), "192.0.2.1 with the token");
  EXPECT_EQ(purge_log_line("127.0.0.1", "http://a/x", Strength::kHard, {7, true, ""}),
            "purged by 127.0.0.1: http://a/x; sequence 7");
  EXPECT_EQ(purge_log_line("uid 0", std::string(300, 'x'), Strength::kSoft, {8, false, "disk full"}),
            "made stale by uid 0: " + std::string(256, 'x') + "...; sequence 8, not durable: disk full");
}

TEST(Purge, ATokenOpensFromAnywhere) {
  PurgeOptions some = options({});
  const auto may = [&](const char* value) {
    return may_purge(purge_with({{"Authorization", value}, {"Via", "1.1 x"}}), "192.0.2.1", some);
  };
  EXPECT_FALSE(may("Bearer ")) << "where there is none, an empty one is none either";
  some.token = kToken;
  EXPECT_TRUE(some.on());
  EXPECT_TRUE(may("Bearer 0123456789abcdef"));
  EXPECT_TRUE(may("BEARER 0123456789abcdef"));
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdeg",
                            "Bearer 0123456789abcdef0123456789abcdef", "Basic 0123456789abcdef",
                            "Bearer 0123456789abcdef, Bearer x"}) {
    EXPECT_FALSE(may(wrong)) << wrong;
  }
}

std::vector<Scope> scopes_of(const RequestHead& request, const revalidate::KeyRules& rules = {}) {
  auto purge = read_purge(request, "http://a/b?c", rules, SearchRules());
  EXPECT_TRUE(purge.ok());
  return purge.ok() ? purge->scopes : std::vector<Scope>{};
}

TEST(Purge, TakesTheTargetAsKeysHaveIt) {
  EXPECT_EQ(scopes_of(purge_with({})),
            (std::vector<Scope>{{ScopeKind::kTag, "search:http://a/b"}, {ScopeKind::kUrl, "http://a/b?c"}}))
      << "also by a rule for queries that has been forgotten";
  revalidate::KeyRules rules;
  rules.ignore_query = {"c"};
  EXPECT_EQ(scopes_of(purge_with({}), rules).front().text, "http://a/b");
}

TEST(Purge, ARuleOfTheOriginsMakesAFurtherKey) {
  SearchRules rules;
  revalidate::NoVarySearch rule;
  rule.ignored = {"c"};
  rules.learn("http://a/b", rule, [] {});
  std::vector<Scope> scopes;
  add_scopes_of_url(scopes, "http://a/b?c=1&d=2", {}, rules);
  EXPECT_NE(std::find(scopes.begin(), scopes.end(), Scope{ScopeKind::kUrl, "http://a/b?d=2"}), scopes.end());
  EXPECT_NE(std::find(scopes.begin(), scopes.end(), Scope{ScopeKind::kTag, "search:http://a/b"}),
            scopes.end())
      << "and what another rule has stored";
}

TEST(Purge, TagsStandInSurrogateKey) {
  EXPECT_EQ(scopes_of(purge_with({{"Surrogate-Key", " b  a\tb"}})),
            (std::vector<Scope>{{ScopeKind::kTag, "a"}, {ScopeKind::kTag, "b"}}));
  EXPECT_EQ(scopes_of(purge_with({{"Surrogate-Key", "a, b"}})),
            (std::vector<Scope>{{ScopeKind::kTag, "a"}, {ScopeKind::kTag, "a,"}, {ScopeKind::kTag, "b"}}))
      << "a comma parts two tags or stands in one";
  EXPECT_FALSE(read_purge(purge_with({{"Surrogate-Key", ""}}), "http://a/", {}, SearchRules()).ok());
  EXPECT_FALSE(read_purge(purge_with({{"Surrogate-Key", " , "}}), "http://a/", {}, SearchRules()).ok());
  const std::string longest(1024, 'x');
  EXPECT_EQ(scopes_of(purge_with({{"Surrogate-Key", longest.c_str()}})).size(), 1U);
  EXPECT_FALSE(
      read_purge(purge_with({{"Surrogate-Key", (longest + "x").c_str()}}), "http://a/", {}, SearchRules())
          .ok());
}

TEST(Purge, SoftAndHard) {
  const auto strength = [](const std::vector<std::pair<const char*, const char*>>& fields) {
    auto purge = read_purge(purge_with(fields), "http://a/", {}, SearchRules());
    return purge.ok() ? std::optional(purge->strength) : std::nullopt;
  };
  EXPECT_EQ(strength({}), Strength::kHard);
  EXPECT_EQ(strength({{"Soft-Purge", "1"}}), Strength::kSoft);
  EXPECT_EQ(strength({{"Fastly-Soft-Purge", "1"}}), Strength::kSoft);
  EXPECT_EQ(strength({{"Soft-Purge", "0"}}), Strength::kHard);
  EXPECT_EQ(strength({{"Soft-Purge", "yes"}}), std::nullopt);
  EXPECT_EQ(strength({{"Soft-Purge", "1"}, {"Soft-Purge", "1"}}), std::nullopt);
}

TEST(Purge, TheAnswerTellsWhetherItWillLast) {
  EXPECT_EQ(purge_reply_text({{}, Strength::kHard}, {7, true, ""}),
            "{\"sequence\":7,\"durable\":true,\"strength\":\"hard\"}\n");
  EXPECT_EQ(purge_reply_text({{}, Strength::kSoft}, {8, false, "EIO"}),
            "{\"sequence\":8,\"durable\":false,\"strength\":\"soft\",\"error\":\"applied, not durable\"}\n");
}

}  // namespace
}  // namespace freshet::proxy
