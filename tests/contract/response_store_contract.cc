#include "tests/contract/response_store_contract.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "storage/comparing_writer.h"

namespace freshet::storage {

void WaitingExecutor::post(Task task) {
  const MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  posted_.notify_all();
}

void WaitingExecutor::run_until(const bool& done) {
  while (!done) {
    Task task;
    {
      const MutexLock lock(mutex_);
      while (tasks_.empty()) posted_.wait(mutex_);
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

void WaitingExecutor::run_posted() {
  std::deque<Task> tasks;
  {
    const MutexLock lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const Task& task : tasks) task();
}

namespace {

struct AllExecutors {
  Mutex mutex;
  std::vector<std::unique_ptr<WaitingExecutor>> all GUARDED_BY(mutex);
};

AllExecutors& all_executors() {
  static AllExecutors instance;
  return instance;
}

}  // namespace

WaitingExecutor& executor_of_this_thread() {
  thread_local WaitingExecutor* mine = nullptr;
  if (mine == nullptr) {
    const MutexLock lock(all_executors().mutex);
    mine = all_executors().all.emplace_back(std::make_unique<WaitingExecutor>()).get();
  }
  return *mine;
}

void ResponseStoreContract::TearDown() {
  store_.settle();
  const MutexLock lock(all_executors().mutex);
  for (const auto& executor : all_executors().all) executor->run_posted();
}

std::string contract_name(const testing::TestParamInfo<ContractFactory>& info) {
  return info.param.name;
}

CacheKey test_key(std::string_view path) {
  return make_cache_key("http", "example.org", path);
}

std::string test_body(std::size_t size, unsigned seed) {
  std::string body(size, '\0');
  std::uint32_t state = seed * 2654435761U + 1;
  for (char& c : body) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>('a' + (state >> 24) % 26);
  }
  return body;
}

StoredHead test_head(const CacheKey& key, std::size_t body_size, unsigned seed, long long when) {
  StoredHead head;
  head.key = key;
  head.response.status = 200;
  head.response.reason = "OK";
  head.response.fields.add("Content-Type", "text/plain");
  head.response.fields.add("ETag", "\"" + std::to_string(seed) + "\"");
  head.request_time = wall_from_seconds(when - 1);
  head.response_time = wall_from_seconds(when);
  head.body_size = body_size;
  return head;
}

bool put(ResponseStore& store, StoredHead head, const std::string& body) {
  std::unique_ptr<StoreWriter> writer = store.begin(head.key, body.size());
  if (!writer) return false;
  ChunkList whole;
  constexpr std::size_t kPiece = 100'000;
  for (std::size_t at = 0; at < body.size(); at += kPiece) {
    whole.push_back(Chunk::copy_of(std::string_view(body).substr(at, kPiece)));
    writer->append(whole.back());
  }
  WaitingExecutor& executor = executor_of_this_thread();
  bool told = false;
  bool stored = false;
  writer->commit(std::move(head), std::move(whole), executor, [&](bool ok) {
    stored = ok;
    told = true;
  });
  executor.run_until(told);
  return stored;
}

VariantSetPtr find(ResponseStore& store, const CacheKey& key) {
  const ResponseStore::LookupResult quick = store.try_lookup(key);
  if (quick.found == ResponseStore::Found::kYes) return quick.variants;
  if (quick.found == ResponseStore::Found::kNo) return nullptr;
  WaitingExecutor& executor = executor_of_this_thread();
  bool told = false;
  VariantSetPtr found;
  store.lookup(key, executor, [&](VariantSetPtr variants) {
    found = std::move(variants);
    told = true;
  });
  executor.run_until(told);
  return found;
}

namespace {

bool read_piece(const StoredBody& body, std::uint64_t offset, Chunk& chunk) {
  const StoredBody::TryRead quick = body.try_read(offset, chunk);
  if (quick != StoredBody::TryRead::kWouldBlock) return quick == StoredBody::TryRead::kData;
  WaitingExecutor& executor = executor_of_this_thread();
  bool told = false;
  bool ok = false;
  body.read(offset, executor, [&](Result<Chunk> read) {
    ok = read.ok();
    if (ok) chunk = read.take();
    told = true;
  });
  executor.run_until(told);
  return ok;
}

std::string etag_of(const StoredResponse& response) {
  return std::string(response.head().response.fields.first(FieldName::kETag).value_or(""));
}

}  // namespace

std::optional<std::string> read_body(const StoredBody& body, std::uint64_t size) {
  std::string whole;
  while (whole.size() < size) {
    Chunk chunk;
    if (!read_piece(body, whole.size(), chunk) || chunk.empty()) return std::nullopt;
    whole.append(chunk.view());
  }
  return whole;
}

std::optional<std::string> read_body(const StoredResponse& response) {
  return read_body(*response.body(), response.head().body_size);
}

TEST_P(ResponseStoreContract, FindsNothingInAnEmptyStore) {
  EXPECT_EQ(find(store_, test_key("/a")), nullptr);
}

TEST_P(ResponseStoreContract, GivesBackBodiesOfEverySize) {
  constexpr std::size_t kChunk = 256 * 1024;
  unsigned seed = 0;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kChunk - 1, kChunk, kChunk + 1, 4 * kChunk + 7}) {
    const CacheKey key = test_key("/size/" + std::to_string(size));
    const std::string body = test_body(size, ++seed);
    ASSERT_TRUE(put(store_, test_head(key, size, seed, 1000), body)) << size;
    const VariantSetPtr found = find(store_, key);
    ASSERT_NE(found, nullptr) << size;
    ASSERT_EQ(found->size(), 1U);
    EXPECT_TRUE(read_body(*found->front()) == body) << size;
  }
}

TEST_P(ResponseStoreContract, GivesBackTheWholeHead) {
  const CacheKey key = test_key("/head?x=1");
  StoredHead head = test_head(key, 3, 7, 5000);
  head.response.status = 404;
  head.response.reason = "Nothing Here";
  head.response.fields.add("x-Empty", "");
  head.response.fields.add("Set-Thing", "a");
  head.response.fields.add("Set-Thing", "b");
  head.selecting = {{"accept", "text/html"}, {"accept-language", std::nullopt}, {"x-empty", ""}};
  head.age_received = Seconds{12};
  head.filled_at = 3;
  head.validated_at = 4;
  head.request_had_credentials = true;
  head.own_entity_tag = true;
  head.outdated = true;
  head.tags = {"group:a", "group:\"b\" c"};
  ASSERT_TRUE(put(store_, head, "abc"));
  const VariantSetPtr found = find(store_, key);
  ASSERT_NE(found, nullptr);
  const StoredHead& got = found->front()->head();
  EXPECT_EQ(got.key, key);
  EXPECT_EQ(got.selecting, head.selecting);
  EXPECT_EQ(got.response.status, 404);
  EXPECT_EQ(got.response.reason, "Nothing Here");
  EXPECT_EQ(got.response.fields.wire(), head.response.fields.wire());
  EXPECT_EQ(got.request_time, head.request_time);
  EXPECT_EQ(got.response_time, head.response_time);
  EXPECT_EQ(got.age_received, Seconds{12});
  EXPECT_EQ(got.body_size, 3U);
  EXPECT_EQ(got.filled_at, 3U);
  EXPECT_EQ(got.validated_at, 4U);
  EXPECT_TRUE(got.request_had_credentials);
  EXPECT_TRUE(got.own_entity_tag);
  EXPECT_FALSE(got.sliced);
  EXPECT_TRUE(got.outdated);
  EXPECT_EQ(got.tags, head.tags);
}

// The length is that of the whole; here there is no body.
TEST_P(ResponseStoreContract, KeepsAHeadWhoseContentIsInSlices) {
  const CacheKey key = test_key("/sliced");
  StoredHead head = test_head(key, std::size_t{1} << 30, 1, 1000);
  head.sliced = true;
  ASSERT_TRUE(put(store_, head, ""));
  StoredResponsePtr found = find(store_, key)->front();
  StoredHead fresh = found->head();
  fresh.response_time = wall_from_seconds(2000);
  store_.freshen(found, std::make_shared<const StoredResponse>(fresh, found->body(), Describe()));
  store_.settle();
  found = find(store_, key)->front();
  EXPECT_TRUE(found->head().sliced);
  EXPECT_EQ(found->head().body_size, std::uint64_t{1} << 30);
  EXPECT_EQ(found->head().response_time, wall_from_seconds(2000));
  EXPECT_EQ(stored_body_size(found->head()), 0U);
  EXPECT_EQ(read_body(*found->body(), stored_body_size(found->head())), "");
  EXPECT_LT(found->memory_size(), 10'000U);
}

TEST_P(ResponseStoreContract, ShowsNothingBeforeCommit) {
  const CacheKey key = test_key("/open");
  const std::string body = test_body(600'000, 1);
  const std::unique_ptr<StoreWriter> writer = store_.begin(key, body.size());
  ASSERT_NE(writer, nullptr);
  writer->append(Chunk::copy_of(body));
  store_.settle();
  EXPECT_EQ(find(store_, key), nullptr);
}

TEST_P(ResponseStoreContract, KeepsNothingOfADroppedWriter) {
  const CacheKey key = test_key("/dropped");
  const std::string old = test_body(10, 1);
  ASSERT_TRUE(put(store_, test_head(key, old.size(), 1, 1000), old));
  store_.begin(key, std::nullopt)->append(Chunk::copy_of(test_body(600'000, 2)));
  store_.settle();
  const VariantSetPtr found = find(store_, key);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(read_body(*found->front()), old);
}

TEST_P(ResponseStoreContract, ReplacesTheSameVariant) {
  const CacheKey key = test_key("/replaced");
  ASSERT_TRUE(put(store_, test_head(key, 300'000, 1, 1000), test_body(300'000, 1)));
  const StoredResponsePtr held = find(store_, key)->front();
  ASSERT_TRUE(put(store_, test_head(key, 300'001, 2, 1001), test_body(300'001, 2)));
  const VariantSetPtr found = find(store_, key);
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(etag_of(*found->front()), "\"2\"");
  EXPECT_TRUE(read_body(*found->front()) == test_body(300'001, 2));
  // Who is sending the old one goes on.
  EXPECT_TRUE(read_body(*held) == test_body(300'000, 1));
}

TEST_P(ResponseStoreContract, KeepsVariantsApartNewestFirst) {
  const CacheKey key = test_key("/varied");
  const long long when[] = {1005, 1009, 1001};
  for (unsigned i = 0; i < 3; ++i) {
    StoredHead head = test_head(key, 5, i, when[i]);
    head.selecting = {{"accept-language", std::string(1, static_cast<char>('a' + i))}};
    ASSERT_TRUE(put(store_, std::move(head), test_body(5, i)));
  }
  const VariantSetPtr found = find(store_, key);
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->size(), 3U);
  EXPECT_EQ(etag_of(*(*found)[0]), "\"1\"");
  EXPECT_EQ(etag_of(*(*found)[1]), "\"0\"");
  EXPECT_EQ(etag_of(*(*found)[2]), "\"2\"");
  EXPECT_EQ(read_body(*(*found)[2]), test_body(5, 2));
}

namespace {

StoredResponsePtr freshened(const StoredResponsePtr& old, long long when) {
  StoredHead head = old->head();
  head.response_time = wall_from_seconds(when);
  head.request_time = wall_from_seconds(when);
  head.validated_at = 9;
  head.response.fields.set(FieldName::kCacheControl, "max-age=60");
  return std::make_shared<const StoredResponse>(std::move(head), old->body(), Describe());
}

}  // namespace

TEST_P(ResponseStoreContract, FreshensTheHeadAndKeepsTheBody) {
  const CacheKey key = test_key("/freshened");
  for (const std::size_t size : {std::size_t{9}, std::size_t{700'000}}) {
    ASSERT_TRUE(put(store_, test_head(key, size, 1, 1000), test_body(size, 1)));
    const StoredResponsePtr first = find(store_, key)->front();
    const StoredResponsePtr second = freshened(first, 2000);
    store_.freshen(first, second);
    store_.freshen(second, freshened(second, 3000));
    store_.settle();
    const VariantSetPtr found = find(store_, key);
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->front()->head().response_time, wall_from_seconds(3000));
    EXPECT_EQ(found->front()->head().validated_at, 9U);
    EXPECT_EQ(found->front()->head().response.fields.first(FieldName::kCacheControl), "max-age=60");
    EXPECT_TRUE(read_body(*found->front()) == test_body(size, 1));
  }
}

TEST_P(ResponseStoreContract, FreshensNothingThatIsNoLongerStored) {
  const CacheKey key = test_key("/overtaken");
  ASSERT_TRUE(put(store_, test_head(key, 5, 1, 1000), test_body(5, 1)));
  const StoredResponsePtr old = find(store_, key)->front();
  ASSERT_TRUE(put(store_, test_head(key, 5, 2, 1500), test_body(5, 2)));
  store_.freshen(old, freshened(old, 2000));
  store_.settle();
  ASSERT_NE(find(store_, key), nullptr);
  EXPECT_EQ(etag_of(*find(store_, key)->front()), "\"2\"");

  const StoredResponsePtr removed = find(store_, key)->front();
  store_.remove(key);
  store_.freshen(removed, freshened(removed, 3000));
  store_.settle();
  EXPECT_EQ(find(store_, key), nullptr);
}

namespace {

// `old`'s content for a request in another language.
StoredResponsePtr in_language(const StoredResponsePtr& old, std::string language, long long when) {
  StoredHead head = old->head();
  head.selecting = {{"accept-language", std::move(language)}};
  head.response_time = wall_from_seconds(when);
  return std::make_shared<const StoredResponse>(std::move(head), old->body(), Describe());
}

StoredHead head_in_language(const CacheKey& key, std::size_t size, unsigned seed, std::string language,
                            long long when) {
  StoredHead head = test_head(key, size, seed, when);
  head.selecting = {{"accept-language", std::move(language)}};
  return head;
}

}  // namespace

TEST_P(ResponseStoreContract, AddsAVariantThatSharesABody) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{9}, std::size_t{700'000}}) {
    const CacheKey key = test_key("/added/" + std::to_string(size));
    ASSERT_TRUE(put(store_, head_in_language(key, size, 1, "en", 1000), test_body(size, 1)));
    const StoredResponsePtr english = find(store_, key)->front();
    store_.add_variant(english, in_language(english, "de", 2000));
    store_.settle();
    const VariantSetPtr found = find(store_, key);
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ((*found)[0]->head().selecting.front().value, "de");
    EXPECT_EQ((*found)[1]->head().selecting.front().value, "en");
    for (const StoredResponsePtr& each : *found) EXPECT_TRUE(read_body(*each) == test_body(size, 1));
  }
}

TEST_P(ResponseStoreContract, ReplacesOneOfTwoThatShareABody) {
  const CacheKey key = test_key("/shared-replaced");
  ASSERT_TRUE(put(store_, head_in_language(key, 700'000, 1, "en", 1000), test_body(700'000, 1)));
  const StoredResponsePtr english = find(store_, key)->front();
  store_.add_variant(english, in_language(english, "de", 2000));
  ASSERT_TRUE(put(store_, head_in_language(key, 5, 2, "en", 3000), test_body(5, 2)));
  const VariantSetPtr found = find(store_, key);
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ(read_body(*(*found)[0]), test_body(5, 2));
  EXPECT_TRUE(read_body(*(*found)[1]) == test_body(700'000, 1));
  // Freshening moves one to another's place: there is never a variant twice.
  store_.freshen((*found)[1], in_language((*found)[1], "en", 4000));
  store_.settle();
  ASSERT_EQ(find(store_, key)->size(), 1U);
  EXPECT_TRUE(read_body(*find(store_, key)->front()) == test_body(700'000, 1));
}

// Damage is the body's, so all that have it go; what has another stays.
TEST_P(ResponseStoreContract, RemovesAllThatShareADamagedBody) {
  const CacheKey key = test_key("/shared-removed");
  ASSERT_TRUE(put(store_, head_in_language(key, 700'000, 1, "en", 1000), test_body(700'000, 1)));
  ASSERT_TRUE(put(store_, head_in_language(key, 6, 2, "fr", 1001), test_body(6, 2)));
  const StoredResponsePtr english = find(store_, key)->back();
  store_.add_variant(english, in_language(english, "de", 2000));
  store_.settle();
  ASSERT_EQ(find(store_, key)->size(), 3U);
  store_.remove(*english);
  const VariantSetPtr found = find(store_, key);
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(etag_of(*found->front()), "\"2\"");
}

// A bound on variants: 64 of one key, the oldest go.
TEST_P(ResponseStoreContract, KeepsTheNewestVariantsOfAKey) {
  const CacheKey key = test_key("/many-variants");
  const auto language = [](unsigned i) { return "l" + std::to_string(i); };
  for (unsigned i = 0; i < 66; ++i) {
    ASSERT_TRUE(put(store_, head_in_language(key, 20, i, language(i), 1000 + i), test_body(20, i)));
  }
  const auto expect_newest = [&](unsigned newest) {
    store_.settle();
    const VariantSetPtr found = find(store_, key);
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->size(), 64U);
    EXPECT_EQ(found->front()->head().selecting.front().value, language(newest));
    EXPECT_EQ(found->back()->head().selecting.front().value, language(newest - 63));
  };
  expect_newest(65);
  const StoredResponsePtr last = find(store_, key)->front();
  store_.add_variant(last, in_language(last, language(66), 2000));
  expect_newest(66);
  // One that is replaced makes room for itself.
  ASSERT_TRUE(put(store_, head_in_language(key, 20, 66, language(66), 3000), test_body(20, 66)));
  expect_newest(66);
}

namespace {

// Commits `bytes` through a comparison with what is stored; the head that was found equal, if it was.
std::optional<StoredHead> compare_and_put(ResponseStore& store, const StoredResponsePtr& old,
                                          const std::string& bytes, unsigned seed) {
  WaitingExecutor& executor = executor_of_this_thread();
  std::optional<StoredHead> equal;
  const CacheKey key = old->head().key;
  ComparingWriter writer(
      old, [&] { return store.begin(key, std::nullopt); }, executor, {},
      [&](StoredHead head) { equal = std::move(head); });
  ChunkList whole;
  for (std::size_t at = 0; at < bytes.size(); at += 100'000) {
    whole.push_back(Chunk::copy_of(std::string_view(bytes).substr(at, 100'000)));
    writer.append(whole.back());
    executor.run_posted();
  }
  bool told = false;
  writer.commit(test_head(key, bytes.size(), seed, 2000), std::move(whole), executor, [&](bool stored) {
    EXPECT_TRUE(stored);
    told = true;
  });
  executor.run_until(told);
  EXPECT_EQ(writer.equal(), equal.has_value());
  return equal;
}

}  // namespace

TEST_P(ResponseStoreContract, ComparesWithWhatIsStoredAndTakesOnlyADifference) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{9}, std::size_t{300'000}, std::size_t{2'000'000}}) {
    const CacheKey key = test_key("/compared/" + std::to_string(size));
    const std::string body = test_body(size, 1);
    ASSERT_TRUE(put(store_, test_head(key, size, 1, 1000), body));
    StoredResponsePtr stored = find(store_, key)->front();
    EXPECT_TRUE(compare_and_put(store_, stored, body, 1).has_value()) << size;
    EXPECT_EQ(find(store_, key)->front()->head().response_time, wall_from_seconds(1000));
    for (const bool longer : {true, false}) {
      std::string changed = body + "more";
      if (!longer) changed.resize(size / 2);
      EXPECT_FALSE(compare_and_put(store_, stored, changed, 2).has_value()) << size;
      const VariantSetPtr found = find(store_, key);
      ASSERT_NE(found, nullptr);
      ASSERT_EQ(found->size(), 1U);
      EXPECT_EQ(etag_of(*found->front()), "\"2\"");
      EXPECT_TRUE(read_body(*found->front()) == changed);
      stored = found->front();
    }
  }
}

TEST_P(ResponseStoreContract, AddsNoVariantOfWhatIsNoLongerStored) {
  const CacheKey key = test_key("/added-late");
  ASSERT_TRUE(put(store_, head_in_language(key, 5, 1, "en", 1000), test_body(5, 1)));
  const StoredResponsePtr replaced = find(store_, key)->front();
  ASSERT_TRUE(put(store_, head_in_language(key, 5, 2, "en", 1500), test_body(5, 2)));
  store_.add_variant(replaced, in_language(replaced, "de", 2000));
  store_.settle();
  ASSERT_NE(find(store_, key), nullptr);
  EXPECT_EQ(find(store_, key)->size(), 1U);

  const StoredResponsePtr removed = find(store_, key)->front();
  store_.remove(key);
  store_.add_variant(removed, in_language(removed, "de", 3000));
  store_.settle();
  EXPECT_EQ(find(store_, key), nullptr);
}

TEST_P(ResponseStoreContract, RemovesAllVariantsAtOnce) {
  const CacheKey key = test_key("/removed");
  for (unsigned i = 0; i < 2; ++i) {
    StoredHead head = test_head(key, 300'000, i, 1000);
    head.selecting = {{"accept", std::to_string(i)}};
    ASSERT_TRUE(put(store_, std::move(head), test_body(300'000, i)));
  }
  const CacheKey other = test_key("/removed-not");
  ASSERT_TRUE(put(store_, test_head(other, 5, 3, 1000), test_body(5, 3)));
  const StoredResponsePtr held = find(store_, key)->front();
  store_.remove(key);
  EXPECT_EQ(find(store_, key), nullptr);
  store_.settle();
  EXPECT_EQ(find(store_, key), nullptr);
  EXPECT_NE(find(store_, other), nullptr);
  EXPECT_TRUE(read_body(*held).has_value());
}

TEST_P(ResponseStoreContract, StoresAgainAfterARemoval) {
  const CacheKey key = test_key("/again");
  for (unsigned i = 0; i < 20; ++i) {
    store_.remove(key);
    ASSERT_TRUE(put(store_, test_head(key, 5, i, 1000), test_body(5, i)));
    const VariantSetPtr found = find(store_, key);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(read_body(*found->front()), test_body(5, i));
  }
}

TEST_P(ResponseStoreContract, RemovesOneResponseIfItIsStillTheStoredOne) {
  const CacheKey key = test_key("/one");
  for (unsigned i = 0; i < 2; ++i) {
    StoredHead head = test_head(key, 5, i, 1000 + i);
    head.selecting = {{"accept", std::to_string(i)}};
    ASSERT_TRUE(put(store_, std::move(head), test_body(5, i)));
  }
  const StoredResponsePtr newest = find(store_, key)->front();
  store_.remove(*newest);
  store_.settle();
  VariantSetPtr found = find(store_, key);
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(etag_of(*found->front()), "\"0\"");

  StoredHead again = newest->head();
  again.body_id = 0;
  again.response_time = wall_from_seconds(2000);
  ASSERT_TRUE(put(store_, again, test_body(5, 1)));
  store_.remove(*newest);
  store_.settle();
  found = find(store_, key);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->size(), 2U);
}

// Bodies tell by their ETag what they must be: whatever the order of writes, removals and look-ups, no
// response is ever found with another's bytes.
TEST_P(ResponseStoreContract, NeverMixesResponsesUnderConcurrentUse) {
  std::atomic<unsigned> wrong{0};
  const auto work = [&](unsigned worker) {
    for (unsigned i = 0; i < 60; ++i) {
      const CacheKey key = test_key("/shared/" + std::to_string(i % 4));
      const unsigned seed = worker * 1000 + i;
      const std::size_t size = i % 3 == 0 ? 300'000 : 50 + seed;
      put(store_, test_head(key, size, seed, 1000 + i), test_body(size, seed));
      if (i % 7 == 0) store_.remove(key);
      const VariantSetPtr found = find(store_, key);
      if (!found) continue;
      for (const StoredResponsePtr& response : *found) {
        const auto of = static_cast<unsigned>(std::stoul(etag_of(*response).substr(1)));
        const auto body = read_body(*response);
        if (!body || *body != test_body(response->head().body_size, of)) ++wrong;
      }
    }
  };
  std::vector<std::thread> workers;
  for (unsigned worker = 1; worker <= 3; ++worker) workers.emplace_back(work, worker);
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(wrong, 0U);
}

}  // namespace freshet::storage
