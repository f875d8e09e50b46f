// Attention of single tokens to what lies in a KV cache: keys and values token by token, all heads of one side by side.
//
// A token's keys are read once, from the first to the last, in bf16 or float32; all sums are float32. What comes out
// depends on the token and its keys alone, not on other tokens or the threads.
#include <algorithm>
#include <cmath>
#include <vector>

#include "simd.h"

namespace {

// Lane i of the result is the sum of x[i].
inline __m512 sums_of(__m512 *x) {
  for (int i = 0; i < 8; i++)
    x[i] = _mm512_add_ps(_mm512_unpacklo_ps(x[2 * i], x[2 * i + 1]), _mm512_unpackhi_ps(x[2 * i], x[2 * i + 1]));
  for (int i = 0; i < 4; i++) {
    __m512d a = (__m512d)x[2 * i], b = (__m512d)x[2 * i + 1];
    x[i] = _mm512_add_ps((__m512)_mm512_unpacklo_pd(a, b), (__m512)_mm512_unpackhi_pd(a, b));
  }
  for (int half = 2; half; half /= 2)
    for (int i = 0; i < half; i++)
      x[i] = _mm512_add_ps(_mm512_shuffle_f32x4(x[2 * i], x[2 * i + 1], 0x88), _mm512_shuffle_f32x4(x[2 * i], x[2 * i + 1], 0xDD));
  return x[0];
}

// Scores become e^(score - the greatest), those beyond `n` 0; returns 1 / their sum.
inline float exponentials(float *scores, long n) {
  __m512 most = _mm512_set1_ps(-INFINITY), total = _mm512_setzero_ps();
  for (long t = 0; t < n; t += LANES) most = _mm512_mask_max_ps(most, first(n - t), most, _mm512_loadu_ps(scores + t));
  __m512 shift = _mm512_set1_ps(_mm512_reduce_max_ps(most));
  for (long t = 0; t < n; t += LANES) {
    __m512 e = _mm512_maskz_mov_ps(first(n - t), exponential(_mm512_sub_ps(_mm512_loadu_ps(scores + t), shift)));
    total = _mm512_add_ps(total, e);
    _mm512_storeu_ps(scores + t, e);
  }
  return 1.0f / _mm512_reduce_add_ps(total);
}

// One token and some groups of heads: V registers hold a head of 16 V numbers.
template <class T, int V>
struct Token {
  static constexpr long WIDTH = V * LANES;
  const T *keys, *values;  // of the first that it sees
  long row, count, shared, columns;
  float *scores;  // [head][columns]
  float *sums;    // [head][WIDTH]

  void attend(long from, long to, const T *q, long q_head, T *out, long out_head, float scale) const {
    for (long t = 0; t < count; t += LANES)
      for (long g = from; g < to; g++)
        for (long h = 0; h < shared; h++) score(t, g, q + (g * shared + h) * q_head, scale, scores + ((g - from) * shared + h) * columns);
    std::fill(sums, sums + (to - from) * shared * WIDTH, 0.0f);
    std::vector<float> share((to - from) * shared);
    for (long h = 0; h < (long)share.size(); h++) share[h] = exponentials(scores + h * columns, count);
    for (long t = 0; t < count; t += LANES)
      for (long g = from; g < to; g++)
        for (long h = (g - from) * shared; h < (g - from + 1) * shared; h++) add(t, g, scores + h * columns + t, sums + h * WIDTH);
    for (long h = 0; h < (long)share.size(); h++)
      for (long d = 0; d < WIDTH; d += LANES)
        store(out + (from * shared + h) * out_head + d, _mm512_mul_ps(_mm512_loadu_ps(sums + h * WIDTH + d), _mm512_set1_ps(share[h])));
  }

  // Of 16 keys with one query, while the next 16 come from memory.
  void score(long t, long g, const T *q, float scale, float *to) const {
    __m512 query[V], sum[LANES];
    for (int d = 0; d < V; d++) query[d] = _mm512_mul_ps(load(q + d * LANES), _mm512_set1_ps(scale));
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) {
      const T *key = keys + std::min(t + i, count - 1) * row + g * WIDTH;
      fetch(key + LANES * row);
      sum[i] = _mm512_mul_ps(query[0], load(key));
      for (int d = 1; d < V; d++) sum[i] = _mm512_fmadd_ps(query[d], load(key + d * LANES), sum[i]);
    }
    _mm512_storeu_ps(to + t, sums_of(sum));
  }

  void add(long t, long g, const float *weight, float *to) const {
    __m512 sum[V];
    for (int d = 0; d < V; d++) sum[d] = _mm512_loadu_ps(to + d * LANES);
    const T *value = values + t * row + g * WIDTH;
    for (long i = 0; i < std::min((long)LANES, count - t); i++, value += row) {
      fetch(value + LANES * row);
      for (int d = 0; d < V; d++) sum[d] = _mm512_fmadd_ps(_mm512_set1_ps(weight[i]), load(value + d * LANES), sum[d]);
    }
    for (int d = 0; d < V; d++) _mm512_storeu_ps(to + d * LANES, sum[d]);
  }

  static void fetch(const T *p) {
    for (long byte = 0; byte < WIDTH * (long)sizeof(T); byte += 64) __builtin_prefetch((const char *)p + byte);
  }
};

struct Heads {
  char *base;
  long batch, head, row;
};

struct Step {
  long tokens, groups, shared;
  float scale;
  long band;
  Heads q, out;
  const void *keys, *values;
  const long *starts, *seen;
  int threads;

  template <class T, int V>
  void run() const {
    long parts = std::min(groups, (threads + tokens - 1) / std::max(tokens, 1L)), row = groups * V * LANES;
#pragma omp parallel num_threads(threads)
    {
      std::vector<float> scores, sums(groups * shared * V * LANES);
#pragma omp for schedule(dynamic)
      for (long task = 0; task < tokens * parts; task++) {
        long n = task / parts, part = task % parts, skipped = band ? std::max(0L, seen[n] - band) : 0, count = seen[n] - skipped;
        long at = (starts[n] + skipped) * row, columns = (count + LANES - 1) / LANES * LANES, heads = groups * shared;
        if ((long)scores.size() < heads * columns) scores.resize(heads * columns);
        Token<T, V> token{(const T *)keys + at, (const T *)values + at, row, count, shared, columns, scores.data(), sums.data()};
        token.attend(groups * part / parts, groups * (part + 1) / parts, (const T *)q.base + n * q.row, q.head,
                     (T *)out.base + n * out.row, out.head, scale);
      }
    }
  }

  template <class T>
  void run(long width) const {
    switch (width / LANES) {
      case 1: return run<T, 1>();
      case 2: return run<T, 2>();
      case 3: return run<T, 3>();
      case 4: return run<T, 4>();
      case 5: return run<T, 5>();
      case 6: return run<T, 6>();
      case 7: return run<T, 7>();
      case 8: return run<T, 8>();
    }
  }
};

}  // namespace

// Keys and values of new tokens go to their addresses; `bytes` of a head. Strides are in bytes.
extern "C" void kv_cache_keep(long tokens, long groups, long bytes, Heads k, Heads v, char *keys, char *values, const long *addresses) {
  for (long n = 0; n < tokens; n++)
    for (long g = 0; g < groups; g++) {
      long to = (addresses[n] * groups + g) * bytes;
      memcpy(keys + to, k.base + n * k.row + g * k.head, bytes);
      memcpy(values + to, v.base + n * v.row + g * v.head, bytes);
    }
}

// Token n sees `seen[n]` keys from address `starts[n]` on, only the last `band` of them unless that is 0.
extern "C" void kv_cache_attend(long tokens, long groups, long shared, long width, float scale, long band, int wide, Heads q,
                             Heads out, const void *keys, const void *values, const long *starts, const long *seen, int threads) {
  Step step{tokens, groups, shared, scale, band, q, out, keys, values, starts, seen, threads};
  wide ? step.run<float>(width) : step.run<bf16>(width);
}
