// UpgradeChannel: one end of the socket between a process and the one that takes over from it. What is sent
// is a message of a few words, with descriptors where there are some; messages keep their order and their
// bounds. proxy/upgrade.h says which there are.
//
// send() from any thread, receive() from one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/descriptor.h"
#include "storage/base/result.h"

namespace freshet::proxy {

class UpgradeChannel {
 public:
  static constexpr std::size_t kLongest = 64 * 1024;  // bytes of a message
  static constexpr std::size_t kMostDescriptors = 64;

  UpgradeChannel() = default;
  explicit UpgradeChannel(Descriptor socket) : socket_(std::move(socket)) {}
  // Ours, and what the other side makes its own of.
  [[nodiscard]] static storage::Result<UpgradeChannel> open(Descriptor& others);

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  void close() { socket_.reset(); }

  // Blocks while the other side does not read. False: it is gone, or the message is too long.
  bool send(std::string_view words, const std::vector<int>& descriptors = {}) const;

  struct Message {
    std::string words;
    std::vector<Descriptor> descriptors;
  };
  enum class Received { kMessage, kNothing, kGone };
  // kNothing: none is there now; not where it is to wait.
  [[nodiscard]] Received receive(Message& message, bool wait) const;

 private:
  Descriptor socket_;
};

}  // namespace freshet::proxy
