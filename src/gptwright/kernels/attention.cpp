// Causal attention in bf16 over whole sequences, forward and backward, without a copy of the heads.
//
// Queries go in blocks of 64 against all keys up to the block's end; scores stay in the core's own cache. A chunk of a
// text looks at the `past` keys before it too, in a band at no more than `band` keys, and where `begins` says at which
// position each one's own text begins, at none before that.
// The gradient is computed from the saved log-sum-exp (Dao et al. 2022, §3.1).
#include <algorithm>
#include <cmath>
#include <vector>

#include "simd.h"

namespace {

constexpr long BLOCK = 64, STRIPE = 256;  // queries, and keys, whose scores are in the cache together

long up(long n, long to) { return (n + to - 1) / to * to; }

// One head: row t at base + t * row.
struct Rows {
  const bf16 *base;
  long row;
  const bf16 *at(long t) const { return base + t * row; }
};

// Keys on the right side of a product over the head's width: words [up(width / 2, 16)][up(length, 16)].
void across(const Rows &from, long length, long width, word *to) {
  long columns = up(length, LANES);
  for (long t = 0; t < length; t += LANES)
    for (long d = 0; d < width / 2; d += LANES)
      turn_over((const word *)from.at(t) + d, from.row / 2, length - t, width / 2 - d, to + d * columns + t, columns);
}

// Rows on the right side of a product over positions: words [up(length, 2) / 2][width].
void stacked(const Rows &from, long length, long width, word *to) {
  for (long t = 0; t < length; t += 2)
    for (long d = 0; d < width; d += LANES) {
      __m256i above = _mm256_loadu_si256((const __m256i *)(from.at(t) + d));
      __m256i below = t + 1 < length ? _mm256_loadu_si256((const __m256i *)(from.at(t + 1) + d)) : _mm256_setzero_si256();
      _mm512_storeu_si512(to + t / 2 * width + d, pair(above, below));
    }
}

// Two rows of float32 as bf16 words of pairs of rows.
void stack_two(const float *above, const float *below, long n, word *to) {
  for (long j = 0; j < n; j += LANES)
    _mm512_storeu_si512(to + j, pair(narrow(_mm512_loadu_ps(above + j)), narrow(_mm512_loadu_ps(below + j))));
}

void narrow_row(const float *from, float scale, long n, bf16 *to) {
  __m512 s = _mm512_set1_ps(scale);
  for (long j = 0; j < n; j += LANES) store(to + j, _mm512_mul_ps(_mm512_loadu_ps(from + j), s));
}

struct Forward {
  long past, length, width, band;
  const long *begins = nullptr;
  std::vector<word> keys, values;
  std::vector<float> scores, sums;
  std::vector<bf16> weights;

  Forward(long past, long queries, long width, long band)
      : past(past), length(past + queries), width(width), band(band), keys(up(width / 2, LANES) * up(length, LANES)),
        values(up(length, 2) / 2 * width),
        scores(BLOCK * up(length, LANES)), sums(BLOCK * width), weights(BLOCK * up(length, LANES)) {}

  void set_keys(const Rows &k, const Rows &v) {
    across(k, length, width, keys.data());
    stacked(v, length, width, values.data());
  }

  // The first key that the query at this position sees.
  long lowest(long position) const {
    return begins ? begins[position] : band ? std::max(0L, position + 1 - band) : 0;
  }

  void head(const Rows &q, float scale, bf16 *out, long out_row, float *lse) {
    long columns = up(length, LANES);
    for (long start = past; start < length; start += BLOCK) {
      long end = std::min(start + BLOCK, length), rows = end - start, from = lowest(start) / LANES * LANES, seen = up(end, LANES) - from;
      product(rows, seen, width / 2, (const word *)q.at(start - past), q.row / 2, 1, keys.data() + from, columns, scores.data(),
              seen, false);
      for (long i = 0, n = start - from + 1; i < rows; i++, n++) {
        float sum = softmax(scores.data() + i * seen, lowest(start + i) - from, n, seen, scale, weights.data() + i * seen);
        if (lse) lse[start - past + i] = sum;
      }
      product(rows, width, (up(end, 2) - from) / 2, (const word *)weights.data(), seen / 2, 1, values.data() + from / 2 * width,
              width, sums.data(), width, false);
      for (long i = 0; i < rows; i++) narrow_row(sums.data() + i * width, 1.0f, width, out + (start - past + i) * out_row);
    }
  }

  // Those from `skip` to `n` of a row as weights that sum to 1, the others 0; returns the log of the sum of e^score.
  static float softmax(float *row, long skip, long n, long columns, float scale, bf16 *to) {
    std::fill(row, row + skip, -INFINITY);
    __m512 most = _mm512_set1_ps(-INFINITY), s = _mm512_set1_ps(scale);
    for (long j = 0; j < n; j += LANES) most = _mm512_mask_max_ps(most, first(n - j), most, _mm512_loadu_ps(row + j));
    float top = _mm512_reduce_max_ps(most) * scale;
    __m512 shift = _mm512_set1_ps(-top), total = _mm512_setzero_ps();
    for (long j = 0; j < n; j += LANES) {
      __m512 e = exponential(_mm512_fmadd_ps(_mm512_loadu_ps(row + j), s, shift));
      e = _mm512_maskz_mov_ps(first(n - j), e);
      total = _mm512_add_ps(total, e);
      _mm512_storeu_ps(row + j, e);
    }
    float sum = _mm512_reduce_add_ps(total);
    long done = up(n, LANES);
    narrow_row(row, 1.0f / sum, done, to);
    memset(to + done, 0, (columns - done) * sizeof(bf16));
    return top + std::log(sum);
  }
};

struct Backward {
  long length, width, columns;
  const long *begins = nullptr;
  std::vector<word> keys, values, stacked_keys, queries, outs, p_pairs, s_pairs;
  std::vector<float> p, dp, deltas, dq, dk, dv;
  std::vector<bf16> ds;

  Backward(long length, long width) : length(length), width(width), columns(up(length, LANES)) {
    keys.resize(up(width / 2, LANES) * columns), values.resize(up(width / 2, LANES) * columns), stacked_keys.resize(columns / 2 * width);
    queries.resize(BLOCK / 2 * width), outs.resize(BLOCK / 2 * width), deltas.resize(BLOCK), dq.resize(BLOCK * width);
    p_pairs.resize(BLOCK / 2 * STRIPE), s_pairs.resize(BLOCK / 2 * STRIPE), ds.resize(BLOCK * STRIPE);
    p.resize(BLOCK * STRIPE), dp.resize(BLOCK * STRIPE), dk.resize(columns * width), dv.resize(columns * width);
  }

  void set_keys(const Rows &k, const Rows &v) {
    across(k, length, width, keys.data());
    across(v, length, width, values.data());
    stacked(k, length, width, stacked_keys.data());
    std::fill(dk.begin(), dk.end(), 0.0f), std::fill(dv.begin(), dv.end(), 0.0f);
  }

  long lowest(long position) const { return begins ? begins[position] : 0; }

  void head(const Rows &q, const Rows &out, const Rows &d_out, const float *lse, float scale, bf16 *d_q, long d_q_row) {
    for (long start = 0; start < length; start += BLOCK) {
      long end = std::min(start + BLOCK, length), rows = end - start;
      for (long i = 0; i < rows; i++) deltas[i] = dot(out.at(start + i), d_out.at(start + i));
      stacked({q.at(start), q.row}, rows, width, queries.data());
      stacked({d_out.at(start), d_out.row}, rows, width, outs.data());
      long first = lowest(start) / LANES * LANES;
      for (long from = first; from < end; from += STRIPE)
        stripe(q, d_out, lse, scale, start, rows, from, std::min(from + STRIPE, end), from > first);
      for (long i = 0; i < rows; i++) narrow_row(dq.data() + i * width, 1.0f, width, d_q + (start + i) * d_q_row);
    }
  }

  // What a block of queries and the keys from `from` to `to` give each other.
  void stripe(const Rows &q, const Rows &d_out, const float *lse, float scale, long start, long rows, long from, long to,
              bool more) {
    long seen = up(to - from, LANES), pairs = up(rows, 2) / 2;
    product(rows, seen, width / 2, (const word *)q.at(start), q.row / 2, 1, keys.data() + from, columns, p.data(), seen, false);
    product(rows, seen, width / 2, (const word *)d_out.at(start), d_out.row / 2, 1, values.data() + from, columns, dp.data(),
            seen, false);
    for (long i = 0; i < rows; i++) {
      long n = std::clamp(start + i + 1 - from, 0L, seen), skip = std::clamp(lowest(start + i) - from, 0L, n);
      score_gradient(lse[start + i], deltas[i], scale, skip, n, seen, p.data() + i * seen, dp.data() + i * seen);
      narrow_row(dp.data() + i * seen, 1.0f, seen, ds.data() + i * seen);
    }
    if (rows % 2) memset(p.data() + rows * seen, 0, seen * 4), memset(dp.data() + rows * seen, 0, seen * 4);
    for (long i = 0; i < rows; i += 2) {
      stack_two(p.data() + i * seen, p.data() + (i + 1) * seen, seen, p_pairs.data() + i / 2 * seen);
      stack_two(dp.data() + i * seen, dp.data() + (i + 1) * seen, seen, s_pairs.data() + i / 2 * seen);
    }
    product(to - from, width, pairs, p_pairs.data(), 1, seen, outs.data(), width, dv.data() + from * width, width, true);
    product(to - from, width, pairs, s_pairs.data(), 1, seen, queries.data(), width, dk.data() + from * width, width, true);
    product(rows, width, seen / 2, (const word *)ds.data(), seen / 2, 1, stacked_keys.data() + from / 2 * width, width,
            dq.data(), width, more);
  }

  float dot(const bf16 *x, const bf16 *y) {
    __m512 sum = _mm512_setzero_ps();
    for (long d = 0; d < width; d += LANES) sum = _mm512_fmadd_ps(load(x + d), load(y + d), sum);
    return _mm512_reduce_add_ps(sum);
  }

  // Scores become weights P, the weights' gradient becomes the scores': P ∘ (dP - Σ out ∘ d_out) · scale.
  static void score_gradient(float lse, float delta, float scale, long skip, long n, long columns, float *p,
                             float *dp) {
    __m512 s = _mm512_set1_ps(scale), shift = _mm512_set1_ps(-lse), less = _mm512_set1_ps(delta);
    long j = 0;
    for (; j < n; j += LANES) {
      __m512 e = exponential(_mm512_fmadd_ps(_mm512_loadu_ps(p + j), s, shift));
      e = _mm512_maskz_mov_ps(first(n - j), e);
      _mm512_storeu_ps(p + j, e);
      _mm512_storeu_ps(dp + j, _mm512_mul_ps(_mm512_mul_ps(e, s), _mm512_sub_ps(_mm512_loadu_ps(dp + j), less)));
    }
    memset(p, 0, skip * 4), memset(dp, 0, skip * 4);
    memset(p + j, 0, (columns - j) * 4), memset(dp + j, 0, (columns - j) * 4);
  }
};

}  // namespace

// Strides are in elements: of batch, head and position. Queries have `shared` heads for each head of keys.
struct Heads {
  bf16 *base;
  long batch, head, row;
  Rows of(long b, long h) const { return {base + b * batch + h * head, row}; }
};

// Queries stand behind `past` keys; each sees itself and what came before, at most `band` keys unless that is 0, and from
// its place in `begins` on if that is not null: [batch][length], never falling within a row.
extern "C" void attention_forward(long batch, long groups, long shared, long length, long width, float scale, long past,
                                  long band, const long *begins, Heads q, Heads k, Heads v, Heads out, float *lse, int threads) {
#pragma omp parallel num_threads(threads)
  {
    Forward work(past, length, width, band);
#pragma omp for schedule(dynamic)
    for (long task = 0; task < batch * groups; task++) {
      long b = task / groups, g = task % groups;
      if (begins) work.begins = begins + b * length;
      work.set_keys(k.of(b, g), v.of(b, g));
      for (long h = g * shared; h < (g + 1) * shared; h++) {
        Rows o = out.of(b, h);
        float *sums = lse ? lse + (b * groups * shared + h) * length : nullptr;
        work.head(q.of(b, h), scale, (bf16 *)o.base, o.row, sums);
      }
    }
  }
}

extern "C" void attention_backward(long batch, long groups, long shared, long length, long width, float scale,
                                   const long *begins, Heads q, Heads k, Heads v, Heads out, Heads d_out, const float *lse, Heads d_q, Heads d_k,
                                   Heads d_v, int threads) {
#pragma omp parallel num_threads(threads)
  {
    Backward work(length, width);
#pragma omp for schedule(dynamic)
    for (long task = 0; task < batch * groups; task++) {
      long b = task / groups, g = task % groups;
      if (begins) work.begins = begins + b * length;
      work.set_keys(k.of(b, g), v.of(b, g));
      for (long h = g * shared; h < (g + 1) * shared; h++) {
        Rows to = d_q.of(b, h);
        work.head(q.of(b, h), out.of(b, h), d_out.of(b, h), lse + (b * groups * shared + h) * length, scale,
                  (bf16 *)to.base, to.row);
      }
      for (long t = 0; t < length; t++) {
        narrow_row(work.dk.data() + t * width, 1.0f, width, (bf16 *)d_k.of(b, g).at(t));
        narrow_row(work.dv.data() + t * width, 1.0f, width, (bf16 *)d_v.of(b, g).at(t));
      }
    }
  }
}
