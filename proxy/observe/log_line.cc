#include "proxy/observe/log_line.h"

#include "proxy/observe/request_id.h"
#include "storage/http/field_syntax.h"

namespace freshet::proxy {

namespace {

constexpr std::size_t kLongestPath = 4096;
constexpr std::size_t kLongestWord = 240;
constexpr std::size_t kLongestHeader = 1024;
// The path; host, client, method, protocol, reason, id; trace, key, names and numbers.
static_assert(6 * (kLongestPath + 6 * kLongestWord) + 768 <= kLongestLogLine);
// The longest of one field, which is the request line, or a header field.
constexpr std::size_t kLongestField = 4 * (kLongestPath + 2 * kLongestWord) + 64;
static_assert(kLongestField < kLongestLogLine);

char* append_json(char* out, std::string_view text, std::size_t longest) {
  out = append_json_text(out, text.substr(0, longest));
  return text.size() > longest ? append_plain(out, "...") : out;
}

char* append_word(char* out, std::string_view key_and_quote, std::string_view word) {
  out = append_plain(out, key_and_quote);
  out = append_json(out, word, kLongestWord);
  *out++ = '"';
  return out;
}

char* append_cut(char* out, std::string_view text, std::size_t longest = kLongestWord) {
  out = append_log_text(out, text.substr(0, longest));
  return text.size() > longest ? append_plain(out, "...") : out;
}

// What is not there is a dash, as the common format has it.
char* append_or_dash(char* out, std::string_view text, std::size_t longest = kLongestWord) {
  return text.empty() ? append_plain(out, "-") : append_cut(out, text, longest);
}

char* append_request(char* out, const ExchangeRecord& record) {
  // It could not be parsed.
  if (record.method.empty()) return append_plain(out, "-");
  out = append_cut(out, record.method);
  *out++ = ' ';
  out = append_cut(out, record.path, kLongestPath);
  *out++ = ' ';
  return append_cut(out, record.protocol);
}

char* append_header(char* out, const std::string& name, const ExchangeRecord& record) {
  const auto value = record.fields != nullptr ? record.fields->first(name) : std::nullopt;
  return append_or_dash(out, value.value_or(""), kLongestHeader);
}

// Every line of JSON asks for it, and a request has few fields: the lengths tell most of them apart.
std::string_view trace_of(const ExchangeRecord& record) {
  if (record.fields == nullptr) return {};
  for (const storage::HeaderFields::Line line : *record.fields) {
    if (line.name.size() == kTraceparentField.size() &&
        storage::equals_ignoring_case(line.name, kTraceparentField)) {
      return trace_id_of(line.value);
    }
  }
  return {};
}

}  // namespace

char* LineFormatter::json(char* out, const ExchangeRecord& record) {
  out = append_plain(out, R"({"time":")");
  out = clock_.append_time(out, record.time);
  out = append_word(out, R"(","client":")", record.client);
  out = append_word(out, R"(,"method":")", record.method);
  out = append_plain(out, R"(,"target":")");
  out = append_json(out, record.host, kLongestWord);
  out = append_json(out, record.path, kLongestPath);
  out = append_word(out, R"(","protocol":")", record.protocol);
  out = append_plain(out, R"(,"status":)");
  out = append_number(out, record.status);
  out = append_plain(out, R"(,"bytes":)");
  out = append_number(out, record.body_bytes);
  out = append_plain(out, R"(,"head_bytes":)");
  out = append_number(out, record.head_bytes);
  out = append_plain(out, R"(,"cache":")");
  out = append_plain(out, cache_outcome_name(record.outcome));
  out = append_word(out, R"(","reason":")", record.reason);
  if (record.key != nullptr) {
    out = append_plain(out, R"(,"key":")");
    out = append_hex(out, record.key->high);
    *out++ = '"';
  }
  if (record.origin_time) {
    out = append_plain(out, R"(,"origin_status":)");
    out = append_number(out, record.origin_status);
    out = append_plain(out, R"(,"origin_ms":)");
    out = append_ms(out, *record.origin_time);
  }
  out = append_plain(out, R"(,"first_byte_ms":)");
  out = append_ms(out, record.first_byte);
  out = append_plain(out, R"(,"ms":)");
  out = append_ms(out, record.total_time);
  if (record.saved_bytes > 0) {
    out = append_plain(out, R"(,"saved_bytes":)");
    out = append_number(out, record.saved_bytes);
  }
  if (!record.id.empty()) out = append_word(out, R"(,"id":")", record.id);
  if (const std::string_view trace = trace_of(record); !trace.empty()) {
    out = append_word(out, R"(,"trace":")", trace);
  }
  return append_plain(out, record.complete ? "}\n" : ",\"broken\":true}\n");
}

char* LineFormatter::field(char* out, const LogFormat::Part& part, const ExchangeRecord& record) {
  switch (part.field) {
    case LogField::kTime:
      return clock_.append_time(out, record.time);
    case LogField::kDate:
      return clock_.append_date(out, record.time);
    case LogField::kClient:
      return append_or_dash(out, record.client);
    case LogField::kMethod:
      return append_or_dash(out, record.method);
    case LogField::kTarget:
      if (record.host.empty() && record.path.empty()) return append_plain(out, "-");
      return append_cut(append_cut(out, record.host), record.path, kLongestPath);
    case LogField::kHost:
      return append_or_dash(out, record.host);
    case LogField::kPath:
      return append_or_dash(out, record.path, kLongestPath);
    case LogField::kRequest:
      return append_request(out, record);
    case LogField::kProtocol:
      return append_or_dash(out, record.protocol);
    case LogField::kStatus:
      return append_number(out, record.status);
    case LogField::kBytes:
      return append_number(out, record.body_bytes);
    case LogField::kHeadBytes:
      return append_number(out, record.head_bytes);
    case LogField::kSavedBytes:
      return append_number(out, record.saved_bytes);
    case LogField::kCache:
      return append_plain(out, cache_outcome_name(record.outcome));
    case LogField::kReason:
      return append_or_dash(out, record.reason);
    case LogField::kOriginStatus:
      return record.origin_time ? append_number(out, record.origin_status) : append_plain(out, "-");
    case LogField::kOriginMs:
      return record.origin_time ? append_ms(out, *record.origin_time) : append_plain(out, "-");
    case LogField::kFirstByteMs:
      return append_ms(out, record.first_byte);
    case LogField::kMs:
      return append_ms(out, record.total_time);
    case LogField::kKey:
      return record.key != nullptr ? append_hex(out, record.key->high) : append_plain(out, "-");
    case LogField::kId:
      return append_or_dash(out, record.id);
    case LogField::kTrace:
      return append_or_dash(out, trace_of(record));
    case LogField::kBroken:
      return append_plain(out, record.complete ? "false" : "true");
    case LogField::kHeader:
      return append_header(out, part.header, record);
    case LogField::kNone:
      break;
  }
  return out;
}

char* LineFormatter::format(char* out, const ExchangeRecord& record) {
  if (format_.is_json()) return json(out, record);
  const char* const end = out + kLongestLogLine - 1;
  for (const LogFormat::Part& part : format_.parts()) {
    if (static_cast<std::size_t>(end - out) < part.before.size() + kLongestField) break;
    out = append_plain(out, part.before);
    out = field(out, part, record);
  }
  *out++ = '\n';
  return out;
}

}  // namespace freshet::proxy
