// Reads a trace file, line by line, into memory that the requests alone take. A line that cannot be read is
// skipped and counted; over `most_bad_lines` the trace is refused. Blocks; called at start, on the main
// thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/simulate/trace.h"
#include "proxy/simulate/trace_line.h"
#include "storage/base/result.h"

namespace freshet::proxy {

struct TraceOptions {
  std::string path;                   // `-`: standard input
  std::optional<TraceFormat> format;  // nothing: by the first line
  std::uint64_t most_bad_lines = 100;
};

struct LoadedTrace {
  Trace trace;  // finished
  std::uint64_t left_out = 0;
  std::uint64_t bad_lines = 0;
  std::vector<std::string> complaints;  // FILE:LINE: what is wrong, of the first few bad lines
};

// An error is one line: FILE: reason, or FILE:LINE: reason. A trace without a request is one.
[[nodiscard]] storage::Result<LoadedTrace> load_trace(const TraceOptions& options);

// The lines of a file that may have any length: what is longer than kLongestTraceLine is told, not kept.
class LineReader {
 public:
  enum class Outcome { Line, TooLong, End, Failed };

  explicit LineReader(std::FILE* file);
  // `line` is without its end (LF or CRLF) and good until the next call.
  Outcome next(std::string_view& line);

 private:
  bool fill();
  [[nodiscard]] bool has_line() const;

  std::FILE* const file_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool skipping_ = false;  // the rest of a line that was too long
};

inline constexpr std::size_t kLongestTraceLine = 64 * 1024;

}  // namespace freshet::proxy
