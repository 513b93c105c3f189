#include "storage/base/hash.h"

#define XXH_INLINE_ALL
#include <cstdio>
#include <xxhash.h>

namespace freshet::storage {

namespace {

Digest128 from_xxh(XXH128_hash_t hash) {
  return {hash.high64, hash.low64};
}

}  // namespace

std::string Digest128::hex() const {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

Digest128 digest128(std::string_view bytes) {
  return from_xxh(XXH3_128bits(bytes.data(), bytes.size()));
}

struct StreamDigest::State {
  XXH3_state_t xxh;
};

StreamDigest::StreamDigest() : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(&state_->xxh);
}
StreamDigest::~StreamDigest() = default;
StreamDigest::StreamDigest(StreamDigest&&) noexcept = default;
StreamDigest& StreamDigest::operator=(StreamDigest&&) noexcept = default;

void StreamDigest::update(std::string_view bytes) {
  XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
}

Digest128 StreamDigest::digest() const {
  return from_xxh(XXH3_128bits_digest(&state_->xxh));
}

}  // namespace freshet::storage
