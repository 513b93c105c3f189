// TlsOrigin: `openssl s_server` with a certificate of its own making for the name "localhost", which serves
// whole responses from a temporary folder and closes after each.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace freshet::revalidate {

class TlsOrigin {
 public:
  TlsOrigin();
  ~TlsOrigin();
  TlsOrigin(const TlsOrigin&) = delete;
  TlsOrigin& operator=(const TlsOrigin&) = delete;

  // Whether there is an openssl binary.
  [[nodiscard]] static bool available();

  // GET /`name` is answered with `response`, head and all.
  void put(const std::string& name, const std::string& response) const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string certificate() const { return folder_ + "/cert.pem"; }

 private:
  std::string folder_;
  pid_t server_ = -1;
  int output_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace freshet::revalidate
