// Random numbers of a (key, unit, step), as program/draws.py defines them; noise.hpp stands before this.
using Words = NeurogliaWords;

INLINE Words words_of(const uint32_t* keys, const int64_t step) { return neuroglia_of_step(keys[0], keys[1], step); }

INLINE Words words(const Words of_step, const int64_t unit)
{
    const Words of_unit = neuroglia_of_counter((uint32_t)unit);
    Words both{of_unit.x0 + of_step.x0, of_unit.x1 + of_step.x1};
    neuroglia_mix(both.x0, both.x1);
    return both;
}
INLINE double uniform_of(const Words w)
{
    return ((double)(int32_t)(w.x0 >> 5)*67108864.0 + (double)(int32_t)(w.x1 >> 6))*(1.0/9007199254740992.0);
}
template <class W> INLINE double uniform(const W& of_step, const int64_t unit) { return uniform_of(words(of_step, unit)); }
INLINE double normal(const Words of_step, const int64_t unit) { return neuroglia_normal<double>((uint32_t)unit, of_step); }

// As many numbers as a rejection needs, all of one unit and step.
struct Stream
{
    Words key; uint32_t count;
    MEMBER double next()
    {
        Words w{count++, 0};
        neuroglia_threefry(w.x0, w.x1, key.x0, key.x1);
        return uniform_of(w);
    }
};
FUNCTION int32_t poisson_by_product(Stream& stream, const double mean)
{
    const double bound = std::exp(-mean);
    int32_t found = 0;
    for (double product = stream.next(); product > bound; product *= stream.next()) found++;
    return found;
}
// Hörmann 1993, transformed rejection with squeeze (PTRS).
FUNCTION int32_t poisson_by_rejection(Stream& stream, const double mean)
{
    const double root = std::sqrt(mean), log_mean = std::log(mean);
    const double b = 0.931 + 2.53*root, a = -0.059 + 0.02483*b;
    const double inverse = 1.1239 + 1.1328/(b - 3.4), bound = 0.9277 - 3.6224/(b - 2);
    for (;;)
    {
        const double u = stream.next() - 0.5, v = stream.next(), distance = 0.5 - std::fabs(u);
        const double k = std::floor((2*a/distance + b)*u + mean + 0.43);
        if (distance >= 0.07 && v <= bound) return (int32_t)k;
        if (k < 0 || (distance < 0.013 && v > distance)) continue;
        if (std::log(v) + std::log(inverse) - std::log(a/(distance*distance) + b)
            <= k*log_mean - mean - std::lgamma(k + 1)) return (int32_t)k;
    }
}
FUNCTION int32_t poisson(const Words of_step, const int64_t unit, const double mean)
{
    if (!(mean > 0)) return 0;
    Stream stream{words(of_step, unit), 0};
    return mean < 10 ? poisson_by_product(stream, mean) : poisson_by_rejection(stream, mean);
}
// Columns of equal width, as program/draws.py fills them (Alias).
template <class W> INLINE int32_t binomial(const W& of_step, const int64_t unit, const Alias& alias)
{
    const double scaled = uniform(of_step, unit)*alias.columns;
    const int32_t column = (int32_t)scaled;
    const double bound = alias.bound[column];
    const int32_t other = alias.other[column];
    return (int32_t)alias.least + (scaled - column < bound ? column : other);
}
