// move_body(): copies one body to the end of the main family and turns the heads that refer to it to the
// copy, in one batch with the last chunk. Until then the old place is valid, after it the new one; what is
// replaced, freshened or removed meanwhile wins, since the heads are turned on their key's lane and only
// where they still are what they were.
//
// Called by the evictor's thread; the last step runs on the lane. Nothing of the block cache or of a file is
// held beyond one chunk.
#pragma once

#include <cstdint>
#include <memory>

#include "storage/rocksdb/store_core.h"

namespace freshet::storage {

// A body that nothing refers to, that is not current or that is larger than `largest` stays where it is.
// `until_done` is let go when all is over, whatever came of it. Returns the bytes that it will have copied.
std::uint64_t move_body(const std::shared_ptr<StoreCore>& core, const BodyPlace& from, const Digest128& key,
                        std::uint64_t largest, std::shared_ptr<void> until_done);

}  // namespace freshet::storage
