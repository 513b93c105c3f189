#include "storage/http/entity_tag.h"

#include "storage/http/field_syntax.h"

namespace freshet::storage {

namespace {

// etagc: visible ASCII but the quote, and obs-text.
bool is_tag_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0x21 || (byte >= 0x23 && byte <= 0x7e) || byte >= 0x80;
}

// Reads one entity tag from the left of `text` and says in `size` how long it is.
std::optional<EntityTag> leading_tag(std::string_view text, std::size_t& size) {
  EntityTag tag;
  std::size_t at = 0;
  if (text.starts_with("W/")) {
    tag.weak = true;
    at = 2;
  }
  if (at >= text.size() || text[at] != '"') return std::nullopt;
  const std::size_t first = ++at;
  while (at < text.size() && is_tag_char(text[at])) ++at;
  if (at >= text.size() || text[at] != '"') return std::nullopt;
  tag.opaque = text.substr(first, at - first);
  size = at + 1;
  return tag;
}

}  // namespace

void EntityTag::append_to(std::string& out) const {
  if (weak) out.append("W/");
  out.append("\"").append(opaque).append("\"");
}

std::optional<EntityTag> parse_entity_tag(std::string_view text) {
  std::size_t size = 0;
  const std::optional<EntityTag> tag = leading_tag(text, size);
  if (!tag || size != text.size()) return std::nullopt;
  return tag;
}

bool EntityTagReader::next(EntityTag& tag) {
  for (;;) {
    while (!rest_.empty() && (rest_.front() == ',' || rest_.front() == ' ' || rest_.front() == '\t')) {
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) return false;
    std::size_t size = 0;
    const std::optional<EntityTag> read = leading_tag(rest_, size);
    if (read) {
      const std::string_view behind = trim_whitespace(rest_.substr(size));
      if (behind.empty() || behind.front() == ',') {
        rest_ = behind;
        tag = *read;
        return true;
      }
    }
    malformed_ = true;
    const std::size_t comma = rest_.find(',', size);
    rest_.remove_prefix(comma == std::string_view::npos ? rest_.size() : comma);
  }
}

}  // namespace freshet::storage
