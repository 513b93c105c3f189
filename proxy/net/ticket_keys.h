// TicketKeys: the keys that session tickets are sealed with (RFC 5077, RFC 8446 2.2), so that a returning
// client is spared the costly half of the handshake and the edge keeps nothing of it. One set for all
// workers.
//
// Without a file the keys are of this process: a new one seals from each period on, and the two before it are
// still accepted, so a ticket can be used for two periods. With a file they are the operator's, and a fleet
// can share them: the first seals, all are accepted. The file has a key on each line, 80 random bytes in
// base64
// (`openssl rand -base64 80 | tr -d '\n'`): 16 of a name, 32 for HMAC-SHA-256, 32 for AES-256. Blank lines
// and those that begin with # do not count. To rotate: put the new key second on every edge, then first, then
// drop the oldest.
//
// Made and reloaded by main; the rest from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/base/result.h"

namespace freshet::proxy {

struct TicketKey {
  static constexpr std::size_t kNameSize = 16;
  static constexpr std::size_t kSecretSize = 32;

  std::array<unsigned char, kNameSize> name;
  std::array<unsigned char, kSecretSize> hmac;
  std::array<unsigned char, kSecretSize> aes;
};

class TicketKeys {
 public:
  // A key that opens a ticket; `renew`: it does not seal any more, so the client should get a new ticket.
  struct Found {
    TicketKey key;
    bool renew = false;
  };

  // Keys of this process; `now` begins the first period.
  TicketKeys(storage::Milliseconds period, storage::MonoTime now);
  // Keys from a file's text.
  explicit TicketKeys(std::vector<TicketKey> keys);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // The error tells the line.
  [[nodiscard]] static storage::Result<std::vector<TicketKey>> parse(std::string_view text);

  // Of keys from a file.
  void replace(std::vector<TicketKey> keys);

  // The key that seals now.
  [[nodiscard]] TicketKey current(storage::MonoTime now);
  [[nodiscard]] std::optional<Found> find(const unsigned char* name, storage::MonoTime now);

 private:
  void rotate(storage::MonoTime now) REQUIRES(mutex_);

  const storage::Milliseconds period_{0};  // 0: from a file
  storage::Mutex mutex_;
  std::vector<TicketKey> keys_ GUARDED_BY(mutex_);  // the first seals
  storage::MonoTime next_ GUARDED_BY(mutex_){};     // when the next period begins
};

}  // namespace freshet::proxy
