// Reload: the change of configuration of a running edge, one after another. Each reads the configuration anew
// (the file, the flags and what --set said at the start), compares it with what holds, and has it applied; or
// it is refused whole: a mistake in the file, a setting that only a restart changes, a listener that cannot
// be bound, a certificate that cannot be read. Then nothing has changed.
//
// Says what came of it in the event log, and counts. Owned by main, on the main thread's loop.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proxy/admin/reload_endpoint.h"
#include "proxy/config/settings.h"
#include "storage/base/clock.h"

namespace freshet::proxy {

// The settings, complete and checked, or every mistake in them, a line each.
using ReadSettings = std::function<std::variant<Settings, std::vector<std::string>>()>;

// "server.workers: changes with a restart alone (2 now, 4 in the configuration)", a line for each such
// setting.
[[nodiscard]] std::vector<std::string> restart_only_changes(const Settings& now, const Settings& next);

class Reload {
 public:
  // Checks `next` and prepares all it needs; where that works it applies it and then calls `applied`, once,
  // in a later turn. Otherwise says why not, and nothing has changed.
  using Apply = std::function<std::vector<std::string>(const Settings& next, std::function<void()> applied)>;

  // `settings`: those that hold; set to the new ones when they are applied.
  Reload(Settings& settings, ReadSettings read, Apply apply);
  Reload(const Reload&) = delete;
  Reload& operator=(const Reload&) = delete;

  // `who` asks for it. Those asked for while one is being applied come after it, and read anew.
  void ask(const std::string& who, ReloadDone done);
  // None any more: who still waits, and who asks from now on, is refused.
  void stop();

  [[nodiscard]] std::int64_t applied() const { return applied_; }
  [[nodiscard]] std::int64_t refused() const { return refused_; }
  // Since when the configuration holds: of the start, or of the last reload that was applied.
  [[nodiscard]] storage::WallTime holds_since() const { return holds_since_; }

 private:
  struct Asked {
    std::string who;
    ReloadDone done;
  };

  void run_next();
  void run(const Asked& asked);
  void refuse(const Asked& asked, std::vector<std::string> errors);
  void finish(const Asked& asked, const Settings& next, std::vector<std::string> changed);

  Settings& settings_;
  const ReadSettings read_;
  const Apply apply_;
  std::deque<Asked> waiting_;
  bool applying_ = false;
  bool stopped_ = false;
  std::int64_t applied_ = 0;
  std::int64_t refused_ = 0;
  storage::WallTime holds_since_ = storage::wall_now();
};

}  // namespace freshet::proxy
