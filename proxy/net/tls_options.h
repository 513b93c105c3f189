// TlsOptions: what an operator chose for TLS towards clients. A plain value; proxy/config fills it.
#pragma once

#include <string>
#include <vector>

#include "storage/base/clock.h"

namespace freshet::proxy {

// One certificate, for the names that stand in it.
struct TlsCertificateFiles {
  std::string certificate;  // PEM: the certificate, then those that vouch for it
  std::string key;          // PEM, without a passphrase
  std::string ocsp;         // DER: the response to staple; empty: none

  bool operator==(const TlsCertificateFiles&) const = default;
};

enum class TlsVersion { k12, k13 };

enum class ClientCertificates {
  kOff,       // none is asked for
  kOptional,  // what is shown must be good
  kRequired,
};

struct TlsOptions {
  std::vector<TlsCertificateFiles> certificates;  // the first for clients that name no host, or none of ours
  TlsVersion min_version = TlsVersion::k12;
  std::string ciphers;        // of TLS 1.2, OpenSSL's names; empty: its default
  std::string cipher_suites;  // of TLS 1.3, likewise
  std::vector<std::string> protocols{"http/1.1", "http/1.0"};  // for ALPN, the best first
  ClientCertificates client_certificates = ClientCertificates::kOff;
  std::string client_ca;  // PEM: who may vouch for clients
  // The keys that session tickets are sealed with: see ticket_keys.h.
  std::string ticket_keys;  // a file; empty: keys of this process
  storage::Milliseconds ticket_period{std::chrono::hours{12}};
  bool ktls = false;  // records are made by the kernel, where it can
};

}  // namespace freshet::proxy
