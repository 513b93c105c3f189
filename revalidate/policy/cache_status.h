// Cache-Status (RFC 9211): how this edge handled a request, one member of a list that each cache on the way
// appends to. Writes into a given string; a reused buffer makes it free of allocation.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "revalidate/policy/reason.h"
#include "storage/base/clock.h"
#include "storage/http/header_fields.h"

namespace freshet::revalidate {

// Why a request went on towards the origin; RFC 9211, 2.2.
enum class Forwarded { kNo, kBypass, kMethod, kUriMiss, kVaryMiss, kMiss, kRequest, kStale, kPartial };

// Which of them a reason stands for (kNo where it says nothing about forwarding).
[[nodiscard]] Forwarded forwarded_for(Reason reason);

struct CacheStatus {
  bool hit = false;  // served without asking; then `forwarded` is kNo
  Forwarded forwarded = Forwarded::kNo;
  int forwarded_status = 0;  // the origin's; 0: left out
  std::optional<storage::Seconds> ttl;
  bool stored = false;
  bool collapsed = false;
  std::string_view key;           // left out when empty
  Reason detail = Reason::kNone;  // left out when kNone
};

// "freshet; hit; ttl=30; detail=fresh"
void append_cache_status(std::string& out, const CacheStatus& status);

// Adds our member as a line of its own behind upstream's (a list field: lines and commas are the same).
void add_cache_status(storage::HeaderFields& fields, const CacheStatus& status);

}  // namespace freshet::revalidate
