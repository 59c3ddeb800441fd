// Batch normalisation with the sum and the ReLU that follow it, in as few passes over the images as
// its formulas allow. All sums are taken per image, in blocks of a fixed size, so that the result
// depends neither on the threads nor on how a batch lies on devices.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lanes.h"
#include "worker.h"

namespace jaxnets {
namespace {

constexpr int64_t kBlock = 32768;  // values; a few arrays of it fit into a second-level cache

// Images [images, pixels, channels], cut into blocks of pixels.
struct Shape {
  int64_t images, pixels, channels, block, blocks;  // block: pixels; blocks: of an image
};

Shape shape_of(const Array& x) {
  auto d = x.dimensions();
  require(d.size() == 4, "images must have four axes");
  Shape s{d[0], d[1] * d[2], d[3], 0, 0};
  s.block = std::max<int64_t>(1, kBlock / std::max<int64_t>(1, s.channels));
  s.blocks = (s.pixels + s.block - 1) / s.block;
  return s;
}

// Numbers per channel, of each image or the same for all.
struct Rows {
  const float* data;
  int64_t stride;
  const float* of(int64_t image) const { return data + image * stride; }
};

Rows rows_of(const Array& a, const Shape& s) {
  bool shared = a.element_count() == static_cast<size_t>(s.channels);
  require(shared || a.element_count() == static_cast<size_t>(s.images * s.channels),
          "numbers per channel must be [channels] or [images, channels]");
  return {a.typed_data(), shared ? 0 : s.channels};
}

// Calls body(image, first value of the block, pixels in it, number of the block) for all blocks.
template <class Body>
void over_blocks(const Shape& s, Body body) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < s.images * s.blocks; ++i) {
    int64_t image = i / s.blocks, first = i % s.blocks * s.block;
    int64_t pixels = std::min(s.block, s.pixels - first);
    body(image, (image * s.pixels + first) * s.channels, pixels, i);
  }
}

// Sums over pixels of two values. body(first, second, at) adds to them what the value at `at` gives.
// Four accumulators of each hide the latency of the additions.
template <class V, class Body>
inline void two_sums(int64_t start, int64_t pixels, int64_t channels, float* out_first,
                     float* out_second, Body body) {
  constexpr int kUnroll = 4;
  V first[kUnroll] = {}, second[kUnroll] = {};
  int64_t p = 0;
  for (; p + kUnroll <= pixels; p += kUnroll) {
    for (int u = 0; u < kUnroll; ++u) body(first[u], second[u], start + (p + u) * channels);
  }
  for (; p < pixels; ++p) body(first[0], second[0], start + p * channels);
  store(out_first, (first[0] + first[1]) + (first[2] + first[3]));
  store(out_second, (second[0] + second[1]) + (second[2] + second[3]));
}

// Adds up the blocks of each image, in their order.
void add_blocks(const Shape& s, const std::vector<float>& partial, float* first, float* second) {
  for (int64_t n = 0; n < s.images; ++n) {
    for (int64_t c = 0; c < s.channels; ++c) {
      float a = 0, b = 0;
      for (int64_t k = 0; k < s.blocks; ++k) {
        const float* block = &partial[(n * s.blocks + k) * 2 * s.channels];
        a += block[c];
        b += block[s.channels + c];
      }
      first[n * s.channels + c] = a;
      second[n * s.channels + c] = b;
    }
  }
}

void require_rows(const Array& a, const Shape& s) {
  require(a.element_count() == static_cast<size_t>(s.images * s.channels),
          "sums must be [images, channels]");
}

// Sum and sum of squares of each channel of each image.
ffi::Error sums(Array x, Result first, Result second) {
  return compute("sums of batch normalisation", [&] {
    Shape s = shape_of(x);
    require_rows(*first, s);
    require_rows(*second, s);
    const float* in = x.typed_data();
    std::vector<float> partial(s.images * s.blocks * 2 * s.channels);
    over_blocks(s, [&](int64_t, int64_t start, int64_t pixels, int64_t block) {
      float* out = &partial[block * 2 * s.channels];
      over_channels(s.channels, [&](int64_t c, auto lane) {
        using V = decltype(lane);
        two_sums<V>(start + c, pixels, s.channels, out + c, out + s.channels + c,
                    [&](V& a, V& b, int64_t at) {
                      V v = load<V>(in + at);
                      a += v;
                      b += v * v;
                    });
      });
    });
    add_blocks(s, partial, first->typed_data(), second->typed_data());
  });
}

// (x - mean) * factor + bias, plus `add` unless that is empty, then ReLU if `relu`.
ffi::Error apply(Array x, Array mean, Array factor, Array bias, Array add, bool relu, Result y) {
  return compute("batch normalisation", [&] {
    Shape s = shape_of(x);
    Rows m = rows_of(mean, s), f = rows_of(factor, s), b = rows_of(bias, s);
    bool added = add.element_count() > 0;
    require(!added || add.element_count() == x.element_count(), "add must have the image's shape");
    require(y->element_count() == x.element_count(), "the result must have the image's shape");
    const float *in = x.typed_data(), *plus = add.typed_data();
    float* out = y->typed_data();
    over_blocks(s, [&](int64_t image, int64_t start, int64_t pixels, int64_t) {
      over_channels(s.channels, [&](int64_t c, auto lane) {
        using V = decltype(lane);
        V mean_ = load<V>(m.of(image) + c), factor_ = load<V>(f.of(image) + c);
        V bias_ = load<V>(b.of(image) + c);
        for (int64_t p = 0, at = start + c; p < pixels; ++p, at += s.channels) {
          V v = (load<V>(in + at) - mean_) * factor_ + bias_;
          if (added) v += load<V>(plus + at);
          store(out + at, relu ? rectified(v) : v);
        }
      });
    });
  });
}

// What of the result's gradient passes the ReLU: all of it without one, else where the result, `y`
// or computed again from x where y is empty, is above zero.
struct Passing {
  const float *dy, *x, *y;
  bool relu;

  template <class V>
  V at(int64_t i, V mean, V factor, V bias) const {
    V g = load<V>(dy + i);
    if (!relu) return g;
    V result = y ? load<V>(y + i) : (load<V>(x + i) - mean) * factor + bias;
    return result > V{} ? g : V{};
  }
};

Passing passing_of(const Array& dy, const Array& x, const float* y, bool relu) {
  require(dy.element_count() == x.element_count(), "gradient and image must have one shape");
  return {dy.typed_data(), x.typed_data(), y, relu};
}

// Sums over the pixels of each image of g, the gradient that passes the ReLU, and of g (x - mean);
// and g itself unless `passed` is empty.
ffi::Error gradient_sums(Array dy, Array x, Array y, Array mean, Array factor, Array bias,
                         bool relu, Result first, Result second, Result passed) {
  return compute("sums of batch normalisation's gradient", [&] {
    Shape s = shape_of(x);
    bool given = y.element_count() > 0;
    require(!given || y.element_count() == x.element_count(),
            "result and image must have one shape");
    Passing g = passing_of(dy, x, given ? y.typed_data() : nullptr, relu);
    Rows m = rows_of(mean, s), f = rows_of(factor, s), b = rows_of(bias, s);
    require_rows(*first, s);
    require_rows(*second, s);
    float* out = passed->element_count() ? passed->typed_data() : nullptr;
    require(!out || passed->element_count() == x.element_count(),
            "the gradient passed on must have the image's shape");
    std::vector<float> partial(s.images * s.blocks * 2 * s.channels);
    over_blocks(s, [&](int64_t image, int64_t start, int64_t pixels, int64_t block) {
      float* to = &partial[block * 2 * s.channels];
      over_channels(s.channels, [&](int64_t c, auto lane) {
        using V = decltype(lane);
        V mean_ = load<V>(m.of(image) + c), factor_ = load<V>(f.of(image) + c);
        V bias_ = load<V>(b.of(image) + c);
        two_sums<V>(start + c, pixels, s.channels, to + c, to + s.channels + c,
                    [&](V& a, V& b, int64_t at) {
                      V v = g.at(at, mean_, factor_, bias_);
                      if (out) store(out + at, v);
                      a += v;
                      b += v * (load<V>(g.x + at) - mean_);
                    });
      });
    });
    add_blocks(s, partial, first->typed_data(), second->typed_data());
  });
}

// factor * g + slope * (x - mean) + offset, with g as above.
ffi::Error gradient(Array dy, Array x, Array mean, Array factor, Array bias, Array slope,
                    Array offset, bool relu, Result dx) {
  return compute("gradient of batch normalisation", [&] {
    Shape s = shape_of(x);
    Passing g = passing_of(dy, x, nullptr, relu);
    Rows m = rows_of(mean, s), f = rows_of(factor, s), b = rows_of(bias, s);
    Rows k = rows_of(slope, s), o = rows_of(offset, s);
    require(dx->element_count() == x.element_count(), "the gradient must have the image's shape");
    float* out = dx->typed_data();
    over_blocks(s, [&](int64_t image, int64_t start, int64_t pixels, int64_t) {
      over_channels(s.channels, [&](int64_t c, auto lane) {
        using V = decltype(lane);
        V mean_ = load<V>(m.of(image) + c), factor_ = load<V>(f.of(image) + c);
        V bias_ = load<V>(b.of(image) + c);
        V slope_ = load<V>(k.of(image) + c), offset_ = load<V>(o.of(image) + c);
        for (int64_t p = 0, at = start + c; p < pixels; ++p, at += s.channels) {
          V v = g.at(at, mean_, factor_, bias_) * factor_;
          store(out + at, v + ((load<V>(g.x + at) - mean_) * slope_ + offset_));
        }
      });
    });
  });
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_norm_sums, sums,
                              ffi::Ffi::Bind().Arg<Array>().Ret<Array>().Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_norm, apply,
                              ffi::Ffi::Bind().Arg<Array>().Arg<Array>().Arg<Array>().Arg<Array>()
                                  .Arg<Array>().Attr<bool>("relu").Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_norm_gradient_sums, gradient_sums,
                              ffi::Ffi::Bind().Arg<Array>().Arg<Array>().Arg<Array>().Arg<Array>()
                                  .Arg<Array>().Arg<Array>().Attr<bool>("relu").Ret<Array>()
                                  .Ret<Array>().Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_norm_gradient, gradient,
                              ffi::Ffi::Bind().Arg<Array>().Arg<Array>().Arg<Array>().Arg<Array>()
                                  .Arg<Array>().Arg<Array>().Arg<Array>()
                                  .Attr<bool>("relu").Ret<Array>());

}  // namespace jaxnets
