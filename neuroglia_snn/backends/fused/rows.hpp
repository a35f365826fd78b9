// What a kernel for processors uses beside runtime.hpp: units in rows, threads, noise by rows.
#pragma once

#include "runtime.hpp"

#include <atomic>
#include <thread>
#include <type_traits>
#include <sched.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// ------------------------------------------------------------------ units in rows
// Units lie in rows of `cols`, with room at both sides of a row for mirrored edges; loops run over
// `width` >= cols columns, so that no vector ends in single elements. Position 0 is never a unit.
struct Layout {
    static constexpr int pad = 16;
    int rows, cols, width, stride, size;
    constexpr size_t row(const int r) const { return (size_t)r*stride + pad; }
    constexpr size_t position(const int unit) const { return row(unit/cols) + unit%cols; }
    constexpr size_t length() const { return (size_t)rows*stride + pad; }
    constexpr int columns(const int r) const { return std::min(cols, size - r*cols); }
};

template <class T> inline T* allocate(const size_t count)
{
    void* p = nullptr;
    if (posix_memalign(&p, 64, (count + 64)*sizeof(T))) { std::fprintf(stderr, "out of memory\n"); std::_Exit(4); }
    std::memset(p, 0, (count + 64)*sizeof(T));
    return (T*)p;
}

template <class T, class S> inline void load_units(T* to, const S* from, const Layout& at)
{
    for (int r = 0; r < at.rows; r++)
        for (int c = 0; c < at.width; c++)  // beyond the last unit: copies of it, which do no harm
            to[at.row(r) + c] = (T)from[std::min(r*at.cols + std::min(c, at.cols - 1), at.size - 1)];
}
template <class T, class S> inline void store_units(const T* from, S* to, const Layout& at)
{
    for (int unit = 0; unit < at.size; unit++) to[unit] = (S)from[at.position(unit)];
}
template <class T> inline void mirror_row(T* row, const Layout& at) { row[-1] = row[0]; row[at.cols] = row[at.cols - 1]; }

// The first unit whose value is not finite, or -1 (by bits: the compiler may assume finite numbers).
template <class T> inline int find_nonfinite(const T* x, const Layout& at)
{
    using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
    constexpr Bits exponent = sizeof(T) == 8 ? (Bits)0x7ff0000000000000ull : (Bits)0x7f800000u;
    const auto endless = [](const T value) {
        Bits bits;
        std::memcpy(&bits, &value, sizeof bits);
        return (int)((bits & exponent) == exponent);
    };
    for (int r = 0; r < at.rows; r++)
    {
        const T* row = x + at.row(r);
        const int columns = at.columns(r);
        int any = 0;
        for (int c = 0; c < columns; c++) any |= endless(row[c]);
        for (int c = 0; any && c < columns; c++)
            if (endless(row[c])) return r*at.cols + c;
    }
    return -1;
}

// Rows of a lattice that are stepped together, and of predictions that are kept (a power of two).
constexpr int together = 4, predictions = 8;
static_assert(predictions >= together + 2, "the corrector reads from two rows before to the last one");

// ------------------------------------------------------------------ threads
// Rows [first, last) of one thread; a population with few rows belongs to the first thread alone.
struct Rows { int first, last; };
using Columns = Rows;
inline Rows share(const int rows, const int id, const int threads)
{
    if (rows < 4*threads) return id ? Rows{rows, rows} : Rows{0, rows};
    return {(int)((int64_t)rows*id/threads), (int)((int64_t)rows*(id + 1)/threads)};
}

// Waiting threads spin for a moment, then let others run: on shared cores a pure spin would collapse.
class Barrier {
public:
    explicit Barrier(const int count) : count_(count), waiting_(0), round_(0) {}
    void wait()
    {
        if (count_ == 1) return;
        const unsigned round = round_.load(std::memory_order_acquire);
        if (waiting_.fetch_add(1, std::memory_order_acq_rel) == count_ - 1)
        {
            waiting_.store(0, std::memory_order_relaxed);
            round_.store(round + 1, std::memory_order_release);
            return;
        }
        for (int spin = 0; round_.load(std::memory_order_acquire) == round; spin++)
        {
            if (spin < 4000) pause();
            else sched_yield();
        }
    }
private:
    static void pause()
    {
#if defined(__x86_64__)
        _mm_pause();
#endif
    }
    const int count_;
    alignas(64) std::atomic<int> waiting_;
    alignas(64) std::atomic<unsigned> round_;
};

// ------------------------------------------------------------------ noise by rows
// Normals of the units of consecutive rows, made for a few rows at once (in blocks that do not end where
// rows end, so what is there already of the next rows stays).
template <class T> class NoiseRows {
public:
    explicit NoiseRows(const Layout& at)
        : at_(at), z_(allocate<T>((size_t)(together + 2)*at.cols + at.width + 2*block)) {}
    void begin(const uint32_t seed, const uint32_t stream, const int64_t step)
    {
        seed_ = seed; stream_ = stream; step_ = step; from_ = to_ = 0;
    }
    // Rows [first, last), no more than `together` + 1; rows before them are lost.
    void make(const int first, const int last)
    {
        const int from = first*at_.cols/block, to = ((last - 1)*at_.cols + at_.width - 1)/block + 1;
        const int had = std::max(to_ - from, 0);
        if (had) std::memmove(z_, z_ + (size_t)(from - from_)*block, (size_t)had*block*sizeof(T));
        neuroglia_normals(z_ + (size_t)had*block, (uint32_t)(from + had), (uint32_t)std::max(to - from - had, 0), seed_, stream_, step_);
        from_ = from;
        to_ = std::max(to, to_);
    }
    const T* row(const int r) const { return z_ + (r*at_.cols - from_*block); }
private:
    static constexpr int block = NEUROGLIA_BLOCK;
    const Layout at_;
    T* const z_;
    int from_ = 0, to_ = 0;  // in blocks
    uint32_t seed_ = 0, stream_ = 0;
    int64_t step_ = 0;
};
