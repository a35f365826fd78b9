// What a kernel for processors uses beside runtime.hpp: units in rows, threads.
#pragma once

#include "runtime.hpp"
#include "lattice.hpp"

#include <atomic>
#include <optional>
#include <thread>
#include <type_traits>
#include <sched.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

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
    int found = at.size;
    for (int r = 0; r < at.rows; r++)
    {
        const T* row = x + at.row(r);
        int any = 0;
        for (int c = 0; c < at.width; c++) any |= endless(row[c]);
        for (int c = 0; any && c < at.width; c++)
            if (endless(row[c]) && at.unit(r, c) >= 0) found = std::min(found, at.unit(r, c));
    }
    return found < at.size ? found : -1;
}

// ------------------------------------------------------------------ threads
// Rows [first, last) of one thread; a population with few rows belongs to the first thread alone.
struct Rows { int first, last; };
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

