// EntityTag: an opaque validator, strong or weak, and lists of them (RFC 9110, sections 8.8.3 and 13.1.2).
// A view: it lives as long as the text it was read from. A backslash in an entity tag is a letter like any
// other, so these lists are not read with ListReader.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace freshet::storage {

struct EntityTag {
  bool weak = false;
  std::string_view opaque;  // between the quotes

  void append_to(std::string& out) const;  // W/"…" or "…"
};

// Exactly one entity tag; nothing for any other text (no quotes, "w/", spaces inside).
[[nodiscard]] std::optional<EntityTag> parse_entity_tag(std::string_view text);

// RFC 9110, 8.8.3.2.
[[nodiscard]] constexpr bool strong_match(const EntityTag& a, const EntityTag& b) {
  return !a.weak && !b.weak && a.opaque == b.opaque;
}
[[nodiscard]] constexpr bool weak_match(const EntityTag& a, const EntityTag& b) {
  return a.opaque == b.opaque;
}

// Reads the entity tags of an If-None-Match or If-Match value. What is no entity tag is skipped up to the
// next comma and remembered.
class EntityTagReader {
 public:
  explicit EntityTagReader(std::string_view value) : rest_(value) {}
  bool next(EntityTag& tag);
  [[nodiscard]] bool malformed() const { return malformed_; }

 private:
  std::string_view rest_;
  bool malformed_ = false;
};

}  // namespace freshet::storage
