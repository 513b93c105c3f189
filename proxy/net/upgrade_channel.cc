#include "proxy/net/upgrade_channel.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

namespace freshet::proxy {

namespace {

constexpr std::size_t kControl = CMSG_SPACE(UpgradeChannel::kMostDescriptors * sizeof(int));

void take_descriptors(msghdr& header, std::vector<Descriptor>& taken) {
  for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(each) + i * sizeof(int), sizeof descriptor);
      taken.emplace_back(descriptor);
    }
  }
}

}  // namespace

storage::Result<UpgradeChannel> UpgradeChannel::open(Descriptor& others) {
  std::array<int, 2> both{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, both.data()) != 0)
    return storage::Error{std::string("no socket: ") + std::strerror(errno)};
  others = Descriptor{both[1]};
  return UpgradeChannel(Descriptor{both[0]});
}

bool UpgradeChannel::send(std::string_view words, const std::vector<int>& descriptors) const {
  if (!socket_.valid() || words.size() > kLongest || descriptors.size() > kMostDescriptors) return false;
  iovec bytes{const_cast<char*>(words.data()), words.size()};
  alignas(cmsghdr) std::array<char, kControl> control{};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const std::size_t size = descriptors.size() * sizeof(int);
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(size);
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(rights), descriptors.data(), size);
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(words.size());
}

UpgradeChannel::Received UpgradeChannel::receive(Message& message, bool wait) const {
  if (!socket_.valid()) return Received::kGone;
  message.words.resize(kLongest);
  message.descriptors.clear();
  iovec bytes{message.words.data(), message.words.size()};
  alignas(cmsghdr) std::array<char, kControl> control{};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t got = -1;
  do {
    got = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Received::kNothing;
  take_descriptors(header, message.descriptors);
  message.words.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return got <= 0 ? Received::kGone : Received::kMessage;
}

}  // namespace freshet::proxy
