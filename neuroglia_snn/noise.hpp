// Gaussian noise as noise.py defines it, which puts the table of octaves (power, octave) before this:
// one number at a time, wherever it stands (Brian2 puts it into a namespace).
#ifdef __CUDACC__
#define NEUROGLIA_INLINE static __host__ __device__ __forceinline__
#else
#define NEUROGLIA_INLINE static inline __attribute__((always_inline))
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

NEUROGLIA_INLINE uint32_t neuroglia_reversed(const uint32_t word)
{
#if defined(__CUDA_ARCH__)
    return __byte_perm(word, 0, 0x0123);
#else
    return __builtin_bswap32(word);
#endif
}

// Sums over powers of m are rounded once a power, where the processor can.
NEUROGLIA_INLINE float neuroglia_fma(const float a, const float b, const float c)
{
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__CUDA_ARCH__)
    return fmaf(a, b, c);
#else
    return a*b + c;
#endif
}

static_assert(sizeof(neuroglia_octaves) == 5*32*sizeof(float), "five powers");

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

NEUROGLIA_INLINE uint32_t neuroglia_finalized(uint32_t x, const int first, const uint32_t factor,
                                              const int second, const uint32_t other, const int last)
{
    x = (x ^ (x >> first))*factor;
    x = (x ^ (x >> second))*other;
    return x ^ (x >> last);
}

// What of a counter's, and of a step's, random bits depends on nothing else.
struct NeurogliaWords { uint32_t x0, x1; };

NEUROGLIA_INLINE NeurogliaWords neuroglia_of_counter(const uint32_t counter)
{
    return NeurogliaWords{neuroglia_finalized(counter, 16, 0x85ebca6bu, 13, 0xc2b2ae35u, 16),
                          neuroglia_finalized(counter + 0x9e3779b9u, 16, 0x7feb352du, 15, 0x846ca68bu, 16)};
}

NEUROGLIA_INLINE NeurogliaWords neuroglia_of_step(const uint32_t seed, const uint32_t stream, const int64_t step)
{
    uint32_t x0 = (uint32_t)step, x1 = (uint32_t)(step >> 32);
    neuroglia_threefry(x0, x1, seed, stream);
    return NeurogliaWords{x0, x1};
}

NEUROGLIA_INLINE void neuroglia_mix(uint32_t& x0, uint32_t& x1)
{
    neuroglia_round(x0, x1, 13); neuroglia_round(x0, x1, 15); neuroglia_round(x0, x1, 26); neuroglia_round(x0, x1, 6);
    neuroglia_round(x0, x1, 17); neuroglia_round(x0, x1, 29); neuroglia_round(x0, x1, 16); neuroglia_round(x0, x1, 24);
}

template <class T> NEUROGLIA_INLINE T neuroglia_normal(const uint32_t place, const NeurogliaWords of_step)
{
    static_assert(neuroglia_lanes == 16 && neuroglia_block == 64, "bits of a place say which of four numbers it is");
    const NeurogliaWords of_counter = neuroglia_of_counter(place/neuroglia_block*neuroglia_lanes + place%neuroglia_lanes);
    uint32_t x0 = of_counter.x0 + of_step.x0, x1 = of_counter.x1 + of_step.x1;
    neuroglia_mix(x0, x1);
    const uint32_t word = (place & 32u) ? x1 : x0;
    return (T)neuroglia_quantile((place & 16u) ? neuroglia_reversed(word) : word);
}

NEUROGLIA_INLINE double neuroglia_gaussian(const double seed, const double stream, const int place, const int64_t step)
{
    return neuroglia_normal<double>((uint32_t)place, neuroglia_of_step((uint32_t)(int64_t)seed, (uint32_t)(int64_t)stream, step));
}
