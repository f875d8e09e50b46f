// Linear layers whose weights are packed once: y = x Wᵀ + b for one row of x or thousands, weights in float32, bf16, 8 or 4 bits.
//
// 64 outputs lie side by side in a panel, in the order in which they are read: one row of x streams them from memory.
// Each number is summed in the same order whatever the rows beside it and the threads. With 8 and 4 bits each row of x
// is rounded to 8 bits by its own scale.
#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>
#include <vector>

#include "bytes.h"
#ifdef __AVX512BF16__
#include "simd.h"
#endif

namespace {

constexpr long PANEL = 64, GROUP = 32;  // outputs of a panel; weights of 4 bits that share a scale
constexpr long STRIP = 128, TALL = 192;  // words of a panel that stay in the nearest cache; rows that meet them there

enum Format { FP32, BF16, INT8, INT4 };
enum Wide { INPUT = 1, BIAS = 2, OUTPUT = 4 };  // what is float32 and not bf16

struct Packed {
  long outputs, inputs, format;
  word *panels;   // [panel][words of one output][PANEL]
  void *scales;   // 8 bits: float32 [panel][PANEL]; 4 bits: bf16 [panel][group][PANEL]
  long groups() const { return (inputs + GROUP - 1) / GROUP; }
  long words() const {
    long each[] = {inputs, (inputs + 1) / 2, (inputs + 3) / 4, groups() * GROUP / 8};
    return each[format];
  }
  long count() const { return (outputs + PANEL - 1) / PANEL; }
};

inline float wide(float x) { return x; }
inline float wide(bf16 x) {
  word bits = (word)x << 16;
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

inline bf16 rounded(float x) {
  word bits;
  memcpy(&bits, &x, 4);
  return x != x ? 0x7FC0 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}

// To the nearest integer, ties to the even one, for |x| < 2^22: what is too fine for float32 falls off.
inline int nearest(float x) { return (int)((x + 12582912.0f) - 12582912.0f); }

template <class T>
float largest(const T *x, long n) {
  word most = 0, bits;  // positive floats are ordered as their bits are
  for (long i = 0; i < n; i++) {
    float value = wide(x[i]);
    memcpy(&bits, &value, 4);
    most = std::max(most, bits & 0x7FFFFFFF);
  }
  float result;
  memcpy(&result, &most, 4);
  return result;
}

// Whole numbers from -127 to 127 whose multiples of the returned scale are nearest to x.
template <class T>
float quantise(const T *x, long n, int offset, int8_t *to) {
  float scale = largest(x, n) / 127, inverse = scale > 0 ? 1 / scale : 0;
  for (long i = 0; i < n; i++) to[i] = (int8_t)(nearest(wide(x[i]) * inverse) + offset);
  return scale;
}

// Packing: one output's words, its scales as they lie in the panel.

template <class T>
void bytes_of(const T *row, long n, word *to, float *scale) {
  *scale = quantise(row, n, 128, (int8_t *)to);
}

template <class T>
void nibbles_of(const T *row, long n, word *to, bf16 *scale) {
  for (long start = 0; start < n; start += GROUP, to += GROUP / 8, scale += PANEL) {
    long count = std::min(GROUP, n - start);
    float most = 0;
    for (long i = 0; i < count; i++)
      if (std::fabs(wide(row[start + i])) > std::fabs(most)) most = wide(row[start + i]);
    *scale = rounded(most / -8);
    float inverse = wide(*scale) != 0 ? 1 / wide(*scale) : 0;
    for (long i = 0; i < count; i++) {
      word q = std::clamp(nearest(wide(row[start + i]) * inverse), -8, 7) + Nibbles::OFFSET;
      to[i / 8] |= q << (8 * (i % 4) + 4 * (i / 4 % 2));
    }
  }
}

template <class T>
void put(word *to, long i, T x) {
  memcpy((char *)to + i * sizeof x, &x, sizeof x);
}

template <class T>
void words_of(const Packed &p, const T *row, long output, word *to) {
  if (p.format == INT8) bytes_of(row, p.inputs, to, (float *)p.scales + output);
  if (p.format == INT4) nibbles_of(row, p.inputs, to, (bf16 *)p.scales + output / PANEL * p.groups() * PANEL + output % PANEL);
  if (p.format == FP32)
    for (long i = 0; i < p.inputs; i++) put(to, i, wide(row[i]));
  if (p.format == BF16)
    for (long i = 0; i < p.inputs; i++) put(to, i, std::is_same_v<T, bf16> ? (bf16)row[i] : rounded(wide(row[i])));
}

template <class T>
void pack(const Packed &p, const T *weight, int threads) {
  long words = p.words(), row = words + LANES + 1;  // rows that begin a page apart would share one place in the cache
#pragma omp parallel num_threads(threads)
  {
    std::vector<word> rows(LANES * row);
#pragma omp for
    for (long first = 0; first < p.count() * PANEL; first += LANES) {
      std::fill(rows.begin(), rows.end(), 0);
      for (long j = 0; j < LANES && first + j < p.outputs; j++)
        words_of(p, weight + (first + j) * p.inputs, first + j, rows.data() + j * row);
      word *to = p.panels + first / PANEL * words * PANEL + first % PANEL;
      for (long k = 0; k < words; k++)
        for (long j = 0; j < LANES; j++) to[k * PANEL + j] = rows[j * row + k];
    }
  }
}

// What a format makes of x, row by row in `read`, and of some of its rows in `meet` with a panel: 64 float32 a row.

#ifdef __AVX512BF16__
template <class Dot>
struct Ahead : Dot {
  static constexpr bool AHEAD = true;
};

template <class Dot>
struct Whole {
  const Packed &p;
  const word *x;

  Whole(const Packed &p, long, const void *x) : p(p), x((const word *)x) {}

  void read(long, const void *, int) {}

  void meet(long panel, long from, long rows, float *y) const {
    long words = p.words();
    const word *weights = p.panels + panel * words * PANEL, *left = x + from * words;
    for (long k = 0; k < words; k += STRIP)
      product<Ahead<Dot>>(rows, PANEL, std::min(STRIP, words - k), left + k, words, 1, weights + k * PANEL, PANEL, y, PANEL,
                          k > 0, weights + (k + STRIP) * PANEL);
  }
};
#endif

// Rows of x in 8 bits, and what the weights' offset adds to the sums over each `span` words of them.
struct Rounded {
  const Packed &p;
  long words, span, parts;
  std::unique_ptr<word[]> x;
  std::unique_ptr<float[]> scale;
  std::unique_ptr<int[]> excess;

  Rounded(const Packed &p, long rows, long words, long span)
      : p(p), words(words), span(span), parts(words / span), x(new word[rows * words]), scale(new float[rows]),
        excess(new int[rows * parts]) {}

  void read(long r, const void *from, int wide_x, int offset) {
    int8_t *to = (int8_t *)(x.get() + r * words);
    memset(to + p.inputs, 0, 4 * words - p.inputs);
    scale[r] = wide_x ? quantise((const float *)from + r * p.inputs, p.inputs, 0, to)
                      : quantise((const bf16 *)from + r * p.inputs, p.inputs, 0, to);
    for (long part = 0; part < parts; part++, to += 4 * span) {
      int sum = 0;
      for (long i = 0; i < 4 * span; i++) sum += to[i];
      excess[r * parts + part] = sum * offset;
    }
  }
};

struct Bytes : Rounded {
  Bytes(const Packed &p, long rows, const void *) : Rounded(p, rows, p.words(), p.words()) {}

  void read(long r, const void *from, int wide_x) { Rounded::read(r, from, wide_x, Quads::OFFSET); }

  void meet(long panel, long from, long rows, float *y) const {
    int sums[TALL * PANEL];
    const word *weights = p.panels + panel * words * PANEL, *left = x.get() + from * words;
    for (long k = 0; k < words; k += STRIP)
      product<Quads>(rows, PANEL, std::min(STRIP, words - k), left + k, words, 1, weights + k * PANEL, PANEL, sums, PANEL, k > 0, weights + (k + STRIP) * PANEL);
    const float *scales = (const float *)p.scales + panel * PANEL;
    for (long r = 0; r < rows; r++)
      for (long j = 0; j < PANEL; j++)
        y[r * PANEL + j] = (float)(sums[r * PANEL + j] - excess[from + r]) * scale[from + r] * scales[j];
  }
};

struct Fours : Rounded {
  Fours(const Packed &p, long rows, const void *) : Rounded(p, rows, p.groups() * GROUP / 4, GROUP / 4) {}

  void read(long r, const void *from, int wide_x) { Rounded::read(r, from, wide_x, Nibbles::OFFSET); }

  void meet(long panel, long from, long rows, float *y) const {
    int sums[TALL * PANEL];
    for (long i = 0; i < rows * PANEL; i++) y[i] = 0;
    for (long g = 0; g < parts; g++) {
      const word *weights = p.panels + (panel * parts + g) * span / 2 * PANEL, *left = x.get() + from * words + g * span;
      product<Nibbles>(rows, PANEL, span / 2, left, words, 2, weights, PANEL, sums, PANEL, false, weights + STRIP * PANEL);
      const bf16 *scales = (const bf16 *)p.scales + (panel * parts + g) * PANEL;
      for (long r = 0; r < rows; r++)
        for (long j = 0; j < PANEL; j++)
          y[r * PANEL + j] += (float)(sums[r * PANEL + j] - excess[(from + r) * parts + g]) * wide(scales[j]);
    }
    for (long r = 0; r < rows; r++)
      for (long j = 0; j < PANEL; j++) y[r * PANEL + j] *= scale[from + r];
  }
};

// A panel's bias is added to its rows, which go to their places in the result.
struct Finish {
  float bias[PANEL] = {};
  long count;

  Finish(const void *given, int wide_bias, long first, long outputs) : count(std::min(PANEL, outputs - first)) {
    for (long j = 0; given && j < count; j++)
      bias[j] = wide_bias ? ((const float *)given)[first + j] : wide(((const bf16 *)given)[first + j]);
  }

  void row(const float *y, float *out) const {
    float sums[PANEL];
    for (long j = 0; j < PANEL; j++) sums[j] = y[j] + bias[j];
    memcpy(out, sums, count * sizeof(float));
  }

  void row(const float *y, bf16 *out) const {
    bf16 sums[PANEL];
    for (long j = 0; j < PANEL; j++) sums[j] = rounded(y[j] + bias[j]);
    memcpy(out, sums, count * sizeof(bf16));
  }
};

template <class Work>
void apply(const Packed &p, long rows, const void *x, const void *bias, void *out, int wide, int threads) {
  Work work(p, rows, x);
  long strips = (rows + TALL - 1) / TALL;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for
    for (long r = 0; r < rows; r++) work.read(r, x, wide & INPUT);
    std::unique_ptr<float[]> y(new float[std::min(rows, TALL) * PANEL]);
#pragma omp for schedule(dynamic)
    for (long task = 0; task < p.count() * strips; task++) {
      long panel = task / strips, from = task % strips * TALL, n = std::min(TALL, rows - from), first = panel * PANEL;
      work.meet(panel, from, n, y.get());
      Finish finish(bias, wide & BIAS, first, p.outputs);
      for (long r = 0; r < n; r++) {
        long at = (from + r) * p.outputs + first;
        wide &OUTPUT ? finish.row(y.get() + r * PANEL, (float *)out + at) : finish.row(y.get() + r * PANEL, (bf16 *)out + at);
      }
    }
  }
}

}  // namespace

extern "C" void linear_pack(const Packed *p, const void *weight, int wide, int threads) {
  wide ? pack(*p, (const float *)weight, threads) : pack(*p, (const bf16 *)weight, threads);
}

// `wide` says what is float32: x, bias, out. For weights in float32 x is too, for bf16 never, with even rows.
extern "C" void linear_apply(const Packed *p, long rows, const void *x, const void *bias, void *out, int wide, int threads) {
#ifdef __AVX512BF16__
  if (p->format == FP32) apply<Whole<Singles>>(*p, rows, x, bias, out, wide, threads);
  if (p->format == BF16) apply<Whole<Pairs>>(*p, rows, x, bias, out, wide, threads);
#endif
  if (p->format == INT8) apply<Bytes>(*p, rows, x, bias, out, wide, threads);
  if (p->format == INT4) apply<Fours>(*p, rows, x, bias, out, wide, threads);
}
