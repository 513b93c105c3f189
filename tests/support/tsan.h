// Whether this is a build with the thread sanitizer, under which a program takes ten times as long: tests
// that write much write less there. What they show of threads they show by less, too.
#pragma once

namespace freshet::tests {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kUnderTsan = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool kUnderTsan = true;
#else
inline constexpr bool kUnderTsan = false;
#endif
#else
inline constexpr bool kUnderTsan = false;
#endif

}  // namespace freshet::tests
