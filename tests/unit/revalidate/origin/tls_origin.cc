#include "tests/unit/revalidate/origin/tls_origin.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/base/check.h"

namespace freshet::revalidate {

namespace {

// Runs a shell command; its output goes to `output` if that is a descriptor.
pid_t spawn(const std::string& command, int output) {
  std::string shell = "/bin/sh";
  std::string option = "-c";
  std::string text = command;
  char* const arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (output >= 0) posix_spawn_file_actions_adddup2(&actions, output, 1);
  pid_t child = -1;
  FRESHET_CHECK(::posix_spawn(&child, "/bin/sh", &actions, nullptr, arguments, environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  return child;
}

bool succeeds(const std::string& command) {
  int status = -1;
  ::waitpid(spawn(command, -1), &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

bool TlsOrigin::available() {
  return succeeds("command -v openssl >/dev/null 2>&1");
}

TlsOrigin::TlsOrigin() {
  std::string folder = (std::filesystem::temp_directory_path() / "tls-origin-XXXXXX").string();
  FRESHET_CHECK(::mkdtemp(folder.data()) != nullptr);
  folder_ = folder;
  FRESHET_CHECK(succeeds("cd " + folder_ +
                         " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
                         " -subj /CN=localhost -addext subjectAltName=DNS:localhost"
                         " -keyout key.pem -out cert.pem >/dev/null 2>&1"));
  int ends[2];
  FRESHET_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
  output_ = ends[0];
  server_ = spawn(
      "cd " + folder_ +
          " && exec openssl s_server -accept 127.0.0.1:0 -cert cert.pem -key key.pem -tls1_2 -HTTP 2>&1",
      ends[1]);
  ::close(ends[1]);
  std::string said;
  char byte = 0;
  const std::string mark = "ACCEPT 127.0.0.1:";
  while ((said.find(mark) == std::string::npos || byte != '\n') && ::read(output_, &byte, 1) == 1)
    said += byte;
  FRESHET_CHECK(said.find(mark) != std::string::npos);
  port_ = static_cast<std::uint16_t>(std::stoi(said.substr(said.find(mark) + mark.size())));
}

TlsOrigin::~TlsOrigin() {
  ::kill(server_, SIGKILL);
  ::waitpid(server_, nullptr, 0);
  ::close(output_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void TlsOrigin::put(const std::string& name, const std::string& response) const {
  std::ofstream(folder_ + "/" + name, std::ios::binary) << response;
}

}  // namespace freshet::revalidate
