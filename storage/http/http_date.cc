#include "storage/http/http_date.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "storage/http/header_fields.h"

namespace freshet::storage {

namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Takes a date apart from the left; after the first mismatch `ok` stays false.
struct Cursor {
  std::string_view rest;
  bool lenient = false;
  bool ok = true;

  [[nodiscard]] bool has(std::string_view text) const {
    return lenient ? equals_ignoring_case(rest.substr(0, text.size()), text) : rest.starts_with(text);
  }
  void literal(std::string_view text) {
    if (!ok || !has(text)) {
      ok = false;
      return;
    }
    rest.remove_prefix(text.size());
  }
  void zone() { literal(lenient && has(" UTC") ? " UTC" : " GMT"); }
  int number(std::size_t digits) {
    int value = 0;
    if (rest.size() < digits) ok = false;
    for (std::size_t i = 0; ok && i < digits; ++i) {
      if (rest[i] < '0' || rest[i] > '9') ok = false;
      value = value * 10 + (rest[i] - '0');
    }
    if (ok) rest.remove_prefix(digits);
    return value;
  }
  template <std::size_t N>
  int one_of(const std::array<std::string_view, N>& names) {
    for (std::size_t i = 0; ok && i < N; ++i) {
      if (!has(names[i])) continue;
      rest.remove_prefix(names[i].size());
      return static_cast<int>(i);
    }
    ok = false;
    return 0;
  }
};

struct Civil {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

void time_of_day(Cursor& in, Civil& civil) {
  civil.hour = in.number(2);
  in.literal(":");
  civil.minute = in.number(2);
  in.literal(":");
  civil.second = in.number(2);
}

// Days since 1970-01-01 of a date in the proleptic Gregorian calendar (years counted from March).
constexpr long long days_from_civil(int year, int month, int day) {
  const long long y = month <= 2 ? year - 1 : year;
  const long long era = (y >= 0 ? y : y - 399) / 400;
  const long long year_of_era = y - era * 400;
  const long long day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const long long day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

struct YearMonthDay {
  int year, month, day;
};

constexpr YearMonthDay civil_from_days(long long days) {
  days += 719468;
  const long long era = (days >= 0 ? days : days - 146096) / 146097;
  const long long day_of_era = days - era * 146097;
  const long long year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const long long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const long long shifted_month = (5 * day_of_year + 2) / 153;
  const long long day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const long long month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const long long year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  return {static_cast<int>(year), static_cast<int>(month), static_cast<int>(day)};
}

int days_in_month(int year, int month) {
  constexpr std::array<int, 12> kDaysInMonth = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDaysInMonth[static_cast<std::size_t>(month - 1)];
}

std::optional<WallTime> to_time(const Civil& c) {
  if (c.day < 1 || c.day > days_in_month(c.year, c.month)) return std::nullopt;
  if (c.hour > 23 || c.minute > 59 || c.second > 60) return std::nullopt;
  const long long days = days_from_civil(c.year, c.month, c.day);
  return wall_from_seconds(((days * 24 + c.hour) * 60 + c.minute) * 60 + std::min(c.second, 59));
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<WallTime> imf_fixdate(Cursor in) {
  Civil civil;
  in.one_of(kDays);
  in.literal(", ");
  civil.day = in.number(2);
  in.literal(" ");
  civil.month = in.one_of(kMonths) + 1;
  in.literal(" ");
  civil.year = in.number(4);
  in.literal(" ");
  time_of_day(in, civil);
  in.zone();
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  return to_time(civil);
}

YearMonthDay day_of(WallTime time) {
  const long long seconds = std::chrono::floor<Seconds>(time).time_since_epoch().count();
  return civil_from_days((seconds >= 0 ? seconds : seconds - 86399) / 86400);
}

// The same day and time, fifty years on.
WallTime fifty_years_after(WallTime time) {
  const YearMonthDay day = day_of(time);
  const long long days =
      days_from_civil(day.year + 50, day.month, day.day) - days_from_civil(day.year, day.month, day.day);
  return time + std::chrono::hours(24 * days);
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
std::optional<WallTime> rfc850_date(Cursor in, WallTime now) {
  Civil civil;
  in.one_of(kLongDays);
  in.literal(", ");
  civil.day = in.number(2);
  in.literal("-");
  civil.month = in.one_of(kMonths) + 1;
  in.literal("-");
  civil.year = in.number(2);
  in.literal(" ");
  time_of_day(in, civil);
  in.zone();
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  const int this_year = day_of(now).year;
  civil.year += this_year - this_year % 100;
  if (civil.year > this_year + 50) civil.year -= 100;
  if (civil.year <= this_year - 50) civil.year += 100;
  const std::optional<WallTime> time = to_time(civil);
  if (!time || *time <= fifty_years_after(now)) return time;
  civil.year -= 100;
  return to_time(civil);
}

// "Sun Nov  6 08:49:37 1994"
std::optional<WallTime> asctime_date(Cursor in) {
  Civil civil;
  in.one_of(kDays);
  in.literal(" ");
  civil.month = in.one_of(kMonths) + 1;
  in.literal(" ");
  const bool one_digit = in.rest.starts_with(" ");
  if (one_digit) in.literal(" ");
  civil.day = in.number(one_digit ? 1 : 2);
  in.literal(" ");
  time_of_day(in, civil);
  in.literal(" ");
  civil.year = in.number(4);
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  return to_time(civil);
}

void append_number(std::string& out, int value, int digits) {
  char text[4];
  for (int i = digits - 1; i >= 0; --i) {
    text[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out.append(text, static_cast<std::size_t>(digits));
}

std::optional<WallTime> parse_any(Cursor in, WallTime now) {
  if (in.rest.size() < 24) return std::nullopt;
  if (in.rest[3] == ',') return imf_fixdate(in);
  if (in.rest[3] == ' ') return asctime_date(in);
  return rfc850_date(in, now);
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text, WallTime now) {
  return parse_any({text}, now);
}

std::optional<WallTime> parse_cache_date(std::string_view text, WallTime now) {
  return parse_any({text, true}, now);
}

void append_http_date(std::string& out, WallTime time) {
  const long long seconds = std::chrono::floor<Seconds>(time).time_since_epoch().count();
  const long long days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
  const int in_day = static_cast<int>(seconds - days * 86400);
  const YearMonthDay date = civil_from_days(days);
  const long long weekday = ((days + 4) % 7 + 7) % 7;
  out.append(kDays[static_cast<std::size_t>(weekday)]).append(", ");
  append_number(out, date.day, 2);
  out.append(" ").append(kMonths[static_cast<std::size_t>(date.month - 1)]).append(" ");
  append_number(out, date.year, 4);
  out.append(" ");
  append_number(out, in_day / 3600, 2);
  out.append(":");
  append_number(out, in_day / 60 % 60, 2);
  out.append(":");
  append_number(out, in_day % 60, 2);
  out.append(" GMT");
}

std::string format_http_date(WallTime time) {
  std::string text;
  text.reserve(29);
  append_http_date(text, time);
  return text;
}

}  // namespace freshet::storage
