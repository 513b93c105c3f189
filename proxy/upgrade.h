// Upgrade: the side of an upgrade that is replaced. It starts the program on disk with its own command line,
// gives it the listening sockets, and has this process let go of what it has, in an order in which no
// request and no purge is lost:
//
//   idle ──start()──> starting ──"ready"──> flushing ──> handing over ──"go"──> handed ──"attached"──> over
//         <──────── it failed, or died ────────────┘
//
// Until "ready" the next process reads its configuration and checks all it can; where it fails, nothing has
// happened here. Handing over: the store is detached (nothing is reused any more; what unsafe methods
// invalidate is told to the next process, and waited for), no connection is accepted, the log of
// invalidations is closed; "go" tells the next process to accept. Then this one drains, and its store lets go
// of the directory: "closed". The next process opens it: "attached".
//
// Should the next process die between "go" and "attached", it is started again, from the same sockets.
//
// Main thread's loop; as InvalidatedElsewhere, any thread. Owned by main. Its destructor joins its thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <thread>
#include <vector>

#include "proxy/net/handed_sockets.h"
#include "proxy/net/upgrade_channel.h"
#include "storage/base/io_loop.h"
#include "storage/base/mutex.h"
#include "storage/base/result.h"
#include "storage/tiered_store.h"

namespace freshet::proxy {

// Which descriptor the next process finds the channel at.
inline constexpr const char* kUpgradeVariable = "FRESHET_UPGRADE";

// What this process does of it. On the main thread, but where it says otherwise.
struct UpgradeHooks {
  // Brings to files what can be brought there before; on a thread of its own.
  std::function<void()> flush;
  // The newest number that this process has given.
  std::function<storage::Sequence()> numbers_end;
  std::function<void(storage::InvalidatedElsewhere&)> detach;
  // No connection is accepted, and no call that began before detach() goes on, when `stopped` is called.
  std::function<void(std::function<void()> stopped)> stop_accepting;
  std::function<void()> close_log;
  // What has been accepted is answered, and the process ends.
  std::function<void()> drain;
  // Lets go of the directory; on a thread of its own.
  std::function<storage::Status()> release;
  // The directory cannot be let go of, or nobody takes over: ends the process at once.
  std::function<void()> end;
};

class Upgrade final : public storage::InvalidatedElsewhere {
 public:
  // The process that serves now, or why none does but this one. Called once, on the loop's thread.
  using Done = std::function<void(pid_t next, const std::string& error)>;

  Upgrade(storage::IoLoop& loop, UpgradeHooks hooks, std::map<int, std::string> names);
  ~Upgrade() override;
  Upgrade(const Upgrade&) = delete;
  Upgrade& operator=(const Upgrade&) = delete;

  void start(Done done);
  // This process is to end for another reason. False: another has taken over, or is about to.
  bool give_up();
  [[nodiscard]] bool under_way() const { return phase_ != Phase::kIdle; }

  void invalidate(const storage::CacheKey& key) override;
  void invalidate_tag(std::string_view tag) override;

 private:
  enum class Phase { kIdle, kStarting, kFlushing, kHandingOver, kHanded, kOver };

  storage::Status spawn();
  storage::Status send_sockets();
  void on_readable();
  void on_message(const std::string& words);
  void on_ready();
  void hand_over();
  void go();
  void release();
  void say_closed();
  void on_gone();
  void start_again();
  void fail(const std::string& error);
  void finish(const std::string& error);
  void reap(bool kill);
  void run_apart(std::function<void()> work);
  void tell_and_wait(std::string words);

  storage::IoLoop& loop_;
  const UpgradeHooks hooks_;
  const std::map<int, std::string> names_;
  const std::string program_;
  Phase phase_ = Phase::kIdle;
  std::vector<HandedSocket> sockets_;
  UpgradeChannel channel_;
  std::unique_ptr<storage::IoWatch> watch_;
  std::unique_ptr<storage::IoTimer> deadline_;
  pid_t next_ = -1;
  std::string why_failed_;
  Done done_;
  int starts_ = 0;
  bool closed_ = false;
  std::thread apart_;

  storage::Mutex told_mutex_;
  storage::CondVar told_changed_;
  std::uint64_t told_ GUARDED_BY(told_mutex_) = 0;
  std::uint64_t heard_ GUARDED_BY(told_mutex_) = 0;
  bool gone_ GUARDED_BY(told_mutex_) = false;
};

}  // namespace freshet::proxy
