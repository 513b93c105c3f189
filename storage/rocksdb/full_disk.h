// FullDisk: for how long the disk has been full, told failure by failure. Who has filled it may well make
// room soon; once it has been full for `bound` without a break, room has to be made here. Another failure in
// between, or none, is a break: what is then in the way may not be that.
//
// A plain value; one thread at a time.
#pragma once

#include <string_view>

#include "storage/base/clock.h"

namespace freshet::storage {

class FullDisk {
 public:
  explicit FullDisk(Milliseconds bound) : bound_(bound) {}

  // Something has failed, with this message. True: for want of space, and for that long.
  [[nodiscard]] bool note(std::string_view failure, MonoTime now) {
    if (failure.find("No space left") == std::string_view::npos) {
      full_ = false;
      return false;
    }
    if (!full_) since_ = now;
    full_ = true;
    return now - since_ >= bound_;
  }
  // All works again.
  void pass() { full_ = false; }

 private:
  const Milliseconds bound_;
  bool full_ = false;
  MonoTime since_{};
};

}  // namespace freshet::storage
