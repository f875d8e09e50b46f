// One small matrix product on words: what a word holds, and how two are multiplied, is said by `Dot`.
//
// Every number of the result is summed from its first word to its last in one register lane, whatever the shape.
#pragma once
#include <cstdint>

using bf16 = uint16_t;
using word = uint32_t;  // one float32, two bf16, four bytes or eight nibbles that are multiplied and added together
constexpr int LANES = 16;

// R × 16W block of C (+)= A·B over `words` words. With several rows the next words come `ahead` from memory meanwhile.
template <class Dot, int R, int W>
static inline void block(long words, const word *a, long a_row, long a_word, const word *b, long b_word,
                         typename Dot::number *c, long c_row, bool add, const word *ahead) {
  typename Dot::Sum sum[R][W];
  for (int r = 0; r < R; r++)
    for (int w = 0; w < W; w++) sum[r][w] = add ? Dot::load(c + r * c_row + w * LANES) : Dot::zero();
  for (long k = 0; k < words; k++) {
    if constexpr (Dot::AHEAD && R > 1) __builtin_prefetch(ahead + k * b_word, 0, 2);
    typename Dot::Right right[W];
    for (int w = 0; w < W; w++) right[w] = Dot::right(b + k * b_word + w * LANES);
    for (int r = 0; r < R; r++) {
      typename Dot::Left left = Dot::left(a + r * a_row + k * a_word);
      for (int w = 0; w < W; w++) sum[r][w] = Dot::dot(sum[r][w], left, right[w]);
    }
  }
  for (int r = 0; r < R; r++)
    for (int w = 0; w < W; w++) Dot::store(c + r * c_row + w * LANES, sum[r][w]);
}

// Blocks below each other, R rows high as long as they last, the rest in one lower block.
template <class Dot, int R, int W>
static inline void rows_of_blocks(long rows, long words, const word *a, long a_row, long a_word, const word *b,
                                  long b_word, typename Dot::number *c, long c_row, bool add, const word *ahead) {
  long r = 0;
  for (; r + R <= rows; r += R, ahead += LANES)
    block<Dot, R, W>(words, a + r * a_row, a_row, a_word, b, b_word, c + r * c_row, c_row, add, ahead);
  if constexpr (R > 1)
    if (r < rows)
      rows_of_blocks<Dot, R - 1, W>(rows - r, words, a + r * a_row, a_row, a_word, b, b_word, c + r * c_row, c_row, add,
                                      ahead);
}

// C (+)= A·B: C is `rows` × `columns` numbers, columns a multiple of 16; A's words stand a_row and a_word apart,
// B's rows of words b_word apart with neighbouring columns side by side.
template <class Dot>
static inline void product(long rows, long columns, long words, const word *a, long a_row, long a_word, const word *b,
                           long b_word, typename Dot::number *c, long c_row, bool add, const word *ahead = nullptr) {
  long n = 0;
  if constexpr (Dot::WIDE >= 4)
    for (; n + 64 <= columns; n += 64)
      rows_of_blocks<Dot, Dot::ROWS, 4>(rows, words, a, a_row, a_word, b + n, b_word, c + n, c_row, add, ahead + n);
  for (; n + 32 <= columns; n += 32)
    rows_of_blocks<Dot, Dot::ROWS, 2>(rows, words, a, a_row, a_word, b + n, b_word, c + n, c_row, add, ahead + n);
  for (; n < columns; n += 16)
    rows_of_blocks<Dot, Dot::ROWS, 1>(rows, words, a, a_row, a_word, b + n, b_word, c + n, c_row, add, ahead + n);
}
