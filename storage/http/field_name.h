// FieldName: the header field names that the edge looks at, interned, so that "is this Cache-Control" is one
// comparison of small integers. Names are compared without case (RFC 9110, 5.1); all others are kOther and
// are compared as text. One row of the table gives an enumerator and its canonical spelling.
#pragma once

#include <cstdint>
#include <string_view>

namespace freshet::storage {

#define FRESHET_FIELD_NAMES(X)                             \
  X(kAccept, "Accept")                                     \
  X(kAcceptEncoding, "Accept-Encoding")                    \
  X(kAcceptLanguage, "Accept-Language")                    \
  X(kAcceptRanges, "Accept-Ranges")                        \
  X(kAge, "Age")                                           \
  X(kAllow, "Allow")                                       \
  X(kAuthorization, "Authorization")                       \
  X(kCacheControl, "Cache-Control")                        \
  X(kCacheGroupInvalidation, "Cache-Group-Invalidation")   \
  X(kCacheGroups, "Cache-Groups")                          \
  X(kCacheStatus, "Cache-Status")                          \
  X(kCacheTag, "Cache-Tag")                                \
  X(kCdnCacheControl, "CDN-Cache-Control")                 \
  X(kClearSiteData, "Clear-Site-Data")                     \
  X(kConnection, "Connection")                             \
  X(kContentEncoding, "Content-Encoding")                  \
  X(kContentLanguage, "Content-Language")                  \
  X(kContentLength, "Content-Length")                      \
  X(kContentLocation, "Content-Location")                  \
  X(kContentRange, "Content-Range")                        \
  X(kContentType, "Content-Type")                          \
  X(kCookie, "Cookie")                                     \
  X(kDate, "Date")                                         \
  X(kDnt, "DNT")                                           \
  X(kEarlyData, "Early-Data")                              \
  X(kETag, "ETag")                                         \
  X(kExpect, "Expect")                                     \
  X(kExpires, "Expires")                                   \
  X(kForwarded, "Forwarded")                               \
  X(kHost, "Host")                                         \
  X(kHttp2Settings, "HTTP2-Settings")                      \
  X(kIfMatch, "If-Match")                                  \
  X(kIfModifiedSince, "If-Modified-Since")                 \
  X(kIfNoneMatch, "If-None-Match")                         \
  X(kIfRange, "If-Range")                                  \
  X(kIfUnmodifiedSince, "If-Unmodified-Since")             \
  X(kKeepAlive, "Keep-Alive")                              \
  X(kLastModified, "Last-Modified")                        \
  X(kLink, "Link")                                         \
  X(kLocation, "Location")                                 \
  X(kMaxForwards, "Max-Forwards")                          \
  X(kNoVarySearch, "No-Vary-Search")                       \
  X(kOrigin, "Origin")                                     \
  X(kPragma, "Pragma")                                     \
  X(kPriority, "Priority")                                 \
  X(kProxyAuthenticate, "Proxy-Authenticate")              \
  X(kProxyAuthenticationInfo, "Proxy-Authentication-Info") \
  X(kProxyAuthorization, "Proxy-Authorization")            \
  X(kProxyConnection, "Proxy-Connection")                  \
  X(kProxyStatus, "Proxy-Status")                          \
  X(kRange, "Range")                                       \
  X(kReferer, "Referer")                                   \
  X(kRetryAfter, "Retry-After")                            \
  X(kSecChUa, "sec-ch-ua")                                 \
  X(kSecChUaMobile, "sec-ch-ua-mobile")                    \
  X(kSecChUaPlatform, "sec-ch-ua-platform")                \
  X(kSecFetchDest, "Sec-Fetch-Dest")                       \
  X(kSecFetchMode, "Sec-Fetch-Mode")                       \
  X(kSecFetchSite, "Sec-Fetch-Site")                       \
  X(kSecFetchUser, "Sec-Fetch-User")                       \
  X(kServer, "Server")                                     \
  X(kSetCookie, "Set-Cookie")                              \
  X(kSurrogateControl, "Surrogate-Control")                \
  X(kSurrogateKey, "Surrogate-Key")                        \
  X(kTe, "TE")                                             \
  X(kTrailer, "Trailer")                                   \
  X(kTransferEncoding, "Transfer-Encoding")                \
  X(kUpgrade, "Upgrade")                                   \
  X(kUpgradeInsecureRequests, "Upgrade-Insecure-Requests") \
  X(kUserAgent, "User-Agent")                              \
  X(kVary, "Vary")                                         \
  X(kVia, "Via")                                           \
  X(kWarning, "Warning")                                   \
  X(kWwwAuthenticate, "WWW-Authenticate")                  \
  X(kXForwardedFor, "X-Forwarded-For")                     \
  X(kXForwardedHost, "X-Forwarded-Host")                   \
  X(kXForwardedProto, "X-Forwarded-Proto")                 \
  X(kXHttpMethodOverride, "X-HTTP-Method-Override")        \
  X(kXOriginalUrl, "X-Original-URL")                       \
  X(kXRequestedWith, "X-Requested-With")                   \
  X(kXRewriteUrl, "X-Rewrite-URL")

enum class FieldName : std::uint8_t {
  kOther = 0,
#define FRESHET_FIELD_ENUM(id, text) id,
  FRESHET_FIELD_NAMES(FRESHET_FIELD_ENUM)
#undef FRESHET_FIELD_ENUM
      kCount
};

// The interned name, or kOther. Any case.
[[nodiscard]] FieldName intern_field_name(std::string_view name);

// The canonical spelling; empty for kOther.
[[nodiscard]] std::string_view field_name_text(FieldName name);

// Whether two strings are equal but for ASCII case.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);

[[nodiscard]] constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace freshet::storage
