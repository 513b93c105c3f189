#include "proxy/net/tls_context.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <utility>

#include "proxy/net/tls_connection.h"
#include "storage/base/check.h"
#include "storage/base/hash.h"

namespace freshet::proxy {

using storage::Error;
using storage::Result;
using storage::Status;
using storage::WallTime;

namespace {

// Forward secrecy and authenticated encryption alone; the quickest first.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCipherSuites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:P-256:P-384";
// RFC 8446, 4.6.1.
constexpr std::chrono::seconds kLongestTicket{7 * 24 * 3600};

Error failed(const std::string& what) {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = what + ": " + (reason == nullptr ? "OpenSSL gives no reason" : reason);
  ERR_clear_error();
  return Error{std::move(text)};
}

std::string alpn_list(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) {
    FRESHET_CHECK(!protocol.empty() && protocol.size() < 256);
    list.push_back(static_cast<char>(protocol.size()));
    list.append(protocol);
  }
  return list;
}

unsigned char* bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The first certificate, and beside it the first of each other kind that is for one of the same names.
TlsNames::Choice default_choice(const TlsNames& names, const std::vector<std::string>& own) {
  for (const std::string& name : own) {
    const TlsNames::Choice* const choice = names.find(name);
    if (choice != nullptr && choice->front() == 0) return *choice;
  }
  return {0};
}

// What the library's macros do, whose casts are C's.
template <typename Function>
void set_callback(SSL_CTX* handle, int which, Function function) {
  SSL_CTX_callback_ctrl(handle, which, reinterpret_cast<void (*)()>(function));
}

}  // namespace

// Called from inside a handshake, on its worker's thread.
struct TlsContext::Callbacks {
  static const TlsContext& of(const SSL* ssl) {
    return *static_cast<const TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  }

  // SNI. A name that nobody has gets the first certificate: the client will say what it thinks of it.
  static int server_name(SSL* ssl, int* /*alert*/, void* /*unused*/) {
    const TlsContext& context = of(ssl);
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    const TlsNames::Choice* const choice = context.names_.find(name);
    if (choice == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_CTX* const handle = context.handle_of_.at(choice);
    if (handle != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, handle);
    return SSL_TLSEXT_ERR_OK;
  }

  static int select_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* size,
                             const unsigned char* offered, unsigned offered_size, void* /*unused*/) {
    const std::string& ours = of(ssl).protocols_;
    unsigned char* found = nullptr;
    const int outcome = SSL_select_next_proto(&found, size, bytes(ours), static_cast<unsigned>(ours.size()),
                                              offered, offered_size);
    // RFC 7301, 3.2: no_application_protocol.
    if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
  }

  // The OCSP response of the certificate that was chosen.
  static int status(SSL* ssl, void* /*unused*/) {
    const TlsContext& context = of(ssl);
    const auto found = context.by_leaf_.find(SSL_get_certificate(ssl));
    if (found == context.by_leaf_.end()) return SSL_TLSEXT_ERR_NOACK;
    const std::string_view response = found->second->stapled(storage::wall_now());
    if (response.empty()) return SSL_TLSEXT_ERR_NOACK;
    // The connection frees it.
    auto* const copy = static_cast<unsigned char*>(OPENSSL_memdup(response.data(), response.size()));
    if (copy == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;  // the certificate may demand it
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response.size()));
    return SSL_TLSEXT_ERR_OK;
  }

  static bool use_key(const TicketKey& key, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                      bool sealing) {
    static EVP_CIPHER* const kAes = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
    std::array<char, 7> digest{'S', 'H', 'A', '2', '5', '6', '\0'};
    TicketKey copy = key;
    const std::array<OSSL_PARAM, 3> parameters{
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, copy.hmac.data(), copy.hmac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    const bool good = EVP_MAC_CTX_set_params(mac, parameters.data()) == 1 &&
                      EVP_CipherInit_ex2(cipher, kAes, copy.aes.data(), iv, sealing ? 1 : 0, nullptr) == 1;
    OPENSSL_cleanse(&copy, sizeof copy);
    return good;
  }

  // 1: done; 0: no such key, so a full handshake; 2: done, and a new ticket is due; below 0: it failed.
  static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                        EVP_MAC_CTX* mac, int sealing) {
    TicketKeys& keys = *of(ssl).tickets_;
    const storage::MonoTime now = storage::mono_now();
    if (sealing != 0) {
      const TicketKey key = keys.current(now);
      if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1) return -1;
      std::memcpy(name, key.name.data(), TicketKey::kNameSize);
      return use_key(key, iv, cipher, mac, true) ? 1 : -1;
    }
    const auto found = keys.find(name, now);
    if (!found) return 0;
    if (!use_key(found->key, iv, cipher, mac, false)) return -1;
    // A ticket of TLS 1.3 is for one use (RFC 8446, C.4), so the client needs another.
    return found->renew || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
  }

  // In TLS 1.3 each resumption gives a new ticket with a new time, so a client's certificate that has expired
  // would be good for as long as its tickets are used. What comes back here is looked at again.
  static SSL_TICKET_RETURN opened_ticket(SSL* /*ssl*/, SSL_SESSION* session, const unsigned char* /*name*/,
                                         std::size_t /*name_size*/, SSL_TICKET_STATUS status,
                                         void* /*unused*/) {
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
      return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    const X509* const peer = SSL_SESSION_get0_peer(session);
    if (peer != nullptr && X509_cmp_current_time(X509_get0_notAfter(peer)) < 0) {
      return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
  }
};

void TlsContext::Release::operator()(ssl_ctx_st* handle) const {
  SSL_CTX_free(handle);
}

TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const TlsOptions& options,
                                                           std::shared_ptr<TicketKeys> tickets, WallTime now,
                                                           std::vector<std::string>& warnings) {
  std::shared_ptr<TlsContext> made(new TlsContext(options, std::move(tickets)));
  if (Status status = made->load(now, warnings); !status) return Error{status.error()};
  if (Status status = made->make_handles(); !status) return Error{status.error()};
  return std::shared_ptr<const TlsContext>(std::move(made));
}

Status TlsContext::load(WallTime now, std::vector<std::string>& warnings) {
  protocols_ = alpn_list(options_.protocols);
  for (const TlsCertificateFiles& files : options_.certificates) {
    auto certificate = TlsCertificate::load(files, now, warnings);
    if (!certificate) return Error{certificate.error()};
    certificates_.push_back(certificate.take());
    const TlsCertificate& added = *certificates_.back();
    by_leaf_.emplace(added.leaf(), &added);
    names_.add(certificates_.size() - 1, added.key_kind(), added.names());
  }
  if (options_.client_certificates == ClientCertificates::kOff) return {};
  const Result<std::string> text = read_small_file(options_.client_ca);
  if (!text) return Error{options_.client_ca + ": " + text.error()};
  client_ca_text_ = text.value();
  return {};
}

Status TlsContext::make_handles() {
  FRESHET_CHECK(!certificates_.empty());
  const TlsNames::Choice first = default_choice(names_, certificates_.front()->names());
  if (Status status = add_handle(first); !status) return status;
  std::map<TlsNames::Choice, ssl_ctx_st*> made{{first, handle()}};
  for (const TlsNames::Choice* choice : names_.choices()) {
    ssl_ctx_st*& place = made[*choice];
    if (place == nullptr) {
      if (Status status = add_handle(*choice); !status) return status;
      place = handles_.back().get();
    }
    handle_of_.emplace(choice, place);
  }
  return {};
}

Status TlsContext::add_handle(const TlsNames::Choice& choice) {
  ERR_clear_error();
  Handle handle(SSL_CTX_new(TLS_server_method()));
  if (!handle) return failed("TLS cannot be set up");
  SSL_CTX* const ssl = handle.get();
  SSL_CTX_set_app_data(ssl, this);
  SSL_CTX_set_min_proto_version(ssl,
                                options_.min_version == TlsVersion::k13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  if (options_.ktls) SSL_CTX_set_options(ssl, SSL_OP_ENABLE_KTLS);
  // Buffers are released by TlsWorker, not after each record.
  SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A read comes back after messages that bring no data, so that a client cannot hold up the worker with
  // them.
  SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_read_ahead(ssl, 1);  // a record is one read, not one for its head and one for the rest
  // Nothing is kept here: the client brings it back in its ticket.
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_early_data(ssl, 0);
  const auto lifetime = std::chrono::ceil<std::chrono::seconds>(2 * options_.ticket_period);
  SSL_CTX_set_timeout(ssl, static_cast<long>(std::min(lifetime, kLongestTicket).count()));
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, &Callbacks::ticket_key);
  SSL_CTX_set_session_ticket_cb(ssl, nullptr, &Callbacks::opened_ticket, nullptr);
  set_callback(ssl, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, &Callbacks::server_name);
  SSL_CTX_set_alpn_select_cb(ssl, &Callbacks::select_protocol, nullptr);
  set_callback(ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB, &Callbacks::status);
  if (Status status = choose_ciphers(ssl); !status) return status;
  if (Status status = ask_for_certificates(ssl); !status) return status;
  for (const std::size_t number : choice) {
    if (Status status = use_certificate(ssl, number); !status) return status;
  }
  handles_.push_back(std::move(handle));
  return {};
}

Status TlsContext::use_certificate(ssl_ctx_st* handle, std::size_t number) const {
  const TlsCertificate& certificate = *certificates_[number];
  bool good = SSL_CTX_use_certificate(handle, certificate.leaf()) == 1 &&
              SSL_CTX_use_PrivateKey(handle, certificate.key()) == 1;
  for (std::size_t i = 1; good && i < certificate.chain().size(); ++i) {
    good = SSL_CTX_add1_chain_cert(handle, certificate.chain()[i].get()) == 1;
  }
  if (!good) return failed(options_.certificates[number].certificate);
  return {};
}

Status TlsContext::choose_ciphers(ssl_ctx_st* handle) const {
  const char* const ciphers = options_.ciphers.empty() ? kCiphers : options_.ciphers.c_str();
  if (SSL_CTX_set_cipher_list(handle, ciphers) != 1) return failed("tls.ciphers");
  const char* const suites = options_.cipher_suites.empty() ? kCipherSuites : options_.cipher_suites.c_str();
  if (SSL_CTX_set_ciphersuites(handle, suites) != 1) return failed("tls.cipher_suites");
  if (SSL_CTX_set1_groups_list(handle, kGroups) != 1) return failed("key exchange groups");
  return {};
}

Status TlsContext::ask_for_certificates(ssl_ctx_st* handle) const {
  // A ticket is good only where clients are asked for the same: else an old one would spare a certificate.
  std::string asked = std::to_string(static_cast<int>(options_.client_certificates)) + client_ca_text_;
  std::string digest = storage::digest128(asked).hex();
  SSL_CTX_set_session_id_context(handle, bytes(digest), static_cast<unsigned>(digest.size()));
  if (options_.client_certificates == ClientCertificates::kOff) return {};
  const std::string& path = options_.client_ca;
  if (SSL_CTX_load_verify_file(handle, path.c_str()) != 1) return failed(path);
  SSL_CTX_set_client_CA_list(handle, SSL_load_client_CA_file(path.c_str()));
  const bool required = options_.client_certificates == ClientCertificates::kRequired;
  SSL_CTX_set_verify(handle, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  return {};
}

WallTime TlsContext::expires() const {
  WallTime first = WallTime::max();
  for (const auto& certificate : certificates_) first = std::min(first, certificate->expires());
  return first;
}

namespace {

Result<std::vector<TicketKey>> read_ticket_keys(const std::string& path, std::vector<std::string>& warnings) {
  const Result<std::string> text = read_small_file(path);
  if (!text) return Error{path + ": " + text.error()};
  auto keys = TicketKeys::parse(text.value());
  if (!keys) return Error{path + ": " + keys.error()};
  if (auto warning = secret_file_warning(path)) warnings.push_back(*warning);
  return keys;
}

}  // namespace

Result<std::unique_ptr<TlsCredentials>> TlsCredentials::open(TlsOptions options,
                                                             std::vector<std::string>& warnings) {
  std::unique_ptr<TlsCredentials> made(new TlsCredentials());
  auto first = made->read(std::move(options), warnings);
  if (!first) return Error{first.error()};
  made->adopt(first.take());
  return made;
}

std::shared_ptr<const TlsContext> TlsCredentials::current() const {
  const storage::MutexLock lock(mutex_);
  return current_;
}

Result<TlsCredentials::Next> TlsCredentials::read(TlsOptions options,
                                                  std::vector<std::string>& warnings) const {
  Next next;
  next.options = std::move(options);
  const bool from_file = !next.options.ticket_keys.empty();
  std::vector<TicketKey> keys;
  if (from_file) {
    auto read = read_ticket_keys(next.options.ticket_keys, warnings);
    if (!read) return Error{read.error()};
    keys = read.take();
  }
  const bool same = tickets_ && from_file == !options_.ticket_keys.empty() &&
                    (from_file || next.options.ticket_period == options_.ticket_period);
  if (same) {
    next.tickets = tickets_;
    next.replaced = std::move(keys);
  } else if (from_file) {
    next.tickets = std::make_shared<TicketKeys>(std::move(keys));
  } else {
    next.tickets = std::make_shared<TicketKeys>(next.options.ticket_period, storage::mono_now());
  }
  auto context = TlsContext::make(next.options, next.tickets, storage::wall_now(), warnings);
  if (!context) return Error{context.error()};
  next.context = context.take();
  return next;
}

void TlsCredentials::adopt(Next next) {
  options_ = std::move(next.options);
  tickets_ = std::move(next.tickets);
  if (!next.replaced.empty()) tickets_->replace(std::move(next.replaced));
  const storage::MutexLock lock(mutex_);
  current_.swap(next.context);  // the old one goes with the last of its connections
}

}  // namespace freshet::proxy
