// Products of bytes on any processor: unsigned weights (their values plus an offset) with signed activations, four
// products a lane added in 32-bit integers, so that every sum is exact.
#pragma once
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include <cstring>

#include "product.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

struct Lanes {
  static constexpr int ROWS = 6, WIDE = 4;
  using Sum = __m512i;
  using Left = __m512i;
  using Right = __m512i;
  static Sum zero() { return _mm512_setzero_si512(); }
  static Sum load(const int *p) { return _mm512_loadu_si512(p); }
  static void store(int *p, Sum x) { _mm512_storeu_si512(p, x); }
  static Left left(const word *p) { return _mm512_set1_epi32((int)*p); }
  static Right right(const word *p) { return _mm512_loadu_si512(p); }
  static Right low(Right x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
  static Right high(Right x) { return low(_mm512_srli_epi16(x, 4)); }
  static Sum dot(Sum sum, Left a, Right b) {
    asm("vpdpbusd %1, %2, %0" : "+v"(sum) : "v"(a), "v"(b));  // gcc keeps sums of the intrinsic in memory: half as fast
    return sum;
  }
  static Sum small(Sum sum, Left a, Right b) { return dot(sum, a, b); }
};

#elif defined(__AVX2__)

struct Lanes {
  static constexpr int ROWS = 2, WIDE = 2;
  struct Two {
    __m256i first, second;
  };
  using Sum = Two;
  using Left = __m256i;
  using Right = Two;
  static Sum zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static Two load(const void *p) { return {_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)p + 1)}; }
  static void store(int *p, Sum x) { _mm256_storeu_si256((__m256i *)p, x.first), _mm256_storeu_si256((__m256i *)p + 1, x.second); }
  static Left left(const word *p) { return _mm256_set1_epi32((int)*p); }
  static Right right(const word *p) { return load(p); }
  static __m256i low(__m256i x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
  static Right low(Right x) { return {low(x.first), low(x.second)}; }
  static Right high(Right x) { return {low(_mm256_srli_epi16(x.first, 4)), low(_mm256_srli_epi16(x.second, 4))}; }

  // Sums of pairs must fit into 16 bits: |a| times the signed weight, at most 2 · 127 · 127.
  static __m256i dot(__m256i sum, Left a, __m256i b) {
    b = _mm256_sign_epi8(_mm256_xor_si256(b, _mm256_set1_epi8(-128)), a);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_abs_epi8(a), b), _mm256_set1_epi16(1)));
  }
  static __m256i small(__m256i sum, Left a, __m256i b) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(b, a), _mm256_set1_epi16(1)));
  }
  static Sum dot(Sum sum, Left a, Right b) { return {dot(sum.first, a, b.first), dot(sum.second, a, b.second)}; }
  static Sum small(Sum sum, Left a, Right b) { return {small(sum.first, a, b.first), small(sum.second, a, b.second)}; }
};

#else

struct Lanes {
  static constexpr int ROWS = 4, WIDE = 1;
  struct Sum {
    int at[16];
  };
  struct Left {
    int8_t at[4];
  };
  struct Right {
    uint8_t at[64];
  };
  static Sum zero() { return {}; }
  static Sum load(const int *p) { return copied<Sum>(p); }
  static void store(int *p, Sum x) { memcpy(p, &x, sizeof x); }
  static Left left(const word *p) { return copied<Left>(p); }
  static Right right(const word *p) { return copied<Right>(p); }
  static Right low(Right x) {
    for (auto &b : x.at) b &= 15;
    return x;
  }
  static Right high(Right x) {
    for (auto &b : x.at) b >>= 4;
    return x;
  }
  static Sum dot(Sum sum, Left a, Right b) {
    for (int j = 0; j < 16; j++)
      for (int i = 0; i < 4; i++) sum.at[j] += a.at[i] * b.at[4 * j + i];
    return sum;
  }
  static Sum small(Sum sum, Left a, Right b) { return dot(sum, a, b); }
  template <class T>
  static T copied(const void *p) {
    T x;
    memcpy(&x, p, sizeof x);
    return x;
  }
};

#endif

// Weights of 8 bits with the offset 128. The multiplication for AVX2 takes it off by itself.
struct Quads : Lanes {
  using number = int;
  static constexpr bool AHEAD = true;
#if defined(__AVX2__) && !(defined(__AVX512VNNI__) && defined(__AVX512BW__))
  static constexpr int OFFSET = 0;
#else
  static constexpr int OFFSET = 128;
#endif
};

// Weights of 4 bits with the offset 8: the low halves of four bytes, then the high ones, against two words.
struct Nibbles : Lanes {
  using number = int;
  static constexpr bool AHEAD = true;
  static constexpr int ROWS = Lanes::ROWS == 6 ? 5 : Lanes::ROWS;  // unpacked weights want registers too
  static constexpr int OFFSET = 8;
  struct Left {
    Lanes::Left low, high;
  };
  struct Right {
    Lanes::Right low, high;
  };
  static Left left(const word *p) { return {Lanes::left(p), Lanes::left(p + 1)}; }
  static Right right(const word *p) {
    Lanes::Right both = Lanes::right(p);
    return {Lanes::low(both), Lanes::high(both)};
  }
  static Sum dot(Sum sum, Left a, Right b) { return small(small(sum, a.low, b.low), a.high, b.high); }
};
