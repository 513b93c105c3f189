// Forwarding: the fields of the one unambiguous request that the origin gets (G9), and the end-to-end fields
// of its response (RFC 9110, sections 7.6 and 7.8; RFC 9111, 3.1; RFC 7239). Removed on the way out: what is
// hop-by-hop, what could make the origin see another request than the cache key says (X-Original-URL,
// X-Rewrite-URL, method overrides), and forwarding fields of clients that are not trusted. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/http/message_head.h"

namespace freshet::revalidate {

struct ForwardingContext {
  std::string_view client_address;  // without port; IPv6 without brackets
  bool client_is_trusted = false;   // its X-Forwarded-For and Forwarded are kept and appended to
  bool announce_surrogate = false;  // Surrogate-Capability: freshet="Surrogate/1.0"
  std::string_view host;            // value of Host; empty: the request's authority, normalised
  bool keep_conditions = false;     // the client's If-* go to the origin
  bool keep_range = false;          // Range and If-Range too
  bool keep_upgrade = false;        // Upgrade and "Connection: upgrade" of an accepted protocol change
};

// Lower case, without the dot of the DNS root, without the scheme's default port and without an empty one: as
// in the cache key.
[[nodiscard]] std::string normalised_authority(std::string_view scheme, std::string_view authority);

// Removes the fields that Connection names (RFC 9110, 7.6.1) and the hop-by-hop ones from a request that has
// just come, so that policy selects and decides by what the origin will see; otherwise a client could have a
// response stored under header fields that the origin never got. Host stays. Framing fields stay (the
// session has read them). Costs nothing for a request without Connection or with keep-alive or close alone.
void remove_connection_fields(storage::RequestHead& request);

// Every field of the origin request but those of framing; Host is first. Expect is dropped (the caller
// answers it), the edge's own entity tags leave the conditions that are kept (see content_tag.h), Via
// appended, Max-Forwards decremented for TRACE and OPTIONS.
[[nodiscard]] storage::HeaderFields origin_request_fields(const storage::RequestHead& request,
                                                          const ForwardingContext& context);

// Whether a client's field of that name goes to the origin, where neither conditions nor ranges are kept and
// nobody is trusted: what does not is nothing that an operator can want in the key.
[[nodiscard]] bool may_reach_the_origin(std::string_view name);

// TRACE or OPTIONS with "Max-Forwards: 0": the edge is the last recipient (RFC 9110, 7.6.2).
[[nodiscard]] bool is_final_recipient(const storage::RequestHead& request);

// A hop-by-hop or framing field by its own name, whatever Connection says.
[[nodiscard]] bool is_hop_by_hop(const storage::HeaderFields::Line& line);

// A response's fields without Connection, what it names, other hop-by-hop fields and framing
// (Content-Length, Transfer-Encoding). Storability must have been decided before: a Connection that names
// Cache-Control removes it for whoever comes next, never for us. Age is kept (see parse_age in freshness.h).
[[nodiscard]] storage::HeaderFields end_to_end_fields(const storage::HeaderFields& received);

// The trailer fields of a message that go on as trailers (RFC 9110, 6.5.1 and 6.5.2); they are never merged
// into a head. Left out: framing, routing, hop-by-hop fields, and what must be known before the content, as
// authentication, Cache-Control, Vary or Content-Type: a recipient that merges them would be led astray.
[[nodiscard]] storage::HeaderFields forwarded_trailers(const storage::HeaderFields& received);

// "1.1 freshet" behind what is there.
void append_via(storage::HeaderFields& fields, storage::HttpVersion version = storage::HttpVersion::kHttp11);

}  // namespace freshet::revalidate
