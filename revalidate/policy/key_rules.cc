#include "revalidate/policy/key_rules.h"

#include <algorithm>
#include <utility>

#include "storage/http/field_syntax.h"
#include "storage/http/structured_field.h"

namespace freshet::revalidate {

namespace {

// Calls `take` for each part of `text` between separators, empty ones too.
template <typename Take>
void for_each_part(std::string_view text, char separator, Take take) {
  for (;;) {
    const std::size_t end = text.find(separator);
    take(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

std::string_view name_of(std::string_view parameter) {
  return parameter.substr(0, parameter.find('='));
}

bool is_ignored(std::string_view name, const KeyRules& rules) {
  return std::any_of(rules.ignore_query.begin(), rules.ignore_query.end(), [&](std::string_view rule) {
    if (!rule.ends_with('*')) return name == rule;
    rule.remove_suffix(1);
    return name.starts_with(rule);
  });
}

void append_value(std::string& key_text, char kind, std::string_view value) {
  key_text.push_back('#');
  key_text.push_back(kind);
  key_text.append(std::to_string(value.size())).append(":").append(value);
}

// All values of the cookies of that name, joined as a Cookie field would have them; nothing if there is none.
std::optional<std::string> cookie_values(const storage::RequestHead& request, std::string_view name) {
  std::optional<std::string> values;
  for (const storage::HeaderFields::Line line : request.fields) {
    if (line.id != storage::FieldName::kCookie) continue;
    for_each_part(line.value, ';', [&](std::string_view part) {
      const std::string_view pair = storage::trim_whitespace(part);
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || storage::trim_whitespace(pair.substr(0, equals)) != name)
        return;
      values = values ? values->append(";") : std::string();
      values->append(storage::trim_whitespace(pair.substr(equals + 1)));
    });
  }
  return values;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = storage::ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// As a form's parser does: '+' is a space, "%41" an A; what is no such triple stays.
std::string form_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

void append_encoded(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    }
  }
}

// An inner list of strings, decoded; false for anything else.
bool read_names(const storage::SfMember& member, std::vector<std::string>& names) {
  if (!member.is_inner_list) return false;
  for (const storage::SfItem& item : member.elements) {
    if (item.value.type != storage::SfBareItem::Type::kString) return false;
    names.push_back(form_decoded(item.value.text));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return true;
}

bool is_boolean(const storage::SfMember& member) {
  return !member.is_inner_list && member.item.value.type == storage::SfBareItem::Type::kBoolean;
}

const storage::SfMember* find_member(const storage::SfDictionary& dictionary, std::string_view name) {
  for (const auto& [key, member] : dictionary) {
    if (key == name) return &member;
  }
  return nullptr;
}

bool counts(const NoVarySearch& rule, const std::string& name) {
  const std::vector<std::string>& names = rule.ignores_all ? rule.except : rule.ignored;
  const bool listed = std::binary_search(names.begin(), names.end(), name);
  return rule.ignores_all ? listed : !listed;
}

}  // namespace

std::string normalised_target(std::string_view target, const KeyRules& rules) {
  const std::size_t question = target.find('?');
  if (!rules.changes_target() || question == std::string_view::npos) return std::string(target);
  std::vector<std::string_view> kept;
  bool removed = false;
  for_each_part(target.substr(question + 1), '&', [&](std::string_view parameter) {
    if (is_ignored(name_of(parameter), rules)) {
      removed = true;
    } else {
      kept.push_back(parameter);
    }
  });
  if (rules.sort_query) {
    std::stable_sort(kept.begin(), kept.end(),
                     [](std::string_view a, std::string_view b) { return name_of(a) < name_of(b); });
  }
  std::string out(target.substr(0, question));
  if (kept.empty() && removed) return out;
  out.push_back('?');
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (i > 0) out.push_back('&');
    out.append(kept[i]);
  }
  return out;
}

void append_key_fields(std::string& key_text, const storage::RequestHead& request, const KeyRules& rules) {
  for (const std::string& name : rules.fields) {
    const auto value = request.fields.combined(name);
    value ? append_value(key_text, 'F', *value) : append_value(key_text, 'f', "");
  }
  for (const std::string& name : rules.cookies) {
    const auto value = cookie_values(request, name);
    value ? append_value(key_text, 'C', *value) : append_value(key_text, 'c', "");
  }
}

std::string target_tag(std::string_view key_text) {
  const std::size_t end = key_text.find('#');
  if (end == std::string_view::npos) return {};
  return std::string("uri:").append(key_text.substr(0, end));
}

std::string search_tag(std::string_view uri) {
  return std::string("search:").append(uri.substr(0, uri.find_first_of("?#")));
}

std::optional<NoVarySearch> parse_no_vary_search(const storage::HeaderFields& fields) {
  const auto text = fields.combined(storage::FieldName::kNoVarySearch);
  if (!text) return std::nullopt;
  const auto dictionary = storage::parse_sf_dictionary(*text);
  if (!dictionary) return std::nullopt;
  NoVarySearch rule;
  if (const auto* order = find_member(*dictionary, "key-order")) {
    if (!is_boolean(*order)) return std::nullopt;
    rule.ignores_order = order->item.value.is_true();
  }
  if (const auto* params = find_member(*dictionary, "params")) {
    if (is_boolean(*params)) {
      rule.ignores_all = params->item.value.is_true();
    } else if (!read_names(*params, rule.ignored)) {
      return std::nullopt;
    }
  }
  if (const auto* except = find_member(*dictionary, "except")) {
    if (!rule.ignores_all || !read_names(*except, rule.except)) return std::nullopt;
  }
  if (rule == NoVarySearch{}) return std::nullopt;
  return rule;
}

std::string normalised_target(std::string_view target, const NoVarySearch& rule) {
  const std::size_t question = target.find('?');
  std::vector<std::pair<std::string, std::string>> kept;
  if (question != std::string_view::npos) {
    for_each_part(target.substr(question + 1), '&', [&](std::string_view parameter) {
      if (parameter.empty()) return;
      std::string name = form_decoded(name_of(parameter));
      if (!counts(rule, name)) return;
      const std::size_t equals = std::min(parameter.find('='), parameter.size() - 1);
      const bool has_value = parameter[equals] == '=';
      kept.emplace_back(std::move(name),
                        has_value ? form_decoded(parameter.substr(equals + 1)) : std::string());
    });
  }
  if (rule.ignores_order) {
    std::stable_sort(kept.begin(), kept.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  std::string out(target.substr(0, question));
  char separator = '?';
  for (const auto& [name, value] : kept) {
    out.push_back(separator);
    separator = '&';
    append_encoded(out, name);
    out.push_back('=');
    append_encoded(out, value);
  }
  return out;
}

std::string rule_text(const NoVarySearch& rule) {
  std::string text(rule.ignores_order ? "o" : "");
  text.append(rule.ignores_all ? "*" : "-");
  for (const std::string& name : rule.ignores_all ? rule.except : rule.ignored) {
    text.push_back('&');
    append_encoded(text, name);
  }
  return text;
}

}  // namespace freshet::revalidate
