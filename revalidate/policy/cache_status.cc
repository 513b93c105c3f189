#include "revalidate/policy/cache_status.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "revalidate/policy/policy_options.h"
#include "storage/http/structured_field.h"

namespace freshet::revalidate {

namespace {

std::string_view forwarded_token(Forwarded forwarded) {
  constexpr std::array<std::string_view, 9> kTokens = {"",     "bypass",  "method", "uri-miss", "vary-miss",
                                                       "miss", "request", "stale",  "partial"};
  return kTokens[static_cast<std::size_t>(forwarded)];
}

void append_integer(std::string& out, long long value) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, value);
  out.append(text, static_cast<std::size_t>(end.ptr - text));
}

// "freshet; hit; ttl=30" and nothing more.
bool is_plain_hit(const CacheStatus& status) {
  return status.hit && status.ttl && !status.stored && !status.collapsed && status.key.empty() &&
         status.detail == Reason::kNone;
}

void append_plain_hit(std::string& out, storage::Seconds ttl) {
  static const std::string begin = std::string(kEdgeName) + "; hit; ttl=";
  std::array<char, 64> text;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  char* const digits = std::copy(begin.begin(), begin.end(), text.data());
  const auto end = std::to_chars(digits, text.data() + text.size(), ttl.count());
  out.append(text.data(), end.ptr);
}

}  // namespace

Forwarded forwarded_for(Reason reason) {
  switch (reason) {
    case Reason::kUriMiss:
    case Reason::kFarRange:
      return Forwarded::kUriMiss;
    case Reason::kVaryMiss:
      return Forwarded::kVaryMiss;
    case Reason::kMethod:
      return Forwarded::kMethod;
    case Reason::kRange:
      return Forwarded::kPartial;
    case Reason::kStale:
    case Reason::kNoFreshness:
    case Reason::kNoCache:
    case Reason::kMustRevalidate:
    case Reason::kInvalidated:
    case Reason::kOutdated:
    case Reason::kRevalidated:
    case Reason::kContentEqual:
    case Reason::kStaleWhileRevalidate:
      return Forwarded::kStale;
    case Reason::kClientNoCache:
    case Reason::kClientPragma:
    case Reason::kClientMaxAge:
    case Reason::kClientMinFresh:
    case Reason::kCredentials:
    case Reason::kUnsafeCondition:
    case Reason::kClientNoStore:
    case Reason::kAuthorizationBypass:
      return Forwarded::kRequest;
    case Reason::kRequestBody:
    case Reason::kUpgrade:
    case Reason::kNotShareable:
    case Reason::kBypass:
      return Forwarded::kBypass;
    case Reason::kNoValidator:
    case Reason::kPurged:
    case Reason::kUnmatched304:
    case Reason::kSliceChanged:
    case Reason::kStoreFailure:
      return Forwarded::kMiss;
    default:
      return Forwarded::kNo;
  }
}

void append_cache_status(std::string& out, const CacheStatus& status) {
  if (is_plain_hit(status)) return append_plain_hit(out, *status.ttl);
  out.append(kEdgeName);
  if (status.hit) {
    out.append("; hit");
  } else if (status.forwarded != Forwarded::kNo) {
    out.append("; fwd=").append(forwarded_token(status.forwarded));
    if (status.forwarded_status != 0) {
      out.append("; fwd-status=");
      append_integer(out, status.forwarded_status);
    }
  }
  if (status.ttl) {
    out.append("; ttl=");
    append_integer(out, status.ttl->count());
  }
  if (status.stored) out.append("; stored");
  if (status.collapsed) out.append("; collapsed");
  if (!status.key.empty()) {
    out.append("; key=");
    storage::append_sf_string(out, status.key);
  }
  if (status.detail != Reason::kNone) out.append("; detail=").append(reason_token(status.detail));
}

void add_cache_status(storage::HeaderFields& fields, const CacheStatus& status) {
  std::string member;
  append_cache_status(member, status);
  fields.add(storage::FieldName::kCacheStatus, member);
}

}  // namespace freshet::revalidate
