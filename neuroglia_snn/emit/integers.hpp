// Integers in the place of numbers: tables, shift registers (`neuroglia_snn.fixedpoint`).

INLINE int64_t encoded(const double x, const int64_t limit)
{
    const double least = -(double)limit - 1, most = (double)limit, nearest = std::nearbyint(x);
    return nearest != nearest ? 0 : (int64_t)(nearest < least ? least : nearest > most ? most : nearest);
}
INLINE uint32_t xorshift(uint32_t word)
{
    word ^= word << 13;
    word ^= word >> 17;
    return word ^ (word << 5);
}
INLINE int64_t byte_sum(const uint32_t word)
{
    const uint32_t halves = (word & 0x00FF00FFu) + ((word >> 8) & 0x00FF00FFu);
    return (int64_t)((halves & 0xFFFFu) + (halves >> 16));
}
INLINE int64_t leading(const uint32_t word, const int64_t bits)
{
    const int64_t wide = word;
    return bits <= 32 ? wide >> (32 - bits) : wide << (bits - 32);
}
INLINE int64_t entry(const int32_t* const table, const int64_t count, const int64_t x, const int64_t origin, const int64_t step)
{
    const int64_t last = (count - 1) << step, ahead = x - origin;
    return table[(ahead < 0 ? 0 : ahead > last ? last : ahead) >> step];
}
INLINE int64_t interpolated(const int32_t* const table, const int64_t count, const int64_t x, const int64_t origin, const int64_t step)
{
    const int64_t last = (count - 1) << step, ahead = x - origin;
    const int64_t offset = ahead < 0 ? 0 : ahead > last ? last : ahead, found = offset >> step;
    const int64_t place = found > count - 2 ? count - 2 : found, here = table[place];
    const int64_t rise = (table[place + 1] - here)*(offset - (place << step));
    return here + ((rise + ((int64_t)1 << step >> 1)) >> step);
}
