#include "proxy/cli/edge_commands.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "proxy/admin/explain_page.h"
#include "proxy/admin/reload_endpoint.h"
#include "proxy/admin/stats_endpoint.h"
#include "proxy/admin/upgrade_endpoint.h"
#include "proxy/cli/command_line.h"
#include "proxy/config/setting_values.h"

namespace freshet::proxy {

namespace {

constexpr std::chrono::seconds kPause{1};  // between two attempts of --wait

int fail(const std::string& reason) {
  std::fprintf(stderr, "freshet: %s\n", reason.c_str());
  return kEdgeFailedExitStatus;
}

int print(const std::string& text, int status) {
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? status : kEdgeFailedExitStatus;
}

// The text behind "urls[3]"; empty where it stands for none.
std::string scope_of(const PurgeOrder& order, const std::string& member) {
  const std::array<std::pair<std::string_view, const std::vector<std::string>*>, 4> lists = {
      {{"urls[", &order.urls},
       {"prefixes[", &order.prefixes},
       {"hosts[", &order.hosts},
       {"tags[", &order.tags}}};
  for (const auto& [name, list] : lists) {
    if (!member.starts_with(name)) continue;
    const auto index = std::strtoul(member.c_str() + name.size(), nullptr, 10);
    return index < list->size() ? in_quotes((*list)[index]) : "";
  }
  return "";
}

std::string counted(std::size_t count, const char* one, const char* many) {
  return count == 0 ? "" : ", " + std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string refusal(const EdgePlace& edge, const EdgeAnswer& answer) {
  std::string why = answer.body.substr(0, answer.body.find('\n'));
  if (answer.status == 401) why += " (--token, or $FRESHET_ADMIN_TOKEN)";
  return "the edge at " + edge.text() + " refuses (" + std::to_string(answer.status) + "): " + why;
}

int refused(const PurgeCommand& command, const EdgeAnswer& answer) {
  const auto reply = parse_purge_reply(answer.body);
  if (reply && !reply.value().errors.empty()) {
    for (const std::string& line : purge_error_lines(command.order, reply.value().errors)) {
      std::fprintf(stderr, "%s\n", line.c_str());
    }
    return kUsageExitStatus;
  }
  return fail(refusal(command.edge, answer));
}

}  // namespace

std::vector<std::string> purge_error_lines(const PurgeOrder& order, const std::vector<PurgeError>& errors) {
  std::vector<std::string> lines;
  for (const PurgeError& error : errors) {
    const std::string scope = scope_of(order, error.member);
    const std::string where = scope.empty() ? error.member : scope;
    lines.push_back("freshet: " + where + (where.empty() ? "" : " ") + error.reason);
  }
  return lines;
}

std::string purge_result_line(const PurgeOrder& order, const PurgeReply& reply) {
  std::string what = counted(order.urls.size(), "URL", "URLs") +
                     counted(order.prefixes.size(), "prefix", "prefixes") +
                     counted(order.hosts.size(), "host", "hosts") + counted(order.tags.size(), "tag", "tags");
  if (order.all) what = ", everything";
  return std::string(order.soft ? "made stale: " : "purged: ") + what.substr(2) + "; sequence " +
         std::to_string(reply.sequence) + (reply.durable ? " (durable)" : " (" + reply.error + ")");
}

int run_purge(const PurgeCommand& command) {
  const std::string json = purge_order_json(command.order);
  for (;;) {
    const auto answer = ask_edge(command.edge, "/v1/invalidate", json);
    if (!answer) return fail(answer.error());
    const auto reply = parse_purge_reply(answer.value().body);
    const int status = answer.value().status;
    if ((status != 200 && status != 503) || !reply || !reply.value().errors.empty()) {
      return refused(command, answer.value());
    }
    if (reply.value().durable || !command.wait) {
      const std::string line = purge_result_line(command.order, reply.value()) + "\n";
      return print(command.json ? answer.value().body : line,
                   reply.value().durable ? 0 : kNotDurableExitStatus);
    }
    std::this_thread::sleep_for(kPause);
  }
}

int run_upgrade(const UpgradeCommand& command) {
  const auto answer = ask_edge(command.edge, "/v1/upgrade", "{}");
  if (!answer) return fail(answer.error());
  const int status = answer.value().status;
  if (status != 200 && status != 409) {
    return fail("the edge at " + command.edge.text() + " refuses (" + std::to_string(status) +
                "): " + answer.value().body.substr(0, answer.value().body.find('\n')));
  }
  const auto next = parse_upgrade_reply(answer.value().body);
  if (!next) return fail("not upgraded, the running edge goes on: " + next.error());
  return print("upgraded: process " + std::to_string(next.value()) + " serves\n", 0);
}

// What is wrong goes to standard error, a line each, also where JSON is wanted.
int run_reload(const ReloadCommand& command) {
  const auto answer = ask_edge(command.edge, "/v1/reload", "{}");
  if (!answer) return fail(answer.error());
  const auto reply = parse_reload_reply(answer.value().body);
  if (!reply) return fail(refusal(command.edge, answer.value()));
  for (const std::string& error : reply.value().errors) std::fprintf(stderr, "freshet: %s\n", error.c_str());
  const int status = reply.value().applied ? 0 : kEdgeFailedExitStatus;
  if (command.json) return print(answer.value().body, status);
  if (status != 0) return fail("refused; what was read before stays in use");
  std::string changed;
  for (const std::string& name : reply.value().changed) changed += (changed.empty() ? "" : ", ") + name;
  return print("reloaded: " + (changed.empty() ? "no setting has changed" : changed) + "\n", 0);
}

int run_stats(const StatsCommand& command) {
  const auto answer = ask_edge(command.edge, "/v1/stats");
  if (!answer) return fail(answer.error());
  const EdgeAnswer& got = answer.value();
  if (got.status != 200) return fail(refusal(command.edge, got));
  if (command.json) return print(got.body, 0);
  const auto table = stats_table(got.body);
  return table ? print(table.value(), 0) : fail(table.error());
}

int run_explain(const ExplainCommand& command) {
  const auto answer = ask_edge(command.edge, "/v1/explain", explain_order_json(command.order));
  if (!answer) return fail(answer.error());
  const EdgeAnswer& got = answer.value();
  if (got.status != 200) return fail(refusal(command.edge, got));
  if (command.json) return print(got.body, 0);
  const auto page = explain_page(got.body);
  return page ? print(page.value(), 0) : fail(page.error());
}

}  // namespace freshet::proxy
