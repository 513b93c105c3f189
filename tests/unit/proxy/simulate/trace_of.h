// Tiny traces in one line: each letter a request for the object of that name.
#pragma once

#include <string_view>

#include "proxy/simulate/trace.h"

namespace freshet::proxy {

inline storage::Digest128 key_of(char name) {
  return storage::digest128(std::string_view(&name, 1));
}

// All of one size.
inline Trace trace_of(std::string_view names, std::uint64_t size = 1) {
  Trace trace;
  for (const char name : names) trace.add(key_of(name), size);
  return trace;
}

}  // namespace freshet::proxy
