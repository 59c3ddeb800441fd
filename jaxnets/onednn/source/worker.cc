#include "worker.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace jaxnets {
namespace {

class Worker {
 public:
  Worker() { std::thread([this] { serve(); }).detach(); }

  void run(const std::function<void()>& work) {
    std::lock_guard<std::mutex> turn(turn_);
    std::unique_lock<std::mutex> lock(mutex_);
    work_ = &work;
    changed_.notify_one();
    done_.wait(lock, [this] { return work_ == nullptr; });
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return work_ != nullptr; });
      const std::function<void()>* work = work_;
      lock.unlock();
      (*work)();
      lock.lock();
      work_ = nullptr;
      done_.notify_one();
    }
  }

  std::mutex turn_;   // held by the caller whose work is under way
  std::mutex mutex_;  // guards work_
  std::condition_variable changed_, done_;
  const std::function<void()>* work_ = nullptr;
};

// Never destroyed: the thread may still wait when the process ends.
Worker& worker() {
  static Worker* one = new Worker;
  return *one;
}

}  // namespace

ffi::Error compute(const std::string& name, const std::function<void()>& work) {
  std::string failure;
  worker().run([&] {
    try {
      work();
    } catch (const std::exception& error) {
      failure = error.what();
      if (failure.empty()) failure = "failed";
    }
  });
  if (failure.empty()) return ffi::Error::Success();
  return ffi::Error::Internal(name + ": " + failure);
}

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

}  // namespace jaxnets
