// Small layers in one pass over bf16 each: root-mean-square norm, the gate of SwiGLU, rotary positions.
#include <cmath>

#include "simd.h"

// Each row of x by its root mean square and the gains.
extern "C" void rms_norm(long rows, long width, const bf16 *x, const float *gains, float epsilon, bf16 *y, int threads) {
#pragma omp parallel for num_threads(threads) if (rows * width > 1 << 14)
  for (long r = 0; r < rows; r++) {
    const bf16 *from = x + r * width;
    __m512 sum = _mm512_setzero_ps();
    for (long j = 0; j < width; j += LANES) {
      __m512 a = load(from + j, first(width - j));
      sum = _mm512_fmadd_ps(a, a, sum);
    }
    __m512 scale = _mm512_set1_ps(1.0f / std::sqrt(_mm512_reduce_add_ps(sum) / width + epsilon));
    for (long j = 0; j < width; j += LANES) {
      __m512 gain = _mm512_maskz_loadu_ps(first(width - j), gains + j);
      store(y + r * width + j, _mm512_mul_ps(_mm512_mul_ps(load(from + j, first(width - j)), scale), gain), first(width - j));
    }
  }
}

// With g = dy · gains and r = 1 / √(mean x² + ε): dx = r · (g - x · r² · mean(g · x)). Where `dgains` is given, part p of
// the rows adds up its dy · x · r in the p-th of `parts` rows of it.
extern "C" void rms_norm_backward(long rows, long width, const bf16 *x, const float *gains, float epsilon, const bf16 *dy,
                                  bf16 *dx, float *dgains, int parts) {
#pragma omp parallel for num_threads(parts) schedule(static, 1)
  for (int p = 0; p < parts; p++)
    for (long r = rows * p / parts; r < rows * (p + 1) / parts; r++) {
      const bf16 *from = x + r * width, *given = dy + r * width;
      __m512 squares = _mm512_setzero_ps(), products = _mm512_setzero_ps();
      for (long j = 0; j < width; j += LANES) {
        __mmask16 there = first(width - j);
        __m512 a = load(from + j, there), gain = _mm512_maskz_loadu_ps(there, gains + j);
        squares = _mm512_fmadd_ps(a, a, squares);
        products = _mm512_fmadd_ps(_mm512_mul_ps(load(given + j, there), gain), a, products);
      }
      float scale = 1.0f / std::sqrt(_mm512_reduce_add_ps(squares) / width + epsilon);
      __m512 wide = _mm512_set1_ps(scale);
      __m512 back = _mm512_set1_ps(scale * scale * _mm512_reduce_add_ps(products) / width);
      for (long j = 0; j < width; j += LANES) {
        __mmask16 there = first(width - j);
        __m512 a = load(from + j, there), d = load(given + j, there), gain = _mm512_maskz_loadu_ps(there, gains + j);
        __m512 inner = _mm512_fnmadd_ps(a, back, _mm512_mul_ps(d, gain));
        store(dx + r * width + j, _mm512_mul_ps(wide, inner), there);
        if (dgains) {
          float *sum = dgains + p * width + j;
          __m512 more = _mm512_fmadd_ps(d, _mm512_mul_ps(a, wide), _mm512_maskz_loadu_ps(there, sum));
          _mm512_mask_storeu_ps(sum, there, more);
        }
      }
    }
}

// gate · σ(gate) · up.
extern "C" void silu_product(long n, const bf16 *gate, const bf16 *up, bf16 *y, int threads) {
#pragma omp parallel for num_threads(threads) if (n > 1 << 14)
  for (long i = 0; i < n; i += LANES) {
    __mmask16 there = first(n - i);
    __m512 a = load(gate + i, there);
    __m512 share = reciprocal(_mm512_add_ps(_mm512_set1_ps(1.0f), exponential(_mm512_sub_ps(_mm512_setzero_ps(), a))));
    store(y + i, _mm512_mul_ps(_mm512_mul_ps(a, share), load(up + i, there)), there);
  }
}

extern "C" void silu_product_backward(long n, const bf16 *gate, const bf16 *up, const bf16 *dy, bf16 *dgate, bf16 *dup,
                                      int threads) {
#pragma omp parallel for num_threads(threads) if (n > 1 << 14)
  for (long i = 0; i < n; i += LANES) {
    __mmask16 there = first(n - i);
    __m512 a = load(gate + i, there), d = load(dy + i, there), one = _mm512_set1_ps(1.0f);
    __m512 share = reciprocal(_mm512_add_ps(one, exponential(_mm512_sub_ps(_mm512_setzero_ps(), a))));
    __m512 silu = _mm512_mul_ps(a, share);
    __m512 slope = _mm512_fmadd_ps(silu, _mm512_sub_ps(one, share), share);
    store(dgate + i, _mm512_mul_ps(_mm512_mul_ps(d, load(up + i, there)), slope), there);
    store(dup + i, _mm512_mul_ps(d, silu), there);
  }
}

struct Heads {
  bf16 *base;
  long batch, head, row;
};

// Pairs (x[i], x[i + width / 2]) turned by their position's angle; a batch's cosines and sines `angles` numbers apart.
extern "C" void turn_heads(long batch, long heads, long length, long width, Heads x, const float *cosines, const float *sines,
                           long angles, Heads y, int threads) {
#pragma omp parallel for num_threads(threads) if (batch * heads * length * width > 1 << 14)
  for (long task = 0; task < batch * length; task++) {
    long b = task / length, t = task % length, half = width / 2;
    const float *c = cosines + b * angles + t * width, *s = sines + b * angles + t * width;
    for (long h = 0; h < heads; h++) {
      const bf16 *from = x.base + b * x.batch + h * x.head + t * x.row;
      bf16 *to = y.base + b * y.batch + h * y.head + t * y.row;
      for (long d = 0; d < half; d += LANES) {
        __mmask16 there = first(half - d);
        __m512 left = load(from + d, there), right = load(from + half + d, there);
        auto cosine = [=](long at) { return _mm512_maskz_loadu_ps(there, c + at); };
        auto sine = [=](long at) { return _mm512_maskz_loadu_ps(there, s + at); };
        store(to + d, _mm512_sub_ps(_mm512_mul_ps(left, cosine(d)), _mm512_mul_ps(right, sine(d))), there);
        store(to + half + d, _mm512_add_ps(_mm512_mul_ps(right, cosine(half + d)), _mm512_mul_ps(left, sine(half + d))), there);
      }
    }
  }
}
