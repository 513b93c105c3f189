#include "revalidate/origin/origin_addresses.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "storage/base/mutex.h"

namespace freshet::revalidate {

namespace {

constexpr storage::Seconds kFresh{10};
constexpr storage::Seconds kUsable{300};

std::optional<SocketEnd> literal(const OriginUrl& origin) {
  SocketEnd end;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(origin.port);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(origin.port);
  if (::inet_pton(AF_INET, origin.host.c_str(), &four.sin_addr) == 1) {
    std::memcpy(&end.address, &four, sizeof(four));
    end.size = sizeof(four);
  } else if (::inet_pton(AF_INET6, origin.host.c_str(), &six.sin6_addr) == 1) {
    std::memcpy(&end.address, &six, sizeof(six));
    end.size = sizeof(six);
  } else {
    return std::nullopt;
  }
  return end;
}

}  // namespace

// What the thread may still touch when the rest is gone.
struct OriginAddresses::Shared : std::enable_shared_from_this<Shared> {
  storage::Mutex mutex;
  storage::Executor* loop GUARDED_BY(mutex) = nullptr;  // null: nobody listens any more

  [[nodiscard]] bool is_listening() {
    const storage::MutexLock lock(mutex);
    return loop != nullptr;
  }
  // Any thread. `who` is touched only where it still listens, on its own thread.
  void tell(OriginAddresses* who, std::vector<SocketEnd> found, const std::string& why) {
    const storage::MutexLock lock(mutex);
    if (loop == nullptr) return;
    loop->post([shared = shared_from_this(), who, found = std::move(found), why]() mutable {
      if (shared->is_listening()) who->answered(std::move(found), why);
    });
  }
};

OriginAddresses::OriginAddresses(storage::Executor& loop, OriginUrl origin, Known known, Resolve resolve)
    : origin_(std::move(origin)),
      known_(std::move(known)),
      resolve_(std::move(resolve)),
      shared_(std::make_shared<Shared>()) {
  {
    const storage::MutexLock lock(shared_->mutex);
    shared_->loop = &loop;
  }
  const auto end = literal(origin_);
  if (!end) return;
  literal_ = true;
  list_ = std::make_shared<const std::vector<SocketEnd>>(std::vector<SocketEnd>{*end});
}

OriginAddresses::~OriginAddresses() {
  const storage::MutexLock lock(shared_->mutex);
  shared_->loop = nullptr;
}

OriginAddresses::List OriginAddresses::list() {
  if (literal_) return list_;
  const auto age = storage::mono_now() - asked_at_;
  if (list_ && age >= kUsable) list_ = nullptr;
  if (!list_ || age >= kFresh) ask();
  if (!list_) awaited_ = true;
  return list_;
}

void OriginAddresses::first_failed(const List& list) {
  if (list != list_ || list->size() < 2) return;
  auto turned = *list;
  std::rotate(turned.begin(), turned.begin() + 1, turned.end());
  list_ = std::make_shared<const std::vector<SocketEnd>>(std::move(turned));
}

void OriginAddresses::all_failed() {
  if (!literal_) list_ = nullptr;
}

// The thread is never waited for, so it uses nothing but what it was given. Whether somebody still listens is
// asked twice: by the thread before it posts, and by the task, since a loop may outlast its client.
void OriginAddresses::ask() {
  if (asking_) return;
  asking_ = true;
  const auto look_up = [this, shared = shared_, resolve = resolve_, origin = origin_] {
    std::string why;
    shared->tell(this, resolve(origin, why), why);
  };
  try {
    std::thread(look_up).detach();
  } catch (const std::system_error&) {
    shared_->tell(this, {}, "no thread to resolve " + origin_.host);
  }
}

void OriginAddresses::answered(std::vector<SocketEnd> found, const std::string& why) {
  asking_ = false;
  if (!found.empty()) {
    list_ = std::make_shared<const std::vector<SocketEnd>>(std::move(found));
    asked_at_ = storage::mono_now();
  }
  if (std::exchange(awaited_, false)) known_(list_, why);
}

std::vector<SocketEnd> OriginAddresses::system_resolve(const OriginUrl& origin, std::string& why) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(origin.host.c_str(), std::to_string(origin.port).c_str(), &hints, &found);
  std::vector<SocketEnd> ends;
  if (status != 0) {
    why = "Could not resolve host: " + origin.host + ": " + ::gai_strerror(status);
    return ends;
  }
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    SocketEnd& end = ends.emplace_back();
    std::memcpy(&end.address, each->ai_addr, each->ai_addrlen);
    end.size = each->ai_addrlen;
  }
  ::freeaddrinfo(found);
  if (ends.empty()) why = "Could not resolve host: " + origin.host;
  return ends;
}

}  // namespace freshet::revalidate
