// Maximum and average over windows, and their gradients. The gradients gather: every row of the
// image takes from the windows that cover it, so that rows can be computed at the same time and
// sums have one order.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "lanes.h"
#include "worker.h"

namespace jaxnets {
namespace {

using Places = ffi::Buffer<ffi::U8>;

struct Windows {
  int64_t images, height, width, channels, rows, columns;  // rows, columns: of windows
  int64_t window, stride, top, left;
};

template <class Out>
Windows windows_of(const Array& image, const Out& pooled, ffi::Span<const int64_t> g) {
  auto x = image.dimensions(), y = pooled.dimensions();
  require(x.size() == 4 && y.size() == 4 && g.size() == 4, "images must have four axes");
  require(x[0] == y[0] && x[3] == y[3], "batch and channels must not change");
  require(g[0] > 0 && g[0] <= 16 && g[1] > 0 && g[2] >= 0 && g[3] >= 0, "window out of range");
  Windows w{x[0], x[1], x[2], x[3], y[1], y[2], g[0], g[1], g[2], g[3]};
  require((w.rows - 1) * w.stride - w.top < w.height && (w.columns - 1) * w.stride - w.left < w.width,
          "a window lies outside the image");
  require(w.top < w.window && w.left < w.window, "a window lies on padding only");
  return w;
}

// The part of a window that lies on the image: first and end pixel.
struct Range {
  int64_t first, end;
};

Range covered(int64_t number, int64_t stride, int64_t before, int64_t window, int64_t size) {
  int64_t start = number * stride - before;
  return {std::max<int64_t>(0, start), std::min(size, start + window)};
}

// The windows that cover a pixel.
Range covering(int64_t pixel, int64_t stride, int64_t before, int64_t window, int64_t count) {
  int64_t last = (pixel + before) / stride, reach = pixel + before - window + 1;
  return {reach <= 0 ? 0 : (reach + stride - 1) / stride, std::min(count, last + 1)};
}

inline Ints wider(const uint8_t* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return __builtin_convertvector(bytes, Ints);
}

inline void narrow(uint8_t* to, Ints places) {
  Bytes bytes = __builtin_convertvector(places, Bytes);
  std::memcpy(to, &bytes, sizeof bytes);
}

// The lanes of V as places: Ints for Floats, int32_t for float.
inline Ints places_at(const uint8_t* from, Floats) { return wider(from); }
inline int32_t places_at(const uint8_t* from, float) { return *from; }
inline void store_places(uint8_t* to, Ints places) { narrow(to, places); }
inline void store_places(uint8_t* to, int32_t place) { *to = static_cast<uint8_t>(place); }

// Largest value of each window, the first of equal ones, NaN if there is one; and its place in the
// window, counted along rows, unless `places` is empty.
ffi::Error max_pool(Array image, ffi::Span<const int64_t> geometry, Result pooled,
                    ffi::Result<ffi::AnyBuffer> places) {
  return compute("max pooling", [&] {
    Windows w = windows_of(image, *pooled, geometry);
    const float* x = image.typed_data();
    float* y = pooled->typed_data();
    bool wanted = places->element_count() > 0;
    require(!wanted || (places->element_type() == ffi::U8 &&
                        places->element_count() == pooled->element_count()),
            "places must be bytes in the result's shape");
    uint8_t* chosen = wanted ? static_cast<uint8_t*>(places->untyped_data()) : nullptr;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < w.images * w.rows; ++i) {
      int64_t n = i / w.rows, row = i % w.rows;
      Range h = covered(row, w.stride, w.top, w.window, w.height);
      for (int64_t column = 0; column < w.columns; ++column) {
        Range v = covered(column, w.stride, w.left, w.window, w.width);
        int64_t corner = (h.first - row * w.stride + w.top) * w.window +
                         v.first - column * w.stride + w.left;
        int64_t out = (i * w.columns + column) * w.channels;
        over_channels(w.channels, [&](int64_t c, auto lane) {
          using V = decltype(lane);
          V best = lane - std::numeric_limits<float>::infinity();
          auto place = places_at(reinterpret_cast<const uint8_t*>("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
                                 lane) + static_cast<int32_t>(corner);
          for (int64_t a = h.first; a < h.end; ++a) {
            int32_t start = static_cast<int32_t>((a - row * w.stride + w.top) * w.window -
                                                 column * w.stride + w.left);
            const float* line = x + (n * w.height + a) * w.width * w.channels + c;
            for (int64_t b = v.first; b < v.end; ++b) {
              V value = load<V>(line + b * w.channels);
              auto larger = ((value > best) | (value != value)) & (best == best);
              best = larger ? value : best;
              auto here = place - place + (start + static_cast<int32_t>(b));
              place = larger ? here : place;
            }
          }
          store(y + out + c, best);
          if (chosen) store_places(chosen + out + c, place);
        });
      }
    }
  });
}

// Every window's gradient goes to the place that won.
ffi::Error max_pool_gradient(Array dy, Places places, ffi::Span<const int64_t> geometry,
                             Result dx) {
  return compute("gradient of max pooling", [&] {
    Windows w = windows_of(*dx, dy, geometry);
    require(places.element_count() == dy.element_count(), "places must have the gradient's shape");
    const float* in = dy.typed_data();
    const uint8_t* chosen = places.typed_data();
    float* out = dx->typed_data();
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < w.images * w.height; ++i) {
      int64_t n = i / w.height, a = i % w.height;
      Range rows = covering(a, w.stride, w.top, w.window, w.rows);
      for (int64_t b = 0; b < w.width; ++b) {
        Range columns = covering(b, w.stride, w.left, w.window, w.columns);
        float* to = out + (i * w.width + b) * w.channels;
        over_channels(w.channels, [&](int64_t c, auto lane) {
          using V = decltype(lane);
          V sum = lane;
          for (int64_t row = rows.first; row < rows.end; ++row) {
            int64_t start = (a - row * w.stride + w.top) * w.window + b + w.left;
            for (int64_t column = columns.first; column < columns.end; ++column) {
              int64_t from = ((n * w.rows + row) * w.columns + column) * w.channels + c;
              auto here = places_at(chosen + from, lane) ==
                          static_cast<int32_t>(start - column * w.stride);
              sum += here ? load<V>(in + from) : V{};
            }
          }
          store(to + c, sum);
        });
      }
    }
  });
}

// Mean of the pixels of each window that exist.
ffi::Error average_pool(Array image, ffi::Span<const int64_t> geometry, Result pooled) {
  return compute("average pooling", [&] {
    Windows w = windows_of(image, *pooled, geometry);
    const float* x = image.typed_data();
    float* y = pooled->typed_data();
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < w.images * w.rows; ++i) {
      int64_t n = i / w.rows;
      Range h = covered(i % w.rows, w.stride, w.top, w.window, w.height);
      for (int64_t column = 0; column < w.columns; ++column) {
        Range v = covered(column, w.stride, w.left, w.window, w.width);
        float count = static_cast<float>((h.end - h.first) * (v.end - v.first));
        over_channels(w.channels, [&](int64_t c, auto lane) {
          using V = decltype(lane);
          V sum = lane;
          for (int64_t a = h.first; a < h.end; ++a) {
            const float* line = x + (n * w.height + a) * w.width * w.channels + c;
            for (int64_t b = v.first; b < v.end; ++b) sum += load<V>(line + b * w.channels);
          }
          store(y + (i * w.columns + column) * w.channels + c, sum / count);
        });
      }
    }
  });
}

// Every window's gradient is shared out evenly among its pixels that exist.
ffi::Error average_pool_gradient(Array dy, ffi::Span<const int64_t> geometry, Result dx) {
  return compute("gradient of average pooling", [&] {
    Windows w = windows_of(*dx, dy, geometry);
    const float* in = dy.typed_data();
    float* out = dx->typed_data();
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < w.images * w.height; ++i) {
      int64_t n = i / w.height, a = i % w.height;
      Range rows = covering(a, w.stride, w.top, w.window, w.rows);
      for (int64_t b = 0; b < w.width; ++b) {
        Range columns = covering(b, w.stride, w.left, w.window, w.columns);
        float* to = out + (i * w.width + b) * w.channels;
        over_channels(w.channels, [&](int64_t c, auto lane) {
          using V = decltype(lane);
          V sum = lane;
          for (int64_t row = rows.first; row < rows.end; ++row) {
            Range h = covered(row, w.stride, w.top, w.window, w.height);
            for (int64_t column = columns.first; column < columns.end; ++column) {
              Range v = covered(column, w.stride, w.left, w.window, w.width);
              float count = static_cast<float>((h.end - h.first) * (v.end - v.first));
              sum += load<V>(in + ((n * w.rows + row) * w.columns + column) * w.channels + c) /
                     count;
            }
          }
          store(to + c, sum);
        });
      }
    }
  });
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_max_pool, max_pool,
                              ffi::Ffi::Bind().Arg<Array>()
                                  .Attr<ffi::Span<const int64_t>>("geometry").Ret<Array>()
                                  .Ret<ffi::AnyBuffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_max_pool_gradient, max_pool_gradient,
                              ffi::Ffi::Bind().Arg<Array>().Arg<Places>()
                                  .Attr<ffi::Span<const int64_t>>("geometry").Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_average_pool, average_pool,
                              ffi::Ffi::Bind().Arg<Array>()
                                  .Attr<ffi::Span<const int64_t>>("geometry").Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_average_pool_gradient, average_pool_gradient,
                              ffi::Ffi::Bind().Arg<Array>()
                                  .Attr<ffi::Span<const int64_t>>("geometry").Ret<Array>());

}  // namespace jaxnets
