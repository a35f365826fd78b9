// Units of a lattice in rows of vectors, their noise, and what is beyond the edges; noise.hpp stands before this.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

// ------------------------------------------------------------------ units in rows of vectors
// Units lie in the order of lanes.Lanes: in row r and column c is the unit of vector c/16 and lane c%16. Beyond
// both ends of a row is a vector more, and beyond the first and the last row a row more, with copies of the
// neighbours there. Loops run over whole rows; lanes that have no unit in their last vectors are stepped and reset as others.
struct Layout {
    static constexpr int lanes = neuroglia_lanes, pad = lanes;
    int rows, cols, blocks, width, stride, size;  // rows of vectors, columns of the lattice
    bool around_rows = false, around_cols = false;  // whether units at one edge are neighbours of those at the other
    struct Place { int r, c; };
    constexpr int strips() const { return lanes/blocks; }
    constexpr int vectors() const { return width/lanes; }
    constexpr size_t row(const int r) const { return (size_t)(r + 1)*stride + pad; }
    constexpr size_t length() const { return (size_t)(rows + 2)*stride; }
    // Of a block, which may be upside down: a row from its top, and back.
    constexpr int turned(const int block, const int r) const { return block%2 ? rows - 1 - r : r; }
    // Place of a column of the lattice in a block's row; of the one beyond the last, too.
    constexpr int column(const int block, const int number) const
    {
        return number%vectors()*lanes + block*strips() + number/vectors();
    }
    // The column of the lattice at a place of a row.
    constexpr int of_lattice(const int c) const { return c%lanes%strips()*vectors() + c/lanes; }
    constexpr Place place(const int unit) const
    {
        const int block = unit/cols/rows;
        return {turned(block, unit/cols%rows), column(block, unit%cols)};
    }
    constexpr size_t position(const int unit) const { return row(place(unit).r) + place(unit).c; }
    // First unit of a lane's part of a row, and how many there are.
    constexpr int first(const int r, const int lane) const
    {
        const int block = lane/strips();
        return (block*rows + turned(block, r))*cols + lane%strips()*vectors();
    }
    constexpr int count(const int r, const int lane) const
    {
        return std::max(std::min({vectors(), cols - lane%strips()*vectors(), size - first(r, lane)}), 0);
    }
    // The unit at a place, or -1.
    constexpr int unit(const int r, const int c) const
    {
        return c/lanes < count(r, c%lanes) ? first(r, c%lanes) + c/lanes : -1;
    }
    // How many blocks further the neighbours beyond the first row (or the last one) are; 0 at the lattice's edges.
    constexpr int beyond(const int block, const bool first) const
    {
        const int other = block%2 == (int)first ? block + 1 : block - 1;
        if (around_rows) return (other + blocks)%blocks - block;
        return other < 0 || other >= blocks ? 0 : other - block;
    }
};

// Arrays begin at different places of their pages: a processor takes a load for one that waits for a store
// if the two are at the same place.
struct Arena
{
    std::vector<void*> pieces;
    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena() { for (void* piece : pieces) std::free(piece); }
};
inline Arena& forever() { static Arena* const arena = new Arena; return *arena; }
inline void* allocate_bytes(const size_t count, Arena& arena)
{
    static std::atomic<size_t> calls{0};
    constexpr size_t page = 4096, apart = 11*64;
    const size_t place = calls++*apart%page, bytes = place + count;
    void* p = nullptr;
    if (posix_memalign(&p, page, bytes)) { std::fprintf(stderr, "out of memory\n"); std::_Exit(4); }
    std::memset(p, 0, bytes);
    arena.pieces.push_back(p);
    return (char*)p + place;
}
template <class T> inline T* allocate(const size_t count, Arena& arena = forever())
{
    return (T*)allocate_bytes((count + 64)*sizeof(T), arena);
}

// Rows that are stepped together, and of predictions that are kept (a power of two).
constexpr int together = 4, predictions = 8;
static_assert(predictions >= together + 2, "the corrector reads from two rows before to the last one");

// Of what is compiled once: a copy, of other arithmetic, would give other numbers to other numbers of threads.
#if defined(__clang__)
#define NEUROGLIA_ONCE __attribute__((noinline))
#else
#define NEUROGLIA_ONCE __attribute__((noinline, noclone))
#endif

// Copies of an array that the caller keeps in the order of units, by the places of the units.
template <class T, class S> inline void hand_back_units(const T* from, S* to, const int32_t* place, const Layout& at)
{
    for (int unit = 0; unit < at.size; unit++) to[unit] = (S)from[place[unit]];
}
template <class T, class F> inline void fill_units(T* to, const F& value, const Layout& at)
{
    for (int r = 0; r < at.rows; r++)
        for (int c = 0; c < at.width; c++) to[at.row(r) + c] = (T)value(std::max(at.unit(r, c), 0));
}
// Where a unit is that has neighbours at all sides, and whether all such have the same value.
inline size_t inside(const Layout& at) { return at.position(at.size > 2*at.cols ? at.cols + 1 : 1); }
template <class T> inline bool same_inside(const T* from, const Layout& at)
{
    const int rows = at.size/at.cols;
    for (int row = 1; row < rows - 1; row++)
        for (int column = 1; column < at.cols - 1; column++)
            if (from[at.position(row*at.cols + column)] != from[inside(at)]) return false;
    return true;
}
// A row of a ring that holds `predictions` rows.
template <class T> inline T* ring_row(T* ring, const int r, const Layout& at)
{
    return ring + (size_t)(r & (predictions - 1))*at.stride + Layout::pad;
}
// Rounded once, where the processor can.
template <class T> static inline __attribute__((always_inline)) T multiplied_added(const T a, const T b, const T c)
{
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    if constexpr (sizeof(T) == 4) return __builtin_fmaf(a, b, c);
    else return __builtin_fma(a, b, c);
#else
    return a*b + c;
#endif
}

template <class T, class S> inline void load_units(T* to, const S* from, const Layout& at)
{
    for (int r = 0; r < at.rows; r++)
        for (int c = 0; c < at.width; c++)  // where no unit is: a copy of one
            to[at.row(r) + c] = (T)from[at.unit(r, c) < 0 ? 0 : at.unit(r, c)];
}
template <class T, class S> inline void store_units(const T* from, S* to, const Layout& at)
{
    for (int unit = 0; unit < at.size; unit++) to[unit] = (S)from[at.position(unit)];
}

// Neighbours at both sides of a row: of the lanes beside, and at the lattice's edges the unit itself, or the one
// at the other edge.
template <class T> inline __attribute__((always_inline)) void fill_sides(T* __restrict row, const Layout& at)
{
    const int strips = at.strips(), last = at.width - Layout::lanes;
    const bool full = at.cols == strips*at.vectors();
    if (!full)
        for (int block = 0; block < at.blocks; block++)
            row[at.column(block, at.cols)] = row[at.column(block, at.around_cols ? 0 : at.cols - 1)];
    for (int lane = 0; lane < Layout::lanes; lane++) row[lane - Layout::lanes] = lane%strips ? row[last + lane - 1] : row[lane];
    for (int lane = 0; lane < Layout::lanes; lane++) row[at.width + lane] = (lane + 1)%strips ? row[lane + 1] : row[last + lane];
    if (at.around_cols)
        for (int block = 0; block < at.blocks; block++)
        {
            const int first = block*strips;
            row[first - Layout::lanes] = row[at.column(block, at.cols - 1)];
            if (full) row[at.width + first + strips - 1] = row[first];
        }
}
// And those of the first row before it, or of the last one after it.
template <class T> inline __attribute__((always_inline)) void fill_beyond(T* __restrict beyond, const T* __restrict row, const bool first, const Layout& at)
{
    for (int block = 0; block < at.blocks; block++)
    {
        T* __restrict to = beyond + block*at.strips();
        const T* __restrict from = row + (block + at.beyond(block, first))*at.strips();
        for (int c = -Layout::lanes; c <= at.width; c += Layout::lanes)
            for (int lane = 0; lane < at.strips(); lane++) to[c + lane] = from[c + lane];
    }
}

template <class T> inline void fill_edges(T* array, const Layout& at)
{
    for (int r = 0; r < at.rows; r++) fill_sides(array + at.row(r), at);
    fill_beyond(array + at.row(-1), array + at.row(0), true, at);
    fill_beyond(array + at.row(at.rows), array + at.row(at.rows - 1), false, at);
}
template <class T, class S> inline void bring_units(T* to, const S* from, const int32_t* place, const bool filled, const Layout& at)
{
    if (!filled) load_units(to, from, at);  // places without a unit, too
    else for (int unit = 0; unit < at.size; unit++) to[place[unit]] = (T)from[unit];
}

// ------------------------------------------------------------------ noise by rows
// Normals of the units of consecutive rows. `predictions` rows of them are kept, one after the other in a ring: a whole number
// of blocks, as a block is four vectors.
template <class T> class NoiseRows {
public:
    NoiseRows(const Layout& at, const uint32_t* scrambled, Arena& arena = forever())
        : at_(at), scrambled_(scrambled), z_(allocate<T>((size_t)predictions*at.width, arena)) {}
    void begin(const NeurogliaWords of_step) { of_step_ = of_step; made_ = 0; }
    // Rows [first, last), no more than `together` + 1 and none before those of the last time.
    void make(const int first, const int last)
    {
        const int ring = predictions*at_.width/block, end = (last*at_.width - 1)/block + 1;
        for (int from = std::max(made_, first*at_.width/block), to; from < end; from = to)
        {
            to = std::min(end, (from/ring + 1)*ring);
            neuroglia_normals(z_ + (size_t)(from%ring)*block, scrambled_ + (size_t)from*32, (uint32_t)(to - from), of_step_);
        }
        made_ = std::max(made_, end);
    }
    const T* row(const int r) const { return z_ + (size_t)(r & (predictions - 1))*at_.width; }
    // What all threads read.
    static const uint32_t* scrambled(const Layout& at, Arena& arena = forever())
    {
        const uint32_t count = ((uint32_t)(at.rows*at.width) + block - 1)/block;
        uint32_t* to = allocate<uint32_t>((size_t)count*32, arena);
        neuroglia_scramble(to, count);
        return to;
    }
private:
    static constexpr int block = neuroglia_block;
    // rows that are made at once, and what else is in the blocks of the first and the last
    static_assert(predictions*Layout::lanes % block == 0 && predictions >= together + 1 + block/Layout::lanes - 1, "room for whole blocks");
    const Layout at_;
    const uint32_t* const scrambled_;
    T* const z_;
    int made_ = 0;  // blocks
    NeurogliaWords of_step_{0, 0};
};

// The same interface for normals that are numbered by unit, which lie in another order: each takes random bits of its own.
template <class T> class UnitNoiseRows {
public:
    UnitNoiseRows(const Layout& at, Arena& arena)
        : at_(at), x0_(allocate<uint32_t>(at.length(), arena)), x1_(allocate<uint32_t>(at.length(), arena)),
          second_(allocate<uint32_t>(at.length(), arena)), turned_(allocate<uint32_t>(at.length(), arena)),
          z_(allocate<T>((size_t)predictions*at.width, arena))
    {
        for (int r = 0; r < at.rows; r++)
            for (int c = 0; c < at.width; c++)
            {
                const uint32_t unit = (uint32_t)std::max(at.unit(r, c), 0);
                const NeurogliaWords words = neuroglia_of_counter(unit/neuroglia_block*neuroglia_lanes + unit%neuroglia_lanes);
                const size_t place = (size_t)r*at.width + c;
                x0_[place] = words.x0; x1_[place] = words.x1;
                second_[place] = unit/neuroglia_lanes & 2u ? ~0u : 0u;
                turned_[place] = unit/neuroglia_lanes & 1u ? ~0u : 0u;
            }
    }
    void begin(const NeurogliaWords of_step) { of_step_ = of_step; made_ = 0; }
    void make(const int, const int last)
    {
        for (; made_ < last; made_++) fill(z_ + (size_t)(made_ & (predictions - 1))*at_.width, (size_t)made_*at_.width);
    }
    const T* row(const int r) const { return z_ + (size_t)(r & (predictions - 1))*at_.width; }
private:
    __attribute__((noinline)) void fill(T* __restrict z, const size_t from) const
    {
        const uint32_t* __restrict x0 = x0_ + from;
        const uint32_t* __restrict x1 = x1_ + from;
        const uint32_t* __restrict second = second_ + from;
        const uint32_t* __restrict turned = turned_ + from;
        const NeurogliaWords of_step = of_step_;
        for (int c = 0; c < at_.width; c += 16, x0 += 16, x1 += 16, second += 16, turned += 16, z += 16)
        {
            alignas(64) uint32_t words[16];
            alignas(64) float some[16];
            for (int lane = 0; lane < 16; lane++)
            {
                uint32_t a = x0[lane] + of_step.x0, b = x1[lane] + of_step.x1;
                neuroglia_mix(a, b);
                const uint32_t word = a ^ ((a ^ b) & second[lane]);
                words[lane] = word ^ ((word ^ neuroglia_reversed(word)) & turned[lane]);
            }
            neuroglia_quantiles(words, some);
            for (int lane = 0; lane < 16; lane++) z[lane] = (T)some[lane];
        }
    }
    const Layout at_;
    uint32_t* const x0_;
    uint32_t* const x1_;
    uint32_t* const second_;  // masks: of the two words, and of their bytes in reverse
    uint32_t* const turned_;
    T* const z_;
    int made_ = 0;
    NeurogliaWords of_step_{0, 0};
};
