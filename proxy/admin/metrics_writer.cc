#include "proxy/admin/metrics_writer.h"

namespace freshet::proxy {

using storage::HistogramUnit;

namespace {

constexpr std::int64_t kMicroseconds = 1'000'000;

// In HELP lines a backslash and a line feed are escaped.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

std::string in_unit(HistogramUnit unit, std::int64_t value) {
  return decimal_text(value, unit == HistogramUnit::kSeconds ? kMicroseconds : 1);
}

}  // namespace

std::string decimal_text(std::int64_t value, std::int64_t per) {
  std::string text = value < 0 ? "-" : "";
  if (value < 0) value = -value;
  text += std::to_string(value / per);
  std::int64_t rest = value % per;
  if (rest > 0) text += '.';
  for (std::int64_t digit = per / 10; rest > 0; digit /= 10) {
    text += static_cast<char>('0' + rest / digit);
    rest %= digit;
  }
  return text;
}

void MetricsWriter::begin_family(std::string_view family, std::string_view type, std::string_view help) {
  if (family == family_) return;
  family_ = family;
  out_.append("# HELP ").append(family).append(" ");
  append_escaped(out_, help);
  out_.append("\n# TYPE ").append(family).append(" ").append(type).append("\n");
}

void MetricsWriter::sample(std::string_view name, std::string_view type, std::string_view help,
                           std::string_view value) {
  begin_family(name.substr(0, name.find('{')), type, help);
  out_.append(name).append(" ").append(value).append("\n");
}

void MetricsWriter::histogram(std::string_view name, HistogramUnit unit, std::string_view help,
                              const storage::HistogramValues& values) {
  const std::size_t brace = std::min(name.find('{'), name.size());
  const std::string family(name.substr(0, brace));
  // Without the braces, and as they stand.
  const std::string labels(name.substr(brace, name.size() - brace));
  const std::string inside = labels.empty() ? "" : labels.substr(1, labels.size() - 2) + ",";
  begin_family(family, "histogram", help);
  const storage::HistogramBounds& bounds = storage::histogram_bounds(unit);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < values.buckets.size(); ++i) {
    below += values.buckets[i];
    const std::string bound = i < bounds.size() ? in_unit(unit, bounds[i]) : "+Inf";
    out_.append(family).append("_bucket{").append(inside).append("le=\"").append(bound).append("\"} ");
    out_.append(std::to_string(below)).append("\n");
  }
  out_.append(family)
      .append("_sum")
      .append(labels)
      .append(" ")
      .append(in_unit(unit, values.sum))
      .append("\n");
  out_.append(family).append("_count").append(labels).append(" ").append(std::to_string(below)).append("\n");
}

}  // namespace freshet::proxy
