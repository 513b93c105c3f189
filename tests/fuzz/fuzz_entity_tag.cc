// Every tag that a list gives is an entity tag by itself, and matches itself weakly.
#include <cstdint>
#include <string>

#include "storage/base/check.h"
#include "storage/http/entity_tag.h"

using namespace freshet::storage;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_entity_tag(text));
  EntityTagReader reader(text);
  EntityTag tag;
  while (reader.next(tag)) {
    std::string written;
    tag.append_to(written);
    const auto read = parse_entity_tag(written);
    FRESHET_CHECK(read && weak_match(*read, tag) && read->weak == tag.weak);
  }
  return 0;
}
