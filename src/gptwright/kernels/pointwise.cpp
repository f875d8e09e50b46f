// GELU in its tanh form over float32 or bf16, and the gradient of cross-entropy over bf16, each in one pass.
#include <cmath>

#include "simd.h"

namespace {

constexpr float ROOT = 0.7978845608f, CUBE = 0.044715f;  // √(2/π), and the weight of x³

// e^-2u, u = ROOT · (x + CUBE · x³).
__m512 decay(__m512 x) {
  __m512 square = _mm512_mul_ps(x, x);
  return exponential(_mm512_mul_ps(x, _mm512_fmadd_ps(square, _mm512_set1_ps(-2 * ROOT * CUBE), _mm512_set1_ps(-2 * ROOT))));
}

// σ(2u) = ½ (1 + tanh u), by its decay.
__m512 gate(__m512 decay) { return reciprocal(_mm512_add_ps(_mm512_set1_ps(1.0f), decay)); }

template <class Number>
void forward(long n, const Number *x, Number *y, int threads) {
#pragma omp parallel for num_threads(threads)
  for (long i = 0; i < n; i += LANES) {
    __m512 a = load(x + i, first(n - i));
    store(y + i, _mm512_mul_ps(a, gate(decay(a))), first(n - i));
  }
}

template <class Number>
void backward(long n, const Number *x, const Number *dy, Number *dx, int threads) {
#pragma omp parallel for num_threads(threads)
  for (long i = 0; i < n; i += LANES) {
    __m512 a = load(x + i, first(n - i)), e = decay(a), s = gate(e);
    __m512 slope = _mm512_fmadd_ps(_mm512_mul_ps(a, a), _mm512_set1_ps(6 * ROOT * CUBE), _mm512_set1_ps(2 * ROOT));
    __m512 bend = _mm512_mul_ps(_mm512_mul_ps(a, s), _mm512_mul_ps(_mm512_mul_ps(e, s), slope));
    store(dx + i, _mm512_mul_ps(load(dy + i, first(n - i)), _mm512_add_ps(s, bend)), first(n - i));
  }
}

}  // namespace

extern "C" void gelu_forward(long n, const void *x, void *y, int wide, int threads) {
  if (wide) forward(n, (const float *)x, (float *)y, threads);
  else forward(n, (const bf16 *)x, (bf16 *)y, threads);
}

extern "C" void gelu_backward(long n, const void *x, const void *dy, void *dx, int wide, int threads) {
  if (wide) backward(n, (const float *)x, (const float *)dy, (float *)dx, threads);
  else backward(n, (const bf16 *)x, (const bf16 *)dy, (bf16 *)dx, threads);
}

// Each row of logits becomes scale · (softmax - target), 0 where target < 0; nats gets the row's loss.
extern "C" void cross_entropy(long rows, long vocab, bf16 *logits, const long *targets, float scale, float smoothing,
                              float *nats, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (long r = 0; r < rows; r++) {
    bf16 *row = logits + r * vocab;
    long target = targets[r];
    if (target < 0) {
      memset(row, 0, vocab * sizeof(bf16)), nats[r] = 0;
      continue;
    }
    __m512 most = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps(), all = _mm512_setzero_ps();
    for (long j = 0; j < vocab; j += LANES) {
      __m512 x = load(row + j, first(vocab - j));
      most = _mm512_mask_max_ps(most, first(vocab - j), most, x), all = _mm512_add_ps(all, x);
    }
    float top = _mm512_reduce_max_ps(most), wanted = value(row[target]);
    __m512 shift = _mm512_set1_ps(top);
    for (long j = 0; j < vocab; j += LANES)
      sum = _mm512_mask_add_ps(sum, first(vocab - j), sum, exponential(_mm512_sub_ps(load(row + j, first(vocab - j)), shift)));
    float total = _mm512_reduce_add_ps(sum), lse = top + std::log(total), spread = smoothing / vocab;
    nats[r] = lse - (1 - smoothing) * wanted - spread * _mm512_reduce_add_ps(all);
    __m512 share = _mm512_set1_ps(scale / total), less = _mm512_set1_ps(scale * spread);
    for (long j = 0; j < vocab; j += LANES) {
      __m512 e = exponential(_mm512_sub_ps(load(row + j, first(vocab - j)), shift));
      store(row + j, _mm512_fmsub_ps(e, share, less), first(vocab - j));
    }
    float p = std::exp(wanted - top) / total;
    __m512 corrected = _mm512_set1_ps(scale * (p - spread - (1 - smoothing)));
    store(row + target, corrected, 1);
  }
}
