// A run: its values, its clocks, and the loop's way through its steps. Every loop of ours stands on this.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

// Functions that are called for each unit, and longer ones; on a GPU, too.
#ifdef __CUDACC__
#define INLINE static __host__ __device__ __forceinline__
#define FUNCTION static __host__ __device__
#define MEMBER __host__ __device__
#else
#define INLINE static inline __attribute__((always_inline))
#define FUNCTION static
#define MEMBER
#endif

// ---------------------------------------------------------------------------------------- a run

// A clock of listed times has no step.
struct Clock { int64_t* timestep; double* t; const double* dt; const double* times; int64_t end, shift; };
struct Table { const double* values; int64_t rows, columns; double step, refinement; };
// Of a draw: a distribution of whole numbers in columns of equal width (program/draws.py).
struct Alias { const double* bound; const int32_t* other; double columns; int64_t least; };
struct Row { int32_t* groups; int64_t count, capacity, synapses; };
// Synapses by source and delay, and the groups of them that are due in each coming step (a ring). Each group has
// parts, one for each thread.
struct Pathway
{
    int64_t start, stop;
    const int64_t* first; const int32_t* delay; const int64_t* begin; const int32_t* order;
    Row* ring; int64_t rows, now;
    const int64_t* late_due; const int32_t* late; int64_t late_count, late_next, age, again, parts;
    void* const* ordered;  // copies of synapses' values in the order of the groups, or null
    int64_t repeats;       // whether several synapses of a group write to one and the same target

    MEMBER int64_t first_of(const int64_t group) const { return begin[group*parts]; }
    MEMBER int64_t size_of(const int64_t group) const { return first_of(group + 1) - first_of(group); }
    MEMBER bool is_late() const { return late_next < late_count && late_due[late_next] == age; }
};
struct Run
{
    void** arrays; const int64_t* sizes; const double* f; const int64_t* n; const uint32_t* keys;
    const Alias* aliases; const Table* tables; Pathway* pathways; int64_t* capacity; Clock* clocks;
    uint8_t* current; double* seconds; void** states;
    int64_t clock_count, position, stop, profile, leaving; double pause;
    int64_t threads; class Team* team; double** rows; void** homes; struct Hashes* hashes;
};
const int64_t BLOCK = 256;  // units whose booleans are staged at once, and that threads do not part
const int MOST_THREADS = 256;
const int64_t SYNAPSES = 64;  // of which some of the work is done at once
enum Status { DONE = 0, PAUSED = 1, PYTHON = 2, GROW = 3, STOPPED = 4, EXCHANGE = 5, FAILED = -1 };

static double now_in_seconds()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9*now.tv_nsec;
}

// Numbers below 2e-308 are zero within the loop, as in Brian2's own C++: a trace that decays for long
// would make every step slow otherwise.
struct FlushToZero
{
#if defined(__SSE2__)
    const unsigned before = __builtin_ia32_stmxcsr();
    FlushToZero() { __builtin_ia32_ldmxcsr(before | 0x8040u); }
    ~FlushToZero() { __builtin_ia32_ldmxcsr(before); }
#elif defined(__aarch64__)
    uint64_t before;
    FlushToZero() { asm volatile("mrs %0, fpcr" : "=r"(before)); asm volatile("msr fpcr, %0" : : "r"(before | 1u << 24)); }
    ~FlushToZero() { asm volatile("msr fpcr, %0" : : "r"(before)); }
#endif
};

template <bool (*step)(Run&)> INLINE bool timed(Run& run, const int64_t number)
{
    if (!run.profile) return step(run);
    const double before = now_in_seconds();
    const bool done = step(run);
    run.seconds[number] += now_in_seconds() - before;
    return done;
}

// Clocks that are due: the earliest, and all that are within 1e-4 of a step of it, as Brian2 has it.
static bool choose(Run& run)
{
    int64_t least = 0;
    for (int64_t k = 1; k < run.clock_count; k++)
        if (*run.clocks[k].t < *run.clocks[least].t) least = k;
    const double t = *run.clocks[least].t;
    const double dt = run.clocks[least].dt ? *run.clocks[least].dt : INFINITY;
    for (int64_t k = 0; k < run.clock_count; k++)
    {
        const Clock& other = run.clocks[k];
        const double shorter = other.dt && *other.dt < dt ? *other.dt : dt, apart = std::fabs(*other.t - t);
        run.current[k] = *other.t == t || (std::isfinite(shorter) ? apart/shorter < 1e-4 : apart < 1e-14);
    }
    return *run.clocks[least].timestep < run.clocks[least].end;
}

// Steps of a clock until another one is due, too.
static int64_t ahead(const Run& run, const int64_t number, const bool* const own)
{
    const Clock& clock = run.clocks[number];
    double next = INFINITY;
    for (int64_t k = 0; k < run.clock_count; k++)
    {
        if (own[k]) continue;
        if (run.current[k] || !clock.dt) return 1;
        next = std::fmin(next, *run.clocks[k].t);
    }
    const int64_t left = clock.end - *clock.timestep;
    const double steps = std::floor((next - *clock.t) / *clock.dt + 0.5);
    return steps < (double)left ? (int64_t)steps : left;
}

// Whether somebody may look at the arrays after this step of a clock.
INLINE bool may_leave(const Run& run, const int64_t clock)
{
    return run.leaving || *run.clocks[clock].timestep + 1 >= run.clocks[clock].end;
}

FUNCTION void set(Clock& clock, const int64_t step)
{
    *clock.timestep = step;
    *clock.t = clock.dt ? (double)step * *clock.dt : clock.times[step];
}
FUNCTION void tick(Clock& clock) { set(clock, *clock.timestep + 1); }
static void tick(Run& run)
{
    for (int64_t k = 0; k < run.clock_count; k++)
        if (run.current[k]) tick(run.clocks[k]);
}
