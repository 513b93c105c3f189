// move_body(): copies one body to the end of the main family and turns the heads that refer to it to the
// copy, in one batch with the last chunk. Until then the old place is valid, after it the new one; what is
// replaced, freshened or removed meanwhile wins, since the heads are turned while nothing else of their key
// is changed, and only where they still are what they were.
//
// Called by the evictor's thread, which does not wait for a lane: what is ahead there may wait for the room
// that the evictor is to make. Nothing of the block cache or of a file is held beyond one chunk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "storage/rocksdb/store_core.h"

namespace freshet::storage {

// A body that nothing refers to, that is not current or that is larger than `largest` stays where it is; so
// does one where `go_on`, which is asked before each chunk but the last, says no. Returns the bytes of a body
// that was moved.
std::uint64_t move_body(const std::shared_ptr<StoreCore>& core, const BodyPlace& from, const Digest128& key,
                        std::uint64_t largest, const std::function<bool()>& go_on);

}  // namespace freshet::storage
