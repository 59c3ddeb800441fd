// Convolution and its two gradients by oneDNN. Activations are [batch, height, width, channels] and
// kernels [height, width, in / groups, out], as in JAX; oneDNN chooses the layout that it computes
// with for the kernels only, which are small.

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <vector>

#include "dnnl.hpp"
#include "lanes.h"
#include "worker.h"

// Another runtime would bring threads of its own, which follow other settings.
static_assert(DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP, "oneDNN must be built for OpenMP");

namespace jaxnets {
namespace {

using dnnl::memory;
using Dims = memory::dims;
using Numbers = std::vector<int64_t>;

constexpr size_t kMostPlans = 2048;  // shapes that are remembered at the same time

dnnl::engine& engine() {
  static auto* one = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *one;
}

dnnl::stream& stream() {
  static auto* one = new dnnl::stream(engine());
  return *one;
}

// Memory that a primitive works in; the only thread that computes owns it.
void* scratch(size_t bytes) {
  static auto* owner = new std::unique_ptr<std::byte[]>;
  static size_t size = 0;
  if (bytes > size) {
    size = 0;  // should there be no memory
    owner->reset();
    owner->reset(new std::byte[bytes + 64]);
    size = bytes;
  }
  auto address = reinterpret_cast<uintptr_t>(owner->get());
  return reinterpret_cast<void*>((address + 63) / 64 * 64);
}

// Stride, padding before and after, dilation (each of height and width), groups, ReLU.
struct Geometry {
  Dims stride, before, after, dilation;
  int64_t groups;
  bool relu;
};

Geometry read(ffi::Span<const int64_t> g) {
  require(g.size() == 10, "geometry must be ten numbers");
  require(g[0] > 0 && g[1] > 0 && g[6] > 0 && g[7] > 0 && g[8] > 0, "geometry must be positive");
  require(g[2] >= 0 && g[3] >= 0 && g[4] >= 0 && g[5] >= 0, "padding must not be negative");
  return {{g[0], g[1]}, {g[2], g[3]}, {g[4], g[5]}, {g[6] - 1, g[7] - 1}, g[8], g[9] != 0};
}

Dims image_dims(const Array& x) {
  auto d = x.dimensions();
  require(d.size() == 4, "images must have four axes");
  return {d[0], d[3], d[1], d[2]};
}

Dims kernel_dims(const Array& w, int64_t groups) {
  auto d = w.dimensions();
  require(d.size() == 4 && d[3] % groups == 0, "kernels must have four axes, out in whole groups");
  if (groups == 1) return {d[3], d[2], d[0], d[1]};
  return {groups, d[3] / groups, d[2], d[0], d[1]};
}

memory::desc image_layout(const Dims& dims) {
  return {dims, memory::data_type::f32, memory::format_tag::nhwc};
}

memory::desc kernel_layout(const Dims& dims) {
  bool grouped = dims.size() == 5;
  int64_t g = grouped ? dims[0] : 1, o = dims[grouped], i = dims[grouped + 1];
  int64_t width = dims[grouped + 3], out = g * o;
  Dims strides = {1, out, width * i * out, i * out};
  if (grouped) strides.insert(strides.begin(), o);
  return {dims, memory::data_type::f32, strides};
}

memory::desc any_layout(const Dims& dims) {
  return {dims, memory::data_type::f32, memory::format_tag::any};
}

memory::desc bias_layout(int64_t channels) {
  return {{channels}, memory::data_type::f32, memory::format_tag::x};
}

// A primitive for one set of shapes, and how its kernel gets into and out of oneDNN's layout.
struct Plan {
  dnnl::primitive run;
  memory::desc kernel;  // layout that `run` reads or writes
  dnnl::reorder from_kernel, to_kernel;
  bool reorders;
  size_t scratch_bytes;
};

template <class Descriptor>
Plan plan_of(const Descriptor& d, const memory::desc& inside, const memory::desc& outside,
             bool writes) {
  Plan plan;
  plan.run = dnnl::primitive(d);
  plan.kernel = inside;
  plan.reorders = inside != outside;
  plan.scratch_bytes = d.scratchpad_desc().get_size();
  if (plan.reorders && writes) {
    plan.from_kernel = dnnl::reorder({engine(), inside, engine(), outside});
  } else if (plan.reorders) {
    plan.to_kernel = dnnl::reorder({engine(), outside, engine(), inside});
  }
  return plan;
}

template <class Make>
Plan& remembered(const Numbers& key, Make make) {
  static auto* plans = new std::map<Numbers, Plan>;
  auto found = plans->find(key);
  if (found == plans->end()) {
    if (plans->size() >= kMostPlans) plans->clear();
    found = plans->emplace(key, make()).first;
  }
  return found->second;
}

Numbers key_of(int64_t kind, const Dims& x, const Dims& w, ffi::Span<const int64_t> geometry) {
  Numbers key = {kind};
  key.insert(key.end(), x.begin(), x.end());
  key.insert(key.end(), w.begin(), w.end());
  key.insert(key.end(), geometry.begin(), geometry.end());
  return key;
}

dnnl::primitive_attr with_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  // Whatever the environment says, which may allow bfloat16 in the place of float32.
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  return attributes;
}

// oneDNN 2 describes an operation before it describes a primitive for it, and computes the sum and
// the ReLU behind a convolution, if at all, by loops a thousand times slower.
#if DNNL_VERSION_MAJOR >= 3
constexpr bool kFuses = true;

template <class Primitive, class... Facts>
typename Primitive::primitive_desc describe(const dnnl::primitive_attr& attributes,
                                            Facts... facts) {
  return {engine(), facts..., attributes};
}

template <class Primitive, class Hint, class... Facts>
typename Primitive::primitive_desc describe_gradient(const Hint& forward, Facts... facts) {
  return {engine(), facts..., forward, with_scratchpad()};
}

#else
constexpr bool kFuses = false;

template <class Primitive, class... Facts>
typename Primitive::primitive_desc describe(const dnnl::primitive_attr& attributes,
                                            Facts... facts) {
  return {typename Primitive::desc(facts...), attributes, engine()};
}

template <class Primitive, class Hint, class... Facts>
typename Primitive::primitive_desc describe_gradient(const Hint& forward, Facts... facts) {
  return {typename Primitive::desc(facts...), with_scratchpad(), engine(), forward};
}
#endif

// The sum and the ReLU, in place.
void finish(float* y, const float* add, bool relu, int64_t count) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < count; ++i) {
    float value = add ? y[i] + add[i] : y[i];
    y[i] = relu ? rectified(value) : value;
  }
}

dnnl::convolution_forward::primitive_desc forward_of(const Dims& x, const Dims& w, const Dims& y,
                                                     const Geometry& g, bool biased, bool added) {
  auto attributes = with_scratchpad();
  if (kFuses) {
    dnnl::post_ops after;
    if (added) after.append_binary(dnnl::algorithm::binary_add, image_layout(y));
    // A ReLU that keeps NaN, which oneDNN's own turns into 0: below zero a slope that is zero.
    if (g.relu) after.append_prelu(0);
    attributes.set_post_ops(after);
  }
  auto bias = biased ? bias_layout(y[1]) : memory::desc();
  return describe<dnnl::convolution_forward>(
      attributes, dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct,
      image_layout(x), any_layout(w), bias, image_layout(y), g.stride, g.dilation, g.before,
      g.after);
}

// Reads of const buffers: oneDNN's memory takes a plain pointer.
memory on(const memory::desc& layout, const float* data) {
  return {layout, engine(), const_cast<float*>(data)};
}

// The kernel in the layout of the plan. Scratch holds it, behind what the primitive works in.
memory kernel_inside(Plan& plan, const memory& outside, std::byte* room) {
  if (!plan.reorders) return outside;
  memory inside(plan.kernel, engine(), room);
  plan.to_kernel.execute(stream(), {{DNNL_ARG_FROM, outside}, {DNNL_ARG_TO, inside}});
  return inside;
}

struct Room {
  std::byte* kernel;
  void* work;
};

Room room_of(const Plan& plan) {
  size_t kernel = plan.reorders ? (plan.kernel.get_size() + 4095) / 4096 * 4096 : 0;
  auto* start = static_cast<std::byte*>(scratch(kernel + plan.scratch_bytes));
  return {start, start + kernel};
}

memory work_of(const Plan& plan, const Room& room) {
  return {{{static_cast<int64_t>(plan.scratch_bytes)}, memory::data_type::u8,
           memory::format_tag::x}, engine(), room.work};
}

ffi::Error forward(Array x, Array w, Array bias, Array add, ffi::Span<const int64_t> geometry,
                   Result y) {
  return compute("convolution", [&] {
    Geometry g = read(geometry);
    Dims xd = image_dims(x), wd = kernel_dims(w, g.groups), yd = image_dims(*y);
    bool biased = bias.element_count() > 0, added = add.element_count() > 0;
    require(!biased || bias.element_count() == static_cast<size_t>(yd[1]),
            "bias must have one number per channel");
    require(!added || add.element_count() == y->element_count(), "add must have the result's shape");
    memory::desc outside = kernel_layout(wd);
    Plan& plan = remembered(key_of(2 * added + biased, xd, wd, geometry), [&] {
      auto d = forward_of(xd, wd, yd, g, biased, added);
      return plan_of(d, d.weights_desc(), outside, false);
    });
    Room room = room_of(plan);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, on(image_layout(xd), x.typed_data())},
        {DNNL_ARG_WEIGHTS, kernel_inside(plan, on(outside, w.typed_data()), room.kernel)},
        {DNNL_ARG_DST, on(image_layout(yd), y->typed_data())},
        {DNNL_ARG_SCRATCHPAD, work_of(plan, room)}};
    if (biased) arguments[DNNL_ARG_BIAS] = on(bias_layout(yd[1]), bias.typed_data());
    if (kFuses && added) {
      arguments[DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1] =
          on(image_layout(yd), add.typed_data());
    }
    if (kFuses && g.relu) {
      static float slope = 0.0f;
      memory::desc one({1, 1, 1, 1}, memory::data_type::f32, memory::format_tag::nchw);
      arguments[DNNL_ARG_ATTR_MULTIPLE_POST_OP(added) | DNNL_ARG_WEIGHTS] = on(one, &slope);
    }
    plan.run.execute(stream(), arguments);
    stream().wait();
    if (!kFuses && (added || g.relu)) {
      finish(y->typed_data(), added ? add.typed_data() : nullptr, g.relu, y->element_count());
    }
  });
}

ffi::Error image_gradient(Array dy, Array w, ffi::Span<const int64_t> geometry, Result dx) {
  return compute("gradient of a convolution's image", [&] {
    Geometry g = read(geometry);
    Dims xd = image_dims(*dx), wd = kernel_dims(w, g.groups), yd = image_dims(dy);
    memory::desc outside = kernel_layout(wd);
    Plan& plan = remembered(key_of(4, xd, wd, geometry), [&] {
      auto d = describe_gradient<dnnl::convolution_backward_data>(
          forward_of(xd, wd, yd, g, false, false), dnnl::algorithm::convolution_direct,
          image_layout(xd), any_layout(wd), image_layout(yd), g.stride, g.dilation, g.before,
          g.after);
      return plan_of(d, d.weights_desc(), outside, false);
    });
    Room room = room_of(plan);
    plan.run.execute(
        stream(),
        {{DNNL_ARG_DIFF_DST, on(image_layout(yd), dy.typed_data())},
         {DNNL_ARG_WEIGHTS, kernel_inside(plan, on(outside, w.typed_data()), room.kernel)},
         {DNNL_ARG_DIFF_SRC, on(image_layout(xd), dx->typed_data())},
         {DNNL_ARG_SCRATCHPAD, work_of(plan, room)}});
    stream().wait();
  });
}

ffi::Error kernel_gradient(Array x, Array dy, ffi::Span<const int64_t> geometry, Result dw,
                           Result dbias) {
  return compute("gradient of a convolution's kernel", [&] {
    Geometry g = read(geometry);
    Dims xd = image_dims(x), wd = kernel_dims(*dw, g.groups), yd = image_dims(dy);
    bool biased = dbias->element_count() > 0;
    memory::desc outside = kernel_layout(wd);
    Plan& plan = remembered(key_of(5 + biased, xd, wd, geometry), [&] {
      auto bias = biased ? bias_layout(yd[1]) : memory::desc();
      auto d = describe_gradient<dnnl::convolution_backward_weights>(
          forward_of(xd, wd, yd, g, false, false), dnnl::algorithm::convolution_direct,
          image_layout(xd), any_layout(wd), bias, image_layout(yd), g.stride, g.dilation, g.before,
          g.after);
      return plan_of(d, d.diff_weights_desc(), outside, true);
    });
    Room room = room_of(plan);
    memory result = on(outside, dw->typed_data());
    memory inside = plan.reorders ? memory(plan.kernel, engine(), room.kernel) : result;
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, on(image_layout(xd), x.typed_data())},
        {DNNL_ARG_DIFF_DST, on(image_layout(yd), dy.typed_data())},
        {DNNL_ARG_DIFF_WEIGHTS, inside},
        {DNNL_ARG_SCRATCHPAD, work_of(plan, room)}};
    if (biased) arguments[DNNL_ARG_DIFF_BIAS] = on(bias_layout(yd[1]), dbias->typed_data());
    plan.run.execute(stream(), arguments);
    if (plan.reorders) {
      plan.from_kernel.execute(stream(), {{DNNL_ARG_FROM, inside}, {DNNL_ARG_TO, result}});
    }
    stream().wait();
  });
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_conv, forward,
                              ffi::Ffi::Bind().Arg<Array>().Arg<Array>().Arg<Array>().Arg<Array>()
                                  .Attr<ffi::Span<const int64_t>>("geometry").Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_conv_image_gradient, image_gradient,
                              ffi::Ffi::Bind().Arg<Array>().Arg<Array>()
                                  .Attr<ffi::Span<const int64_t>>("geometry").Ret<Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxnets_conv_kernel_gradient, kernel_gradient,
                              ffi::Ffi::Bind().Arg<Array>().Arg<Array>()
                                  .Attr<ffi::Span<const int64_t>>("geometry").Ret<Array>()
                                  .Ret<Array>());

}  // namespace jaxnets
