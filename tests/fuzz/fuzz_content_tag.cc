// Whatever a list of entity tags looks like: once ours are taken out none of them is left, and the others are
// there as before, in their order.
#include <cstdint>
#include <string>
#include <vector>

#include "revalidate/policy/content_tag.h"
#include "storage/base/check.h"
#include "storage/http/entity_tag.h"

using namespace freshet;

namespace {

// The tags of all lines of this field, but ours.
std::vector<std::string> others(const storage::HeaderFields& fields, storage::FieldName name) {
  std::vector<std::string> found;
  for (const storage::HeaderFields::Line line : fields) {
    if (line.id != name) continue;
    storage::EntityTagReader reader(line.value);
    storage::EntityTag tag;
    while (reader.next(tag)) {
      if (revalidate::is_content_tag(tag.opaque)) continue;
      tag.append_to(found.emplace_back());
    }
  }
  return found;
}

bool names_ours(const storage::HeaderFields& fields, storage::FieldName name) {
  for (const storage::HeaderFields::Line line : fields) {
    if (line.id != name) continue;
    storage::EntityTagReader reader(line.value);
    storage::EntityTag tag;
    while (reader.next(tag)) {
      if (revalidate::is_content_tag(tag.opaque)) return true;
    }
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  for (char& c : text) {
    // No field value has these.
    if (c == '\r' || c == '\n' || c == '\0') c = ' ';
  }
  storage::RequestHead request;
  for (const auto name :
       {storage::FieldName::kIfNoneMatch, storage::FieldName::kIfMatch, storage::FieldName::kIfRange}) {
    request.fields.add(name, text);
  }
  request.fields.add(storage::FieldName::kRange, "bytes=0-1");
  storage::HeaderFields stripped = request.fields;
  revalidate::strip_content_tags(stripped);
  for (const auto name : {storage::FieldName::kIfNoneMatch, storage::FieldName::kIfMatch}) {
    FRESHET_CHECK(others(stripped, name) == others(request.fields, name));
    FRESHET_CHECK(!names_ours(stripped, name));
  }
  // A part must not be asked for without the condition that hung on it.
  FRESHET_CHECK(stripped.has(storage::FieldName::kRange) == stripped.has(storage::FieldName::kIfRange));
  if (revalidate::names_only_content_tags(request)) {
    FRESHET_CHECK(!stripped.has(storage::FieldName::kIfMatch));
  }
  storage::HeaderFields again = stripped;
  revalidate::strip_content_tags(again);
  FRESHET_CHECK(again.wire() == stripped.wire());
  return 0;
}
