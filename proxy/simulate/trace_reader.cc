#include "proxy/simulate/trace_reader.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace freshet::proxy {

namespace {

using storage::Error;
using storage::Result;
using storage::Status;

constexpr std::size_t kBufferSize = 1024 * 1024;
constexpr std::size_t kMostComplaints = 5;
constexpr std::size_t kMostRequests = 4'000'000'000;
constexpr std::string_view kGzip = "\x1f\x8b";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

class Loader {
 public:
  explicit Loader(const TraceOptions& options)
      : options_(options), name_(options.path == "-" ? "standard input" : options.path) {}

  Result<LoadedTrace> load() {
    const std::unique_ptr<std::FILE, CloseFile> file(
        options_.path == "-" ? stdin : std::fopen(options_.path.c_str(), "rb"));
    if (file == nullptr) return Error{name_ + ": " + std::strerror(errno)};
    LineReader reader(file.get());
    std::string_view line;
    for (;;) {
      const LineReader::Outcome outcome = reader.next(line);
      if (outcome == LineReader::Outcome::Failed) return Error{name_ + ": " + std::strerror(errno)};
      if (outcome == LineReader::Outcome::End) break;
      ++number_;
      const Status taken = outcome == LineReader::Outcome::Line ? take(line) : complain("is over 64 KiB");
      if (!taken.ok()) return Error{taken.error()};
    }
    if (loaded_.trace.requests() == 0) return Error{without_requests()};
    loaded_.trace.finish();
    return std::move(loaded_);
  }

 private:
  Status take(std::string_view line) {
    if (number_ == 1) {
      if (line.substr(0, kGzip.size()) == kGzip) {
        return Error{name_ + ": is compressed; `zcat FILE | freshet simulate -` reads it"};
      }
      if (line.substr(0, kByteOrderMark.size()) == kByteOrderMark) line.remove_prefix(kByteOrderMark.size());
    }
    if (line.empty()) return {};
    const bool is_first = !std::exchange(begun_, true);
    if (is_first) format_ = options_.format ? *options_.format : detect_trace_format(line);
    if (is_first && format_ == TraceFormat::Csv && is_csv_heading(line)) return {};
    const Status parsed = parse_trace_line(format_, line, request_);
    if (!parsed.ok()) return complain(parsed.error());
    if (loaded_.trace.requests() >= kMostRequests) return Error{name_ + ": has over four billion requests"};
    if (request_.left_out || !add()) ++loaded_.left_out;
    return {};
  }

  // False: nobody knows its size.
  bool add() {
    const storage::Digest128 key = storage::digest128(request_.key);
    bool known = true;
    const std::uint64_t size = request_.size ? *request_.size : loaded_.trace.last_size(key, known);
    if (known) loaded_.trace.add(key, size, request_.time, request_.ttl);
    return known;
  }

  Status complain(const std::string& what) {
    const std::string line = name_ + ":" + std::to_string(number_) + ": " + what;
    ++loaded_.bad_lines;
    if (loaded_.bad_lines > options_.most_bad_lines) {
      if (options_.most_bad_lines == 0) return Error{line};
      return Error{line + "; more than " + std::to_string(options_.most_bad_lines) + " such lines"};
    }
    if (loaded_.complaints.size() < kMostComplaints) loaded_.complaints.push_back(line);
    return {};
  }

  [[nodiscard]] std::string without_requests() const {
    if (!loaded_.complaints.empty()) return loaded_.complaints.front() + "; no line is a request";
    return name_ + ": has no request that a cache could answer";
  }

  const TraceOptions& options_;
  const std::string name_;
  LoadedTrace loaded_;
  TraceFormat format_ = TraceFormat::Csv;
  TraceLine request_;
  std::uint64_t number_ = 0;
  bool begun_ = false;
};

}  // namespace

LineReader::LineReader(std::FILE* file) : file_(file), buffer_(kBufferSize) {}

// False: there is no more.
bool LineReader::fill() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  const std::size_t read = std::fread(buffer_.data() + end_, 1, buffer_.size() - end_, file_);
  end_ += read;
  return read > 0;
}

bool LineReader::has_line() const {
  return std::memchr(buffer_.data() + begin_, '\n', end_ - begin_) != nullptr;
}

LineReader::Outcome LineReader::next(std::string_view& line) {
  for (;;) {
    if (!has_line() && end_ - begin_ <= kLongestTraceLine) {
      if (fill()) continue;
      if (std::ferror(file_) != 0) return Outcome::Failed;
      if (begin_ == end_) return Outcome::End;
    }
    const std::string_view there(buffer_.data() + begin_, end_ - begin_);
    const std::size_t length = there.find('\n');
    const bool whole = length != there.npos;
    line = there.substr(0, length);
    begin_ += whole ? length + 1 : there.size();
    const bool skipped = std::exchange(skipping_, !whole && there.size() > kLongestTraceLine);
    if (skipped) continue;
    if (line.size() > kLongestTraceLine) return Outcome::TooLong;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return Outcome::Line;
  }
}

Result<LoadedTrace> load_trace(const TraceOptions& options) {
  return Loader(options).load();
}

}  // namespace freshet::proxy
