// ask_edge(): one question to a running edge's admin plane, over its unix socket or TCP. It waits, with a
// limit; for commands, never for the edge itself. A small HTTP/1.1, as admin_server.h speaks it.
#pragma once

#include <string>
#include <string_view>

#include "proxy/config/settings.h"
#include "storage/base/result.h"

namespace freshet::proxy {

// Where the edge is. The unix socket, unless a TCP address is given.
struct EdgePlace {
  std::string socket;
  HostPort tcp;
  std::string token;  // shown over TCP, where there is one

  [[nodiscard]] std::string text() const;
};

struct EdgeAnswer {
  int status = 0;
  std::string body;
};

// GET where `json` is empty, else POST. The error is a line that says where it was tried, what happened and
// what may help.
[[nodiscard]] storage::Result<EdgeAnswer> ask_edge(const EdgePlace& place, const std::string& path,
                                                   const std::string& json = "");

// A whole response of the admin plane; nothing where it is none, or cut short.
[[nodiscard]] storage::Result<EdgeAnswer> parse_edge_answer(std::string_view text);

}  // namespace freshet::proxy
