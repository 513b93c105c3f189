#include "proxy/admin/process_metrics.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <sys/resource.h>
#include <unistd.h>

namespace freshet::proxy {

namespace {

constexpr std::int64_t kMilliseconds = 1000;

std::int64_t cpu_milliseconds() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto in_ms = [](const timeval& time) { return time.tv_sec * 1000 + time.tv_usec / 1000; };
  return in_ms(usage.ru_utime) + in_ms(usage.ru_stime);
}

struct Memory {
  std::int64_t all = 0;
  std::int64_t resident = 0;
};

Memory memory_bytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                             &std::fclose);
  long total = 0;
  long resident = 0;
  if (file == nullptr || std::fscanf(file.get(), "%ld %ld", &total, &resident) != 2) return {};
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  return {std::int64_t{total} * page, std::int64_t{resident} * page};
}

std::int64_t open_descriptors() {
  std::error_code failed;
  const std::filesystem::directory_iterator all("/proc/self/fd", failed);
  // The one by which they are counted is one of them.
  return failed ? 0 : std::max<std::int64_t>(std::distance(begin(all), end(all)) - 1, 0);
}

std::int64_t most_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return static_cast<std::int64_t>(limit.rlim_cur);
}

}  // namespace

void append_process_metrics(MetricsWriter& out, storage::WallTime started) {
  const Memory memory = memory_bytes();
  out.sample("process_start_time_seconds", "gauge", "When the process started, in Unix time.",
             decimal_text(started.time_since_epoch().count(), kMilliseconds));
  out.sample("process_cpu_seconds_total", "counter", "CPU time used, user and system.",
             decimal_text(cpu_milliseconds(), kMilliseconds));
  out.sample("process_resident_memory_bytes", "gauge", "Resident memory.", std::to_string(memory.resident));
  out.sample("process_virtual_memory_bytes", "gauge", "Address space.", std::to_string(memory.all));
  out.sample("process_open_fds", "gauge", "Open descriptors.", std::to_string(open_descriptors()));
  out.sample("process_max_fds", "gauge", "The most open descriptors.", std::to_string(most_descriptors()));
}

}  // namespace freshet::proxy
