#include "storage/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace freshet::storage {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "freshet: broken invariant at %s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace freshet::storage
