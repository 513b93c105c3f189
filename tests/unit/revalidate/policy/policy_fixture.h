// Short ways to write messages, stored responses and times in the tests of the policy layer. Times are in
// seconds after kStart; a stored response has been requested and received at kStart unless said otherwise.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "revalidate/policy/request_facts.h"
#include "revalidate/policy/response_facts.h"
#include "storage/http/http_date.h"

namespace freshet::revalidate::test {

using storage::FieldName;
using storage::HeaderFields;
using storage::Method;
using storage::Milliseconds;
using storage::RequestHead;
using storage::ResponseHead;
using storage::Seconds;
using storage::StoredHead;
using storage::StoredResponse;
using storage::StoredResponsePtr;
using storage::WallTime;

using Lines = std::vector<std::pair<std::string, std::string>>;

inline constexpr long long kStartSeconds = 1700000000;

inline WallTime at(long long seconds) {
  return storage::wall_from_seconds(kStartSeconds + seconds);
}
inline std::string date_at(long long seconds) {
  return storage::format_http_date(at(seconds));
}

inline HeaderFields fields(const Lines& lines) {
  HeaderFields out;
  for (const auto& [name, value] : lines) out.add(name, value);
  return out;
}

inline RequestHead request(const Lines& lines = {}, Method method = Method::kGet,
                           std::string_view text = "GET") {
  RequestHead head;
  head.method = method;
  head.method_text = text;
  head.scheme = "http";
  head.authority = "example.com";
  head.target = "/a/b?c=d";
  head.fields = fields(lines);
  return head;
}

inline ResponseHead response(int status, const Lines& lines = {}) {
  ResponseHead head;
  head.status = status;
  head.fields = fields(lines);
  return head;
}

inline StoredHead stored_head(const Lines& lines, int status = 200, bool request_had_credentials = false) {
  StoredHead head;
  head.key = storage::make_cache_key("http", "example.com", "/a/b?c=d");
  head.response = response(status, lines);
  head.request_time = at(0);
  head.response_time = at(0);
  head.request_had_credentials = request_had_credentials;
  return head;
}

inline StoredResponsePtr keep(StoredHead head, const PolicyOptions& options = {}) {
  return std::make_shared<const StoredResponse>(std::move(head), storage::make_memory_body({}),
                                                DescribeResponse(options));
}

inline StoredResponsePtr stored(const Lines& lines, int status = 200, bool request_had_credentials = false) {
  return keep(stored_head(lines, status, request_had_credentials));
}

// Of a head that lives as long as the tests.
inline ResponseFacts facts(const Lines& lines, int status = 200, bool request_had_credentials = false) {
  static std::deque<StoredHead> heads;
  return ResponseFacts(heads.emplace_back(stored_head(lines, status, request_had_credentials)),
                       PolicyOptions{});
}

inline RequestFacts request_facts(const RequestHead& head, bool has_content = false) {
  return make_request_facts(head, has_content, PolicyOptions{});
}

}  // namespace freshet::revalidate::test
