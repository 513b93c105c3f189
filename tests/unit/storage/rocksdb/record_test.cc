#include "storage/rocksdb/record.h"

#include <gtest/gtest.h>
#include <random>

namespace freshet::storage {
namespace {

StoredHead sample() {
  StoredHead head;
  head.key = make_cache_key("http", "example.org", "/a?b");
  head.selecting = {{"accept", "text/html"}, {"cookie", std::nullopt}};
  head.response.status = 203;
  head.response.reason = "Fine";
  head.response.fields.add("ETag", "\"x\"");
  head.response.fields.add("X-Own", "");
  head.request_time = wall_from_seconds(1'700'000'000);
  head.response_time = wall_from_seconds(1'700'000'001);
  head.age_received = Seconds{5};
  head.body_size = 2ULL * kBodyChunkSize + 1;
  head.filled_at = 11;
  head.validated_at = 12;
  head.request_had_credentials = true;
  head.own_entity_tag = true;
  head.outdated = true;
  head.tags = {"group:a", "", "group:b"};
  head.body_id = 99;
  return head;
}

std::string sealed(std::string content) {
  return content + encode_u64(digest128(content).low);
}

TEST(HeadRecord, RoundTrip) {
  const StoredHead head = sample();
  const auto got = decode_head(encode_head(head));
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->key, head.key);
  EXPECT_EQ(got->selecting, head.selecting);
  EXPECT_EQ(got->response.status, head.response.status);
  EXPECT_EQ(got->response.reason, head.response.reason);
  EXPECT_EQ(got->response.fields.wire(), head.response.fields.wire());
  EXPECT_EQ(got->request_time, head.request_time);
  EXPECT_EQ(got->response_time, head.response_time);
  EXPECT_EQ(got->age_received, head.age_received);
  EXPECT_EQ(got->body_size, head.body_size);
  EXPECT_EQ(got->filled_at, head.filled_at);
  EXPECT_EQ(got->validated_at, head.validated_at);
  EXPECT_EQ(got->request_had_credentials, head.request_had_credentials);
  EXPECT_TRUE(got->own_entity_tag);
  EXPECT_FALSE(got->sliced);
  EXPECT_TRUE(got->outdated);
  EXPECT_EQ(got->tags, head.tags);
  EXPECT_EQ(got->body_id, head.body_id);
  EXPECT_EQ(peek_body_id(encode_head(head)), 99U);
}

TEST(HeadRecord, SaysWhereTheBodyLies) {
  const BodyPlace copied{BodyFamily::kMain, 1234};
  const std::string record = encode_head(sample(), copied);
  EXPECT_EQ(peek_place(record), copied);
  EXPECT_EQ(peek_body_id(record), 99U);
  BodyPlace place;
  const auto got = decode_head(record, &place);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(place, copied);
  EXPECT_EQ(got->body_id, 99U);
  EXPECT_EQ(peek_place(encode_head(sample())), (BodyPlace{BodyFamily::kNewcomers, 99}));
  EXPECT_FALSE(decode_head(encode_head(sample(), {static_cast<BodyFamily>(2), 1})).has_value());
  EXPECT_FALSE(peek_place("short").has_value());
}

TEST(ChunkHeader, SaysWhatItIs) {
  const ChunkLabel label{7, digest128("key"), 3, 5};
  const std::string record = encode_chunk_header(label) + "bytes";
  EXPECT_EQ(decode_chunk_header(record), label);
  EXPECT_FALSE(decode_chunk_header(record + "!").has_value());
  EXPECT_FALSE(decode_chunk_header(record.substr(0, 20)).has_value());
}

TEST(HeadRecord, SlicedHasOneEmptyChunkWhateverItsLength) {
  StoredHead head = sample();
  head.sliced = true;
  head.body_size = std::uint64_t{5} << 40;
  const auto got = decode_head(encode_head(head));
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(got->sliced);
  EXPECT_EQ(got->body_size, head.body_size);
}

// What version 1 of the format wrote: no tags at the end, one flag.
TEST(HeadRecord, FormOneIsRead) {
  StoredHead head = sample();
  head.tags.clear();
  std::string content = encode_head(head);
  content.resize(content.size() - 8 - 4);
  content[0] = 1;
  EXPECT_FALSE(decode_head(sealed(content)).has_value()) << "flags that form 1 did not have";
  content[1] = 1;
  const auto got = decode_head(sealed(content));
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->key, head.key);
  EXPECT_EQ(got->response.fields.wire(), head.response.fields.wire());
  EXPECT_TRUE(got->request_had_credentials);
  EXPECT_FALSE(got->own_entity_tag);
  EXPECT_TRUE(got->tags.empty());
  EXPECT_EQ(peek_body_id(sealed(content)), 99U);
  content[0] = 3;
  EXPECT_FALSE(decode_head(sealed(content)).has_value());
  EXPECT_FALSE(peek_body_id(sealed(content)).has_value());
}

TEST(HeadRecord, EveryTruncationIsRefused) {
  const std::string record = encode_head(sample());
  for (std::size_t size = 0; size < record.size(); ++size) {
    EXPECT_FALSE(decode_head(std::string_view(record).substr(0, size)).has_value()) << size;
  }
}

TEST(HeadRecord, EveryFlippedBitIsRefused) {
  const std::string record = encode_head(sample());
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string damaged = record;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decode_head(damaged).has_value()) << bit;
  }
}

// Under a right checksum too, no content makes the decoder read or reserve beyond its bounds.
TEST(HeadRecord, AnyContentUnderARightChecksumIsReadOrRefused) {
  const std::string record = encode_head(sample());
  const std::string content = record.substr(0, record.size() - 8);
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = content.substr(0, 1 + random() % content.size());
    for (unsigned flips = random() % 4; flips > 0; --flips) {
      changed[random() % changed.size()] = static_cast<char>(random());
    }
    (void)decode_head(sealed(changed));
  }
  EXPECT_FALSE(decode_head(sealed(content + "x")).has_value());
  EXPECT_TRUE(decode_head(sealed(content)).has_value());
}

TEST(ChunkRecord, IsRecognisedByLabelAndLength) {
  const ChunkLabel label{7, {1, 2}, 3, 5};
  const std::string record = encode_chunk_header(label) + "12345";
  EXPECT_TRUE(is_chunk(record, label));
  EXPECT_FALSE(is_chunk(record.substr(0, record.size() - 1), label));
  EXPECT_FALSE(is_chunk(record + "6", label));
  EXPECT_FALSE(is_chunk(record, {8, {1, 2}, 3, 5}));
  EXPECT_FALSE(is_chunk(record, {7, {1, 3}, 3, 5}));
  EXPECT_FALSE(is_chunk(record, {7, {1, 2}, 4, 5}));
  EXPECT_FALSE(is_chunk("", {7, {1, 2}, 3, 0}));
}

TEST(Keys, ChunkKeysGrowWithIdAndNumber) {
  EXPECT_LT(chunk_key(1, 0xffffffff), chunk_key(2, 0));
  EXPECT_LT(chunk_key(255, 1), chunk_key(256, 0));
  EXPECT_LT(chunk_key(5, 255), chunk_key(5, 256));
  EXPECT_EQ(body_id_of_chunk_key(chunk_key(0x0102030405060708, 9)), 0x0102030405060708U);
  EXPECT_FALSE(body_id_of_chunk_key("short").has_value());
}

TEST(Keys, HeadKeysOfOneCacheKeyShareAPrefix) {
  const std::string key = head_key({1, 2}, {3, 4});
  EXPECT_EQ(key.size(), kHeadKeySize);
  EXPECT_TRUE(key.starts_with(head_key_prefix({1, 2})));
}

}  // namespace
}  // namespace freshet::storage
