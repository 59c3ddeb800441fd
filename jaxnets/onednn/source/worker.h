// The one thread that computes. XLA calls from several threads at once; every OpenMP team belongs to
// the thread that opened it, so a single caller means a single team, and cores are never asked for
// twice.

#pragma once

#include <functional>
#include <string>

#include "xla/ffi/api/ffi.h"

namespace jaxnets {

namespace ffi = xla::ffi;

using Array = ffi::Buffer<ffi::F32>;
using Result = ffi::Result<Array>;

// Runs `work` on the computing thread and waits for it. What it throws comes back as an error that
// begins with `name`.
ffi::Error compute(const std::string& name, const std::function<void()>& work);

// Throws std::invalid_argument with `message` unless `condition` holds.
void require(bool condition, const char* message);

}  // namespace jaxnets
