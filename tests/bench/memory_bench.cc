// The memory tier by itself: what a hit costs, on one thread and on two, on one key and on many; and what a
// response of 4 KiB takes besides its body, as accounted and as malloc has it.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <string>
#include <vector>

#include "revalidate/policy/response_facts.h"
#include "storage/memory/memory_store.h"

namespace freshet {
namespace {

using storage::CacheKey;
using storage::Counters;
using storage::MemoryStore;
using storage::MemoryStoreOptions;

constexpr std::size_t kBody = 4096;

CacheKey key_number(std::size_t i) {
  // 60 characters in all.
  std::string number = std::to_string(i);
  number.insert(0, 8 - number.size(), '0');
  return storage::make_cache_key("http", "www.example.com", "/assets/pictures/own/" + number + ".1920.jpg");
}

storage::StoredHead head_number(std::size_t i) {
  storage::StoredHead head;
  head.key = key_number(i);
  head.response.status = 200;
  head.response.reason = "OK";
  head.response.fields.add("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
  head.response.fields.add("Content-Type", "image/jpeg");
  head.response.fields.add("Cache-Control", "public, max-age=86400");
  head.response.fields.add("ETag", "\"5f-1a2b3c4d5e6f\"");
  head.response.fields.add("Last-Modified", "Sat, 05 Nov 1994 08:49:37 GMT");
  head.response.fields.add("Server", "nginx/1.22.1");
  head.response.fields.add("Accept-Ranges", "bytes");
  head.response.fields.add("Vary", "Accept-Encoding");
  head.response.fields.add("X-Content-Type-Options", "nosniff");
  head.response.fields.add("X-Request-Id", "0123456789abcdef");
  head.response_time = head.request_time = storage::wall_from_seconds(784111777);
  head.body_size = kBody;
  return head;
}

void put(MemoryStore& store, std::size_t i) {
  store.put(std::make_shared<const storage::StoredResponse>(
                head_number(i), storage::make_memory_body({storage::Chunk::copy_of(std::string(kBody, 'x'))}),
                store.describe()),
            true);
}

constexpr std::size_t kKeys = 1 << 14;

struct Filled {
  Filled() {
    for (std::size_t i = 0; i < kKeys; ++i) {
      keys.push_back(key_number(i));
      put(store, i);
    }
  }
  Counters counters;
  MemoryStore store{MemoryStoreOptions{}, revalidate::DescribeResponse({}), counters};
  std::vector<CacheKey> keys;
};

Filled& filled() {
  static Filled instance;
  return instance;
}

void hit_one_key(benchmark::State& state) {
  Filled& all = filled();
  for ([[maybe_unused]] auto _ : state) {  // NOLINT(clang-analyzer-deadcode.DeadStores)
    bool complete = false;
    benchmark::DoNotOptimize(all.store.find(all.keys.front(), complete));
  }
}
BENCHMARK(hit_one_key)->ThreadRange(1, 2)->UseRealTime();

void hit_many_keys(benchmark::State& state) {
  Filled& all = filled();
  std::size_t at = static_cast<std::size_t>(state.thread_index()) * 7919;
  for ([[maybe_unused]] auto _ : state) {  // NOLINT(clang-analyzer-deadcode.DeadStores)
    at = (at * 1103515245 + 12345) & 0x7fffffffU;
    bool complete = false;
    benchmark::DoNotOptimize(all.store.find(all.keys[(at >> 8U) % kKeys], complete));
  }
}
BENCHMARK(hit_many_keys)->ThreadRange(1, 2)->UseRealTime();

// Every put evicts one.
void put_and_evict(benchmark::State& state) {
  Counters counters;
  MemoryStore store(MemoryStoreOptions{.budget = std::size_t{32} << 20U}, {}, counters);
  std::size_t i = 0;
  for (; counters.get(storage::Counter::kMemoryEvictions) == 0; ++i) put(store, i);
  for ([[maybe_unused]] auto _ : state) put(store, i++);  // NOLINT(clang-analyzer-deadcode.DeadStores)
}
BENCHMARK(put_and_evict);

void bytes_over_the_body(benchmark::State& state) {
  constexpr std::size_t kResponses = 100'000;
  for ([[maybe_unused]] auto _ : state) {  // NOLINT(clang-analyzer-deadcode.DeadStores)
    Counters counters;
    MemoryStore store(MemoryStoreOptions{.budget = std::size_t{1} << 30U}, revalidate::DescribeResponse({}),
                      counters);
    const auto before = mallinfo2();
    for (std::size_t i = 0; i < kResponses; ++i) put(store, i);
    const auto after = mallinfo2();
    const double held = static_cast<double>(after.uordblks + after.hblkhd) -
                        static_cast<double>(before.uordblks + before.hblkhd);
    state.counters["held"] = held / kResponses - kBody;
    state.counters["accounted"] = static_cast<double>(store.size()) / kResponses - kBody;
    // What the origin and the client wrote: no cache can do without.
    const storage::StoredHead head = head_number(0);
    state.counters["fields"] = static_cast<double>(head.response.fields.wire().size());
    state.counters["url"] = static_cast<double>(head.key.text.size());
  }
}
BENCHMARK(bytes_over_the_body)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace freshet

BENCHMARK_MAIN();
