#include "proxy/config/config_file.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <toml++/toml.h>
#include <unistd.h>

#include "proxy/config/setting_table.h"
#include "proxy/config/setting_values.h"

namespace freshet::proxy {

namespace {

using storage::Error;

constexpr std::size_t kLargestFile = kMiB;

// Sections in the order of the table.
std::vector<std::string_view> section_names() {
  std::vector<std::string_view> names;
  for (const SettingRow& row : setting_table()) {
    const std::string_view section = row.key.substr(0, row.key.find('.'));
    if (names.empty() || names.back() != section) names.push_back(section);
  }
  return names;
}

std::string type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

// How a row's value must be written in TOML.
std::string wanted_form(const SettingRow& row) {
  switch (row.type) {
    case SettingType::kBytes:
      return "an integer (bytes) or a string such as \"256M\"";
    case SettingType::kDuration:
      return "a string such as \"10s\"";
    case SettingType::kCount:
      return "an integer";
    case SettingType::kRatio:
      return "a number";
    case SettingType::kAddress:
      return "a string such as \"127.0.0.1:8080\"";
    case SettingType::kSwitch:
      return "true or false";
    case SettingType::kCertificates:
      return "an array of tables such as {cert = \"a.pem\", key = \"a.key\"}";
    case SettingType::kListen:
      return "a string such as \"127.0.0.1:8080\", or an array of such strings";
    case SettingType::kNetworks:
    case SettingType::kNames:
    case SettingType::kPatterns:
      return "an array of strings";
    default:
      return "a string";
  }
}

// The node's text if its TOML type fits the row.
std::optional<std::string> scalar_text(const SettingRow& row, const toml::node& node) {
  const bool takes_integer =
      row.type == SettingType::kBytes || row.type == SettingType::kCount || row.type == SettingType::kRatio;
  const bool takes_string =
      row.type != SettingType::kCount && row.type != SettingType::kRatio && row.type != SettingType::kSwitch;
  if (const auto* flag = node.as_boolean(); flag != nullptr && row.type == SettingType::kSwitch) {
    return flag->get() ? "true" : "false";
  }
  if (const auto* integer = node.as_integer(); integer != nullptr && takes_integer) {
    return std::to_string(integer->get());
  }
  if (const auto* number = node.as_floating_point(); number != nullptr && row.type == SettingType::kRatio) {
    return format_ratio(number->get());
  }
  if (const auto* string = node.as_string(); string != nullptr && takes_string) return string->get();
  return std::nullopt;
}

class Loader {
 public:
  Loader(const std::string& name, Settings& settings) : name_(name), settings_(settings) {}

  void load(const toml::table& root) {
    for (const auto& [key, node] : root) load_section(key, node);
    // toml++ hands the keys over in alphabetical order; a reader goes through the file from the top.
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Found& a, const Found& b) { return a.line < b.line; });
    for (const Found& found : found_) errors_.lines.push_back(found.text);
  }
  [[nodiscard]] ConfigErrors take() { return std::move(errors_); }

 private:
  struct Found {
    std::uint64_t line;
    std::string text;
  };

  void load_section(const toml::key& key, const toml::node& node) {
    const std::vector<std::string_view> sections = section_names();
    if (std::find(sections.begin(), sections.end(), key.str()) == sections.end()) {
      unknown_section(key, node, sections);
      return;
    }
    const toml::table* const table = node.as_table();
    if (table == nullptr) {
      report(key.source(), std::string(key.str()) + ": is " + type_name(node) + "; write it as the table [" +
                               std::string(key.str()) + "]");
      return;
    }
    for (const auto& [inner, value] : *table) load_setting(std::string(key.str()), inner, value);
  }

  void unknown_section(const toml::key& key, const toml::node& node,
                       const std::vector<std::string_view>& sections) {
    std::string text = std::string(key.str()) + (node.is_table() ? ": unknown table" : ": unknown setting");
    if (node.is_table()) {
      const std::string_view near = nearest_name(key.str(), sections);
      if (!near.empty()) text += "; did you mean [" + std::string(near) + "]?";
    } else {
      for (const SettingRow& row : setting_table()) {
        const std::size_t dot = row.key.find('.');
        if (row.key.substr(dot + 1) != key.str()) continue;
        text += "; it belongs into [" + std::string(row.key.substr(0, dot)) + "]";
        break;
      }
    }
    report(key.source(), text);
  }

  void load_setting(const std::string& section, const toml::key& key, const toml::node& node) {
    const std::string full = section + "." + std::string(key.str());
    const SettingRow* const row = find_setting(full);
    const Status set = row == nullptr ? set_setting(settings_, full, "") : set_from(*row, node);
    if (!set.ok()) report(row == nullptr ? key.source() : node.source(), set.error());
  }

  Status set_from(const SettingRow& row, const toml::node& node) {
    const bool one_alone = row.type == SettingType::kListen && node.is_string();
    if (is_list(row.type) && !one_alone) return set_list_from(row, node);
    if (row.type == SettingType::kCertificates) return set_certificates_from(row, node);
    const std::optional<std::string> text = scalar_text(row, node);
    if (!text.has_value()) return wrong_type(row, node);
    return set_setting(settings_, row.key, *text);
  }

  Status set_list_from(const SettingRow& row, const toml::node& node) {
    const toml::array* const array = node.as_array();
    if (array == nullptr) return wrong_type(row, node);
    std::vector<std::string> list;
    for (const toml::node& element : *array) {
      const auto* const string = element.as_string();
      if (string == nullptr) return wrong_type(row, element);
      list.push_back(string->get());
    }
    return set_setting(settings_, row, std::move(list));
  }

  Status set_certificates_from(const SettingRow& row, const toml::node& node) {
    const toml::array* const array = node.as_array();
    if (array == nullptr) return wrong_type(row, node);
    std::vector<TlsCertificateFiles> certificates;
    for (const toml::node& element : *array) {
      const toml::table* const table = element.as_table();
      if (table == nullptr) return wrong_type(row, element);
      TlsCertificateFiles& files = certificates.emplace_back();
      for (const auto& [key, value] : *table) {
        const std::string name(key.str());
        std::string* const place = name == "cert"   ? &files.certificate
                                   : name == "key"  ? &files.key
                                   : name == "ocsp" ? &files.ocsp
                                                    : nullptr;
        if (place == nullptr) {
          return Error{std::string(row.key) + ": unknown key " + in_quotes(name) +
                       "; cert, key and ocsp are known"};
        }
        const auto* const string = value.as_string();
        if (string == nullptr) {
          return Error{std::string(row.key) + ": " + name + " is " + type_name(value) + ", not a string"};
        }
        *place = string->get();
      }
    }
    return set_setting(settings_, row, std::move(certificates));
  }

  static Error wrong_type(const SettingRow& row, const toml::node& node) {
    return Error{std::string(row.key) + ": is " + type_name(node) + ", not " + wanted_form(row)};
  }

  void report(const toml::source_region& where, const std::string& text) {
    const std::uint64_t line = where.begin.line;
    found_.push_back({line, name_ + ":" + std::to_string(line) + ": " + text});
  }

  const std::string& name_;
  Settings& settings_;
  std::vector<Found> found_;
  ConfigErrors errors_;
};

storage::Result<std::string> read_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return Error{std::string(std::strerror(errno))};
  std::string text;
  std::string piece(64 * kKiB, '\0');
  ssize_t got = 0;
  while ((got = ::read(descriptor, piece.data(), piece.size())) > 0 && text.size() <= kLargestFile) {
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  const int fault = got < 0 ? errno : 0;
  ::close(descriptor);
  if (fault != 0) return Error{std::string(std::strerror(fault))};
  if (text.size() > kLargestFile) return Error{"is larger than 1M"};
  return text;
}

// Comment lines of at most 100 characters.
std::string commented(std::string_view prose) {
  std::string out;
  std::string line = "#";
  while (!prose.empty()) {
    const std::size_t blank = prose.find(' ');
    const std::string_view word = prose.substr(0, blank);
    if (line.size() + 1 + word.size() > 100) {
      out += line + "\n";
      line = "#";
    }
    line += " " + std::string(word);
    prose = blank == std::string_view::npos ? std::string_view() : prose.substr(blank + 1);
  }
  return out + line + "\n";
}

std::string example_value(const SettingRow& row) {
  std::string text = setting_text(Settings{}, row);
  if (row.key == "origin.url") return "\"http://127.0.0.1:3000\"";
  if (row.key == "server.workers") return "2";
  if (row.key == "tls.listen") return "\"[::]:443\"";
  if (row.key == "tls.cert") return "\"/etc/freshet/example.org.pem\"";
  if (row.key == "tls.key") return "\"/etc/freshet/example.org.key\"";
  if (row.type == SettingType::kCertificates) {
    return "[{cert = \"/etc/freshet/example.net.pem\", key = \"/etc/freshet/example.net.key\"}]";
  }
  if (row.key == "tls.ocsp") return "\"/etc/freshet/example.org.ocsp\"";
  if (row.key == "tls.client_ca") return "\"/etc/freshet/clients.pem\"";
  if (row.key == "tls.ticket_keys") return "\"/etc/freshet/tickets\"";
  if (row.key == "tls.ciphers") return "\"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256\"";
  if (row.key == "tls.cipher_suites") return "\"TLS_AES_128_GCM_SHA256\"";
  if (row.key == "admin.listen") return "\"127.0.0.1:9180\"";
  if (row.key == "cache.dir") return "\"/var/cache/freshet\"";
  if (row.key == "admin.socket") return "\"/var/cache/freshet/admin.sock\"";
  if (row.key == "origin.ca_file") return "\"/etc/ssl/certs/ca-certificates.crt\"";
  if (row.type == SettingType::kCount || row.type == SettingType::kRatio) return text;
  if (row.type == SettingType::kSwitch) return text;
  if (row.type == SettingType::kListen) return "\"" + text + "\"";
  if (is_list(row.type) && text.empty()) return "[]";
  if (is_list(row.type)) {
    for (std::size_t at = 0; (at = text.find(',', at)) != std::string::npos; at += 4) {
      text.replace(at, 1, "\", \"");
    }
    return "[\"" + text + "\"]";
  }
  return "\"" + text + "\"";
}

}  // namespace

ConfigErrors load_config_text(std::string_view text, const std::string& name, Settings& settings) {
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    std::string reason(error.description());
    std::replace(reason.begin(), reason.end(), '\n', ' ');
    return {{name + ":" + std::to_string(error.source().begin.line) + ": " + reason}};
  }
  Settings changed = settings;
  Loader loader(name, changed);
  loader.load(parsed.table());
  ConfigErrors errors = loader.take();
  if (errors.ok()) settings = std::move(changed);
  return errors;
}

ConfigErrors load_config_file(const std::string& path, Settings& settings) {
  const storage::Result<std::string> text = read_file(path);
  if (!text.ok()) return {{path + ": " + text.error()}};
  return load_config_text(text.value(), path, settings);
}

std::string example_config() {
  std::string out =
      "# freshet's settings, each with its meaning and its default. None is needed but origin.url;\n"
      "# `freshet check --config FILE` reads a file and says what is wrong with it. Options on the\n"
      "# command line win over the file. `freshet reload` has the running edge read it anew.\n";
  std::string_view section;
  for (const SettingRow& row : setting_table()) {
    const std::size_t dot = row.key.find('.');
    if (row.key.substr(0, dot) != section) {
      section = row.key.substr(0, dot);
      out += "\n[" + std::string(section) + "]\n";
    }
    out += "\n" + commented(row.prose);
    if (row.restart) out += commented("Changes with a restart alone.");
    if (!row.computed_default.empty())
      out += commented("Default: " + std::string(row.computed_default) + ".");
    out += "#" + std::string(row.key.substr(dot + 1)) + " = " + example_value(row) + "\n";
  }
  return out;
}

}  // namespace freshet::proxy
