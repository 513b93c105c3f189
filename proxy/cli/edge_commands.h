// The commands that ask a running edge: `freshet purge`, `reload`, `stats`, `upgrade`, `explain`. Each prints
// its result on standard output, what went wrong on standard error, and returns the exit status.
#pragma once

#include <string>
#include <vector>

#include "proxy/admin/explain_order.h"
#include "proxy/admin/purge_order.h"
#include "proxy/cli/admin_client.h"

namespace freshet::proxy {

struct PurgeCommand {
  EdgePlace edge;
  PurgeOrder order;  // as it was written
  bool wait = false;
  bool json = false;
};

struct StatsCommand {
  EdgePlace edge;
  bool json = false;
};

struct UpgradeCommand {
  EdgePlace edge;
};

struct ReloadCommand {
  EdgePlace edge;
  bool json = false;
};

struct ExplainCommand {
  EdgePlace edge;
  ExplainOrder order;
  bool json = false;
};

inline constexpr int kEdgeFailedExitStatus = 1;
inline constexpr int kNotDurableExitStatus = 3;

int run_purge(const PurgeCommand& command);
int run_reload(const ReloadCommand& command);
int run_stats(const StatsCommand& command);
int run_upgrade(const UpgradeCommand& command);
int run_explain(const ExplainCommand& command);

// "freshet: "example.com/a" has no scheme; ...", one line an error.
[[nodiscard]] std::vector<std::string> purge_error_lines(const PurgeOrder& order,
                                                         const std::vector<PurgeError>& errors);
// "purged: 2 URLs, 1 tag; sequence 123 (durable)"
[[nodiscard]] std::string purge_result_line(const PurgeOrder& order, const PurgeReply& reply);

}  // namespace freshet::proxy
