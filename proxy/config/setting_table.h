// The table of settings: one row for each, with its name, flag, type, bounds, meaning, and whether it changes
// while the edge runs. The command line,
// the configuration file, `--help` and the example file are all made from it, so none of them can tell
// another story. The default stands in the struct (settings.h) and is read from there.
//
// Constant data; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/config/settings.h"
#include "storage/base/result.h"

namespace freshet::proxy {

enum class SettingType {
  kBytes,
  kDuration,
  kCount,
  kRatio,
  kAddress,       // HOST:PORT
  kListen,        // a list of addresses with words about them (proxy/net/listen_address.h)
  kOrigin,        // http://HOST:PORT
  kPath,          // of a file or directory
  kText,          // any words, which start-up looks at
  kLogFormat,     // see log_format.h
  kChoice,        // one of SettingRow::choices
  kSwitch,        // true or false
  kNetworks,      // a list of addresses and networks; `unix` stands for clients of unix sockets
  kNames,         // a list of tokens: field or cookie names
  kToken,         // a secret that a client shows
  kCertificates,  // a list of certificates with their keys
  kPatterns,      // a list of names of query parameters; a last `*` stands for any rest
};

// Which member a row sets.
using SettingMember =
    std::variant<std::uint64_t& (*)(Settings&), unsigned& (*)(Settings&), SettingMs& (*)(Settings&),
                 double& (*)(Settings&), std::string& (*)(Settings&), HostPort& (*)(Settings&),
                 SetCookiePolicy& (*)(Settings&), ClientDirectives& (*)(Settings&),
                 TlsVersion& (*)(Settings&), ClientCertificates& (*)(Settings&),
                 storage::LogLevel& (*)(Settings&), bool& (*)(Settings&),
                 std::vector<TlsCertificateFiles>& (*)(Settings&), std::vector<ListenAddress>& (*)(Settings&),
                 std::vector<std::string>& (*)(Settings&)>;

struct SettingRow {
  std::string_view key;   // section.name
  std::string_view flag;  // --listen; empty: only by --set and in the file
  SettingType type;
  SettingMember member;
  std::string_view placeholder;  // HOST:PORT, SIZE, ...
  // Bytes, milliseconds, a count, or thousandths of a ratio; for the other types without meaning.
  std::uint64_t least = 0;
  std::uint64_t most = UINT64_MAX;
  std::string_view computed_default;  // said instead of the default where start-up finds it
  std::string_view prose;             // one or two sentences
  std::vector<std::string_view> choices = {};
  bool restart = false;  // changes with a restart alone, not by a reload
};

// Written as a list of strings.
[[nodiscard]] constexpr bool is_list(SettingType type) {
  return type == SettingType::kListen || type == SettingType::kNetworks || type == SettingType::kNames ||
         type == SettingType::kPatterns;
}

[[nodiscard]] const std::vector<SettingRow>& setting_table();
[[nodiscard]] const SettingRow* find_setting(std::string_view key);

// The name in `names` that a slip of the fingers most likely meant; empty when none is near.
[[nodiscard]] std::string_view nearest_name(std::string_view name,
                                            const std::vector<std::string_view>& names);

// Sets one member from text. The error begins with the key: `server.workers: 0 is below the least allowed,
// 1`.
storage::Status set_setting(Settings& settings, std::string_view key, std::string_view text);
// The same for a list, element by element (the other form takes them separated by commas).
storage::Status set_setting(Settings& settings, const SettingRow& row, std::vector<std::string> list);
// The same for a list of certificates (the other form takes CERT:KEY or CERT:KEY:OCSP, separated by commas).
storage::Status set_setting(Settings& settings, const SettingRow& row,
                            std::vector<TlsCertificateFiles> certificates);

// Those whose values differ.
[[nodiscard]] std::vector<const SettingRow*> changed_settings(const Settings& before, const Settings& after);

// The value as set_setting() would take it.
[[nodiscard]] std::string setting_text(const Settings& settings, const SettingRow& row);
// The default in words, for help: the text of Settings{}, or how it is found.
[[nodiscard]] std::string default_text(const SettingRow& row);

}  // namespace freshet::proxy
