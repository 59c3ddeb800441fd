#include "worker.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace jaxnets {
namespace {

// Looks for work before the thread sleeps, some ten microseconds: the next call is often near.
constexpr int kLooks = 2000;

class Worker {
 public:
  Worker() : process_(getpid()) { std::thread([this] { serve(); }).detach(); }

  void run(const std::function<void()>& work) {
    if (getpid() != process_) throw std::runtime_error("the kernels do not work in a forked process");
    std::lock_guard<std::mutex> turn(turn_);
    std::unique_lock<std::mutex> lock(mutex_);
    work_.store(&work);
    changed_.notify_one();
    done_.wait(lock, [this] { return work_.load() == nullptr; });
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      lock.unlock();
      for (int i = 0; i < kLooks && work_.load(std::memory_order_relaxed) == nullptr; ++i) {
        __builtin_ia32_pause();
      }
      lock.lock();
      changed_.wait(lock, [this] { return work_.load() != nullptr; });
      const std::function<void()>* work = work_.load();
      lock.unlock();
      (*work)();
      lock.lock();
      work_.store(nullptr);
      done_.notify_one();
    }
  }

  const pid_t process_;
  std::mutex turn_;   // held by the caller whose work is under way
  std::mutex mutex_;  // guards changes of work_
  std::condition_variable changed_, done_;
  std::atomic<const std::function<void()>*> work_{nullptr};
};

// Never destroyed: the thread may still wait when the process ends.
Worker& worker() {
  static Worker* one = new Worker;
  return *one;
}

// What `work` throws, in words; empty when it throws nothing.
std::string failure_of(const std::function<void()>& work) {
  try {
    work();
    return "";
  } catch (const std::exception& error) {
    return *error.what() ? error.what() : "failed";
  } catch (...) {
    return "failed";
  }
}

// What the kernels of a name took; only the computing thread touches it.
struct Spent {
  double seconds = 0;
  int64_t calls = 0;
};

std::map<std::string, Spent>& all_spent() {
  static auto* one = new std::map<std::string, Spent>;
  return *one;
}

void compute_timed(const std::string& name, const std::function<void()>& work) {
  auto start = std::chrono::steady_clock::now();
  work();
  Spent& spent = all_spent()[name];
  spent.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  spent.calls += 1;
}

}  // namespace

ffi::Error compute(const std::string& name, const std::function<void()>& work) {
  std::string inside;
  std::string outside = failure_of([&] { 
    worker().run([&] { inside = failure_of([&] { compute_timed(name, work); }); });
  });
  if (inside.empty() && outside.empty()) return ffi::Error::Success();
  return ffi::Error::Internal(name + ": " + (inside.empty() ? outside : inside));
}

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

}  // namespace jaxnets

// Writes lines of name, seconds and calls of all kernels since the process began into `text`, at most
// `size` bytes with the zero at the end.
extern "C" void jaxnets_spent(char* text, size_t size) {
  jaxnets::failure_of([&] {
    jaxnets::worker().run([&] {
      std::ostringstream lines;
      for (const auto& [name, spent] : jaxnets::all_spent()) {
        lines << name << '\t' << spent.seconds << '\t' << spent.calls << '\n';
      }
      std::snprintf(text, size, "%s", lines.str().c_str());
    });
  });
}
