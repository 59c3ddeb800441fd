// Sixteen channels at a time, or one where fewer are left. The compiler maps the sixteen to the
// vector registers of the machine.

#pragma once

#include <cstdint>
#include <cstring>

namespace jaxnets {

typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));
typedef uint8_t Bytes __attribute__((vector_size(16)));
constexpr int64_t kLanes = 16;

// V is Floats or float.
template <class V>
inline V load(const float* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class V>
inline void store(float* to, V v) {
  std::memcpy(to, &v, sizeof v);
}

// Not below zero; NaN stays NaN.
template <class V>
inline V rectified(V y) {
  return y < V{} ? V{} : y;
}

// Calls body(c) for every sixteenth channel with V = Floats, then for each that is left with V =
// float; `body` is a generic lambda whose second argument only carries the type.
template <class Body>
inline void over_channels(int64_t channels, Body body) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) body(c, Floats{});
  for (; c < channels; ++c) body(c, 0.0f);
}

}  // namespace jaxnets
