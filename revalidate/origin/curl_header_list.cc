#include "revalidate/origin/curl_header_list.h"

namespace freshet::revalidate {

namespace {

// "Name:" takes a line of curl's own away. Curl looks at the first line of a name to decide about its own and
// sends every line that has a value, so these before ours leave ours as they are, Host's place included.
char no_host[] = "Host:";
char no_accept[] = "Accept:";
char no_user_agent[] = "User-Agent:";
char no_expect[] = "Expect:";
char* const kOff[] = {no_host, no_accept, no_user_agent, no_expect};

}  // namespace

curl_slist* CurlHeaderList::build(const storage::HeaderFields& fields) {
  const std::string_view wire = fields.wire();
  text_ = wire;
  nodes_.clear();
  nodes_.reserve(std::size(kOff) + fields.size());
  for (char* const off : kOff) nodes_.push_back(curl_slist{off, nullptr});
  for (const storage::HeaderFields::Line line : fields) {
    const auto begin = static_cast<std::size_t>(line.name.data() - wire.data());
    const auto end = static_cast<std::size_t>(line.value.data() - wire.data()) + line.value.size();
    text_[end] = '\0';
    if (line.value.empty()) {  // "Name;" is curl's way to say a field with no value
      text_[begin + line.name.size()] = ';';
      text_[begin + line.name.size() + 1] = '\0';
    }
    nodes_.push_back(curl_slist{text_.data() + begin, nullptr});
  }
  for (std::size_t i = 0; i + 1 < nodes_.size(); ++i) nodes_[i].next = &nodes_[i + 1];
  return nodes_.data();
}

}  // namespace freshet::revalidate
