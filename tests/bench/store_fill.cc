// Many small responses straight through the disk tier: bytes on disk and in memory for each, and how long
// opening takes. Prints one line per step.
//
//   store_fill DIRECTORY COUNT [BODY_BYTES] [LIMIT_GIB] [MEMORY_MIB]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <unistd.h>

#include "storage/base/check.h"
#include "storage/rocksdb/rocksdb_store.h"

namespace {

using namespace freshet::storage;

// The last answer matters alone: what waits is bounded by the store.
class Inline final : public Executor {
 public:
  void post(Task task) override { task(); }
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  double resident = 0;
  file >> pages >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

CacheKey key_of(std::uint64_t i) {
  return make_cache_key("http", "bench.example", "/responses/of/some/path/" + std::to_string(i));
}

StoredHead head_of(std::uint64_t i, std::uint64_t size) {
  StoredHead head;
  head.key = key_of(i);
  head.response.status = 200;
  head.response.fields.add("Content-Type", "text/plain");
  head.response.fields.add("ETag", "\"" + std::to_string(i) + "\"");
  head.response.fields.add("Cache-Control", "max-age=3600");
  head.body_size = size;
  return head;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "store_fill DIRECTORY COUNT [BODY_BYTES] [LIMIT_GIB] [MEMORY_MIB]\n");
    return 2;
  }
  const auto number = [&](int at, std::uint64_t otherwise) {
    return at < count ? std::strtoull(arguments[at], nullptr, 10) : otherwise;
  };
  const std::uint64_t responses = number(2, 0);
  const std::string body(number(3, 1024), 'x');
  RocksdbOptions options;
  options.directory = arguments[1];
  options.byte_limit = number(4, 32) << 30;
  options.memory = number(5, 64) << 20;
  Counters counters;
  Inline executor;
  const auto open = [&] {
    const auto start = std::chrono::steady_clock::now();
    auto opened = RocksdbStore::open(options, {}, counters);
    FRESHET_CHECK(opened.ok());
    std::printf("open: %.3f s, RSS %.0f MiB\n", seconds_since(start), resident_mib());
    return opened.take();
  };

  auto store = open();
  auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < responses;) {
    auto writer = store->begin(key_of(i), body.size());
    if (writer && writer->append(Chunk::copy_of(body))) {
      writer->commit(head_of(i, body.size()), std::nullopt, executor, [](bool /*stored*/) {});
      ++i;
    }
    // Full of what waits: so is a caller told.
    while (counters.get(Counter::kDiskWriteBacklog) > (32 << 20)) std::this_thread::yield();
  }
  store->settle();
  std::printf("fill: %llu responses of %zu bytes, %.0f a second, refused %lld, RSS %.0f MiB\n",
              static_cast<unsigned long long>(responses), body.size(),
              static_cast<double>(responses) / seconds_since(start),
              static_cast<long long>(counters.get(Counter::kDiskWritesRefused)), resident_mib());
  store = nullptr;
  double bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(options.directory))
    bytes += static_cast<double>(file.file_size());
  std::printf("disk: %.0f MiB, %.0f bytes each beside the body\n", bytes / (1 << 20),
              bytes / static_cast<double>(responses) - static_cast<double>(body.size()));

  const double before = resident_mib();
  store = open();
  start = std::chrono::steady_clock::now();
  std::uint64_t hits = 0;
  for (std::uint64_t i = 0; i < responses; ++i) {
    const std::uint64_t at = i * 2'654'435'761 % responses;
    ResponseStore::LookupResult found = store->try_lookup(key_of(at));
    if (found.found == ResponseStore::Found::kNeedsIo) {
      std::atomic<bool> told{false};
      store->lookup(key_of(at), executor, [&](const VariantSetPtr& variants) {
        hits += variants ? 1 : 0;
        told = true;
      });
      while (!told) std::this_thread::yield();
    } else {
      hits += found.found == ResponseStore::Found::kYes ? 1 : 0;
    }
  }
  const double after = resident_mib();
  std::printf("touch all: %llu found, %.0f a second, RSS %.0f MiB, %.1f bytes of memory each over %.0f MiB\n",
              static_cast<unsigned long long>(hits), static_cast<double>(responses) / seconds_since(start),
              after, (after - before) * (1 << 20) / static_cast<double>(responses), before);
  start = std::chrono::steady_clock::now();
  store->sweep();
  std::printf("sweep: %.1f s, %lld alive, RSS %.0f MiB\n", seconds_since(start),
              static_cast<long long>(counters.get(Counter::kDiskResponses)), resident_mib());
  return 0;
}
