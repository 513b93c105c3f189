#include "proxy/admin/metrics_endpoint.h"

#include <array>
#include <cstdio>
#include <memory>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "proxy/admin/admin_server.h"

namespace freshet::proxy {

namespace {

constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

// In HELP lines a backslash and a line feed are escaped.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

void append_head(std::string& out, const std::string& name, std::string_view type, std::string_view help) {
  out += "# HELP " + name + " ";
  append_escaped(out, help);
  out += "\n# TYPE " + name + " ";
  out += type;
  out += "\n";
}

void append_metric(std::string& out, const std::string& name, std::string_view type, std::string_view help,
                   const std::string& value) {
  append_head(out, name, type, help);
  out += name + " " + value + "\n";
}

// Seconds with milliseconds behind the point.
std::string seconds_text(std::int64_t milliseconds) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%lld.%03d", static_cast<long long>(milliseconds / 1000),
                static_cast<int>(milliseconds % 1000));
  return text.data();
}

std::int64_t cpu_milliseconds() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto in_ms = [](const timeval& time) { return time.tv_sec * 1000 + time.tv_usec / 1000; };
  return in_ms(usage.ru_utime) + in_ms(usage.ru_stime);
}

std::int64_t resident_bytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                             &std::fclose);
  long total = 0;
  long resident = 0;
  if (file == nullptr || std::fscanf(file.get(), "%ld %ld", &total, &resident) != 2) return 0;
  return std::int64_t{resident} * ::sysconf(_SC_PAGESIZE);
}

void append_counters(std::string& out, const storage::CounterSet& counters) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(storage::Counter::kCount); ++i) {
    const auto counter = static_cast<storage::Counter>(i);
    const storage::CounterInfo& info = storage::counter_info(counter);
    append_metric(out, "freshet_" + std::string(info.name), info.type, info.help,
                  std::to_string(counters.sum(counter)));
  }
}

void append_process(std::string& out, storage::WallTime started) {
  append_metric(out, "process_start_time_seconds", "gauge", "When the process started, in Unix time.",
                seconds_text(started.time_since_epoch().count()));
  append_metric(out, "process_cpu_seconds_total", "counter", "CPU time used, user and system.",
                seconds_text(cpu_milliseconds()));
  append_metric(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
                std::to_string(resident_bytes()));
}

}  // namespace

std::string metrics_text(const StandardEndpoints& what) {
  std::string out;
  out.reserve(16 * 1024);
  append_head(out, "freshet_build_info", "gauge", "The running version; always 1.");
  out += "freshet_build_info{version=\"" FRESHET_VERSION "\"} 1\n";
  if (what.counters != nullptr) append_counters(out, *what.counters);
  for (const ExtraMetric& metric : what.extra) {
    append_metric(out, "freshet_" + metric.name, metric.type, metric.help, std::to_string(metric.value()));
  }
  append_process(out, what.started);
  return out;
}

void add_standard_endpoints(AdminServer& server, StandardEndpoints what) {
  const auto shared = std::make_shared<const StandardEndpoints>(std::move(what));
  server.route("/metrics", [shared](const AdminRequest&) {
    AdminReply reply;
    reply.content_type = kPrometheusType;
    reply.body = metrics_text(*shared);
    return reply;
  });
  // Probes come without a token and by any name.
  server.route(
      "/healthz", [](const AdminRequest&) { return plain_admin_reply(200, "ok\n"); },
      AdminServer::Asks::kNone);
  server.route(
      "/readyz",
      [shared](const AdminRequest&) {
        const bool ready = !shared->ready || shared->ready();
        return plain_admin_reply(ready ? 200 : 503, ready ? "ready\n" : "not ready\n");
      },
      AdminServer::Asks::kNone);
}

}  // namespace freshet::proxy
