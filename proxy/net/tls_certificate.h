// TlsCertificate: one certificate with its chain, its key and what is stapled to it, read from files and
// checked: the key fits, the OCSP response is about this certificate. Constant once made; any thread.
// OpenSSL's types are named by their tags alone.
//
// An error is one line that names the file and the reason.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/net/tls_options.h"
#include "storage/base/clock.h"
#include "storage/base/result.h"

struct evp_pkey_st;
struct x509_st;

namespace freshet::proxy {

// A file's bytes, at most so many; the error does not name the file.
[[nodiscard]] storage::Result<std::string> read_small_file(const std::string& path);
// "PATH: may be read by everybody", or nothing.
[[nodiscard]] std::optional<std::string> secret_file_warning(const std::string& path);

class TlsCertificate {
 public:
  // `warnings` gets what works but should not be so.
  [[nodiscard]] static storage::Result<std::unique_ptr<TlsCertificate>> load(
      const TlsCertificateFiles& files, storage::WallTime now, std::vector<std::string>& warnings);

  [[nodiscard]] x509_st* leaf() const { return chain_.front().get(); }
  [[nodiscard]] const auto& chain() const { return chain_; }  // the leaf first
  [[nodiscard]] evp_pkey_st* key() const { return key_.get(); }
  // Tells RSA from ECDSA: of each a client may be offered one.
  [[nodiscard]] int key_kind() const;
  // From its subject alternative names (RFC 9525); wildcards as they stand.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] storage::WallTime expires() const { return expires_; }
  // The OCSP response, while it holds; else empty.
  [[nodiscard]] std::string_view stapled(storage::WallTime now) const;

 private:
  struct Release {
    void operator()(x509_st* certificate) const;
    void operator()(evp_pkey_st* key) const;
  };

  TlsCertificate() = default;
  storage::Status load_chain(const std::string& path);
  storage::Status load_key(const std::string& path);
  storage::Status load_ocsp(const std::string& path);
  void find_names();

  std::vector<std::unique_ptr<x509_st, Release>> chain_;
  std::unique_ptr<evp_pkey_st, Release> key_;
  std::vector<std::string> names_;
  storage::WallTime expires_{};
  std::string ocsp_;
  storage::WallTime ocsp_expires_ = storage::WallTime::max();
};

}  // namespace freshet::proxy
