// Gaussian noise of many units at once, after noise.hpp: the same numbers.
#if defined(__AVX2__)
#include <immintrin.h>
#endif

static_assert(neuroglia_lanes == 16 && neuroglia_block == 64, "vectors here are of 16 numbers, blocks of four vectors");

// The quantiles of 16 words. Where registers hold a row of the table, coefficients are looked up there: of all
// octaves in AVX-512, and in AVX2 of eight, in which 99.6% of all words lie. Words begin at a cache line.
#if defined(__AVX512F__)
NEUROGLIA_INLINE void neuroglia_quantiles(const uint32_t* words, float* z)
{
    const __m512i bits = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_load_si512(words)));
    const __m512i octave = _mm512_srli_epi32(bits, 23);  // of which five bits count
    const __m512i rest = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffff));
    const __m512 m = _mm512_castsi512_ps(_mm512_or_si512(rest, _mm512_set1_epi32(0x3f800000)));
    const auto coefficient = [&](const int power) {
        const float* row = neuroglia_octaves[power];
        return _mm512_permutex2var_ps(_mm512_load_ps(row), octave, _mm512_load_ps(row + 16));
    };
    __m512 sum = coefficient(4);
    for (int power = 3; power >= 0; power--) sum = _mm512_fmadd_ps(sum, m, coefficient(power));
    const __m512i sign = _mm512_and_si512(bits, _mm512_set1_epi32((int)0x80000000u));
    _mm512_storeu_si512(z, _mm512_xor_si512(_mm512_castps_si512(sum), sign));
}
#elif defined(__AVX2__) && defined(__FMA__)
NEUROGLIA_INLINE void neuroglia_quantiles(const uint32_t* words, float* z)
{
    __m256i others[2];  // what is not 0 in bits 26 and 27 is of another octave
    for (int half = 0; half < 2; half++)
    {
        const __m256i bits = _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_load_si256((const __m256i*)words + half)));
        const __m256i octave = _mm256_srli_epi32(bits, 23);  // of which three bits count
        others[half] = _mm256_sub_epi32(bits, _mm256_set1_epi32(22 << 23));
        const __m256i rest = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff));
        const __m256 m = _mm256_castsi256_ps(_mm256_or_si256(rest, _mm256_set1_epi32(0x3f800000)));
        const auto coefficient = [&](const int power) {
            return _mm256_permutevar8x32_ps(_mm256_load_ps(neuroglia_upper_octaves[power]), octave);
        };
        __m256 sum = coefficient(4);
        for (int power = 3; power >= 0; power--) sum = _mm256_fmadd_ps(sum, m, coefficient(power));
        const __m256i sign = _mm256_and_si256(bits, _mm256_set1_epi32((int)0x80000000u));
        _mm256_storeu_si256((__m256i*)z + half, _mm256_xor_si256(_mm256_castps_si256(sum), sign));
    }
    const __m256i above = _mm256_set1_epi32(3 << 26);
    if (__builtin_expect(_mm256_testz_si256(_mm256_or_si256(others[0], others[1]), above), 1)) return;
    for (int half = 0; half < 2; half++)
    {
        const __m256i same = _mm256_cmpeq_epi32(_mm256_and_si256(others[half], above), _mm256_setzero_si256());
        for (unsigned left = ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(same)) & 255u; left; left &= left - 1)
        {
            const int n = 8*half + __builtin_ctz(left);
            z[n] = neuroglia_quantile(words[n]);
        }
    }
}
#else
NEUROGLIA_INLINE void neuroglia_quantiles(const uint32_t* words, float* z)
{
    for (int n = 0; n < 16; n++) z[n] = neuroglia_quantile(words[n]);
}
#endif
NEUROGLIA_INLINE void neuroglia_quantiles(const uint32_t* words, double* z)
{
    alignas(64) float some[16];
    neuroglia_quantiles(words, some);
    for (int lane = 0; lane < 16; lane++) z[lane] = some[lane];
}

// Of the counters of `count` blocks: for each, the first word of 16 lanes, then the second.
static inline void neuroglia_scramble(uint32_t* to, const uint32_t count)
{
    for (uint32_t n = 0; n < count; n++)
        for (uint32_t lane = 0; lane < 16; lane++)
        {
            const NeurogliaWords of_counter = neuroglia_of_counter(n*16u + lane);
            to[32*n + lane] = of_counter.x0;
            to[32*n + 16 + lane] = of_counter.x1;
        }
}

template <class T> static __attribute__((noinline)) void neuroglia_normals(
    T* __restrict z, const uint32_t* __restrict scrambled, uint32_t count, const NeurogliaWords of_step)
{
    alignas(64) uint32_t words[8*64];  // of a few blocks: either loop keeps its numbers in registers
    while (count > 0)
    {
        const uint32_t some = count < 8 ? count : 8;
        count -= some;
        for (uint32_t n = 0; n < some; n++, scrambled += 32)
            for (int lane = 0; lane < 16; lane++)
            {
                uint32_t x0 = scrambled[lane] + of_step.x0, x1 = scrambled[16 + lane] + of_step.x1;
                neuroglia_mix(x0, x1);
                uint32_t* four = words + 64*n + lane;
                four[0] = x0; four[16] = neuroglia_reversed(x0);
                four[32] = x1; four[48] = neuroglia_reversed(x1);
            }
        for (uint32_t n = 0; n < 4*some; n++, z += 16) neuroglia_quantiles(words + 16*n, z);
    }
}
