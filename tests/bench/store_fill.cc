// Many small responses straight through the disk tier: bytes on disk and in memory for each, and how long
// opening takes. Prints one line per step.
//
// Filled in one process, opened and touched in another.
//
//   store_fill DIRECTORY COUNT [BODY_BYTES] [LIMIT_GIB] [MEMORY_MIB]
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
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

// Of the whole process, all threads.
double cpu_seconds() {
  ::rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
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

struct Bench {
  Counters counters;
  RocksdbOptions options;
  std::string body;
  std::uint64_t responses = 0;
  Inline executor;

  std::unique_ptr<RocksdbStore> open() {
    const auto start = std::chrono::steady_clock::now();
    auto opened = RocksdbStore::open(options, {}, counters);
    FRESHET_CHECK(opened.ok());
    std::printf("open: %.3f s, RSS %.0f MiB\n", seconds_since(start), resident_mib());
    return opened.take();
  }
  void fill();
  std::uint64_t touch_all(RocksdbStore& store);
  void measure();
};

void Bench::fill() {
  auto store = open();
  const auto start = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  for (std::uint64_t i = 0; i < responses;) {
    auto writer = store->begin(key_of(i), body.size());
    if (writer && writer->append(Chunk::copy_of(body))) {
      writer->commit(head_of(i, body.size()), std::nullopt, executor, [](bool /*stored*/) {});
      ++i;
    }
    // Full of what waits: so is a caller told.
    while (counters.get(Counter::kDiskWriteBacklog) > (32 << 20))
      std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  store->settle();
  const auto count = static_cast<double>(responses);
  std::printf(
      "fill: %llu responses of %zu bytes, %.0f a second, %.1f us of CPU each, refused %lld, RSS %.0f MiB\n",
      static_cast<unsigned long long>(responses), body.size(), count / seconds_since(start),
      (cpu_seconds() - cpu) * 1e6 / count, static_cast<long long>(counters.get(Counter::kDiskWritesRefused)),
      resident_mib());
}

std::uint64_t Bench::touch_all(RocksdbStore& store) {
  std::uint64_t hits = 0;
  for (std::uint64_t i = 0; i < responses; ++i) {
    const CacheKey key = key_of(i * 2'654'435'761 % responses);
    ResponseStore::LookupResult found = store.try_lookup(key);
    if (found.found == ResponseStore::Found::kNeedsIo) {
      std::atomic<bool> told{false};
      store.lookup(key, executor, [&](const VariantSetPtr& variants) {
        hits += variants ? 1 : 0;
        told = true;
      });
      while (!told) std::this_thread::yield();
    } else {
      hits += found.found == ResponseStore::Found::kYes ? 1 : 0;
    }
  }
  return hits;
}

void Bench::measure() {
  const double before = resident_mib();
  const auto each = [&] { return (resident_mib() - before) * (1 << 20) / static_cast<double>(responses); };
  auto store = open();
  std::printf("after a restart: %.1f bytes of memory for each response (%.0f MiB before it was opened)\n",
              each(), before);
  auto start = std::chrono::steady_clock::now();
  const std::uint64_t hits = touch_all(*store);
  std::printf("touch all: %llu found, %.0f a second, RSS %.0f MiB: %.1f bytes for each response\n",
              static_cast<unsigned long long>(hits), static_cast<double>(responses) / seconds_since(start),
              resident_mib(), each());
  start = std::chrono::steady_clock::now();
  store->sweep();
  std::printf("sweep: %.1f s, %lld alive, RSS %.0f MiB\n", seconds_since(start),
              static_cast<long long>(counters.get(Counter::kDiskResponses)), resident_mib());
}

void print_disk_use(const Bench& bench) {
  double bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(bench.options.directory))
    bytes += static_cast<double>(file.file_size());
  std::printf("disk: %.0f MiB, %.0f bytes each beside the body\n", bytes / (1 << 20),
              bytes / static_cast<double>(bench.responses) - static_cast<double>(bench.body.size()));
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
  Bench bench;
  bench.responses = number(2, 0);
  bench.body.assign(number(3, 1024), 'x');
  bench.options.directory = arguments[1];
  bench.options.byte_limit = number(4, 32) << 30;
  bench.options.memory = number(5, 64) << 20;
  // In a process of its own: what the allocator keeps of the filling is not the memory of a restart.
  const pid_t child = ::fork();
  FRESHET_CHECK(child >= 0);
  if (child == 0) {
    bench.fill();
    std::fflush(stdout);
    ::_exit(0);
  }
  int status = 0;
  FRESHET_CHECK(::waitpid(child, &status, 0) == child && status == 0);
  print_disk_use(bench);
  bench.measure();
  return 0;
}
