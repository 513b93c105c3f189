#include "revalidate/policy/content_tag.h"

#include <algorithm>
#include <optional>

#include "storage/http/entity_tag.h"
#include "storage/http/field_syntax.h"

namespace freshet::revalidate {

namespace {

using storage::FieldName;
using storage::HeaderFields;

constexpr std::string_view kPrefix = "fr1-";
constexpr std::size_t kHexDigits = 32;

// Length of the entity tag that `text` begins with; 0 if it does not.
std::size_t leading_tag_size(std::string_view text) {
  const std::size_t quote = text.starts_with("W/") ? 2 : 0;
  const std::size_t closing = text.find('"', quote + 1);
  if (closing == std::string_view::npos) return 0;
  return storage::parse_entity_tag(text.substr(0, closing + 1)) ? closing + 1 : 0;
}

// The next element of a list of entity tags, trimmed; commas between the quotes of a tag do not end it. What
// is no tag reaches to the next comma. EntityTagReader would lose the latter.
bool next_element(std::string_view& rest, std::string_view& element) {
  while (!rest.empty() && (rest.front() == ',' || rest.front() == ' ' || rest.front() == '\t')) {
    rest.remove_prefix(1);
  }
  if (rest.empty()) return false;
  const std::size_t end = std::min(rest.find(',', leading_tag_size(rest)), rest.size());
  element = storage::trim_whitespace(rest.substr(0, end));
  rest.remove_prefix(end);
  return true;
}

bool is_ours(std::string_view element) {
  const auto tag = storage::parse_entity_tag(element);
  return tag && is_content_tag(tag->opaque);
}

// Cheap, and right unless the letters stand elsewhere.
bool may_name_ours(std::string_view value) {
  return value.find(kPrefix) != std::string_view::npos;
}

// The value without ours; nothing where nothing else was in it.
std::optional<std::string> without_ours(std::string_view value) {
  std::string kept;
  std::string_view element;
  while (next_element(value, element)) {
    if (is_ours(element)) continue;
    if (!kept.empty()) kept.append(", ");
    kept.append(element);
  }
  return kept.empty() ? std::nullopt : std::optional(std::move(kept));
}

bool is_tag_list(FieldName id) {
  return id == FieldName::kIfNoneMatch || id == FieldName::kIfMatch;
}

bool if_range_is_ours(const HeaderFields& fields) {
  for (const HeaderFields::Line line : fields) {
    if (line.id == FieldName::kIfRange && is_ours(line.value)) return true;
  }
  return false;
}

bool names_ours(const HeaderFields& fields) {
  for (const HeaderFields::Line line : fields) {
    if ((is_tag_list(line.id) || line.id == FieldName::kIfRange) && may_name_ours(line.value)) return true;
  }
  return false;
}

}  // namespace

std::string content_tag(const storage::Digest128& content, std::string_view content_type,
                        std::string_view content_encoding) {
  std::string text = content.hex();
  text.push_back('\n');
  text.append(content_type).push_back('\n');
  text.append(content_encoding);
  return std::string(kPrefix).append(storage::digest128(text).hex());
}

bool is_content_tag(std::string_view opaque) {
  if (opaque.size() != kPrefix.size() + kHexDigits || !opaque.starts_with(kPrefix)) return false;
  opaque.remove_prefix(kPrefix.size());
  return std::all_of(opaque.begin(), opaque.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void strip_content_tags(HeaderFields& fields) {
  if (!names_ours(fields)) return;
  const bool without_range = if_range_is_ours(fields);
  HeaderFields kept;
  kept.reserve(fields.wire().size(), fields.size());
  for (const HeaderFields::Line line : fields) {
    if (without_range && (line.id == FieldName::kRange || line.id == FieldName::kIfRange)) continue;
    if (is_tag_list(line.id) && may_name_ours(line.value)) {
      if (const auto value = without_ours(line.value)) kept.add_interned(line.id, line.name, *value);
    } else {
      kept.add_interned(line.id, line.name, line.value);
    }
  }
  fields = std::move(kept);
}

bool names_only_content_tags(const storage::RequestHead& request) {
  bool any = false;
  for (const HeaderFields::Line line : request.fields) {
    if (line.id != FieldName::kIfMatch) continue;
    std::string_view rest = line.value;
    std::string_view element;
    while (next_element(rest, element)) {
      if (!is_ours(element)) return false;
      any = true;
    }
  }
  return any;
}

}  // namespace freshet::revalidate
