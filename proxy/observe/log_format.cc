#include "proxy/observe/log_format.h"

#include <array>
#include <utility>

#include "storage/http/field_syntax.h"

namespace freshet::proxy {

using storage::Error;
using storage::Result;

namespace {

constexpr std::size_t kLongestFormat = 4096;
constexpr std::string_view kHeaderPrefix = "header:";

constexpr std::string_view kCommon = R"({client} - - [{date}] "{request}" {status} {bytes})";
constexpr std::string_view kCombined =
    R"({client} - - [{date}] "{request}" {status} {bytes} "{header:Referer}" "{header:User-Agent}")";

constexpr std::array kFieldNames = {
#define FRESHET_LOG_FIELD_NAME(id, name, what) std::string_view(name),
    FRESHET_LOG_FIELDS(FRESHET_LOG_FIELD_NAME)
#undef FRESHET_LOG_FIELD_NAME
};

std::string place_text(std::size_t position) {
  return " at character " + std::to_string(position + 1);
}

std::string all_names() {
  std::string names;
  for (const std::string_view name : kFieldNames) names.append(name).append(", ");
  return names.append("header:NAME");
}

Result<LogFormat::Part> parse_field(std::string_view name, std::size_t position) {
  LogFormat::Part part;
  for (std::size_t i = 0; i < kFieldNames.size(); ++i) {
    if (kFieldNames[i] == name) part.field = static_cast<LogField>(i);
  }
  if (part.field != LogField::kNone) return part;
  const std::string shown = "{" + std::string(name.substr(0, 60)) + "}" + place_text(position);
  if (name.substr(0, kHeaderPrefix.size()) != kHeaderPrefix) {
    return Error{shown + " is no field; the fields are " + all_names()};
  }
  part.field = LogField::kHeader;
  part.header = name.substr(kHeaderPrefix.size());
  if (!storage::is_token(part.header))
    return Error{shown + " names no header field, as {header:Referer} does"};
  return part;
}

}  // namespace

Result<LogFormat> LogFormat::parse(std::string_view text) {
  LogFormat format;
  if (text == "json") return format;
  if (text == "common") text = kCommon;
  if (text == "combined") text = kCombined;
  if (text.size() > kLongestFormat)
    return Error{"is longer than " + std::to_string(kLongestFormat) + " bytes"};
  std::string before;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\t') || c == 0x7f) {
      return Error{"has a control character" + place_text(i) + ": a request is one line"};
    }
    const bool doubled = i + 1 < text.size() && text[i + 1] == text[i];
    if (c == '{' && !doubled) {
      const std::size_t end = text.find('}', i);
      if (end == text.npos) return Error{"has a {" + place_text(i) + " without a }; {{ stands for a brace"};
      Result<Part> part = parse_field(text.substr(i + 1, end - i - 1), i);
      if (!part) return Error{part.error()};
      part->before = std::exchange(before, {});
      format.parts_.push_back(part.take());
      i = end;
      continue;
    }
    if ((c == '{' || c == '}') && doubled) ++i;
    before += static_cast<char>(c);
  }
  if (format.parts_.empty()) {
    return Error{"has no field; it is json, common, combined, or a text as {client} {status} {target}"};
  }
  format.parts_.push_back({std::move(before), LogField::kNone, ""});
  return format;
}

}  // namespace freshet::proxy
