// Numbers as people read them in tables: 12,345,678; 1.5 KiB; 1d 02:03:04. Pure.
#pragma once

#include <string>

namespace freshet::proxy {

// `format` has one conversion, of a double.
[[nodiscard]] std::string printed(const char* format, double value);
[[nodiscard]] std::string bytes_text(double bytes);
[[nodiscard]] std::string count_text(double count);
[[nodiscard]] std::string seconds_text(double seconds);

}  // namespace freshet::proxy
