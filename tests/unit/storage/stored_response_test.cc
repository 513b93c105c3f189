#include "storage/stored_response.h"

#include <gtest/gtest.h>

#include "tests/support/manual_executor.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using TryRead = StoredBody::TryRead;

TEST(MemoryBody, ReadsFromAnyOffsetWithoutACopy) {
  const ChunkList chunks{Chunk::adopt("abc"), Chunk(), Chunk::adopt("defgh"), Chunk::adopt("i")};
  const auto body = make_memory_body(chunks);
  const std::string whole = "abcdefghi";
  for (std::size_t offset = 0; offset < whole.size(); ++offset) {
    Chunk chunk;
    ASSERT_EQ(body->try_read(offset, chunk), TryRead::kData);
    ASSERT_FALSE(chunk.empty());
    EXPECT_EQ(chunk.view(), std::string_view(whole).substr(offset, chunk.size()));
  }
  Chunk chunk;
  ASSERT_EQ(body->try_read(4, chunk), TryRead::kData);
  EXPECT_EQ(chunk.data(), chunks[2].data() + 1);
  EXPECT_GE(body->memory_size(), whole.size());
}

TEST(MemoryBody, PastTheEndIsAFailure) {
  Chunk chunk;
  EXPECT_EQ(make_memory_body({})->try_read(0, chunk), TryRead::kFailed);
  EXPECT_EQ(make_memory_body({Chunk::adopt("abc")})->try_read(3, chunk), TryRead::kFailed);
}

TEST(MemoryBody, ReadIsAnsweredByAPostedTask) {
  tests::ManualExecutor executor;
  const auto body = make_memory_body({Chunk::adopt("abc")});
  std::string read;
  bool failed = false;
  body->read(1, executor, [&](Result<Chunk> chunk) { read = chunk->view(); });
  body->read(3, executor, [&](const Result<Chunk>& chunk) { failed = !chunk.ok(); });
  EXPECT_EQ(read, "");
  executor.run();
  EXPECT_EQ(read, "bc");
  EXPECT_TRUE(failed);
}

struct Length final : DerivedFacts {
  explicit Length(std::uint64_t size) : length(size) {}
  std::uint64_t length;
};

TEST(StoredResponse, IsDescribedOnce) {
  StoredHead head = tests::head_of({tests::key_of("/a")});
  head.body_size = 5;
  int calls = 0;
  const StoredResponse response(head, make_memory_body({}), [&](const StoredHead& described) {
    ++calls;
    return std::make_unique<const Length>(described.body_size);
  });
  EXPECT_EQ(dynamic_cast<const Length&>(*response.facts()).length, 5U);
  EXPECT_EQ(response.facts(), response.facts());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(tests::response_of({tests::key_of("/a")})->facts(), nullptr);
}

TEST(StoredResponse, KnowsItsBodyWhereThatIsInOnePiece) {
  StoredHead head;
  head.body_size = 3;
  const auto body = make_memory_body({Chunk::adopt("abc")});
  const StoredResponse whole(head, body, Describe{});
  ASSERT_TRUE(whole.has_whole_body());
  EXPECT_EQ(whole.whole_body(), "abc");
  const auto pieces = make_memory_body({Chunk::adopt("a"), Chunk::adopt("bc")});
  EXPECT_FALSE(StoredResponse(head, pieces, Describe{}).has_whole_body());
  head.body_size = 2;
  EXPECT_FALSE(StoredResponse(head, body, Describe{}).has_whole_body()) << "its head says otherwise";
}

TEST(StoredResponse, AccountsForHeadAndBody) {
  const auto plain = tests::response_of({tests::key_of("/a")}, "");
  const auto body = tests::response_of({tests::key_of("/a")}, std::string(1000, 'x'));
  const auto key = tests::response_of({tests::key_of("/" + std::string(1000, 'k'))}, "");
  const auto selecting = tests::response_of({tests::key_of("/a"), 100, std::string(1000, 'l')}, "");
  EXPECT_GE(body->memory_size(), plain->memory_size() + 960) << "pieces of memory are rounded up";
  EXPECT_GE(key->memory_size(), plain->memory_size() + 990);
  EXPECT_GE(selecting->memory_size(), plain->memory_size() + 960) << "pieces of memory are rounded up";
  EXPECT_GE(tests::freshened(plain, 200, std::string(1000, 'h'))->memory_size(), plain->memory_size() + 960)
      << "pieces of memory are rounded up";
}

TEST(StoredResponse, FreshenedSharesTheBodyAndTheVariant) {
  const auto old = tests::response_of({tests::key_of("/a"), 100, "en"});
  const auto fresh = tests::freshened(old, 200);
  EXPECT_EQ(fresh->body(), old->body());
  EXPECT_EQ(fresh->variant(), old->variant());
  old->remember(7, Standing::kStale);
  EXPECT_EQ(old->remembered(7), Standing::kStale);
  EXPECT_EQ(fresh->remembered(7), std::nullopt) << "what is said of the old one says nothing of it";
}

}  // namespace
}  // namespace freshet::storage
