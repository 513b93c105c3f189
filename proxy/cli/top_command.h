// `freshet top`: what a running edge does, looked at again and again (/v1/stats, /v1/top), on a terminal
// until q is pressed; with --once, or where there is no terminal, one interval as plain text.
#pragma once

#include <chrono>

#include "proxy/admin/top_view.h"
#include "proxy/cli/admin_client.h"

namespace freshet::proxy {

inline constexpr std::chrono::milliseconds kShortestTopInterval{100};
// Within which the edge goes on counting targets (TopTargets::kAttention).
inline constexpr std::chrono::milliseconds kLongestTopInterval{std::chrono::seconds{9}};

struct TopCommand {
  EdgePlace edge;
  std::chrono::milliseconds interval{1000};
  TopSort sort = TopSort::kRequests;
  bool once = false;
};

// Returns the exit status.
int run_top(const TopCommand& command);

}  // namespace freshet::proxy
