// RFC 9111, sections 3.2, 4.3.1, 4.3.4 and 4.3.5; guarantee G8.
#include "revalidate/policy/validation.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "revalidate/policy/freshness.h"
#include "revalidate/policy/selection.h"
#include "revalidate/policy/storability.h"
#include "revalidate/policy/tags.h"
#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;
using storage::VariantSet;

StoredHead freshened(const StoredHead& old, const Lines& lines, const RequestHead& req = request(),
                     const PolicyOptions& options = {}) {
  return freshened_head(old, response(304, lines), req, at(10), at(11), 7, options);
}

Conditions offer(const VariantSet& set, const StoredResponse* selected, const RequestHead& req = request()) {
  return conditions_for(set, selected, req);
}

StoredResponsePtr chosen(const VariantSet& set, const StoredResponse* selected, const ResponseHead& head304,
                         const RequestHead& req = request()) {
  return choose_304(set, selected, req, head304);
}

StoredResponsePtr variant(const Lines& lines, const storage::SelectingFields& selecting) {
  StoredHead head = stored_head(lines);
  head.selecting = selecting;
  return keep(head);
}

TEST(Validation, S431TheSelectedResponseIsOfferedByBothValidators) {
  const VariantSet set{stored({{"ETag", "W/\"a\""}, {"Last-Modified", "Tue, 14 Nov 2023 22:00:00 GMT"}}),
                       stored({{"ETag", "\"b\""}})};
  const Conditions conditions = offer(set, set[0].get());
  EXPECT_EQ(conditions.if_none_match, "W/\"a\"");
  EXPECT_EQ(conditions.if_modified_since, "Tue, 14 Nov 2023 22:00:00 GMT");
}

TEST(Validation, S434The304SaysWhichTagsAndCacheGroupsItBelongsTo) {
  const auto tags = [](const StoredHead& head) { return tags_of(head.key, head.response.fields, {}); };
  StoredHead old = stored({{"ETag", "\"a\""}, {"Cache-Groups", "\"x\""}, {"Surrogate-Key", "s t"}})->head();
  old.tags = tags(old);
  ASSERT_EQ(old.tags.size(), 4U);
  EXPECT_EQ(freshened(old, {{"ETag", "\"a\""}}).tags, old.tags);
  const StoredHead fresh = freshened(old, {{"ETag", "\"a\""}, {"Cache-Groups", "\"y\""}, {"Cache-Tag", "u"}});
  EXPECT_EQ(fresh.tags, tags(fresh));
  EXPECT_EQ(fresh.tags, (std::vector<std::string>{"group:http://example.com y", "s", "t", "u", "y"}));
  EXPECT_EQ(freshened(fresh, {{"Surrogate-Key", ""}}).tags,
            (std::vector<std::string>{"group:http://example.com y", "u", "y"}));
}

TEST(Validation, S431LastModifiedAlone) {
  const VariantSet set{stored({{"Last-Modified", date_at(-5)}})};
  EXPECT_EQ(offer(set, set[0].get()).if_none_match, "");
  EXPECT_EQ(offer(set, set[0].get()).if_modified_since, date_at(-5));
}

TEST(Validation, S431WithoutAValidatorNothingIsAsked) {
  const VariantSet set{stored({{"ETag", "bad"}, {"Last-Modified", "yesterday"}})};
  EXPECT_TRUE(offer(set, set[0].get()).empty());
}

TEST(Validation, S431AfterAVaryMissAllEntityTagsAreOffered) {
  std::vector<StoredResponsePtr> list{stored({{"ETag", "\"a\""}, {"Last-Modified", date_at(-5)}}),
                                      stored({{"Last-Modified", date_at(-5)}}), stored({{"ETag", "W/\"b\""}}),
                                      stored({{"ETag", "\"a\""}})};
  const Conditions conditions = offer(VariantSet(list), nullptr);
  EXPECT_EQ(conditions.if_none_match, "\"a\", W/\"b\"");
  EXPECT_EQ(conditions.if_modified_since, "");
  for (int i = 0; i < 20; ++i) list.push_back(stored({{"ETag", "\"t" + std::to_string(i) + "\""}}));
  const std::string many = offer(VariantSet(list), nullptr).if_none_match;
  EXPECT_EQ(std::count(many.begin(), many.end(), ','), static_cast<long>(kMaxOfferedTags) - 2);  // "a" twice
}

TEST(Validation, S431TagsThatAnotherAcceptEncodingHasSelectedAreNotOffered) {
  const VariantSet set{variant({{"ETag", "W/\"g\""}, {"Content-Encoding", "gzip"}},
                               {{"accept-encoding", "gzip"}, {"origin", "b"}}),
                       variant({{"ETag", "\"i\""}}, {{"accept-encoding", std::nullopt}}),
                       variant({{"ETag", "\"o\""}}, {{"origin", "b"}}),
                       variant({{"ETag", "\"l\""}}, {{"accept-language", "en"}})};
  const RequestHead plain = request();
  const RequestHead gzip = request({{"Accept-Encoding", "GZIP"}});
  EXPECT_EQ(offer(set, nullptr, plain).if_none_match, "\"i\", \"o\", \"l\"");
  EXPECT_EQ(offer(set, nullptr, gzip).if_none_match, "W/\"g\", \"o\", \"l\"");
  EXPECT_EQ(chosen(set, nullptr, response(304, {{"ETag", "W/\"g\""}}), plain), nullptr);
  EXPECT_EQ(chosen(set, nullptr, response(304, {{"ETag", "W/\"g\""}}), gzip), set[0]);
}

TEST(Validation, S431AnEntityTagThatWasMadeHereIsNotOffered) {
  StoredHead head = stored_head({{"ETag", "\"fr1-x\""}});
  head.own_entity_tag = true;
  const VariantSet set{keep(head), stored({{"ETag", "\"a\""}})};
  EXPECT_TRUE(offer(set, set[0].get()).empty());
  EXPECT_EQ(offer(set, nullptr).if_none_match, "\"a\"");
  head.response.fields.add("Last-Modified", date_at(-5));
  const VariantSet dated{keep(head)};
  EXPECT_EQ(offer(dated, dated[0].get()).if_none_match, "");
  EXPECT_EQ(offer(dated, dated[0].get()).if_modified_since, date_at(-5));
  EXPECT_EQ(chosen(dated, dated[0].get(), response(304, {{"ETag", "\"fr1-x\""}})), nullptr);
  EXPECT_EQ(chosen(dated, dated[0].get(), response(304)), dated[0]);
}

TEST(Validation, S431OurConditionsReplaceTheClients) {
  HeaderFields f =
      fields({{"If-None-Match", "\"x\""}, {"Range", "bytes=0-1"}, {"If-Range", "\"x\""}, {"A", "1"}});
  apply_conditions({"\"a\"", ""}, f);
  EXPECT_EQ(f.wire(), "A: 1\r\nIf-None-Match: \"a\"\r\n");
}

TEST(Validation, S434AStrongTagSelectsTheSameStrongTagOrNothing) {
  const VariantSet set{stored({{"ETag", "W/\"a\""}}), stored({{"ETag", "\"a\""}}),
                       stored({{"ETag", "\"b\""}})};
  EXPECT_EQ(chosen(set, nullptr, response(304, {{"ETag", "\"a\""}})), set[1]);
  EXPECT_EQ(chosen(set, nullptr, response(304, {{"ETag", "\"b\""}})), set[2]);
  EXPECT_EQ(chosen(set, nullptr, response(304, {{"ETag", "\"c\""}})), nullptr);
  EXPECT_EQ(chosen(set, set[1].get(), response(304, {{"ETag", "\"b\""}})), nullptr);
}

TEST(Validation, S434TheStrongFormOfTheOneWeakTagThatWasOfferedConfirmsIt) {
  const VariantSet set{stored({{"ETag", "W/\"a\""}}), stored({{"ETag", "\"a\""}}),
                       stored({{"ETag", "W/\"b\""}})};
  const ResponseHead strong = response(304, {{"ETag", "\"a\""}});
  EXPECT_EQ(chosen(set, set[0].get(), strong), set[0]);
  EXPECT_EQ(chosen(set, set[2].get(), strong), nullptr);
  // Of several that were offered it may have meant another.
  EXPECT_EQ(chosen({set[0], set[2]}, nullptr, strong), nullptr);
  EXPECT_EQ(chosen(set, nullptr, strong), set[1]);
  // It stays the weak one.
  EXPECT_EQ(freshened(set[0]->head(), {{"ETag", "\"a\""}}).response.fields.first("ETag"), "W/\"a\"");
}

StoredResponsePtr coded(const char* coding, std::optional<std::string> accepted) {
  StoredHead head = stored_head({{"ETag", "W/\"a\""}, {"Vary", "Accept-Encoding"}});
  if (*coding != 0) head.response.fields.add("Content-Encoding", coding);
  head.selecting = {{"accept-encoding", std::move(accepted)}};
  return keep(head);
}

TEST(Validation, S41OnlyAVariantInACodingThatIsAskedForIsOffered) {
  const VariantSet set{coded("gzip", "br,gzip"), coded("", std::nullopt), coded("", "br"),
                       stored({{"ETag", "\"b\""}, {"Content-Encoding", "gzip"}})};
  const auto offered = [&](const Lines& lines) { return variants_for(set, request(lines)); };
  EXPECT_EQ(offered({}), (VariantSet{set[1], set[2], set[3]}));
  EXPECT_EQ(offered({{"Accept-Encoding", "identity"}}), (VariantSet{set[1], set[2], set[3]}));
  // What was not coded for somebody who asked for a coding may not be for this one either.
  EXPECT_EQ(offered({{"Accept-Encoding", "GZIP"}}), (VariantSet{set[0], set[2], set[3]}));
  EXPECT_EQ(offered({{"Accept-Encoding", "x-gzip;q=0.5"}}), (VariantSet{set[0], set[2], set[3]}));
  EXPECT_EQ(offered({{"Accept-Encoding", "*"}}), (VariantSet{set[0], set[2], set[3]}));
  EXPECT_EQ(offered({{"Accept-Encoding", "gzip;q=0, *"}}), (VariantSet{set[2], set[3]}));
  EXPECT_EQ(offered({{"Accept-Encoding", "gzip;q=0"}}), (VariantSet{set[1], set[2], set[3]}));
}

TEST(Validation, S434AnotherOriginsPermissionIsNotSelected) {
  const VariantSet set{stored({{"ETag", "\"a\""}, {"Access-Control-Allow-Origin", "https://a"}}),
                       stored({{"ETag", "\"a\""}, {"Access-Control-Allow-Origin", "*"}})};
  EXPECT_EQ(chosen(set, nullptr, response(304, {{"ETag", "\"a\""}})), set[1]);
  EXPECT_EQ(chosen(set, set[0].get(), response(304, {{"ETag", "\"a\""}})), set[0]);
  EXPECT_EQ(
      chosen(set, nullptr, response(304, {{"ETag", "\"a\""}, {"Access-Control-Allow-Origin", "https://b"}})),
      set[0]);
}

TEST(Freshen, S41WhatOneOriginMayReadIsNotAnothers) {
  StoredHead old = stored_head({{"Vary", "Origin"}, {"Access-Control-Allow-Origin", "https://a"}});
  old.selecting = {{"origin", "https://a"}};
  const Lines lines{{"Access-Control-Allow-Origin", "https://b"},
                    {"Access-Control-Allow-Credentials", "true"}};
  const RequestHead req = request({{"Origin", "https://b"}});
  const StoredHead fresh = freshened(old, lines, req);
  EXPECT_EQ(fresh.response.fields.combined("Access-Control-Allow-Origin"), "https://a");
  EXPECT_FALSE(fresh.response.fields.has("Access-Control-Allow-Credentials"));
  const StoredHead added = added_variant(fresh, response(304, lines), req);
  EXPECT_EQ(added.response.fields.combined("Access-Control-Allow-Origin"), "https://b");
  EXPECT_EQ(added.response.fields.combined("Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(freshened(old, lines, request({{"Origin", "https://a"}}))
                .response.fields.combined("Access-Control-Allow-Origin"),
            "https://b");
}

TEST(Validation, S434AWeakTagSelectsTheNewestThatCorresponds) {
  const VariantSet set{stored({{"ETag", "\"b\""}}), stored({{"ETag", "\"a\""}}),
                       stored({{"ETag", "W/\"a\""}})};
  EXPECT_EQ(chosen(set, nullptr, response(304, {{"ETag", "W/\"a\""}})), set[1]);
  EXPECT_EQ(chosen(set, nullptr, response(304, {{"ETag", "W/\"c\""}})), nullptr);
}

TEST(Validation, S434AllWithTheSameStrongTagAreConfirmed) {
  const VariantSet set{stored({{"ETag", "\"a\""}}), stored({{"ETag", "W/\"a\""}}),
                       stored({{"ETag", "\"a\""}}), stored({{"ETag", "\"b\""}})};
  EXPECT_EQ(also_confirmed(set, *set[0], response(304, {{"ETag", "\"a\""}})),
            std::vector<StoredResponsePtr>{set[2]});
  EXPECT_TRUE(also_confirmed(set, *set[0], response(304, {{"ETag", "W/\"a\""}})).empty());
  EXPECT_TRUE(also_confirmed(set, *set[0], response(304)).empty());
}

TEST(Validation, S434LastModifiedSelectsByTheSameDate) {
  const VariantSet set{stored({{"Last-Modified", date_at(-5)}})};
  EXPECT_EQ(chosen(set, set[0].get(), response(304, {{"Last-Modified", date_at(-5)}})), set[0]);
  EXPECT_EQ(chosen(set, set[0].get(), response(304, {{"Last-Modified", date_at(-4)}})), nullptr);
  // The origin has begun to send entity tags.
  EXPECT_EQ(chosen(set, set[0].get(), response(304, {{"Last-Modified", date_at(-5)}, {"ETag", "\"n\""}})),
            set[0]);
}

TEST(Validation, S434TheEntityTagDecidesBeforeTheDate) {
  const VariantSet set{stored({{"ETag", "\"a\""}, {"Last-Modified", date_at(-5)}})};
  EXPECT_EQ(chosen(set, set[0].get(), response(304, {{"ETag", "\"b\""}, {"Last-Modified", date_at(-5)}})),
            nullptr);
}

TEST(Validation, S434WithoutAValidatorOnlyASingleOfferIsMeant) {
  const VariantSet set{stored({{"ETag", "\"a\""}}), stored({{"ETag", "\"b\""}})};
  EXPECT_EQ(chosen(set, set[1].get(), response(304)), set[1]);
  EXPECT_EQ(chosen(set, nullptr, response(304)), nullptr);
}

TEST(Freshen, S32TheFieldsOfThe304ReplaceAndTheOthersStay) {
  const StoredHead old = stored_head({{"A", "1"},
                                      {"Cache-Control", "max-age=1"},
                                      {"B", "1"},
                                      {"b", "2"},
                                      {"ETag", "\"a\""},
                                      {"Date", date_at(0)}});
  const StoredHead fresh =
      freshened(old, {{"b", "3"}, {"Cache-Control", "max-age=60"}, {"X", "n"}, {"Date", date_at(11)}});
  EXPECT_EQ(
      fresh.response.fields.wire(),
      "A: 1\r\nETag: \"a\"\r\nb: 3\r\nCache-Control: max-age=60\r\nX: n\r\nDate: " + date_at(11) + "\r\n");
  EXPECT_EQ(fresh.response.status, 200);
}

TEST(Freshen, S32FramingAndWhatDescribesTheBytesStays) {
  const StoredHead old = stored_head({{"Content-Encoding", "gzip"},
                                      {"Content-MD5", "A"},
                                      {"Content-Digest", "A"},
                                      {"Content-Range", "bytes 0-1/2"},
                                      {"Content-Type", "text/plain"},
                                      {"ETag", "\"a\""},
                                      {"Date", date_at(0)}});
  const StoredHead fresh = freshened(old, {{"Content-Encoding", "br"},
                                           {"Content-MD5", "B"},
                                           {"Content-Digest", "B"},
                                           {"Content-Range", "bytes 1-2/3"},
                                           {"Content-Length", "0"},
                                           {"Transfer-Encoding", "chunked"},
                                           {"Content-Type", "text/html"},
                                           {"ETag", "W/\"a\""},
                                           {"Date", date_at(11)}});
  const HeaderFields& f = fresh.response.fields;
  EXPECT_EQ(f.first("Content-Encoding"), "gzip");
  EXPECT_EQ(f.first("Content-MD5"), "A");
  EXPECT_EQ(f.first("Content-Digest"), "A");
  EXPECT_EQ(f.first("Content-Range"), "bytes 0-1/2");
  EXPECT_EQ(f.first("ETag"), "\"a\"");
  EXPECT_EQ(f.first("Content-Type"), "text/html");
  EXPECT_FALSE(f.has("Content-Length"));
  EXPECT_FALSE(f.has("Transfer-Encoding"));
}

TEST(Freshen, S31HopByHopAndNamedFieldsAreNotCopied) {
  const StoredHead fresh =
      freshened(stored_head({{"A", "1"}, {"N", "1"}}), {{"Connection", "a"},
                                                        {"A", "2"},
                                                        {"Keep-Alive", "x"},
                                                        {"Proxy-Authenticate", "x"},
                                                        {"Cache-Control", "private=\"p\", no-cache=\"n\""},
                                                        {"P", "x"},
                                                        {"N", "2"}});
  EXPECT_EQ(fresh.response.fields.first("A"), "1");
  EXPECT_EQ(fresh.response.fields.first("N"), "1");
  for (const char* name : {"Connection", "Keep-Alive", "Proxy-Authenticate", "P"}) {
    EXPECT_FALSE(fresh.response.fields.has(name)) << name;
  }
}

TEST(Freshen, S73CookiesOnlyAsTheOptionAllows) {
  PolicyOptions options;
  const StoredHead old = stored_head({{"ETag", "\"a\""}});
  EXPECT_FALSE(freshened(old, {{"Set-Cookie", "a=c"}}, request(), options).response.fields.has("Set-Cookie"));
  EXPECT_TRUE(freshened(old, {{"Set-Cookie", "a=c"}, {"Cache-Control", "public"}}, request(), options)
                  .response.fields.has("Set-Cookie"));
  options.set_cookie = SetCookiePolicy::kRfc;
  EXPECT_TRUE(freshened(old, {{"Set-Cookie", "a=c"}}, request(), options).response.fields.has("Set-Cookie"));
}

TEST(Freshen, S73ClearSiteDataIsTreatedAsACookieIs) {
  const StoredHead old = stored_head({{"ETag", "\"a\""}});
  const auto kept = [&](const Lines& lines, SetCookiePolicy policy) {
    PolicyOptions options;
    options.set_cookie = policy;
    return freshened(old, lines, request(), options).response.fields.has("Clear-Site-Data");
  };
  const Lines plain = {{"Clear-Site-Data", "\"cache\""}};
  const Lines shared = {{"Clear-Site-Data", "\"cache\""}, {"Cache-Control", "public"}};
  EXPECT_FALSE(kept(plain, SetCookiePolicy::kSafe));
  EXPECT_TRUE(kept(shared, SetCookiePolicy::kSafe));
  EXPECT_TRUE(kept(plain, SetCookiePolicy::kRfc));
  EXPECT_FALSE(kept(shared, SetCookiePolicy::kStrip));
}

TEST(Freshen, Rfc9875S2GroupsAreThoseOfTheFreshFields) {
  using Tags = std::vector<std::string>;
  StoredHead old = stored_head({{"Cache-Groups", "\"a\""}});
  old.key.text += "#F1:v";
  old.tags = tags_of(old.key, old.response.fields, {});
  const auto tags = [&](const Lines& lines) { return freshened(old, lines).tags; };
  EXPECT_EQ(tags({}), (Tags{"group:http://example.com a", "uri:http://example.com/a/b?c=d", "a"}));
  EXPECT_EQ(tags({{"Cache-Groups", "\"b\", \"c\""}}),
            (Tags{"group:http://example.com b", "group:http://example.com c",
                  "uri:http://example.com/a/b?c=d", "b", "c"}));
  EXPECT_EQ(tags({{"Cache-Groups", "no-list;;"}}), Tags{"uri:http://example.com/a/b?c=d"});
}

TEST(Freshen, S434TimesAgeAndSequenceAreThe304s) {
  StoredHead old = stored_head({{"Cache-Control", "max-age=5"}, {"Date", date_at(-100)}});
  old.age_received = Seconds{50};
  old.filled_at = 3;
  const StoredHead fresh = freshened(old, {{"Age", "2"}});
  EXPECT_EQ(fresh.request_time, at(10));
  EXPECT_EQ(fresh.response_time, at(11));
  EXPECT_EQ(fresh.age_received, Seconds{2});
  EXPECT_FALSE(fresh.response.fields.has("Age"));
  EXPECT_EQ(fresh.filled_at, 3U);
  EXPECT_EQ(fresh.validated_at, 7U);
  // A 304 without Date was made now, not when the stored response was.
  EXPECT_TRUE(is_fresh(ResponseFacts(fresh, PolicyOptions{}), at(12)));
}

TEST(Freshen, S41SelectingFieldsAreTakenAnewWhereTheyMust) {
  StoredHead old = stored_head({{"Vary", "Foo"}});
  old.selecting = {{"foo", "1"}};
  EXPECT_EQ(freshened(old, {}, request({{"Foo", "1"}})).selecting, old.selecting);
  EXPECT_EQ(freshened(old, {{"Vary", "Bar"}}, request({{"Foo", "1"}, {"Bar", "b"}})).selecting[0].name,
            "bar");
  const StoredHead never = freshened(old, {{"Vary", "*"}}, request({{"Foo", "1"}}));
  EXPECT_EQ(never.selecting[0].name, "*");
}

TEST(Freshen, S41AResponseThatWasNotSelectedKeepsItsSelectingFields) {
  StoredHead old = stored_head({{"Vary", "Foo"}, {"A", "1"}});
  old.selecting = {{"foo", "1"}};
  const ResponseHead head304 = response(304, {{"Vary", "Foo, Bar"}, {"A", "2"}});
  const RequestHead req = request({{"Foo", "2"}, {"Bar", "b"}});
  const StoredHead fresh = freshened(old, {{"Vary", "Foo, Bar"}, {"A", "2"}}, req);
  EXPECT_EQ(fresh.selecting, old.selecting);
  EXPECT_EQ(fresh.response.fields.first("Vary"), "Foo");
  EXPECT_EQ(fresh.response.fields.first("A"), "2");
  const StoredHead added = added_variant(fresh, head304, req);
  ASSERT_EQ(added.selecting.size(), 2U);
  EXPECT_TRUE(matches(added, req));
  EXPECT_EQ(added.response.fields.first("Vary"), "Foo, Bar");
  EXPECT_EQ(added.response.fields.first("A"), "2");
  EXPECT_TRUE(matches(added_variant(fresh, response(304), req), request({{"Foo", "2"}})));
}

TEST(Freshen, S435AConfirmedResponseIsNoLongerOutdated) {
  StoredHead old = stored_head({});
  old.outdated = true;
  EXPECT_FALSE(freshened(old, {}).outdated);
}

TEST(Freshen, S434AnEntityTagOfTheOriginReplacesOneThatWasMadeHere) {
  StoredHead old = stored_head({{"ETag", "\"fr1-x\""}});
  old.own_entity_tag = true;
  EXPECT_TRUE(freshened(old, {}).own_entity_tag);
  EXPECT_EQ(freshened(old, {}).response.fields.first("ETag"), "\"fr1-x\"");
  const StoredHead fresh = freshened(old, {{"ETag", "\"a\""}});
  EXPECT_FALSE(fresh.own_entity_tag);
  EXPECT_EQ(fresh.response.fields.first("ETag"), "\"a\"");
}

TEST(Freshen, G12CredentialsOfTheValidatingRequestAreRemembered) {
  EXPECT_FALSE(freshened(stored_head({}), {}).request_had_credentials);
  EXPECT_TRUE(freshened(stored_head({}), {}, request({{"Cookie", "a"}})).request_had_credentials);
}

TEST(Freshen, S3A304CanForbidToKeep) {
  const StoredHead old = stored_head({{"Cache-Control", "max-age=5"}, {"ETag", "\"a\""}});
  const auto kept = [&](const Lines& lines, const RequestHead& req) {
    return may_store_freshened(req, freshened(old, lines, req), PolicyOptions{});
  };
  EXPECT_TRUE(kept({}, request()));
  EXPECT_TRUE(kept({}, request({}, Method::kHead, "HEAD")));
  EXPECT_FALSE(kept({{"Cache-Control", "no-store"}}, request()));
  EXPECT_FALSE(kept({{"Cache-Control", "private"}}, request()));
  EXPECT_FALSE(kept({}, request({{"Authorization", "x"}})));
  EXPECT_FALSE(kept({}, request({{"Cache-Control", "no-store"}})));
}

TEST(Validation, S435HeadConfirmsByValidatorsAndLength) {
  StoredHead head = stored_head({{"ETag", "\"a\""}, {"Last-Modified", date_at(-5)}});
  head.body_size = 10;
  const auto kept = keep(head);
  EXPECT_TRUE(head_confirms(*kept, response(200, {{"ETag", "\"a\""}, {"Content-Length", "10"}})));
  EXPECT_TRUE(head_confirms(*kept, response(200)));
  EXPECT_FALSE(head_confirms(*kept, response(200, {{"Content-Length", "11"}})));
  EXPECT_FALSE(head_confirms(*kept, response(200, {{"ETag", "\"b\""}})));
  EXPECT_FALSE(head_confirms(*kept, response(200, {{"Last-Modified", date_at(-4)}})));
  EXPECT_FALSE(head_confirms(*kept, response(410)));
  // A tag that was made here is nothing that the origin could repeat.
  head.own_entity_tag = true;
  EXPECT_FALSE(head_confirms(*keep(head), response(200, {{"ETag", "\"a\""}})));
  EXPECT_TRUE(head_confirms(*keep(head), response(200, {{"Last-Modified", date_at(-5)}})));
}

TEST(Validation, S881OnlyAHeadThatAllowsItIsComparedByContent) {
  StoredHead head =
      stored_head({{"Content-Type", "text/plain"}, {"Content-Encoding", "gzip"}, {"ETag", "\"a\""}});
  head.body_size = 10;
  const auto kept = keep(head);
  const Lines same{{"Content-Type", "text/plain"}, {"Content-Encoding", "gzip"}};
  EXPECT_TRUE(may_have_same_content(*kept, response(200, same), std::nullopt));
  EXPECT_TRUE(may_have_same_content(*kept, response(200, same), 10));
  EXPECT_FALSE(may_have_same_content(*kept, response(200, same), 11));
  EXPECT_FALSE(may_have_same_content(*kept, response(203, same), 10));
  EXPECT_FALSE(may_have_same_content(*kept, response(200, {{"Content-Type", "text/plain"}}), 10));
  EXPECT_FALSE(may_have_same_content(
      *kept, response(200, {{"Content-Type", "text/html"}, {"Content-Encoding", "gzip"}}), 10));
  head.sliced = true;
  EXPECT_FALSE(may_have_same_content(*keep(head), response(200, same), 10));
}

}  // namespace
}  // namespace freshet::revalidate
