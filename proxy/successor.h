// Successor: the side of an upgrade that takes over (proxy/upgrade.h). Made first of all, where the
// environment says that there is a process to take over from: it has that process's listening sockets.
//
// Life: ready() when all has been checked and made that can be without the store's directory; wait_for_go()
// blocks until clients are this process's; watch() when the loop is about to run. The directory is opened by
// a thread of its own, when the other process has closed it or is gone; while it is locked, or fails to open,
// that is tried again. A process that is gone early is taken over from at once.
//
// Main thread. Owned by main; its destructor joins its thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "proxy/net/handed_sockets.h"
#include "proxy/net/passed_sockets.h"
#include "proxy/net/upgrade_channel.h"
#include "storage/base/io_loop.h"
#include "storage/base/mutex.h"
#include "storage/base/result.h"
#include "storage/cache_key.h"
#include "storage/stored_response.h"

namespace freshet::proxy {

struct SuccessorHooks {
  // Numbers begin here.
  std::function<void(storage::Sequence)> begin;
  std::function<void(const storage::CacheKey&)> invalidate;
  std::function<void(std::string_view)> invalidate_tag;
  std::function<void()> invalidate_all;
  // Opens the directory and attaches the disk tier; on a thread of its own.
  std::function<storage::Status()> attach;
  // It cannot be had, and that is not because another process has it.
  std::function<void(const std::string& why)> unavailable;
};

class Successor {
 public:
  // Null: there is nobody to take over from. Once; the variable is taken away.
  [[nodiscard]] static std::unique_ptr<Successor> from_environment();
  ~Successor();
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;

  [[nodiscard]] HandedSockets& sockets() { return sockets_; }
  // Those that the service manager passed, once upon a time.
  [[nodiscard]] PassedSockets passed();

  // This process cannot take over; it is about to end.
  void fail(const std::string& why) { (void)channel_.send("failed " + why); }
  void ready() { (void)channel_.send("ready"); }
  void wait_for_go(SuccessorHooks hooks);
  void watch(storage::IoLoop& loop);
  // No hook is called any more. Blocks.
  void stop();

 private:
  explicit Successor(Descriptor channel) : channel_(std::move(channel)) {}
  bool receive_sockets();
  void on_readable();
  void on_message(const std::string& words);
  void closed();
  void attach();

  const UpgradeChannel channel_;
  HandedSockets sockets_;
  SuccessorHooks hooks_;
  std::unique_ptr<storage::IoWatch> watch_;
  bool begun_ = false;
  bool may_go_ = false;
  bool closed_ = false;
  storage::Mutex mutex_;
  storage::CondVar stopped_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread attaching_;
};

}  // namespace freshet::proxy
