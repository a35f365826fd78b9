// What every generated kernel uses; nothing here knows a model.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>
#include <sys/resource.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

#ifdef __CUDACC__
#define NEUROGLIA_BOTH __host__ __device__
#else
#define NEUROGLIA_BOTH
#endif

// ------------------------------------------------------------------ functions of model equations
namespace fn {
template <int N, class T> NEUROGLIA_BOTH inline T power(const T x)
{
    if constexpr (N == 1) return x;
    else if constexpr (N % 2) return x*power<N - 1>(x);
    else { const T half = power<N/2>(x); return half*half; }
}
template <class T> NEUROGLIA_BOTH inline T clip(const T x, const T low, const T high) { return std::min(std::max(x, low), high); }
template <class T> NEUROGLIA_BOTH inline T within(const T x, const T low, const T high)
{
    if (std::isnan(x) || std::isnan(low) || std::isnan(high)) return T(NAN);
    return std::min(std::max(x, low), high);
}
// A number that the compiler does not know.
template <class T> inline T variable(const T x) { volatile T y = x; return y; }
template <class T> NEUROGLIA_BOTH inline T absolute(const T x) { return x < T(0) ? -x : x; }
template <class T> NEUROGLIA_BOTH inline T sign(const T x) { return T((x > T(0)) - (x < T(0))); }
template <class T> NEUROGLIA_BOTH inline T cut(const T x) { return std::trunc(x); }
// The 32 bits of a whole number, as they wrap round in NumPy; of what is no number, 0.
NEUROGLIA_BOTH inline int32_t wrapped(const int64_t x) { return (int32_t)(uint32_t)x; }
NEUROGLIA_BOTH inline int32_t whole(const double x)
{
    return std::isfinite(x) ? wrapped((int64_t)std::fmod(std::trunc(x), 4294967296.0)) : 0;
}
// As NumPy: of the divisor's sign, and whatever a compiler makes of a division.
template <class T> NEUROGLIA_BOTH inline T remainder(const T x, const T y)
{
    const T rest = std::fmod(x, y);
    return rest != T(0) && (rest < T(0)) != (y < T(0)) ? rest + y : rest;
}
template <class T> NEUROGLIA_BOTH inline T quotient(const T x, const T y)
{
    if (y == T(0)) return x/y;
    const T rest = std::fmod(x, y);
    return std::round((x - rest)/y - T(rest != T(0) && (rest < T(0)) != (y < T(0))));
}
// Of whole numbers in floating point: 0 where the divisor is.
template <class T> NEUROGLIA_BOTH inline T whole_remainder(const T x, const T y) { return y == T(0) ? T(0) : remainder(x, y); }
template <class T> NEUROGLIA_BOTH inline T whole_quotient(const T x, const T y) { return y == T(0) ? T(0) : quotient(x, y); }
NEUROGLIA_BOTH inline int64_t remainder(const int64_t x, const int64_t y)
{
    const int64_t rest = x%y;
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
NEUROGLIA_BOTH inline int64_t quotient(const int64_t x, const int64_t y)
{
    return x/y - (x%y != 0 && (x%y < 0) != (y < 0));
}
template <class T> NEUROGLIA_BOTH inline T exprel(const T x) { return absolute(x) < T(1e-7) ? T(1) + x/2 : std::expm1(x)/x; }
template <class T> NEUROGLIA_BOTH inline T timestep(const T t, const T dt) { return std::floor((t + T(1e-3)*dt)/dt); }
NEUROGLIA_BOTH inline int32_t integer(const bool x) { return x; }
template <class T> NEUROGLIA_BOTH inline int32_t integer(const T x) { return (int32_t)x; }
using std::acos; using std::asin; using std::atan; using std::ceil; using std::cos; using std::cosh;
using std::exp; using std::expm1; using std::floor; using std::log; using std::log10; using std::log1p;
using std::sin; using std::sinh; using std::sqrt; using std::tan; using std::tanh;

// 1 during [start + n period, start + n period + duration), n < count; times in whole nanoseconds
NEUROGLIA_BOTH inline double gate(const double t, const int64_t start, const int64_t duration, const int64_t period,
                   const int64_t count)
{
    const int64_t since = (int64_t)std::floor(t*1e9 + 0.5) - start;
    return since >= 0 && since/period < count && since%period < duration;
}
// As a TimedArray of Brian2: times are rounded to parts of an interval, and the ends go on for ever.
template <int N> NEUROGLIA_BOTH inline double table(const double t, const double dt, const double parts, const double (&values)[N])
{
    const double position = (t/(dt/parts) + 0.5)/parts;
    return values[position > 0 ? position < N ? (int)position : N - 1 : 0];  // no number: the first, too
}
}

// ------------------------------------------------------------------ files
inline void fail(const std::string& what, const std::string& path)
{
    std::fprintf(stderr, "\n%s %s\n", what.c_str(), path.c_str());
    std::_Exit(4);
}

// Samples of a record, one after the other; what is written stays readable whatever happens next.
class Sink {
public:
    void open(const std::string& path, const int64_t keep)
    {
        path_ = path;
        file_ = std::fopen(path.c_str(), keep ? "r+b" : "wb");
        if (!file_ || (keep && std::fseek(file_, (long)keep, SEEK_SET))) fail("cannot write", path);
        length_ = keep;
    }
    template <class T> void write(const std::vector<T>& values)
    {
        if (std::fwrite(values.data(), sizeof(T), values.size(), file_) != values.size()) fail("cannot write", path_);
        length_ += (int64_t)(values.size()*sizeof(T));
    }
    void flush() { if (std::fflush(file_)) fail("cannot write", path_); }
    int64_t length() const { return length_; }
private:
    std::FILE* file_ = nullptr;
    std::string path_;
    int64_t length_ = 0;
};

// A snapshot of the run: the same list of pieces is written and read back.
class Snapshot {
public:
    Snapshot(const std::string& path, const bool reading)
        : path_(path), reading_(reading), file_(std::fopen((reading ? path : path + ".partial").c_str(), reading ? "rb" : "wb"))
    {
        if (!file_) fail(reading ? "cannot read" : "cannot write", path_);
    }
    void piece(void* data, const size_t bytes)
    {
        if ((reading_ ? std::fread(data, 1, bytes, file_) : std::fwrite(data, 1, bytes, file_)) != bytes)
            fail(reading_ ? "cannot read" : "cannot write", path_);
    }
    void close()
    {
        if (std::fclose(file_)) fail("cannot write", path_);
        if (!reading_ && std::rename((path_ + ".partial").c_str(), path_.c_str())) fail("cannot write", path_);
    }
private:
    const std::string path_;
    const bool reading_;
    std::FILE* file_;
};

inline double setting(const char* name, const double otherwise)
{
    const char* text = std::getenv(name);
    return text ? std::strtod(text, nullptr) : otherwise;
}

inline double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static volatile std::sig_atomic_t interrupted = 0;
extern "C" inline void neuroglia_interrupt(int) { interrupted = 1; }

// Stop at the next chance, with a checkpoint, when interrupted or when the caller is gone.
inline void listen()
{
    rlimit files;  // every record of every network is a file
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max)
    {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    std::signal(SIGINT, neuroglia_interrupt);
    std::signal(SIGTERM, neuroglia_interrupt);
#if defined(__linux__)
    prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
}
