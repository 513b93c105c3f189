// FRESHET_CHECK(condition): an invariant of our own, checked in every build. A peer's, a client's or a
// disk's fault is never a CHECK: those are values. A broken invariant prints the place and aborts, since
// going on could serve one client's bytes to another.
#pragma once

namespace freshet::storage {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace freshet::storage

#define FRESHET_CHECK(condition)                     \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::freshet::storage::check_failed(#condition, __FILE__, __LINE__))
