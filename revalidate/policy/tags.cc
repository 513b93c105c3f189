#include "revalidate/policy/tags.h"

#include <algorithm>
#include <utility>

#include "revalidate/policy/invalidation.h"
#include "revalidate/policy/key_rules.h"
#include "storage/http/field_name.h"
#include "storage/http/field_syntax.h"

namespace freshet::revalidate {

namespace {

using storage::FieldName;
using storage::HeaderFields;

// The separators of a field's tags: in Surrogate-Key a comma may be part of one. In Cache-Tag a blank must
// not be, so where one stands there, two tags are meant; and of what nobody has described either may
// separate.
std::string_view separators_of(std::string_view name) {
  return storage::intern_field_name(name) == FieldName::kSurrogateKey ? " \t" : ", \t";
}

// Quotes mean nothing here.
void append_tags(std::string_view value, std::string_view separators, std::vector<std::string_view>& tags) {
  while (!value.empty()) {
    const std::size_t end = std::min(value.find_first_of(separators), value.size());
    if (end > 0) tags.push_back(value.substr(0, end));
    value.remove_prefix(std::min(end + 1, value.size()));
  }
}

bool within_bounds(const std::vector<std::string_view>& tags) {
  std::size_t bytes = 0;
  for (const std::string_view tag : tags) {
    bytes += tag.size();
    if (tag.size() > kMaxTagSize) return false;
  }
  return tags.size() <= kMaxTags && bytes <= kMaxTagBytes;
}

}  // namespace

std::vector<std::string> tags_of(const storage::CacheKey& key, const HeaderFields& stored,
                                 const PolicyOptions& options) {
  std::vector<std::string> tags = group_tags(key, stored);
  if (std::string tag = target_tag(key.text); !tag.empty()) tags.push_back(std::move(tag));
  if (key.text.find("#n") != std::string::npos) tags.push_back(search_tag(key.text));

  std::vector<std::string_view> named;
  for (const std::string& name : options.tag_fields) {
    const std::string_view separators = separators_of(name);
    for (const HeaderFields::Line line : stored) {
      if (storage::equals_ignoring_case(line.name, name)) append_tags(line.value, separators, named);
    }
  }
  const CacheGroups groups = cache_groups(stored);
  named.insert(named.end(), groups.names.begin(), groups.names.end());
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  if (groups.left_out || !within_bounds(named)) named.assign(1, kEveryTag);
  tags.insert(tags.end(), named.begin(), named.end());
  return tags;
}

storage::Invalidation with_every_tag(storage::Invalidation purge) {
  const bool names_tags = std::any_of(purge.scopes.begin(), purge.scopes.end(), [](const auto& scope) {
    return scope.kind == storage::ScopeKind::kTag;
  });
  if (names_tags) purge.scopes.push_back({storage::ScopeKind::kTag, std::string(kEveryTag)});
  return purge;
}

}  // namespace freshet::revalidate
