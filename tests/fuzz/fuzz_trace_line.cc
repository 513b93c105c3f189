// Lines of any bytes as each kind of trace: what is taken has a key, a size in bounds and times that are not
// negative, and what is refused says so in one short line without control bytes.
#include <algorithm>
#include <cstdint>

#include "proxy/simulate/trace_line.h"
#include "storage/base/check.h"

using namespace freshet::proxy;

namespace {

void check_line(TraceFormat format, std::string_view line) {
  TraceLine out;
  const freshet::storage::Status status = parse_trace_line(format, line, out);
  if (!status.ok()) {
    const std::string& what = status.error();
    FRESHET_CHECK(!what.empty() && what.size() < 200);
    FRESHET_CHECK(std::none_of(what.begin(), what.end(), [](char c) { return c >= 0 && c < ' '; }));
    return;
  }
  if (out.left_out) return;
  FRESHET_CHECK(!out.key.empty() && out.key.size() <= line.size());
  FRESHET_CHECK(!out.size || *out.size <= kLargestTraceSize);
  FRESHET_CHECK(out.time >= 0 && out.ttl >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  for (const TraceFormat format : {TraceFormat::Csv, TraceFormat::Log, TraceFormat::Common}) {
    check_line(format, line);
  }
  check_line(detect_trace_format(line), line);
  (void)is_csv_heading(line);
  return 0;
}
