#include "proxy/net/ticket_keys.h"

#include <algorithm>
#include <cstring>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <utility>

#include "storage/base/check.h"

namespace freshet::proxy {

using storage::Error;
using storage::MonoTime;
using storage::MutexLock;
using storage::Result;

namespace {

// Keys that do not seal any more and still open.
constexpr std::size_t kKeptKeys = 2;
constexpr std::size_t kMostKeysInFile = 64;
constexpr std::size_t kRawSize = TicketKey::kNameSize + 2 * TicketKey::kSecretSize;
constexpr std::size_t kTextSize = (kRawSize + 2) / 3 * 4;
static_assert(sizeof(TicketKey) == kRawSize, "a key is its bytes");

TicketKey random_key() {
  TicketKey key;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  FRESHET_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&key), sizeof key) == 1);
  return key;
}

void wipe(std::vector<TicketKey>& keys) {
  if (!keys.empty()) OPENSSL_cleanse(keys.data(), keys.size() * sizeof(TicketKey));
}

bool decode(std::string_view line, TicketKey& key) {
  // The size of 80 bytes in base64 leaves one `=`.
  if (line.size() != kTextSize || line[kTextSize - 2] == '=' || line[kTextSize - 1] != '=') return false;
  std::array<unsigned char, kTextSize> raw{};
  const int size = EVP_DecodeBlock(raw.data(), reinterpret_cast<const unsigned char*>(line.data()),
                                   static_cast<int>(line.size()));
  const bool good = size == static_cast<int>(kRawSize) + 1;  // the padding decodes to a byte
  if (good) std::memcpy(&key, raw.data(), kRawSize);
  OPENSSL_cleanse(raw.data(), raw.size());
  return good;
}

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = line.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlank) - begin + 1);
}

}  // namespace

TicketKeys::TicketKeys(storage::Milliseconds period, MonoTime now) : period_(period) {
  FRESHET_CHECK(period.count() > 0);
  const MutexLock lock(mutex_);
  keys_.push_back(random_key());
  next_ = now + period_;
}

TicketKeys::TicketKeys(std::vector<TicketKey> keys) {
  replace(std::move(keys));
}

TicketKeys::~TicketKeys() {
  const MutexLock lock(mutex_);
  wipe(keys_);
}

Result<std::vector<TicketKey>> TicketKeys::parse(std::string_view text) {
  std::vector<TicketKey> keys;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    TicketKey key;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    const std::string where = "line " + std::to_string(number) + ": ";
    if (!decode(line, key)) return Error{where + "is not 80 bytes in base64"};
    const auto same = [&](const TicketKey& other) { return other.name == key.name; };
    if (std::any_of(keys.begin(), keys.end(), same)) return Error{where + "the key is there already"};
    if (keys.size() == kMostKeysInFile) return Error{where + "is one key too many; 64 are allowed"};
    keys.push_back(key);
  }
  if (keys.empty()) return Error{"there is no key in it"};
  return keys;
}

void TicketKeys::replace(std::vector<TicketKey> keys) {
  FRESHET_CHECK(period_.count() == 0 && !keys.empty());
  const MutexLock lock(mutex_);
  keys_.swap(keys);
  wipe(keys);
}

// As many periods as have passed: after a quiet night none of yesterday's keys is accepted.
void TicketKeys::rotate(MonoTime now) {
  if (period_.count() == 0) return;
  for (std::size_t i = 0; now >= next_ && i <= kKeptKeys; ++i) {
    keys_.insert(keys_.begin(), random_key());
    next_ += period_;
  }
  if (now >= next_) next_ = now + period_;
  if (keys_.size() <= kKeptKeys + 1) return;
  OPENSSL_cleanse(keys_.data() + kKeptKeys + 1, (keys_.size() - kKeptKeys - 1) * sizeof(TicketKey));
  keys_.resize(kKeptKeys + 1);
}

TicketKey TicketKeys::current(MonoTime now) {
  const MutexLock lock(mutex_);
  rotate(now);
  return keys_.front();
}

std::optional<TicketKeys::Found> TicketKeys::find(const unsigned char* name, MonoTime now) {
  const MutexLock lock(mutex_);
  rotate(now);
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (std::memcmp(keys_[i].name.data(), name, TicketKey::kNameSize) == 0) return Found{keys_[i], i > 0};
  }
  return std::nullopt;
}

}  // namespace freshet::proxy
