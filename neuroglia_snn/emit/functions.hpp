// Functions of expressions, the same for every loop of ours; run.hpp stands before this.

#ifdef __CUDACC__
#define LIBRARY(name) INLINE double lib_##name(const double x) { return ::name(x); }
LIBRARY(sin) LIBRARY(cos) LIBRARY(tan) LIBRARY(asin) LIBRARY(acos) LIBRARY(atan) LIBRARY(sinh) LIBRARY(cosh)
LIBRARY(tanh) LIBRARY(log) LIBRARY(log10) LIBRARY(log1p)
INLINE double lib_pow(const double x, const double y) { return ::pow(x, y); }
#else
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
#endif

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
FUNCTION double first_time(const double k, const double dt)
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
#if defined(__CUDA_ARCH__)
    return ::fma(a, b, c);
#elif defined(__FMA__) || defined(__ARM_FEATURE_FMA)
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
constexpr double SHIFT = 6755399441055744.0, LEAST_EXP = -708.39, MOST_EXP = 709.782712893384;
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
