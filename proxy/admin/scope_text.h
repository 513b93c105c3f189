// Scopes as an operator writes them: a URL, a prefix, a host, a tag. Each becomes what stands in cache keys
// (storage/cache_key.h): scheme and host in lower case, the default port dropped, path and query byte for
// byte; percent-encoding is neither added nor taken away, since no key has it changed. An error says what is
// missing or too much, without the text itself. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/result.h"

namespace freshet::proxy {

// "http://Example.com:80/a?b" -> "http://example.com/a?b". Absolute, http or https, without a fragment.
[[nodiscard]] storage::Result<std::string> parse_scope_url(std::string_view text);
// The same for all beneath: ends with '/', has no query. A host alone stands for all of it.
[[nodiscard]] storage::Result<std::string> parse_scope_prefix(std::string_view text);
// "Example.com" or "example.com:8080".
[[nodiscard]] storage::Result<std::string> parse_scope_host(std::string_view text);
[[nodiscard]] storage::Result<std::string> parse_scope_tag(std::string_view text);

}  // namespace freshet::proxy
