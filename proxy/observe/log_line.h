// One exchange as one line of the access log, written into memory that the caller gives. Whatever bytes a
// client sent, the line has no line break inside, and a value does not end before its quotes do: JSON is
// valid and in UTF-8, and in other formats a quote, a backslash and what is not printable ASCII are escaped.
// Overlong texts are cut and end in "...".
//
// Pure but for the time of day: one LineFormatter for each thread that writes.
#pragma once

#include <cstddef>
#include <string_view>

#include "proxy/observe/exchange_record.h"
#include "proxy/observe/log_format.h"
#include "proxy/observe/log_text.h"

namespace freshet::proxy {

// Room that any line fits into, its line feed included.
inline constexpr std::size_t kLongestLogLine = std::size_t{36} * 1024;

class LineFormatter {
 public:
  // `format` outlives it.
  explicit LineFormatter(const LogFormat& format) : format_(format) {}

  // Writes at `out`, where kLongestLogLine bytes are free; returns the end of what it wrote. A line in a
  // format of one's own that would be longer ends with the last field for which there is room.
  char* format(char* out, const ExchangeRecord& record);

 private:
  char* json(char* out, const ExchangeRecord& record);
  char* field(char* out, const LogFormat::Part& part, const ExchangeRecord& record);

  const LogFormat& format_;
  LogClock clock_;
};

}  // namespace freshet::proxy
