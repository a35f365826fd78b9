// Units of a lattice in rows of vectors, their noise, and what is beyond the edges; noise.hpp stands before this.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>
#include <sys/mman.h>

// ------------------------------------------------------------------ units in rows of vectors
// Units lie in the order of lanes.Lanes: in row r and column c is the unit of vector c/16 and lane c%16. Beyond
// both ends of a row is a vector more, and beyond the first and the last row a row more, with copies of the
// neighbours there. Loops run over whole rows; lanes that have no unit in their last vectors are stepped and reset as others.
struct Layout {
    static constexpr int lanes = neuroglia_lanes, pad = lanes;
    int rows, cols, blocks, width, stride, size;  // rows of vectors, columns of the lattice
    int kept;  // rows that are kept between the stages (a power of two): those stepped together, and one a stage
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

// How long an array has to be so that those one after the other begin at different places of their pages: a processor
// takes a load for one that waits for a store if the two are at the same place.
template <class T> constexpr size_t spaced(const size_t count)
{
    constexpr size_t page = 4096, apart = 11*64;
    const size_t bytes = count*sizeof(T);
    return (bytes + (page + apart - bytes%page)%page)/sizeof(T);
}

// Where much memory is, it is in large pages, if the system has them: rows of many arrays are read at once, and a
// processor knows the places of few pages.
struct InLargePages
{
    static void* operator new(const size_t bytes)
    {
        constexpr size_t page = (size_t)2 << 20;
        const size_t unit = bytes < page ? 4096 : page, size = (bytes + unit - 1)/unit*unit;
        void* const made = std::aligned_alloc(unit, size);
        if (!made) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
        if (unit == page) madvise(made, size, MADV_HUGEPAGE);
#endif
        return made;
    }
    static void operator delete(void* const made) { std::free(made); }
};

// Of what is compiled once: a copy, of other arithmetic, would give other numbers to other numbers of threads.
#if defined(__clang__)
#define NEUROGLIA_ONCE __attribute__((noinline))
#else
#define NEUROGLIA_ONCE __attribute__((noinline, noclone))
#endif

// Between an array in the order of units, and its copy in rows: the units of a lane's part of a row follow each other.
template <class F> inline __attribute__((always_inline)) void each_part(const Layout& at, const F& f)
{
    for (int r = 0; r < at.rows; r++)
        for (int lane = 0; lane < Layout::lanes; lane++) f(at.row(r) + lane, at.first(r, lane), at.count(r, lane));
}
template <class T, class S> inline __attribute__((always_inline)) void hand_back_units(const T* __restrict from, S* __restrict to, const Layout& at)
{
    each_part(at, [&](const size_t place, const int unit, const int count) {
        for (int k = 0; k < count; k++) to[unit + k] = (S)from[place + k*Layout::lanes];
    });
}
template <class T, class F> inline __attribute__((always_inline)) void fill_units(T* __restrict to, const F& value, const Layout& at)
{
    std::fill(to, to + at.length(), (T)value(0));  // where no unit is, too
    each_part(at, [&](const size_t place, const int unit, const int count) {
        for (int k = 0; k < count; k++) to[place + k*Layout::lanes] = (T)value(unit + k);
    });
}
// Whether an array differs from a copy of it; the copy does not any more.
template <class T> inline bool is_changed(T* copy, const T* from, const int count)
{
    if (!std::memcmp(copy, from, count*sizeof(T))) return false;
    std::memcpy(copy, from, count*sizeof(T));
    return true;
}
inline bool is_any(const int (&of)[Layout::lanes])
{
    int any = 0;
    for (int lane = 0; lane < Layout::lanes; lane++) any |= of[lane];
    return any;
}
// Where a unit is that has neighbours at all sides, and whether all such have the same value.
inline size_t inside(const Layout& at) { return at.position(at.size > 2*at.cols ? at.cols + 1 : 1); }
template <class T> inline __attribute__((always_inline)) bool same_inside(const T* from, const Layout& at)
{
    const T value = from[inside(at)];
    bool other = false;
    each_part(at, [&](const size_t place, const int unit, const int count) {
        const int row = unit/at.cols, column = unit%at.cols;
        if (row == 0 || row == at.size/at.cols - 1) return;
        const int first = column == 0, last = count - (column + count == at.cols);
        for (int k = first; k < last; k++) other |= from[place + k*Layout::lanes] != value;
    });
    return !other;
}
// The rows [first, last) that are one thread's, and what the stages leave of them for the next ones: a few rows in a
// ring, and those that the thread beside reads or writes. `reach` is the number of stages after the first one.
template <class Kept, int reach, int kept> struct Part
{
    const int first, last, rows;
    Kept* const before;  // at its borders, 2*reach rows each
    Kept* const after;
    Kept ring[kept] = {};

    Kept& at(const int r)
    {
        if (r < first + reach) return before[r - first + reach];
        if (r >= last - reach) return after[r - last + reach];
        return ring[r & (kept - 1)];
    }
    // The rows of a stage that are not at a border to another part.
    int from(const int stage) const { return first ? first + reach - stage : 0; }
    int to(const int stage) const { return last < rows ? last - reach + stage : rows; }
};
// Let each thread do its part.
template <class F> inline void each(Run& run, const int parts, const F& f)
{
    if (parts > 1 && run.team) return run.team->run([&](const int id, const int) { if (id < parts) f(id); });
    for (int id = 0; id < parts; id++) f(id);
}
// One of two values, both of which are worked out: a vector has no branches.
template <class T> static inline __attribute__((always_inline)) T chosen(const bool first, const T one, const T other)
{
    return first ? one : other;
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
template <class T, class S> inline __attribute__((always_inline)) void bring_units(T* __restrict to, const S* __restrict from, const bool filled, const Layout& at)
{
    if (!filled) return fill_units(to, [&](const int unit) { return from[unit]; }, at);
    each_part(at, [&](const size_t place, const int unit, const int count) {
        for (int k = 0; k < count; k++) to[place + k*Layout::lanes] = (T)from[unit + k];
    });
}

// ------------------------------------------------------------------ noise by rows
// Normals of the units of consecutive rows of one lattice, as many rows as are kept between the stages, one after the
// other in a ring: a whole number of blocks, as a block is four vectors.
template <const Layout& at> struct Noise
{
    static constexpr int block = neuroglia_block, across = block/Layout::lanes - 1;
    // of rows: those of a block lie in short rows, too
    static constexpr int ring = at.vectors() < across ? 2*at.kept : at.kept;
    static constexpr int blocks = (at.rows*at.width + block - 1)/block;
    static_assert(ring*Layout::lanes % block == 0, "whole blocks");
};

// Of the counters of all blocks.
template <const Layout& at> struct Counters
{
    alignas(64) uint32_t scrambled[(size_t)Noise<at>::blocks*32];
    Counters() { neuroglia_scramble(scrambled, Noise<at>::blocks); }
};

template <class T, const Layout& at> class NoiseRows : Noise<at>
{
    using Noise<at>::block;
    const Counters<at>& counters;
    alignas(64) T z[Noise<at>::ring*at.width];
    int made = 0;  // blocks
    NeurogliaWords of_step{0, 0};

public:
    explicit NoiseRows(const Counters<at>& counters) : counters(counters) {}
    void begin(const NeurogliaWords words) { of_step = words; made = 0; }
    // Rows [first, last), none before those of the last time.
    void make(const int first, const int last)
    {
        constexpr int ring = Noise<at>::ring*at.width/block;
        const int end = (last*at.width - 1)/block + 1;
        for (int from = std::max(made, first*at.width/block), to; from < end; from = to)
        {
            to = std::min(end, (from/ring + 1)*ring);
            neuroglia_normals(z + (size_t)(from%ring)*block, counters.scrambled + (size_t)from*32, (uint32_t)(to - from), of_step);
        }
        made = std::max(made, end);
    }
    const T* row(const int r) const { return z + (size_t)(r & (Noise<at>::ring - 1))*at.width; }
};

// The same for normals that are numbered by unit, which lie in another order: each takes random bits of its own.
template <const Layout& at> struct UnitCounters
{
    static constexpr size_t size = (size_t)at.rows*at.width;
    alignas(64) uint32_t x0[size], x1[size], second[size], turned[size];  // masks: of the two words, and of their bytes in reverse
    UnitCounters()
    {
        for (size_t place = 0; place < size; place++)
        {
            const uint32_t unit = (uint32_t)std::max(at.unit((int)(place/at.width), (int)(place%at.width)), 0);
            const NeurogliaWords words = neuroglia_of_counter(unit/neuroglia_block*neuroglia_lanes + unit%neuroglia_lanes);
            x0[place] = words.x0; x1[place] = words.x1;
            second[place] = unit/neuroglia_lanes & 2u ? ~0u : 0u;
            turned[place] = unit/neuroglia_lanes & 1u ? ~0u : 0u;
        }
    }
};

template <class T, const Layout& at> class UnitNoiseRows
{
    const UnitCounters<at>& counters;
    alignas(64) T z[at.kept*at.width];
    int made = 0;
    NeurogliaWords of_step{0, 0};

    __attribute__((noinline)) void fill(T* __restrict to, const size_t from) const
    {
        const NeurogliaWords both = of_step;
        for (size_t c = from; c < from + at.width; c += 16, to += 16)
        {
            alignas(64) uint32_t words[16];
            for (int lane = 0; lane < 16; lane++)
            {
                uint32_t a = counters.x0[c + lane] + both.x0, b = counters.x1[c + lane] + both.x1;
                neuroglia_mix(a, b);
                const uint32_t word = a ^ ((a ^ b) & counters.second[c + lane]);
                words[lane] = word ^ ((word ^ neuroglia_reversed(word)) & counters.turned[c + lane]);
            }
            neuroglia_quantiles(words, to);
        }
    }

public:
    explicit UnitNoiseRows(const UnitCounters<at>& counters) : counters(counters) {}
    void begin(const NeurogliaWords words) { of_step = words; made = 0; }
    void make(const int first, const int last)
    {
        for (made = std::max(made, first); made < last; made++)
            fill(z + (size_t)(made & (at.kept - 1))*at.width, (size_t)made*at.width);
    }
    const T* row(const int r) const { return z + (size_t)(r & (at.kept - 1))*at.width; }
};
