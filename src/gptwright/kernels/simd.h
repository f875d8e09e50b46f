// bf16 and float32 in AVX-512 registers: loads, stores, exp, and one small matrix product on bf16 pairs.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>

#if !defined(__AVX512BF16__) || !defined(__AVX512BW__)
#error "these kernels need a processor with AVX512-BF16"
#endif

using bf16 = uint16_t;
using word = uint32_t;  // two bf16 that are multiplied and added together
constexpr int LANES = 16;

static inline __mmask16 first(long n) { return n >= LANES ? 0xFFFF : (__mmask16)((1u << n) - 1); }

static inline __m512 widen(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }
static inline __m256i narrow(__m512 x) { return (__m256i)_mm512_cvtneps_pbh(x); }

static inline __m512 load(const bf16 *p, __mmask16 m = 0xFFFF) { return widen(_mm256_maskz_loadu_epi16(m, p)); }
static inline void store(bf16 *p, __m512 x, __mmask16 m = 0xFFFF) { _mm256_mask_storeu_epi16(p, m, narrow(x)); }

static inline float value(bf16 x) {
  word bits = (word)x << 16;
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

// e^x to five parts in a million, far finer than bf16 can say.
static inline __m512 exponential(__m512 x) {
  x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(-104.0f)), _mm512_set1_ps(88.7f));
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 8);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.69314718f), x), p = _mm512_set1_ps(1.0f / 120);
  for (float c : {1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
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

// R × 16W block of C (+)= A·B over `pairs` words.
template <int R, int W>
static inline void block(long pairs, const word *a, long a_row, long a_pair, const word *b, long b_pair, float *c,
                         long c_row, bool add) {
  __m512 sum[R][W];
  for (int r = 0; r < R; r++)
    for (int w = 0; w < W; w++) sum[r][w] = add ? _mm512_loadu_ps(c + r * c_row + w * LANES) : _mm512_setzero_ps();
  for (long k = 0; k < pairs; k++) {
    __m512bh right[W];
    for (int w = 0; w < W; w++) right[w] = (__m512bh)_mm512_loadu_si512(b + k * b_pair + w * LANES);
    for (int r = 0; r < R; r++) {
      __m512bh left = (__m512bh)_mm512_set1_epi32((int)a[r * a_row + k * a_pair]);
      for (int w = 0; w < W; w++) sum[r][w] = _mm512_dpbf16_ps(sum[r][w], left, right[w]);
    }
  }
  for (int r = 0; r < R; r++)
    for (int w = 0; w < W; w++) _mm512_storeu_ps(c + r * c_row + w * LANES, sum[r][w]);
}

template <int W>
static inline void rows_of_blocks(long rows, long pairs, const word *a, long a_row, long a_pair, const word *b,
                                  long b_pair, float *c, long c_row, bool add) {
  long r = 0;
  for (; r + 6 <= rows; r += 6) block<6, W>(pairs, a + r * a_row, a_row, a_pair, b, b_pair, c + r * c_row, c_row, add);
  a += r * a_row, c += r * c_row;
  switch (rows - r) {
    case 5: return block<5, W>(pairs, a, a_row, a_pair, b, b_pair, c, c_row, add);
    case 4: return block<4, W>(pairs, a, a_row, a_pair, b, b_pair, c, c_row, add);
    case 3: return block<3, W>(pairs, a, a_row, a_pair, b, b_pair, c, c_row, add);
    case 2: return block<2, W>(pairs, a, a_row, a_pair, b, b_pair, c, c_row, add);
    case 1: return block<1, W>(pairs, a, a_row, a_pair, b, b_pair, c, c_row, add);
  }
}

// C (+)= A·B: C is `rows` × `columns` float32, columns a multiple of 16; A's words stand a_row and a_pair apart,
// B's pairs b_pair apart with neighbouring columns side by side.
static inline void product(long rows, long columns, long pairs, const word *a, long a_row, long a_pair, const word *b,
                           long b_pair, float *c, long c_row, bool add) {
  long n = 0;
  for (; n + 64 <= columns; n += 64) rows_of_blocks<4>(rows, pairs, a, a_row, a_pair, b + n, b_pair, c + n, c_row, add);
  for (; n + 32 <= columns; n += 32) rows_of_blocks<2>(rows, pairs, a, a_row, a_pair, b + n, b_pair, c + n, c_row, add);
  for (; n < columns; n += 16) rows_of_blocks<1>(rows, pairs, a, a_row, a_pair, b + n, b_pair, c + n, c_row, add);
}

// 16 × 16 words turned over: to[j * to_row + i] = from[i * from_row + j], rows beyond `rows` read as 0.
static inline void turn_over(const word *from, long from_row, long rows, word *to, long to_row) {
  __m512i x[16], y[16];
  for (int i = 0; i < 16; i++) x[i] = i < rows ? _mm512_loadu_si512(from + i * from_row) : _mm512_setzero_si512();
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
