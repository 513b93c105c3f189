#include "proxy/cli/edge_program.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <unistd.h>

#include "proxy/cli/command_line.h"

namespace freshet::proxy {

int become_edge(char** argv) {
  std::error_code failure;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failure);
  const std::string program = (self.parent_path() / "freshet-edge").string();
  ::execv(program.c_str(), argv);
  std::fprintf(stderr, "freshet: cannot start %s, which belongs beside freshet: %s\n", program.c_str(),
               std::strerror(errno));
  return kUsageExitStatus;
}

}  // namespace freshet::proxy
