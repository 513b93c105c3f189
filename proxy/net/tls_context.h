// TlsContext: everything that a handshake needs, made from the operator's files: certificates by name,
// versions and ciphers, who may vouch for clients. Constant once made, so all workers share one; a reload
// makes another, and connections that stand keep theirs.
//
// TlsCredentials: the context that new connections get, and the keys of session tickets. Owned by main; made,
// and read anew at each reload, by main; current() from any thread. What read() returns is not in use until
// adopt() says so.
//
// Early data (0-RTT), renegotiation and compression are off.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proxy/net/ticket_keys.h"
#include "proxy/net/tls_certificate.h"
#include "proxy/net/tls_names.h"
#include "proxy/net/tls_options.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace freshet::proxy {

class TlsContext {
 public:
  // The error is one line.
  [[nodiscard]] static storage::Result<std::shared_ptr<const TlsContext>> make(
      const TlsOptions& options, std::shared_ptr<TicketKeys> tickets, storage::WallTime now,
      std::vector<std::string>& warnings);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // For a client of which nothing is known yet.
  [[nodiscard]] ssl_ctx_st* handle() const { return handles_.begin()->get(); }
  // When the first of the certificates expires.
  [[nodiscard]] storage::WallTime expires() const;

 private:
  struct Release {
    void operator()(ssl_ctx_st* handle) const;
  };
  using Handle = std::unique_ptr<ssl_ctx_st, Release>;
  // The library's callbacks.
  struct Callbacks;

  TlsContext(const TlsOptions& options, std::shared_ptr<TicketKeys> tickets)
      : options_(options), tickets_(std::move(tickets)) {}

  storage::Status load(storage::WallTime now, std::vector<std::string>& warnings);
  storage::Status make_handles();
  storage::Status add_handle(const TlsNames::Choice& choice);
  storage::Status use_certificate(ssl_ctx_st* handle, std::size_t number) const;
  storage::Status choose_ciphers(ssl_ctx_st* handle) const;
  storage::Status ask_for_certificates(ssl_ctx_st* handle) const;

  const TlsOptions options_;
  const std::shared_ptr<TicketKeys> tickets_;
  std::string protocols_;  // as ALPN has them
  std::string client_ca_text_;
  std::vector<std::unique_ptr<TlsCertificate>> certificates_;
  TlsNames names_;
  std::unordered_map<const x509_st*, const TlsCertificate*> by_leaf_;
  // One for each choice of certificates; the first for clients that name no host, or none of ours.
  std::vector<Handle> handles_;
  std::unordered_map<const TlsNames::Choice*, ssl_ctx_st*> handle_of_;
};

class TlsCredentials {
 public:
  [[nodiscard]] static storage::Result<std::unique_ptr<TlsCredentials>> open(
      TlsOptions options, std::vector<std::string>& warnings);

  [[nodiscard]] std::shared_ptr<const TlsContext> current() const;

  // What is to come in place of what is in use.
  struct Next {
    TlsOptions options;
    std::shared_ptr<TicketKeys> tickets;
    std::vector<TicketKey> replaced;  // those in `tickets` are replaced by these; none: they stay
    std::shared_ptr<const TlsContext> context;
  };
  // Reads all files anew, those of `options`: certificates and keys, who vouches for clients, the keys of
  // tickets. Keys of this process stay, so that clients may go on with their tickets.
  [[nodiscard]] storage::Result<Next> read(TlsOptions options, std::vector<std::string>& warnings) const;
  void adopt(Next next);

 private:
  TlsCredentials() = default;

  TlsOptions options_;
  std::shared_ptr<TicketKeys> tickets_;
  mutable storage::Mutex mutex_;
  std::shared_ptr<const TlsContext> current_ GUARDED_BY(mutex_);
};

}  // namespace freshet::proxy
