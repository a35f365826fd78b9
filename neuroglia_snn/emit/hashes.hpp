// Random bits of many units at once; draws.hpp stands before this.
#include <vector>

// What every step adds its words to, for each unit.
struct Hashes
{
    std::vector<uint32_t> x0, x1;
    void make(const int64_t count)
    {
        for (int64_t unit = x0.size(); unit < count; unit++)
        {
            const Words of_unit = neuroglia_of_counter((uint32_t)unit);
            x0.push_back(of_unit.x0);
            x1.push_back(of_unit.x1);
        }
    }
};
// Random bits of a block of units, in a loop of their own: one with numbers of 64 bits, too, has too few registers.
struct WordsOfBlock
{
    const int64_t from;
    uint32_t x0[BLOCK], x1[BLOCK];
    WordsOfBlock(const Words of_step, const Hashes& hashes, const int64_t from, const int64_t to) : from(from)
    {
        const uint32_t *const h0 = hashes.x0.data() + from, *const h1 = hashes.x1.data() + from;
        for (int64_t k = 0; k < to - from; k++)
        {
            uint32_t a = h0[k] + of_step.x0, b = h1[k] + of_step.x1;
            neuroglia_mix(a, b);
            x0[k] = a; x1[k] = b;
        }
    }
};
INLINE Words words(const WordsOfBlock& of_block, const int64_t unit)
{
    return Words{of_block.x0[unit - of_block.from], of_block.x1[unit - of_block.from]};
}
