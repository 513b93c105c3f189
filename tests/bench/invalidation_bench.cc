// What invalidation costs: a look-up that has to ask (the number has moved) and one that remembers, with one
// and with a million scopes outstanding; a purge of one tag and of a thousand URLs until it is acknowledged,
// on the machine's disk. `ninja tests/bench/invalidation_bench`, then run it.
#include <benchmark/benchmark.h>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <unistd.h>

#include "storage/invalidation/invalidation_queue.h"
#include "storage/rocksdb/invalidation_database.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

CacheKey key(const std::string& text) {
  return {text, digest128(text)};
}

StoredResponsePtr response(Sequence filled_at) {
  StoredHead head =
      tests::head_of({key("http://www.example.com/articles/2024/11/a-page.html?page=2"), 100, "", filled_at});
  head.tags = {"article-2024", "section-news", "author-17"};
  return std::make_shared<const StoredResponse>(std::move(head), make_memory_body({}), Describe{});
}

void fill(Generations& generations, std::int64_t scopes) {
  for (std::int64_t i = 0; i < scopes; ++i) {
    const std::string number = std::to_string(i);
    Scope scope{ScopeKind::kUrl, "http://www.example.com/other/" + number};
    if (i % 4 == 1) scope = {ScopeKind::kTag, "tag-" + number};
    if (i % 4 == 2) scope = {ScopeKind::kPrefix, "http://www.example.com/other/" + number + "/"};
    if (i % 4 == 3) scope = {ScopeKind::kHost, "h" + number + ".example.com"};
    (void)generations.apply(records_of({{scope}, Strength::kHard}, generations.current() + 1));
  }
}

// Older than all of them, so nothing is spared.
void standing_asked(benchmark::State& state) {
  Generations generations(1, std::size_t{1} << 30U);
  fill(generations, state.range(0));
  const StoredResponsePtr asked = response(1);
  for ([[maybe_unused]] auto _ : state) {  // NOLINT(clang-analyzer-deadcode.DeadStores)
    if (generations.standing(asked->head()) != Standing::kCurrent) state.SkipWithError("it is not current");
  }
}
BENCHMARK(standing_asked)->Arg(0)->Arg(1)->Arg(4)->Arg(1'000'000);

void standing_remembered(benchmark::State& state) {
  Generations generations(1, std::size_t{1} << 30U);
  fill(generations, state.range(0));
  const StoredResponsePtr asked = response(1);
  for ([[maybe_unused]] auto _ : state) {  // NOLINT(clang-analyzer-deadcode.DeadStores)
    if (generations.standing(*asked) != Standing::kCurrent) state.SkipWithError("it is not current");
  }
}
BENCHMARK(standing_remembered)->Arg(1)->Arg(1'000'000);

class Inline final : public Executor {
 public:
  void post(Task task) override { task(); }
};

void purge(benchmark::State& state, bool tag) {
  const std::string directory =
      (std::filesystem::temp_directory_path() / ("freshet-bench-" + std::to_string(::getpid()))).string();
  auto log = InvalidationDatabase::open({directory}).take();
  Counters counters;
  Generations generations(1, std::size_t{1} << 30U);
  generations.begin_at(log->reserved());
  generations.restore({});
  {
    InvalidationQueue queue(generations, log.get(), counters, {}, nullptr);
    Inline executor;
    std::mutex mutex;
    std::condition_variable told;
    Invalidation invalidation;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      const std::string number = std::to_string(i);
      invalidation.scopes.push_back(tag ? Scope{ScopeKind::kTag, "tag-" + number}
                                        : Scope{ScopeKind::kUrl, "http://www.example.com/other/" + number});
    }
    for ([[maybe_unused]] auto _ : state) {  // NOLINT(clang-analyzer-deadcode.DeadStores)
      bool done = false;
      queue.purge(invalidation, executor, [&](const Acknowledgement& answer) {
        const std::lock_guard lock(mutex);
        if (!answer.durable) state.SkipWithError("not durable");
        done = true;
        told.notify_one();
      });
      std::unique_lock lock(mutex);
      told.wait(lock, [&] { return done; });
    }
  }
  log = nullptr;
  std::filesystem::remove_all(directory);
}
void purge_tags(benchmark::State& state) {
  purge(state, true);
}
void purge_urls(benchmark::State& state) {
  purge(state, false);
}
BENCHMARK(purge_tags)->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(purge_urls)->Arg(1000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace freshet::storage

BENCHMARK_MAIN();
