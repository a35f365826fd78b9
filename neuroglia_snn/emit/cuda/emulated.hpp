// A GPU on a processor, so that the text of a program can be run where there is none: blocks one after the other, each
// thread of a block in a context of its own, which others follow where threads wait for each other. For tests alone.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <ucontext.h>
#include <string>
#include <tuple>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
// Tell a function of the script where an array is.
#define BIND(symbol, where) symbol = (decltype(symbol))where
constexpr int WARP = 3, THREADS = 2*WARP, LANES = 3, CHUNK = 4*THREADS, MOST_CHUNKS = 4, MOST_BLOCKS = 4, TILE_ROWS = 3, TILE_COLS = 4;  // few, and no powers of two: what holds for these holds for all

struct Three { unsigned x, y; };
static Three threadIdx, blockIdx, blockDim, gridDim;

// Launches until one fails, and everything after it; never where it is negative.
extern "C" { int64_t launches_left = -1; }

namespace emulated
{
const size_t STACK = 256 << 10;
static ucontext_t scheduler;
struct Thread { ucontext_t context; bool done; };
static std::vector<Thread> threads(1024);
static std::vector<char> stacks;
static const std::function<void()>* body;

static void live(const int k)
{
    (*body)();
    threads[k].done = true;
    swapcontext(&threads[k].context, &scheduler);
}
// The order of threads is another one in every second launch: no result may depend on it.
static void launch(const unsigned blocks, const unsigned runs, const unsigned count, const std::function<void()>& what)
{
    static bool backwards = false;
    backwards = !backwards;
    if (stacks.size() < count*STACK) stacks.resize(count*STACK);
    body = &what;
    gridDim.x = blocks;
    gridDim.y = runs;
    blockDim.x = count;
    for (unsigned b = 0; b < blocks*runs; b++)
    {
        for (unsigned k = 0; k < count; k++)
        {
            Thread& thread = threads[k];
            getcontext(&thread.context);
            thread.context.uc_stack.ss_sp = stacks.data() + k*STACK;
            thread.context.uc_stack.ss_size = STACK;
            thread.context.uc_link = &scheduler;
            thread.done = false;
            makecontext(&thread.context, (void (*)())live, 1, (int)k);
        }
        for (bool left = true; left;)
        {
            left = false;
            for (unsigned n = 0; n < count; n++)
            {
                const unsigned k = backwards ? count - 1 - n : n;
                if (threads[k].done) continue;
                threadIdx.x = k;
                const unsigned block = backwards ? blocks*runs - 1 - b : b;
                blockIdx.x = block % blocks;
                blockIdx.y = block/blocks;
                swapcontext(&scheduler, &threads[k].context);
                left = left || !threads[k].done;
            }
        }
    }
}
}

static void __syncthreads()
{
    const unsigned k = threadIdx.x;
    swapcontext(&emulated::threads[k].context, &emulated::scheduler);
}
// The threads of a warp that have something, a bit each; all threads of the block wait for each other.
static unsigned votes(const bool has)
{
    static bool of_threads[THREADS];
    const unsigned warp = threadIdx.x/WARP;
    of_threads[threadIdx.x] = has;
    __syncthreads();
    unsigned found = 0;
    for (unsigned k = 0; k < WARP; k++) found |= (unsigned)of_threads[warp*WARP + k] << k;
    __syncthreads();
    return found;
}
static int bits_of(const unsigned votes) { return __builtin_popcount(votes); }
template <class T> static void add(T* const place, const T value) { *place += value; }
template <class T> static T atomicAdd(T* const place, const T value) { const T before = *place; *place += value; return before; }

static unsigned long long atomicCAS(unsigned long long* const place, const unsigned long long expected, const unsigned long long value)
{
    const unsigned long long before = *place;
    if (before == expected) *place = value;
    return before;
}

using cudaError_t = int;
enum { cudaSuccess = 0, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaDevAttrMultiProcessorCount, cudaErrorLaunchFailure };
// Memory has bytes after it that nobody may write to.
static const size_t HEAD = 16, GUARD = 64;
static cudaError_t error() { return launches_left ? cudaSuccess : cudaErrorLaunchFailure; }
static cudaError_t cudaMalloc(void** where, const size_t bytes)
{
    *where = nullptr;
    if (error()) return error();
    char* const made = (char*)std::malloc(HEAD + bytes + GUARD);
    std::memcpy(made, &bytes, sizeof bytes);
    std::memset(made + HEAD + bytes, 0xa5, GUARD);
    *where = made + HEAD;
    return cudaSuccess;
}
static cudaError_t cudaFree(void* where)
{
    if (!where) return cudaSuccess;
    char* const made = (char*)where - HEAD;
    size_t bytes;
    std::memcpy(&bytes, made, sizeof bytes);
    for (size_t k = 0; k < GUARD; k++)
        if ((unsigned char)made[HEAD + bytes + k] != 0xa5)
        {
            std::fputs("a kernel has written beyond an array\n", stderr);
            std::abort();
        }
    std::free(made);
    return cudaSuccess;
}
static cudaError_t cudaMemcpyAsync(void* to, const void* from, const size_t bytes, int) { if (!error()) std::memcpy(to, from, bytes); return error(); }
static cudaError_t cudaMemcpy(void* to, const void* from, const size_t bytes, int) { if (!error()) std::memcpy(to, from, bytes); return error(); }
template <class T> static cudaError_t cudaMemcpyToSymbol(T& to, const void* from, const size_t bytes) { if (!error()) std::memcpy(&to, from, bytes); return error(); }
static cudaError_t cudaMemset(void* to, const int value, const size_t bytes) { if (!error()) std::memset(to, value, bytes); return error(); }
static cudaError_t cudaDeviceSynchronize() { return error(); }
static cudaError_t cudaGetLastError() { return cudaSuccess; }
static cudaError_t cudaGetDevice(int* device) { *device = 0; return cudaSuccess; }
static cudaError_t cudaDeviceGetAttribute(int* value, int, int) { *value = 1; return cudaSuccess; }
static const char* cudaGetErrorString(cudaError_t) { return "a launch failed"; }

template <class... P> static cudaError_t launch(void (*const kernel)(P...), const unsigned blocks, const unsigned runs, const unsigned threads, const std::tuple<P...>& given)
{
    if (launches_left > 0) launches_left--;
    if (error()) return error();
    emulated::launch(blocks, runs, threads, [&] { std::apply(kernel, given); });
    return cudaSuccess;
}
class Graph
{
    std::vector<std::function<void()>> steps;
public:
    template <class... P> void add(void (*const kernel)(P...), const unsigned blocks, const unsigned runs, const unsigned threads, const std::tuple<P...> given)
    {
        steps.push_back([=] { ::launch(kernel, blocks, runs, threads, given); });
    }
    bool finished() { return true; }
    cudaError_t launch()
    {
        for (const auto& step : steps) step();
        return error();
    }
};
