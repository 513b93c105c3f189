#include "proxy/observe/request_id.h"

#include <algorithm>
#include <random>

#include "proxy/observe/log_text.h"

namespace freshet::proxy {

namespace {

constexpr std::size_t kLongestId = 128;

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// SplitMix64: each value of the counter gives another number.
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

}  // namespace

RequestIds::RequestIds() {
  std::random_device device;
  for (std::uint64_t& half : state_) half = (std::uint64_t{device()} << 32) | device();
}

void RequestIds::make(std::string& id) {
  state_[1] += 0x9e3779b97f4a7c15U;
  id.resize(32);
  // The high half tells the worker and the process, the low half the request.
  append_digest(id.data(), {mixed(state_[0]), mixed(state_[1])});
}

bool is_sane_request_id(std::string_view id) {
  constexpr std::string_view kOthers = "-_.:/+=@";
  if (id.empty() || id.size() > kLongestId) return false;
  return std::all_of(id.begin(), id.end(), [&](char c) {
    return is_letter_or_digit(c) || kOthers.find(c) != std::string_view::npos;
  });
}

std::string_view trace_id_of(std::string_view traceparent) {
  constexpr std::size_t kLength = 55;
  constexpr std::string_view kNoTrace = "00000000000000000000000000000000";
  constexpr std::string_view kNoParent = "0000000000000000";
  if (traceparent.size() < kLength) return {};
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace = traceparent.substr(3, 32);
  const std::string_view parent = traceparent.substr(36, 16);
  const bool well_formed = traceparent[2] == '-' && traceparent[35] == '-' && traceparent[52] == '-' &&
                           is_lower_hex(version) && is_lower_hex(trace) && is_lower_hex(parent) &&
                           is_lower_hex(traceparent.substr(53, 2));
  if (!well_formed || version == "ff" || trace == kNoTrace || parent == kNoParent) return {};
  // A later version may have more behind it; the first has not.
  if (traceparent.size() > kLength && (version == "00" || traceparent[kLength] != '-')) return {};
  return trace;
}

}  // namespace freshet::proxy
