// Certificates for the unit tests of TLS, made by the openssl command in a directory that goes with the
// object.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>

#include "proxy/net/tls_options.h"

namespace freshet::proxy {

class CertificateFiles {
 public:
  CertificateFiles() {
    std::string path = testing::TempDir() + "certificates.XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  ~CertificateFiles() { std::filesystem::remove_all(folder_); }
  CertificateFiles(const CertificateFiles&) = delete;
  CertificateFiles& operator=(const CertificateFiles&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    return path(name);
  }

  void openssl(const std::string& arguments) const {
    const std::string command = "cd " + folder_ + " && openssl " + arguments + " > log 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT(concurrency-mt-unsafe)
  }

  // Signed by itself; `names` as openssl has them ("DNS:a.test,DNS:*.b.test"), empty: none. `key` is rsa or
  // ec.
  [[nodiscard]] TlsCertificateFiles make(const std::string& name, const std::string& names,
                                         const std::string& key = "ec") const {
    const std::string kind = key == "ec" ? "ec -pkeyopt ec_paramgen_curve:P-256" : "rsa:2048";
    openssl("req -x509 -nodes -days 30 -newkey " + kind + " -subj /CN=" + name + " -keyout " + name +
            ".key -out " + name + ".pem" + (names.empty() ? "" : " -addext 'subjectAltName=" + names + "'"));
    return {path(name + ".pem"), path(name + ".key"), ""};
  }

 private:
  std::string folder_;
};

}  // namespace freshet::proxy
