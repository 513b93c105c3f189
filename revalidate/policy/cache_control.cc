#include "revalidate/policy/cache_control.h"

#include <algorithm>

#include "storage/http/field_syntax.h"
#include "storage/http/structured_field.h"

namespace freshet::revalidate {

namespace {

using storage::equals_ignoring_case;
using storage::FieldName;
using storage::HeaderFields;
using storage::NameValue;
using storage::Seconds;

void keep_least(std::optional<Seconds>& kept, Seconds value) {
  kept = kept ? std::min(*kept, value) : value;
}

// An argument that is missing or no number counts as 0.
Seconds seconds_or_zero(const std::optional<std::string_view>& argument) {
  return argument ? parse_delta_seconds(*argument).value_or(Seconds{0}) : Seconds{0};
}

// With a blank on either side of '=' it is malformed: whatever it restricts is kept, and its argument, which
// has no right form then, is none that can be read.
NameValue read_directive(std::string_view element) {
  NameValue directive = storage::split_name_value(element);
  const std::string_view name = storage::trim_whitespace(directive.name);
  if (name.size() != directive.name.size()) directive.value = " ";
  directive.name = name;
  return directive;
}

bool starts_with_blank(std::string_view text) {
  return !text.empty() && (text.front() == ' ' || text.front() == '\t');
}

// The field names of no-cache="a, b" in lower case; false if they cannot be read.
bool read_field_names(std::string_view argument, std::vector<std::string>& names) {
  if (starts_with_blank(argument)) return false;
  const std::optional<std::string> unquoted =
      argument.starts_with('"') ? storage::unquote(argument) : std::string(argument);
  if (!unquoted) return false;
  storage::ListReader reader(*unquoted);
  std::string_view name;
  std::size_t count = 0;
  while (reader.next(name)) {
    if (!storage::is_token(name)) return false;
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(), storage::ascii_lower);
    names.push_back(std::move(lower));
    ++count;
  }
  return count > 0;
}

// A directive that is about the whole response without an argument, about named fields with one.
void set_qualified(const std::optional<std::string_view>& argument, bool& whole,
                   std::vector<std::string>& names) {
  if (!argument || !read_field_names(*argument, names)) whole = true;
}

void apply_element(ResponseDirectives& d, std::string_view element) {
  const NameValue directive = read_directive(element);
  const auto is = [&](std::string_view name) { return equals_ignoring_case(directive.name, name); };
  if (is("max-age")) {
    keep_least(d.max_age, seconds_or_zero(directive.value));
  } else if (is("s-maxage")) {
    keep_least(d.s_maxage, seconds_or_zero(directive.value));
  } else if (is("no-store")) {
    d.no_store = true;
  } else if (is("no-cache")) {
    set_qualified(directive.value, d.no_cache, d.no_cache_fields);
  } else if (is("private")) {
    set_qualified(directive.value, d.is_private, d.private_fields);
  } else if (is("public")) {
    d.is_public = true;
  } else if (is("must-revalidate")) {
    d.must_revalidate = true;
  } else if (is("proxy-revalidate")) {
    d.proxy_revalidate = true;
  } else if (is("must-understand")) {
    d.must_understand = true;
  } else if (is("no-transform")) {
    d.no_transform = true;
  } else if (is("immutable")) {
    d.immutable = true;
  } else if (is("stale-while-revalidate")) {
    keep_least(d.stale_while_revalidate, seconds_or_zero(directive.value));
  } else if (is("stale-if-error")) {
    keep_least(d.stale_if_error, seconds_or_zero(directive.value));
  }
}

void apply_list(ResponseDirectives& d, std::string_view value) {
  storage::ListReader reader(value);
  std::string_view element;
  while (reader.next(element)) {
    apply_element(d, element);
    if (!reader.unbalanced()) continue;
    // A quote was left open: what it swallowed is read once more as if there were none, so that no
    // restriction is lost.
    for (std::size_t comma = element.find(','); comma != std::string_view::npos; comma = element.find(',')) {
      element.remove_prefix(comma + 1);
      apply_element(d, storage::trim_whitespace(element.substr(0, element.find(','))));
    }
  }
}

// RFC 9213, 2.1: a member has the type that its directive calls for, or does not count; a freshness lifetime
// of another type counts as 0.
void apply_structured(ResponseDirectives& d, const std::string& name, const storage::SfMember& member) {
  using Type = storage::SfBareItem::Type;
  const storage::SfBareItem& value = member.item.value;
  const auto seconds = [&] {
    if (member.is_inner_list || value.type != Type::kInteger || value.integer < 0) return Seconds{0};
    return std::min(Seconds{value.integer}, kForever);
  };
  if (name == "max-age") {
    d.max_age = seconds();
  } else if (name == "s-maxage") {
    d.s_maxage = seconds();
  } else if (name == "stale-while-revalidate") {
    d.stale_while_revalidate = seconds();
  } else if (name == "stale-if-error") {
    d.stale_if_error = seconds();
  } else if (!member.is_inner_list && value.is_true()) {
    apply_element(d, name);
  } else if (!member.is_inner_list && (value.type == Type::kString || value.type == Type::kToken)) {
    if (name == "no-cache") set_qualified(value.text, d.no_cache, d.no_cache_fields);
    if (name == "private") set_qualified(value.text, d.is_private, d.private_fields);
  }
}

bool parse_targeted(const HeaderFields& fields, const std::string& name, ResponseDirectives& d) {
  const std::optional<std::string> value = fields.combined(name);
  if (!value) return false;
  const auto dictionary = storage::parse_sf_dictionary(*value);
  if (!dictionary || dictionary->empty()) return false;
  for (const auto& [directive, member] : *dictionary) apply_structured(d, directive, member);
  d.source = ResponseDirectives::Source::kTargeted;
  return true;
}

// One directive of Surrogate-Control; false if it is not known.
bool apply_surrogate(ResponseDirectives& d, std::string_view text) {
  const NameValue directive = read_directive(text);
  if (equals_ignoring_case(directive.name, "no-store")) {
    d.no_store = true;
    return true;
  }
  if (!equals_ignoring_case(directive.name, "max-age") || !directive.value) return false;
  // "max-age=30+60": fresh for 30 seconds, and for 60 more where it cannot be validated in time.
  const std::size_t plus = directive.value->find('+');
  keep_least(d.max_age, seconds_or_zero(directive.value->substr(0, plus)));
  if (plus != std::string_view::npos) {
    keep_least(d.stale_while_revalidate, seconds_or_zero(directive.value->substr(plus + 1)));
  }
  return true;
}

// "directive[;target]": what is aimed at us alone counts before what is aimed at nobody, whatever it says.
bool parse_surrogate(const HeaderFields& fields, ResponseDirectives& d) {
  ResponseDirectives ours;
  ResponseDirectives everybodys;
  bool any_ours = false;
  bool any = false;
  storage::for_each_element(fields, FieldName::kSurrogateControl, [&](std::string_view element) {
    storage::ListReader parts(element, ';');
    std::string_view directive;
    std::string_view target;
    if (!parts.next(directive)) return;
    if (!parts.next(target)) {
      any |= apply_surrogate(everybodys, directive);
    } else if (equals_ignoring_case(target, kEdgeName)) {
      any_ours |= apply_surrogate(ours, directive);
    }
  });
  if (!any && !any_ours) return false;
  d = any_ours ? ours : everybodys;
  d.source = ResponseDirectives::Source::kSurrogate;
  return true;
}

void apply_element(RequestDirectives& d, std::string_view element) {
  const NameValue directive = read_directive(element);
  const auto is = [&](std::string_view name) { return equals_ignoring_case(directive.name, name); };
  if (is("no-cache")) {
    d.no_cache = true;
  } else if (is("no-store")) {
    d.no_store = true;
  } else if (is("only-if-cached")) {
    d.only_if_cached = true;
  } else if (is("max-age")) {
    keep_least(d.max_age, seconds_or_zero(directive.value));
  } else if (is("min-fresh")) {
    // The greatest is the strictest here.
    d.min_fresh = std::max(d.min_fresh.value_or(Seconds{0}), seconds_or_zero(directive.value));
  } else if (is("max-stale")) {
    keep_least(d.max_stale, directive.value ? seconds_or_zero(directive.value) : kForever);
  } else if (is("stale-if-error")) {
    keep_least(d.stale_if_error, seconds_or_zero(directive.value));
  }
}

}  // namespace

std::optional<Seconds> parse_delta_seconds(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  const std::optional<std::uint64_t> value = storage::parse_decimal(text);
  if (!value) return std::nullopt;
  const auto limit = static_cast<std::uint64_t>(kForever.count());
  return Seconds{static_cast<Seconds::rep>(std::min(*value, limit))};
}

bool passes_surrogate_control(const HeaderFields& request_fields) {
  const auto capabilities = request_fields.combined("Surrogate-Capability");
  if (!capabilities) return false;
  storage::ListReader reader(*capabilities);
  std::string_view element;
  while (reader.next(element)) {
    const NameValue device = storage::split_name_value(element);
    // A device token, and in quotes what it can do: "Surrogate/1.0 ESI/1.0".
    if (device.value && device.value->find("Surrogate/1.") != std::string_view::npos) return true;
  }
  return false;
}

ResponseDirectives parse_cache_control(std::string_view value) {
  ResponseDirectives directives;
  directives.source = ResponseDirectives::Source::kCacheControl;
  apply_list(directives, value);
  return directives;
}

ResponseDirectives parse_response_directives(const HeaderFields& fields, const PolicyOptions& options) {
  ResponseDirectives directives;
  for (; directives.targeted_field < options.targeted_fields.size(); ++directives.targeted_field) {
    const std::string& name = options.targeted_fields[directives.targeted_field];
    if (parse_targeted(fields, name, directives)) return directives;
  }
  if (options.surrogate_control && parse_surrogate(fields, directives)) return directives;
  for (const HeaderFields::Line line : fields) {
    if (line.id != FieldName::kCacheControl) continue;
    directives.source = ResponseDirectives::Source::kCacheControl;
    apply_list(directives, line.value);
  }
  return directives;
}

RequestDirectives parse_request_directives(const HeaderFields& fields) {
  RequestDirectives directives;
  bool has_cache_control = false;
  bool pragma = false;
  for (const HeaderFields::Line line : fields) {
    if (line.id == FieldName::kPragma) {
      storage::ListReader reader(line.value);
      std::string_view element;
      while (reader.next(element)) pragma |= equals_ignoring_case(element, "no-cache");
    }
    if (line.id != FieldName::kCacheControl) continue;
    has_cache_control = true;
    storage::ListReader reader(line.value);
    std::string_view element;
    while (reader.next(element)) apply_element(directives, element);
  }
  directives.pragma_no_cache = pragma && !has_cache_control;
  return directives;
}

}  // namespace freshet::revalidate
