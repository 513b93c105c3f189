// CurlSockets: ties a curl multi handle to a worker's event loop: curl says which descriptors to watch and
// when to wake it, the loop says when that has come. Curl gets control only here, so that "are we inside one
// of its callbacks" has one answer: curl forbids most calls there, and its client puts them off.
//
// Owned by the curl client; on the loop's thread. `after` runs each time curl has given control back: then
// finished transfers are collected, and everything put off is done.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "storage/base/io_loop.h"

namespace freshet::revalidate {

class CurlSockets {
 public:
  // `multi` is a CURLM*. It must have been cleaned up before this is destroyed.
  CurlSockets(storage::IoLoop& loop, void* multi, std::function<void()> after);
  CurlSockets(const CurlSockets&) = delete;
  CurlSockets& operator=(const CurlSockets&) = delete;

  // Whether we are being called by curl.
  [[nodiscard]] bool in_curl() const { return in_curl_; }
  // Runs `work`, which calls into curl and may be called back; then `after`.
  void run(const std::function<void()>& work);

 private:
  static int on_socket(void* easy, int descriptor, int what, void* self, void* unused);
  static int on_timer(void* multi, long milliseconds, void* self);
  void watch(int descriptor, int what);
  void act(int descriptor, int ready);

  storage::IoLoop& loop_;
  void* multi_;
  std::function<void()> after_;
  std::unique_ptr<storage::IoTimer> timer_;
  // By descriptor. Kept without interest when curl is done with one: the number comes back soon, and a watch
  // must not be destroyed inside its own callback.
  std::unordered_map<int, std::unique_ptr<storage::IoWatch>> watches_;
  bool in_curl_ = false;
};

}  // namespace freshet::revalidate
