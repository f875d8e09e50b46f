// bf16 and float32 in AVX-512 registers: loads, stores, exp, and the matrix product on bf16 pairs.
#pragma once
#include <immintrin.h>

#include <cstring>
#include <initializer_list>

#include "product.h"

#if !defined(__AVX512BF16__) || !defined(__AVX512BW__)
#error "these kernels need a processor with AVX512-BF16"
#endif

static inline __mmask16 first(long n) { return n >= LANES ? 0xFFFF : (__mmask16)((1u << n) - 1); }

static inline __m512 widen(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }
static inline __m256i narrow(__m512 x) { return (__m256i)_mm512_cvtneps_pbh(x); }

static inline __m512 load(const bf16 *p, __mmask16 m = 0xFFFF) { return widen(_mm256_maskz_loadu_epi16(m, p)); }
static inline void store(bf16 *p, __m512 x, __mmask16 m = 0xFFFF) { _mm256_mask_storeu_epi16(p, m, narrow(x)); }
static inline __m512 load(const float *p, __mmask16 m = 0xFFFF) { return _mm512_maskz_loadu_ps(m, p); }
static inline void store(float *p, __m512 x, __mmask16 m = 0xFFFF) { _mm512_mask_storeu_ps(p, m, x); }

static inline float value(bf16 x) {
  word bits = (word)x << 16;
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

// e^x to two parts in ten million: e^n ln 2 · e^r, |r| ≤ ½ ln 2, whose digits beyond float32 are taken off too.
static inline __m512 exponential(__m512 x) {
  x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(-104.0f)), _mm512_set1_ps(88.7f));
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 8);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.69314575f), x), p = _mm512_set1_ps(1.0f / 720);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860677e-6f), r);
  for (float c : {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
  return _mm512_scalef_ps(p, n);
}

// 1 / x to two parts in ten million.
static inline __m512 reciprocal(__m512 x) {
  __m512 y = _mm512_rcp14_ps(x);
  return _mm512_mul_ps(y, _mm512_fnmadd_ps(x, y, _mm512_set1_ps(2.0f)));
}

// Words of two rows, for the product's right side: pair[d] = (above[d], below[d]).
static inline __m512i pair(__m256i above, __m256i below) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(above), _mm512_slli_epi32(_mm512_cvtepu16_epi32(below), 16));
}

// A product's dot for bf16: two products a lane, added in float32.
struct Pairs {
  using number = float;
  using Sum = __m512;
  using Left = __m512bh;
  using Right = __m512bh;
  static constexpr int ROWS = 6, WIDE = 4;
  static constexpr bool AHEAD = false;
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum load(const float *p) { return _mm512_loadu_ps(p); }
  static void store(float *p, Sum x) { _mm512_storeu_ps(p, x); }
  static Left left(const word *p) { return (Left)_mm512_set1_epi32((int)*p); }
  static Right right(const word *p) { return (Right)_mm512_loadu_si512(p); }
  static Sum dot(Sum sum, Left a, Right b) { return _mm512_dpbf16_ps(sum, a, b); }
};

// And for float32.
struct Singles {
  using number = float;
  using Sum = __m512;
  using Left = __m512;
  using Right = __m512;
  static constexpr int ROWS = 6, WIDE = 4;
  static constexpr bool AHEAD = false;
  static Sum zero() { return _mm512_setzero_ps(); }
  static Sum load(const float *p) { return _mm512_loadu_ps(p); }
  static void store(float *p, Sum x) { _mm512_storeu_ps(p, x); }
  static Left left(const word *p) { return (Left)_mm512_set1_epi32((int)*p); }
  static Right right(const word *p) { return _mm512_loadu_ps(p); }
  static Sum dot(Sum sum, Left a, Right b) { return _mm512_fmadd_ps(a, b, sum); }
};

static inline void product(long rows, long columns, long pairs, const word *a, long a_row, long a_pair, const word *b,
                           long b_pair, float *c, long c_row, bool add) {
  product<Pairs>(rows, columns, pairs, a, a_row, a_pair, b, b_pair, c, c_row, add);
}

// 16 × 16 words turned over: to[j * to_row + i] = from[i * from_row + j], beyond `rows` and `columns` read as 0.
static inline void turn_over(const word *from, long from_row, long rows, long columns, word *to, long to_row) {
  __mmask16 there = first(columns);
  __m512i x[16], y[16];
  for (int i = 0; i < 16; i++) x[i] = i < rows ? _mm512_maskz_loadu_epi32(there, from + i * from_row) : _mm512_setzero_si512();
  for (int i = 0; i < 16; i += 2)
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]), y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  for (int i = 0; i < 16; i += 4) {
    x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]), x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]), x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    __m512i p = _mm512_shuffle_i32x4(x[i], x[i + 4], 0x88), q = _mm512_shuffle_i32x4(x[i], x[i + 4], 0xDD);
    __m512i r = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0x88), s = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0xDD);
    _mm512_storeu_si512(to + i * to_row, _mm512_shuffle_i32x4(p, r, 0x88));
    _mm512_storeu_si512(to + (i + 4) * to_row, _mm512_shuffle_i32x4(q, s, 0x88));
    _mm512_storeu_si512(to + (i + 8) * to_row, _mm512_shuffle_i32x4(p, r, 0xDD));
    _mm512_storeu_si512(to + (i + 12) * to_row, _mm512_shuffle_i32x4(q, s, 0xDD));
  }
}
