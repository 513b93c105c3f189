// SliceReader: the content of a sliced stored response (slices.h) for one client: finds each slice in the
// store, or asks the origin for it together with whoever else wants it, and gives their bytes in order. While
// one slice is being read the next is asked for, so that it holds two slices at most.
//
//     slice: LookingUp ──> Stored ──(unreadable)──┐
//                └──────> Asking <────────────────┘ ──> Filling        ──> Changed | Failed
//
// A slice that is not of the head's version (another entity tag, another length) makes it Changed: nothing of
// it is given out, so no answer mixes two versions. Failed: the origin did not answer.
//
// Owned by a BodyPump; on the worker's thread. read() never blocks: kWait means `wake` will be called. The
// destructor leaves its flights; after it no wake comes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "revalidate/flight.h"
#include "revalidate/slices.h"

namespace freshet::revalidate {

class SliceReader {
 public:
  enum class Next { kData, kWait, kChanged, kFailed };
  // What a slice is asked for with: as for the whole, without conditions and Range.
  using MakeRequest = std::function<FlightRequest()>;

  SliceReader(FlightContext& context, storage::StoredResponsePtr head, MakeRequest make_request,
              std::function<void()> wake);
  ~SliceReader();
  SliceReader(const SliceReader&) = delete;
  SliceReader& operator=(const SliceReader&) = delete;

  // Bytes from `offset` on, of which those before `end` are wanted.
  [[nodiscard]] Next read(std::uint64_t offset, std::uint64_t end, storage::Chunk& chunk);
  // After kChanged and kFailed.
  [[nodiscard]] Reason reason() const { return reason_; }
  // Slices that had to be asked for, by this reader or another.
  [[nodiscard]] std::size_t asked_for() const { return asked_for_; }

 private:
  struct Slice;

  [[nodiscard]] std::shared_ptr<Slice> begin(std::uint64_t number);
  static void drop(std::shared_ptr<Slice>& slice);
  Slice& slice_at(std::uint64_t number);
  void look_up(const std::shared_ptr<Slice>& slice);
  void take_stored(Slice& slice, const storage::VariantSetPtr& found);
  void ask(Slice& slice);
  // There is no place for another fill: again a little later, for a few seconds.
  void refused(Slice& slice);
  [[nodiscard]] FlightWaiter make_waiter(Slice& slice);
  void take_answer(Slice& slice, FlightAnswer& answer);
  [[nodiscard]] Next read_slice(const std::shared_ptr<Slice>& slice, std::uint64_t offset,
                                storage::Chunk& chunk);
  [[nodiscard]] Next read_body(const std::shared_ptr<Slice>& slice, const storage::StoredBody& body,
                               std::uint64_t offset, storage::Chunk& chunk);
  [[nodiscard]] Next unreadable(Slice& slice);
  [[nodiscard]] Next fail(Reason reason);

  FlightContext& context_;
  const storage::StoredResponsePtr head_;
  const MakeRequest make_request_;
  const std::function<void()> wake_;
  std::shared_ptr<Slice> current_;
  std::shared_ptr<Slice> ahead_;
  std::size_t asked_for_ = 0;
  Reason reason_ = Reason::kNone;
};

}  // namespace freshet::revalidate
