// Executor: the only way from one thread to another. post() hands over a task; the executor's own thread
// runs it later, in the order in which tasks came, never inside post(). Workers (event loops) and the
// store's io_pool are executors.
//
// A task that is posted to an executor which has stopped is destroyed unrun: what it holds is released, so
// handles inside it abort what they stand for.
#pragma once

#include <functional>

namespace freshet::storage {

using Task = std::function<void()>;

class Executor {
 public:
  virtual ~Executor() = default;

  // Any thread. Does not run `task` before it returns.
  virtual void post(Task task) = 0;
};

}  // namespace freshet::storage
