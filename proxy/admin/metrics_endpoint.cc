#include "proxy/admin/metrics_endpoint.h"

#include <memory>
#include <string_view>
#include <utility>

#include "proxy/admin/admin_server.h"
#include "proxy/admin/metrics_writer.h"
#include "proxy/admin/process_metrics.h"

namespace freshet::proxy {

namespace {

constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

void append_counters(MetricsWriter& out, const storage::CounterSet& counters) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(storage::Counter::kCount); ++i) {
    const auto counter = static_cast<storage::Counter>(i);
    const storage::CounterInfo& info = storage::counter_info(counter);
    out.sample("freshet_" + std::string(info.name), info.type, info.help,
               std::to_string(counters.sum(counter)));
  }
}

void append_histograms(MetricsWriter& out, const storage::CounterSet& counters) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(storage::Histogram::kCount); ++i) {
    const auto histogram = static_cast<storage::Histogram>(i);
    const storage::HistogramInfo& info = storage::histogram_info(histogram);
    out.histogram("freshet_" + std::string(info.name), info.unit, info.help, counters.sum(histogram));
  }
}

}  // namespace

std::string metrics_text(const StandardEndpoints& what) {
  MetricsWriter out;
  out.sample("freshet_build_info{version=\"" FRESHET_VERSION "\"}", "gauge", "The running version; always 1.",
             "1");
  if (what.counters != nullptr) {
    append_counters(out, *what.counters);
    append_histograms(out, *what.counters);
  }
  for (const ExtraMetric& metric : what.extra) {
    out.sample("freshet_" + metric.name, metric.type, metric.help, decimal_text(metric.value(), metric.per));
  }
  append_process_metrics(out, what.started);
  return out.take();
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
