#include "proxy/cli/edge_program.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <unistd.h>

#include "proxy/cli/command_line.h"

namespace freshet::proxy {

namespace {

// How many freed pieces of a size glibc keeps for each thread, which costs no lock and no search: 7 unless it
// is told otherwise, and only so, before the program starts. A request frees more. At most 2 MiB a thread.
constexpr const char* kTunables = "glibc.malloc.tcache_count=64";

}  // namespace

int become_edge(char** argv) {
  ::setenv("GLIBC_TUNABLES", kTunables, /*overwrite=*/0);
  std::error_code failure;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failure);
  const std::string program = (self.parent_path() / "freshet-edge").string();
  ::execv(program.c_str(), argv);
  std::fprintf(stderr, "freshet: cannot start %s, which belongs beside freshet: %s\n", program.c_str(),
               std::strerror(errno));
  return kUsageExitStatus;
}

}  // namespace freshet::proxy
