// OriginAddresses: where the origin's name leads, without the loop ever waiting for it. An address literal is
// known at once. A name is asked of the system's resolver on a thread of its own: a list is used for ten
// seconds; then once more while it is asked anew behind that; after five minutes without an answer no more.
//
// Owned by one client, on its loop's thread. The resolver cannot be interrupted: a thread that still waits
// for it when this goes is left alone, and what it finds is dropped.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "revalidate/origin/origin_url.h"
#include "storage/base/clock.h"
#include "storage/base/executor.h"

namespace freshet::revalidate {

struct SocketEnd {
  sockaddr_storage address{};
  socklen_t size = 0;
};

class OriginAddresses {
 public:
  // Never empty; does not change.
  using List = std::shared_ptr<const std::vector<SocketEnd>>;
  // What the resolver says, on any thread; empty and `why` where there is no such name.
  using Resolve = std::function<std::vector<SocketEnd>(const OriginUrl& origin, std::string& why)>;
  // Called from the loop when what was not known is known: a list, or null and why there is none.
  using Known = std::function<void(const List& list, const std::string& why)>;

  OriginAddresses(storage::Executor& loop, OriginUrl origin, Known known, Resolve resolve = system_resolve);
  ~OriginAddresses();
  OriginAddresses(const OriginAddresses&) = delete;
  OriginAddresses& operator=(const OriginAddresses&) = delete;

  // Null: `known` will be called.
  [[nodiscard]] List list();
  // Nobody answered at the first of `list`, but at another: from now on it comes last.
  void first_failed(const List& list);
  // Nobody answered at any of them: what is cached may be wrong.
  void all_failed();

  [[nodiscard]] static std::vector<SocketEnd> system_resolve(const OriginUrl& origin, std::string& why);

 private:
  struct Shared;

  void ask();
  void answered(std::vector<SocketEnd> found, const std::string& why);

  const OriginUrl origin_;
  const Known known_;
  const Resolve resolve_;
  bool literal_ = false;
  bool asking_ = false;
  bool awaited_ = false;
  List list_;
  storage::MonoTime asked_at_{};
  std::shared_ptr<Shared> shared_;
};

}  // namespace freshet::revalidate
