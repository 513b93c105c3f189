#include "proxy/config/tls_settings.h"

#include "proxy/net/tls_context.h"

namespace freshet::proxy {

TlsOptions tls_options(const TlsSettings& settings) {
  TlsOptions options;
  if (!settings.cert.empty()) options.certificates.push_back({settings.cert, settings.key, settings.ocsp});
  options.certificates.insert(options.certificates.end(), settings.certificates.begin(),
                              settings.certificates.end());
  options.min_version = settings.min_version;
  options.ciphers = settings.ciphers;
  options.cipher_suites = settings.cipher_suites;
  options.client_certificates = settings.client_certificates;
  options.client_ca = settings.client_ca;
  options.ticket_keys = settings.ticket_keys;
  options.ticket_period = settings.ticket_period;
  options.ktls = settings.ktls;
  return options;
}

std::vector<std::string> check_tls_settings(const TlsSettings& settings) {
  std::vector<std::string> errors;
  if (settings.cert.empty() != settings.key.empty()) {
    errors.emplace_back(settings.cert.empty() ? "tls.cert: is needed, since tls.key is there"
                                              : "tls.key: is needed, since tls.cert is there");
  }
  if (settings.cert.empty() && !settings.ocsp.empty()) {
    errors.emplace_back("tls.cert: is needed, since tls.ocsp is there");
  }
  const bool any = !settings.cert.empty() || !settings.certificates.empty();
  if (!settings.listen.empty() && !any) {
    errors.emplace_back("tls.cert: is needed, since tls.listen is there (or tls.certificates)");
  }
  if (settings.listen.empty() && any) {
    errors.emplace_back("tls.listen: is needed, since a certificate is there");
  }
  if (settings.client_certificates != ClientCertificates::kOff && settings.client_ca.empty()) {
    errors.emplace_back("tls.client_ca: is needed to verify client certificates");
  }
  return errors;
}

std::vector<std::string> check_tls_files(const TlsSettings& settings, std::vector<std::string>& warnings) {
  if (settings.listen.empty()) return {};
  const auto opened = TlsCredentials::open(tls_options(settings), warnings);
  if (opened) return {};
  return {"tls: " + opened.error()};
}

}  // namespace freshet::proxy
