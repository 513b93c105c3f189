#include "proxy/simulate/trace.h"

#include <algorithm>

#include "storage/base/check.h"

namespace freshet::proxy {

namespace {

constexpr std::uint32_t kNoVersion = std::numeric_limits<std::uint32_t>::max();

std::int64_t expiry(std::int64_t time, std::int64_t ttl) {
  return ttl >= kNeverExpires - std::max<std::int64_t>(time, 0) ? kNeverExpires : time + ttl;
}

}  // namespace

std::uint32_t Trace::object_of(const storage::Digest128& key) {
  const auto [at, is_new] = index_.try_emplace(key, static_cast<std::uint32_t>(objects_.size()));
  if (is_new) objects_.push_back({key, 0, kNoVersion, 0});
  return at->second;
}

void Trace::remember_times(std::int64_t time, std::int64_t expires) {
  if (times_.empty() && expires == kNeverExpires) return;
  times_.resize(version_of_.size(), 0);
  expiries_.resize(version_of_.size(), kNeverExpires);
  times_.back() = time;
  expiries_.back() = expires;
}

void Trace::add(const storage::Digest128& key, std::uint64_t size, std::int64_t time, std::int64_t ttl) {
  FRESHET_CHECK(version_of_.size() + 1 < kNoVersion);
  const std::uint32_t number = object_of(key);
  Object& object = objects_[number];
  const std::int64_t expires = expiry(time, ttl);
  if (object.version == kNoVersion || versions_[object.version].size != size || time >= object.fresh_until) {
    object.version = static_cast<std::uint32_t>(versions_.size());
    object.fresh_until = expires;
    versions_.push_back({size, number});
  }
  object.fresh_until = std::max(object.fresh_until, expires);
  footprint_ += std::max(size, object.largest) - object.largest;
  object.largest = std::max(size, object.largest);
  bytes_ += size;
  version_of_.push_back(object.version);
  remember_times(time, expires);
}

Trace::Request Trace::operator[](std::size_t i) const {
  const std::uint32_t version = version_of_[i];
  Request request{versions_[version].object, version, versions_[version].size};
  if (!times_.empty()) {
    request.time = times_[i];
    request.expires = expiries_[i];
  }
  return request;
}

std::uint64_t Trace::last_size(const storage::Digest128& key, bool& known) const {
  const auto found = index_.find(key);
  known = found != index_.end();
  return known ? versions_[objects_[found->second].version].size : 0;
}

}  // namespace freshet::proxy
