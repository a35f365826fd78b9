// Gaussian noise as noise.py defines it, which puts the table of octaves (power, octave) before this.
#ifdef __CUDACC__
#define NEUROGLIA_INLINE static __host__ __device__ __forceinline__
#else
#define NEUROGLIA_INLINE static inline __attribute__((always_inline))
#endif

#if defined(__AVX2__) && !defined(__CUDACC__)
#include <immintrin.h>
#endif

#if defined(__CUDA_ARCH__)
#define NEUROGLIA_OCTAVES neuroglia_octaves_of_device
#else
#define NEUROGLIA_OCTAVES neuroglia_octaves
#endif

NEUROGLIA_INLINE void neuroglia_round(uint32_t& x0, uint32_t& x1, const int turn)
{
    x0 += x1;
    x1 = ((x1 << turn) | (x1 >> (32 - turn))) ^ x0;
}

NEUROGLIA_INLINE void neuroglia_threefry(uint32_t& x0, uint32_t& x1, const uint32_t k0, const uint32_t k1)
{
    const uint32_t k2 = 0x1bd11bdau ^ k0 ^ k1;
    x0 += k0; x1 += k1;
    neuroglia_round(x0, x1, 13); neuroglia_round(x0, x1, 15); neuroglia_round(x0, x1, 26); neuroglia_round(x0, x1, 6);
    x0 += k1; x1 += k2 + 1u;
    neuroglia_round(x0, x1, 17); neuroglia_round(x0, x1, 29); neuroglia_round(x0, x1, 16); neuroglia_round(x0, x1, 24);
    x0 += k2; x1 += k0 + 2u;
    neuroglia_round(x0, x1, 13); neuroglia_round(x0, x1, 15); neuroglia_round(x0, x1, 26); neuroglia_round(x0, x1, 6);
    x0 += k0; x1 += k1 + 3u;
    neuroglia_round(x0, x1, 17);
}

NEUROGLIA_INLINE uint32_t neuroglia_exchanged(const uint32_t word) { return (word << 16) | (word >> 16); }

// Sums over powers of m are rounded once a power, where the processor can.
NEUROGLIA_INLINE float neuroglia_fma(const float a, const float b, const float c)
{
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__CUDA_ARCH__)
    return fmaf(a, b, c);
#else
    return a*b + c;
#endif
}

NEUROGLIA_INLINE float neuroglia_quantile(const uint32_t word)
{
    float z = (float)(int32_t)word, m;
    uint32_t bits, one;
    std::memcpy(&bits, &z, 4);
    one = (bits & 0x7fffffu) | 0x3f800000u;
    std::memcpy(&m, &one, 4);
    const uint32_t octave = bits >> 23 & 31u;
    z = neuroglia_fma(NEUROGLIA_OCTAVES[4][octave], m, NEUROGLIA_OCTAVES[3][octave]);
    z = neuroglia_fma(z, m, NEUROGLIA_OCTAVES[2][octave]);
    z = neuroglia_fma(z, m, NEUROGLIA_OCTAVES[1][octave]);
    z = neuroglia_fma(z, m, NEUROGLIA_OCTAVES[0][octave]);
    std::memcpy(&one, &z, 4);
    one ^= bits & 0x80000000u;
    std::memcpy(&z, &one, 4);
    return z;
}

// The quantiles of 16 words. Where registers hold a row of the table, coefficients are looked up there: of all
// octaves in AVX-512, and in AVX2 of eight, in which 99.6% of all words lie.
#if defined(__AVX512F__) && !defined(__CUDACC__)
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
    _mm512_store_si512(z, _mm512_xor_si512(_mm512_castps_si512(sum), sign));
}
#elif defined(__AVX2__) && defined(__FMA__) && !defined(__CUDACC__)
NEUROGLIA_INLINE void neuroglia_quantiles(const uint32_t* words, float* z)
{
    for (int half = 0; half < 16; half += 8, words += 8, z += 8)
    {
        const __m256i bits = _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_load_si256((const __m256i*)words)));
        const __m256i octave = _mm256_srli_epi32(bits, 23);  // of which three bits count
        const __m256i upper = _mm256_and_si256(octave, _mm256_set1_epi32(31));
        const __m256i other = _mm256_or_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(22), upper), _mm256_cmpgt_epi32(upper, _mm256_set1_epi32(29)));
        if (__builtin_expect(_mm256_movemask_epi8(other), 0))
        {
            for (int n = 0; n < 8; n++) z[n] = neuroglia_quantile(words[n]);
            continue;
        }
        const __m256i rest = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff));
        const __m256 m = _mm256_castsi256_ps(_mm256_or_si256(rest, _mm256_set1_epi32(0x3f800000)));
        const auto coefficient = [&](const int power) {
            return _mm256_permutevar8x32_ps(_mm256_load_ps(neuroglia_upper_octaves[power]), octave);
        };
        __m256 sum = coefficient(4);
        for (int power = 3; power >= 0; power--) sum = _mm256_fmadd_ps(sum, m, coefficient(power));
        const __m256i sign = _mm256_and_si256(bits, _mm256_set1_epi32((int)0x80000000u));
        _mm256_store_si256((__m256i*)z, _mm256_xor_si256(_mm256_castps_si256(sum), sign));
    }
}
#else
NEUROGLIA_INLINE void neuroglia_quantiles(const uint32_t* words, float* z)
{
    for (int n = 0; n < 16; n++) z[n] = neuroglia_quantile(words[n]);
}
#endif

template <class T> static __attribute__((noinline)) void neuroglia_normals(
    T* __restrict z, uint32_t block, const uint32_t count, const uint32_t seed, const uint32_t stream, const int64_t step)
{
    const uint32_t key = stream ^ ((uint32_t)(step >> 32)*0x85ebca6bu);
    alignas(64) uint32_t words[8*64];  // of a few blocks: either loop keeps its numbers in registers
    for (const uint32_t end = block + count; block < end;)
    {
        const uint32_t some = end - block < 8 ? end - block : 8;
        for (uint32_t n = 0; n < some; n++, block++)
            for (int lane = 0; lane < 16; lane++)
            {
                uint32_t x0 = block*16u + lane, x1 = (uint32_t)step;
                neuroglia_threefry(x0, x1, seed, key);
                uint32_t* four = words + 64*n + lane;
                four[0] = x0; four[16] = neuroglia_exchanged(x0);
                four[32] = x1; four[48] = neuroglia_exchanged(x1);
            }
        for (uint32_t n = 0; n < 4*some; n++, z += 16)
        {
            alignas(64) float some_z[16];
            neuroglia_quantiles(words + 16*n, some_z);
            for (int lane = 0; lane < 16; lane++) z[lane] = (T)some_z[lane];
        }
    }
}

template <class T> NEUROGLIA_INLINE T neuroglia_normal(const uint32_t seed, const uint32_t stream,
                                                      const uint32_t unit, const int64_t step)
{
    const uint32_t key = stream ^ ((uint32_t)(step >> 32)*0x85ebca6bu);
    uint32_t x0 = unit/64u*16u + unit%16u, x1 = (uint32_t)step;
    neuroglia_threefry(x0, x1, seed, key);
    const uint32_t word = (unit & 32u) ? x1 : x0;
    return (T)neuroglia_quantile((unit & 16u) ? neuroglia_exchanged(word) : word);
}

NEUROGLIA_INLINE double neuroglia_gaussian(const double seed, const double stream, const int unit,
                                        const int64_t step)
{ return neuroglia_normal<double>((uint32_t)(int64_t)seed, (uint32_t)(int64_t)stream, (uint32_t)unit, step); }
