// Reason: why a request was answered as it was, and why a response was or was not stored. ONE table: from a
// row come the enumerator, the token that stands in Cache-Status, access log and metrics, the sentence that
// explain prints, and the section of the RFC that it rests on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace freshet::revalidate {

// X(enumerator, token, sentence, section)
// clang-format off
#define FRESHET_REASONS(X)                                                                                     \
  X(kNone, "none", "Nothing to say.", "")                                                                      \
  /* Served from the store. */                                                                                 \
  X(kFresh, "fresh", "The stored response is fresh.", "RFC 9111, 4.2")                                         \
  X(kHeuristicallyFresh, "fresh-heuristic", "The stored response is fresh by heuristic.", "RFC 9111, 4.2.2")   \
  X(kClientMaxStale, "max-stale", "Stale, and the client accepts that.", "RFC 9111, 5.2.1.2")                  \
  X(kStaleWhileRevalidate, "stale-while-revalidate", "Stale, served while it is revalidated.", "RFC 5861, 3")  \
  X(kStaleIfError, "stale-if-error", "Stale, served because the origin failed.", "RFC 5861, 4")                \
  X(kStaleOnError, "stale-on-error", "Stale, served because the origin failed, within the grace.", "RFC 9111, 4.2.4") \
  X(kRevalidated, "revalidated", "The origin confirmed the stored response.", "RFC 9111, 4.3.4")               \
  X(kCollapsed, "collapsed", "Served from another request's answer.", "RFC 9111, 4")                           \
  X(kContentEqual, "content-equal", "The origin sent the same content again.", "RFC 9110, 8.8.1")              \
  X(kReloadInterval, "reload-interval", "The client asks for validation, and one that a client forced is not long ago.", "RFC 9111, 5.2.1") \
  X(kStoredPart, "stored-part", "The part that was asked for is stored.", "RFC 9111, 3.3")                     \
  /* What of it goes out. */                                                                                   \
  X(kNotModified, "not-modified", "The client has it already, as its own condition says.", "RFC 9110, 13.1")   \
  X(kPartOfStored, "part", "The client asked for a part of it.", "RFC 9110, 14.2")                             \
  X(kConditionFailed, "condition-failed", "The client's condition does not hold.", "RFC 9110, 13.2.2")         \
  X(kRangeNotSatisfiable, "range-not-satisfiable", "The part that was asked for lies beyond its end.", "RFC 9110, 15.5.17") \
  /* A stored response must be validated first. */                                                             \
  X(kStale, "stale", "The stored response is stale.", "RFC 9111, 4.2")                                         \
  X(kNoFreshness, "no-freshness", "The origin stated no freshness lifetime.", "RFC 9111, 4.2.1")               \
  X(kNoCache, "no-cache", "The origin asks for validation before each use.", "RFC 9111, 5.2.2.4")              \
  X(kMustRevalidate, "must-revalidate", "Stale, and must not be used so.", "RFC 9111, 5.2.2.2")                \
  X(kInvalidated, "invalidated", "Marked as stale by a soft purge.", "")                                       \
  X(kClientNoCache, "client-no-cache", "The client asks for validation.", "RFC 9111, 5.2.1.4")                 \
  X(kClientPragma, "client-pragma", "The client asks for validation by Pragma.", "RFC 9111, 5.4")              \
  X(kClientMaxAge, "client-max-age", "Older than the client accepts.", "RFC 9111, 5.2.1.1")                    \
  X(kClientMinFresh, "client-min-fresh", "Not fresh for as long as the client asks.", "RFC 9111, 5.2.1.3")     \
  X(kCredentials, "credentials", "The request or the stored one carries credentials and the origin stated no shared freshness.", "RFC 9111, 3.5") \
  X(kOutdated, "outdated", "An answer to HEAD has shown other content.", "RFC 9111, 4.3.5")                    \
  /* Fetched. */                                                                                               \
  X(kUriMiss, "uri-miss", "Nothing is stored for the target URI.", "RFC 9211, 2.2")                            \
  X(kVaryMiss, "vary-miss", "No stored response was selected by these request header fields.", "RFC 9111, 4.1") \
  X(kNoValidator, "no-validator", "Unusable as it is, and there is nothing to validate it by.", "RFC 9111, 4.3.1") \
  X(kMethod, "method", "The method is not answered from a store.", "RFC 9111, 4")                              \
  X(kRequestBody, "request-body", "A request with content is passed on.", "RFC 9110, 9.3.1")                   \
  X(kClientNoStore, "client-no-store", "The client asks that nothing be stored.", "RFC 9111, 5.2.1.5")         \
  X(kUnsafeCondition, "if-match", "If-Match and If-Unmodified-Since are for the origin.", "RFC 9111, 4.3.2")   \
  X(kAuthorizationBypass, "authorization", "The request carries Authorization.", "RFC 9111, 3.5")              \
  X(kRange, "range", "A part was asked for, and the whole is not stored.", "RFC 9111, 3.3")                    \
  X(kPurged, "purged", "The stored response was purged meanwhile.", "RFC 9111, 4.4")                           \
  X(kNotShareable, "not-shareable", "Answers for this key were not shareable lately.", "")                     \
  X(kUnmatched304, "unmatched-304", "The origin's 304 fits nothing that is stored.", "RFC 9111, 4.3.4")        \
  X(kStoreFailure, "store-failure", "The stored response could not be read.", "")                              \
  X(kFarRange, "far-range", "The part lies beyond what has arrived or what is fetched whole.", "RFC 9110, 14.2") \
  X(kSliceChanged, "slice-changed", "The origin has another version than the slices that are stored.", "RFC 9111, 3.4") \
  X(kBypass, "bypass", "Configured not to use the store.", "")                                                 \
  X(kUpgrade, "upgrade", "The connection changes its protocol.", "RFC 9110, 7.8")                              \
  /* Not answered. */                                                                                          \
  X(kOnlyIfCached, "only-if-cached", "Nothing usable is stored and the client forbids to ask.", "RFC 9111, 5.2.1.7") \
  X(kOwnEntityTag, "own-entity-tag", "The entity tags of the condition are this edge's own, and the origin does not know them.", "RFC 9110, 13.1.1") \
  X(kOriginUnreachable, "origin-unreachable", "The origin cannot be reached.", "RFC 9110, 15.6.3")             \
  X(kOriginTimeout, "origin-timeout", "The origin did not answer in time.", "RFC 9110, 15.6.5")                \
  X(kOriginMalformed, "origin-malformed", "The origin's answer is not HTTP.", "RFC 9110, 15.6.3")              \
  X(kOriginCut, "origin-cut", "The origin broke its answer off.", "RFC 9112, 8")                               \
  X(kOriginError, "origin-error", "The origin answered with an error.", "RFC 9111, 4.3.3")                     \
  X(kOriginBusy, "origin-busy", "The bound on requests to the origin is reached.", "RFC 9110, 15.6.4")         \
  X(kOverloaded, "overloaded", "A bound of this edge is reached.", "RFC 9110, 15.6.4")                         \
  X(kClientGone, "client-gone", "The client left before its answer.", "")                                      \
  X(kBadRequest, "bad-request", "The request has no single reading.", "RFC 9112, 3")                           \
  X(kPurge, "purge", "Invalidated, as it was asked for.", "")                                                  \
  X(kPurgeForbidden, "purge-forbidden", "This client may not purge.", "")                                      \
  X(kPurgeNotDurable, "purge-not-durable", "Invalidated, and not yet on disk: a crash would undo it.", "")     \
  /* Stored. */                                                                                                \
  X(kStored, "stored", "Stored with a freshness lifetime.", "RFC 9111, 3")                                     \
  X(kStoredForValidation, "stored-for-validation", "Stored, to be validated before use.", "RFC 9111, 3")       \
  X(kStoredInSlices, "stored-in-slices", "Large: the head is stored, the content in slices as they are asked for.", "RFC 9111, 3.4") \
  /* Not stored. */                                                                                            \
  X(kNoStore, "no-store", "The origin forbids to store.", "RFC 9111, 5.2.2.5")                                 \
  X(kPrivate, "private", "The response is for one user.", "RFC 9111, 5.2.2.7")                                 \
  X(kAuthorizationNotStored, "authorization-not-stored", "The request carried Authorization and the origin does not allow sharing.", "RFC 9111, 3.5") \
  X(kSetCookie, "set-cookie", "The response sets or clears one browser's data and is not marked for shared caches.", "RFC 9111, 7.3") \
  X(kVaryStar, "vary-star", "Vary: * matches no later request.", "RFC 9111, 4.1")                              \
  X(kMethodNotStored, "method-not-stored", "Responses to this method are not stored.", "RFC 9111, 3")          \
  X(kStatusNotUnderstood, "must-understand", "The status code is not understood and must be.", "RFC 9111, 5.2.2.3") \
  X(kStatusNotStored, "status-not-stored", "The status code needs explicit freshness to be stored.", "RFC 9111, 3") \
  X(kPartialNotStored, "partial-not-stored", "Partial responses are not stored.", "RFC 9111, 3.3")             \
  X(kNothingToReuse, "no-freshness-no-validator", "Neither fresh for any time nor possible to validate.", "RFC 9111, 3") \
  X(kConnectionField, "connection-field", "Connection names a field that caching depends on.", "RFC 9110, 7.6.1") \
  X(kTooLarge, "too-large", "Larger than what is stored.", "")                                                 \
  X(kStoreFull, "store-full", "The store takes nothing now.", "")                                              \
  X(kIncomplete, "incomplete", "The response did not arrive whole.", "RFC 9111, 3.3")
// clang-format on

enum class Reason : std::uint8_t {
#define FRESHET_REASON_ENUM(id, token, sentence, section) id,
  FRESHET_REASONS(FRESHET_REASON_ENUM)
#undef FRESHET_REASON_ENUM
      kCount
};

inline constexpr std::size_t kReasonCount = static_cast<std::size_t>(Reason::kCount);

[[nodiscard]] std::string_view reason_token(Reason reason);
[[nodiscard]] std::string_view reason_sentence(Reason reason);
// Empty where it is our own rule.
[[nodiscard]] std::string_view reason_section(Reason reason);

}  // namespace freshet::revalidate
