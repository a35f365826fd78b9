// What generated code stands on: values of a run, functions, random numbers, spikes under way.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

#define INLINE static inline __attribute__((always_inline))

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

    int64_t first_of(const int64_t group) const { return begin[group*parts]; }
    int64_t size_of(const int64_t group) const { return first_of(group + 1) - first_of(group); }
    bool is_late() const { return late_next < late_count && late_due[late_next] == age; }
};
struct Run
{
    void** arrays; const int64_t* sizes; const double* f; const int64_t* n; const uint32_t* keys;
    const Alias* aliases; const Table* tables; Pathway* pathways; int64_t* capacity; Clock* clocks;
    uint8_t* current; uint8_t* marks; double* seconds; void** states;
    int64_t clock_count, position, stop, profile, leaving; double pause;
    int64_t threads; class Team* team; double** rows; void** homes;
};
const int64_t BLOCK = 256;  // units whose booleans are staged at once, and that threads do not part
const int MOST_THREADS = 256;
const int64_t SYNAPSES = 64;  // of which some of the work is done at once
enum Status { DONE = 0, PAUSED = 1, PYTHON = 2, GROW = 3, STOPPED = 4 };

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

static void set(Clock& clock, const int64_t step)
{
    *clock.timestep = step;
    *clock.t = clock.dt ? (double)step * *clock.dt : clock.times[step];
}
static void tick(Clock& clock) { set(clock, *clock.timestep + 1); }
static void tick(Run& run)
{
    for (int64_t k = 0; k < run.clock_count; k++)
        if (run.current[k]) tick(run.clocks[k]);
}

// ------------------------------------------------------------------------------ spikes under way

// Synapses of a group: where they lie one after the other, and where a list says which they are.
struct Adjacent
{
    static constexpr bool scattered = false;
    int64_t operator()(const int64_t e) const { return e; }
};
struct Listed
{
    static constexpr bool scattered = true;
    const int32_t* const order;
    int64_t operator()(const int64_t e) const { return order[e]; }
};

INLINE void put(Pathway& path, const int32_t group)
{
    Row& row = path.ring[(path.now + path.delay[group]) % path.rows];
    if (row.count == row.capacity)
    {
        row.capacity = row.capacity ? 2*row.capacity : 16;
        row.groups = (int32_t*)std::realloc(row.groups, row.capacity*sizeof(int32_t));
    }
    row.groups[row.count++] = group;
    row.synapses += path.size_of(group);
}

static void take_up(Pathway& path, const int32_t* events, const int64_t count)
{
    for (int64_t k = 0; k < count; k++)
    {
        if (events[k] < path.start || events[k] >= path.stop) continue;
        const int64_t unit = events[k] - path.start;
        for (int64_t group = path.first[unit]; group < path.first[unit + 1]; group++)
            if (path.size_of(group)) put(path, (int32_t)group);
    }
}

INLINE void pass_on(Pathway& path)
{
    path.ring[path.now].count = path.ring[path.now].synapses = 0;
    path.now = path.now + 1 == path.rows ? 0 : path.now + 1;
    path.age++;
}

extern "C" void release(Pathway* path)
{
    for (int64_t k = 0; k < path->rows; k++) std::free(path->ring[k].groups);
}

// The units of a range whose marks are set, as a list of events; eight marks at a time.
static int64_t compact(const uint8_t* marks, const int64_t first, const int64_t last, int32_t* events)
{
    int64_t found = 0, u = first;
    for (; u + 8 <= last; u += 8)
    {
        uint64_t eight;
        std::memcpy(&eight, marks + u, 8);
        if (!eight) continue;
        for (int64_t k = u; k < u + 8; k++)
            if (marks[k]) events[found++] = (int32_t)k;
    }
    for (; u < last; u++)
        if (marks[u]) events[found++] = (int32_t)u;
    return found;
}

// An array as it was before a step that writes it.
template <class T> struct Copy
{
    T* const values;
    Copy(const T* from, const int64_t count) : values((T*)std::malloc(count*sizeof(T)))
    {
        std::memcpy(values, from, count*sizeof(T));
    }
    ~Copy() { std::free(values); }
    T operator[](const int64_t k) const { return values[k]; }
};

// ------------------------------------------------------------------------------------- functions

// The C library's functions; where it has them for vectors, loops of them become vectors (within 4
// units in the last place).
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define OF_VECTORS __attribute__((simd("notinbranch"), const))
#if __GLIBC_PREREQ(2, 35)
#define OF_NEW_VECTORS OF_VECTORS
#endif
#endif
#ifndef OF_VECTORS
#define OF_VECTORS __attribute__((const))
#endif
#ifndef OF_NEW_VECTORS
#define OF_NEW_VECTORS __attribute__((const))
#endif
#ifdef __APPLE__
#define SYMBOL(name) "_" name
#else
#define SYMBOL(name) name
#endif
extern "C"
{
double lib_sin(double) __asm__(SYMBOL("sin")) OF_VECTORS;
double lib_cos(double) __asm__(SYMBOL("cos")) OF_VECTORS;
double lib_log(double) __asm__(SYMBOL("log")) OF_VECTORS;
double lib_pow(double, double) __asm__(SYMBOL("pow")) OF_VECTORS;
double lib_tan(double) __asm__(SYMBOL("tan")) OF_NEW_VECTORS;
double lib_asin(double) __asm__(SYMBOL("asin")) OF_NEW_VECTORS;
double lib_acos(double) __asm__(SYMBOL("acos")) OF_NEW_VECTORS;
double lib_atan(double) __asm__(SYMBOL("atan")) OF_NEW_VECTORS;
double lib_sinh(double) __asm__(SYMBOL("sinh")) OF_NEW_VECTORS;
double lib_cosh(double) __asm__(SYMBOL("cosh")) OF_NEW_VECTORS;
double lib_tanh(double) __asm__(SYMBOL("tanh")) OF_NEW_VECTORS;
double lib_log10(double) __asm__(SYMBOL("log10")) OF_NEW_VECTORS;
double lib_log1p(double) __asm__(SYMBOL("log1p")) OF_NEW_VECTORS;
}

template <class T> INLINE T integer_quotient(const T a, const T b)
{
    if (b == 0) return 0;
    if (b == -1) return -a;  // of the least number, too
    const T q = a/b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}
template <class T> INLINE T integer_rest(const T a, const T b)
{
    if (b == 0 || b == -1) return 0;
    const T r = a % b;
    return r + (r != 0 && (r < 0) != (b < 0) ? b : 0);
}
INLINE int32_t floor_quotient(const int32_t a, const int32_t b) { return integer_quotient(a, b); }
INLINE int64_t floor_quotient(const int64_t a, const int64_t b) { return integer_quotient(a, b); }
INLINE int32_t rest(const int32_t a, const int32_t b) { return integer_rest(a, b); }
INLINE int64_t rest(const int64_t a, const int64_t b) { return integer_rest(a, b); }
INLINE double rest(const double a, const double b)
{
    double r = std::fmod(a, b);
    if (r != 0 && (r < 0) != (b < 0)) r += b;
    return r;
}
// As NumPy and Python do it: what rest() leaves, divided.
INLINE double floor_quotient(const double a, const double b)
{
    if (b == 0 || a - a != 0 || b - b != 0) return std::floor(a/b);
    const double q = (a - rest(a, b))/b, whole = std::floor(q);
    return q - whole > 0.5 ? whole + 1 : whole;
}
INLINE int32_t whole(const double a) { return a > -2147483649.0 && a < 2147483648.0 ? (int32_t)a : INT32_MIN; }
template <class T> INLINE T integer_power(T base, T exponent)
{
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    T result = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}
INLINE int32_t power(const int32_t a, const int32_t b) { return integer_power(a, b); }
INLINE int64_t power(const int64_t a, const int64_t b) { return integer_power(a, b); }
INLINE double power(const double a, const double b) { return lib_pow(a, b); }
template <int N, class T> INLINE T whole_power(const T a)
{
    if constexpr (N < 0) return T(1)/whole_power<-N>(a);
    else if constexpr (N == 0) return T(1);
    else if constexpr (N == 1) return a;
    else if constexpr (N % 2 == 0) { const T half = whole_power<N/2>(a); return half*half; }
    else return whole_power<N - 1>(a)*a;
}

template <class T> INLINE T absolute(const T a) { return a < 0 ? -a : a; }
INLINE double absolute(const double a) { return std::fabs(a); }
template <class T> INLINE T signum(const T a) { return (T)((T(0) < a) - (a < T(0))); }
INLINE double signum(const double a) { return a != a ? a : (double)((0 < a) - (a < 0)); }
template <class T> INLINE T clipped(const T a, const T low, const T high)
{
    const T raised = a < low ? low : a;
    return high < raised ? high : raised;
}
INLINE double steps_of(const double t, const double dt) { return std::trunc((t + 1e-3*dt)/dt); }

// The least x for which steps_of(x, dt) >= k.
static double first_time(const double k, const double dt)
{
    double x = (k - (k <= 0) - 1e-3)*dt;
    while (steps_of(x, dt) >= k) x = std::nextafter(x, -INFINITY);
    while (steps_of(x, dt) < k) x = std::nextafter(x, INFINITY);
    return x;
}

// exp, expm1 and exprel without a call and without a branch, so that loops of them become vectors;
// within 2 units in the last place. Results below 2e-308 are 0, as all such numbers here.
INLINE double fused(const double a, const double b, const double c)
{
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return __builtin_fma(a, b, c);
#else
    return a*b + c;
#endif
}
INLINE double power_of_two(const double shifted)  // of n + 1.5*2**52, -1023 < n < 1024
{
    uint64_t bits;
    std::memcpy(&bits, &shifted, 8);
    bits = (bits + 1023) << 52;
    double result;
    std::memcpy(&result, &bits, 8);
    return result;
}
INLINE double expm1_reduced(const double r)  // |r| < 0.35
{
    const double r2 = r*r, r4 = r2*r2, r8 = r4*r4;
    const double a = fused(r, 1.0/6, 1.0/2), b = fused(r, 1.0/120, 1.0/24), c = fused(r, 1.0/5040, 1.0/720);
    const double d = fused(r, 1.0/362880, 1.0/40320), e = fused(r, 1.0/39916800, 1.0/3628800);
    const double f = fused(r, 1.0/6227020800.0, 1.0/479001600);
    const double low = fused(r2, b, a), middle = fused(r2, d, c), high = fused(r2, f, e);
    return fused(r2, fused(r8, high, fused(r4, middle, low)), r);
}
INLINE double rest_of_power(const double x, const double n)
{
    return fused(n, -1.90821492927058770002e-10, fused(n, -6.93147180369123816490e-01, x));
}
const double SHIFT = 6755399441055744.0, LEAST_EXP = -708.39, MOST_EXP = 709.782712893384;
INLINE double vexp(const double x)
{
    const double shifted = fused(x, 1.4426950408889634, SHIFT), n = shifted - SHIFT;
    double result = 1.0 + expm1_reduced(rest_of_power(x, n));
    uint64_t power, bits;  // n is added to the exponent
    std::memcpy(&power, &shifted, 8);
    std::memcpy(&bits, &result, 8);
    bits += power << 52;
    std::memcpy(&result, &bits, 8);
    return x < LEAST_EXP ? 0.0 : x > MOST_EXP ? INFINITY : result;
}
INLINE double vexpm1(const double x)
{
    const double bounded = x < -50.0 ? -50.0 : x;
    const double shifted = fused(bounded, 1.4426950408889634, SHIFT), n = shifted - SHIFT;
    const double reduced = expm1_reduced(rest_of_power(bounded, n));
    const double half = power_of_two(shifted - 1.0), result = fused(reduced, half, half - 0.5)*2.0;
    return x > MOST_EXP ? INFINITY : result;
}
INLINE double vexprel(const double x)
{
    const double ratio = vexpm1(x)/x;
    return std::fabs(x) < 1e-16 ? 1.0 : x > 717.0 ? INFINITY : ratio;
}
INLINE double inverse_exprel(const double x)
{
    const double bounded = x > 717.0 ? 717.0 : x, ratio = bounded/vexpm1(x);
    return std::fabs(x) < 1e-16 ? 1.0 : ratio;
}

INLINE double look(const Table& table, const double t)
{
    int64_t row = (int64_t)((t/table.step + 0.5)/table.refinement);
    row = row < 0 ? 0 : row >= table.rows ? table.rows - 1 : row;
    return table.values[row];
}
INLINE double look(const Table& table, const double t, const int64_t column)
{
    if (column < 0 || column >= table.columns) return NAN;
    int64_t row = (int64_t)((t/table.step + 0.5)/table.refinement);
    row = row < 0 ? 0 : row >= table.rows ? table.rows - 1 : row;
    return table.values[row*table.columns + column];
}
