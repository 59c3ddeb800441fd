// Local response normalisation, Krizhevsky et al. 2012, section 3.3, and its gradient: a pixel at a
// time, so that nothing between the formulas leaves the first cache.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <omp.h>

#include <vector>

#include "worker.h"

namespace jaxnets {
namespace {

struct Constants {
  float k, alpha, beta;
  int64_t before, after;  // neighbouring channels in a window, besides its own
};

Constants constants_of(ffi::Span<const float> values, int64_t n, int64_t channels) {
  require(values.size() == 3 && n > 0, "k, alpha and beta, and a window of one channel or more");
  // Beyond all channels there is nothing to sum.
  return {values[0], values[1], values[2], std::min(n / 2, channels),
          std::min(n - 1 - n / 2, channels)};
}

// s ^ -beta of `count` values; the papers' beta = 3/4 is two roots.
void powers(const float* s, float beta, int64_t count, float* out) {
  if (beta == 0.75f) {
    for (int64_t c = 0; c < count; ++c) {
      float root = std::sqrt(s[c]);
      out[c] = 1.0f / (root * std::sqrt(root));
    }
  } else {
    for (int64_t c = 0; c < count; ++c) out[c] = std::pow(s[c], -beta);
  }
}

// One thread's room for a pixel: values with zeros on both sides, so that windows need no ends.
struct Pixel {
  Pixel(int64_t channels, const Constants& k)
      : channels(channels), margin(k.before + k.after), padded(channels + 2 * margin),
        scale(channels), power(channels) {}

  int64_t channels, margin;
  std::vector<float> padded, scale, power;

  float* middle() { return padded.data() + margin; }

  // out[c] = start + factor * sum of the padded values from c - before to c + after.
  void window_sums(int64_t before, int64_t after, float start, float factor, float* out) {
    const float* from = middle();
    for (int64_t c = 0; c < channels; ++c) out[c] = from[c - before];
    for (int64_t j = 1 - before; j <= after; ++j) {
      for (int64_t c = 0; c < channels; ++c) out[c] += from[c + j];
    }
    for (int64_t c = 0; c < channels; ++c) out[c] = start + factor * out[c];
  }

  // Fills scale with k + alpha * sums of squares and power with scale ^ -beta.
  void measure(const float* a, const Constants& k) {
    float* squares = middle();
    for (int64_t c = 0; c < channels; ++c) squares[c] = a[c] * a[c];
    window_sums(k.before, k.after, k.k, k.alpha, scale.data());
    powers(scale.data(), k.beta, channels, power.data());
  }
};

int64_t channels_of(const Array& x) {
  require(x.dimensions().size() == 4 && x.element_count() > 0, "images must have four axes");
  return x.dimensions()[3];
}

// Calls body(pixel's room, number of the pixel) for all pixels.
template <class Body>
void over_pixels(int64_t pixels, int64_t channels, const Constants& k, Body body) {
  std::vector<Pixel> rooms(omp_get_max_threads(), Pixel(channels, k));
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < pixels; ++p) body(rooms[omp_get_thread_num()], p);
}

ffi::Error response_norm(Array image, ffi::Span<const float> values, int64_t n, Result y) {
  return compute("local response normalisation", [&] {
    int64_t channels = channels_of(image), pixels = image.element_count() / channels;
    Constants k = constants_of(values, n, channels);
    require(y->element_count() == image.element_count(), "the result must have the image's shape");
    over_pixels(pixels, channels, k, [&](Pixel& pixel, int64_t p) {
      const float* a = image.typed_data() + p * channels;
      float* out = y->typed_data() + p * channels;
      pixel.measure(a, k);
      for (int64_t c = 0; c < channels; ++c) out[c] = a[c] * pixel.power[c];
    });
  });
}

// da_i = dy_i s_i^-beta - 2 alpha beta a_i sum of dy_j a_j s_j^(-beta-1) over the j whose window
// holds i.
ffi::Error response_norm_gradient(Array dy, Array image, ffi::Span<const float> values, int64_t n,
                                  Result dx) {
  return compute("gradient of local response normalisation", [&] {
    int64_t channels = channels_of(image), pixels = image.element_count() / channels;
    Constants k = constants_of(values, n, channels);
    require(dy.element_count() == image.element_count() &&
                dx->element_count() == image.element_count(),
            "gradients must have the image's shape");
    over_pixels(pixels, channels, k, [&](Pixel& pixel, int64_t p) {
      const float* a = image.typed_data() + p * channels;
      const float* g = dy.typed_data() + p * channels;
      float* out = dx->typed_data() + p * channels;
      pixel.measure(a, k);
      float* shares = pixel.middle();
      for (int64_t c = 0; c < channels; ++c) {
        shares[c] = g[c] * a[c] * pixel.power[c] / pixel.scale[c];
      }
      pixel.window_sums(k.after, k.before, 0.0f, 2 * k.alpha * k.beta, pixel.scale.data());
      for (int64_t c = 0; c < channels; ++c) {
        out[c] = g[c] * pixel.power[c] - a[c] * pixel.scale[c];
      }
    });
  });
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_lrn, response_norm,
                              ffi::Ffi::Bind().Arg<Array>()
                                  .Attr<ffi::Span<const float>>("constants").Attr<int64_t>("n")
                                  .Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_lrn_gradient, response_norm_gradient,
                              ffi::Ffi::Bind().Arg<Array>().Arg<Array>()
                                  .Attr<ffi::Span<const float>>("constants").Attr<int64_t>("n")
                                  .Ret<Array>());

}  // namespace jaxnets
