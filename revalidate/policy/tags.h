// Tags: the names by which a stored response can be invalidated together with others, whatever their URLs.
// They come from fields of its own head: Surrogate-Key (separated by blanks), Cache-Tag and whatever else
// PolicyOptions::tag_fields names (by commas or blanks), and Cache-Groups (RFC 9875). They follow from the
// head alone, so a 304 that brings such a field moves the stored response to the tags that it names.
//
// StoredHead::tags holds four kinds of names. One cannot be taken for another by what an origin writes
// about responses of somebody else: the first three name the origin.
//   group:http://host name   a cache group, which belongs to one origin (RFC 9875, 2.1)
//   uri:http://host/path     target_tag() in key_rules.h
//   search:http://host/path  search_tag() in key_rules.h
//   name                     what an operator purges by: each tag of a field, and each cache group's name, of
//                            whatever origin
//
// Tags are compared byte by byte. Of a response with more than kMaxTags of them, with one that is larger than
// kMaxTagSize, or with more than kMaxTagBytes in all, none is lost: it carries kEveryTag instead of them,
// which each purge of a tag hits. It is forgotten more often than it need be, never less. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "revalidate/policy/policy_options.h"
#include "storage/cache_key.h"
#include "storage/http/header_fields.h"
#include "storage/invalidation/scope.h"

namespace freshet::revalidate {

inline constexpr std::size_t kMaxTags = 1000;           // of one response
inline constexpr std::size_t kMaxTagSize = 1024;        // bytes
inline constexpr std::size_t kMaxTagBytes = 16 * 1024;  // of one response
// No member of a tag field: it has both separators.
inline constexpr std::string_view kEveryTag = "many, or large";

// What a stored response of this key with these fields can be invalidated by, beside its key
// (StoredHead::tags): each name once.
[[nodiscard]] std::vector<std::string> tags_of(const storage::CacheKey& key,
                                               const storage::HeaderFields& stored,
                                               const PolicyOptions& options);

// What an operator's purge has to hit where it names tags: also what has too many of them to say.
[[nodiscard]] storage::Invalidation with_every_tag(storage::Invalidation purge);

}  // namespace freshet::revalidate
