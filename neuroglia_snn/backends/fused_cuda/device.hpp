// What a kernel for GPUs uses beside runtime.hpp. Compiled by a C++ compiler instead of nvcc, the same
// kernel runs on the processor, unit by unit and tile by tile.
#pragma once

#include "runtime.hpp"

#include <functional>
#include <map>
#include <tuple>

#ifdef __CUDACC__
#include <cooperative_groups.h>
#include <cuda_runtime.h>
#endif

// ------------------------------------------------------------------ units and tiles
// Columns and rows of a tile: what one block of threads steps together.
constexpr int tile_width = 32, tile_height = 8, tile_threads = tile_width*tile_height;
// The values of a tile and of the units around it.
template <class T> using Halo = T[tile_height + 2][tile_width + 2];

NEUROGLIA_BOTH inline int inside(const int n, const int count) { return n < 0 ? 0 : n >= count ? count - 1 : n; }
constexpr int64_t tiles_of(const int rows, const int cols)
{
    return (int64_t)((rows + tile_height - 1)/tile_height)*((cols + tile_width - 1)/tile_width);
}

NEUROGLIA_BOTH inline bool is_finite(const double value)
{
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return (bits & 0x7ff0000000000000ull) != 0x7ff0000000000000ull;
}

// How steps between which nothing else is due are launched: one by one; many as a graph, which is
// recorded once; or many in one launch, whose blocks wait for each other after every step.
enum class Launch { step, graph, cooperative };
inline Launch chosen_launch()
{
    const char* given = std::getenv("NEUROGLIA_LAUNCH");
    const std::string name = given ? given : "cooperative";
    if (name != "step" && name != "graph" && name != "cooperative") fail("NEUROGLIA_LAUNCH is step, graph or cooperative, not", name);
    return name == "step" ? Launch::step : name == "graph" ? Launch::graph : Launch::cooperative;
}
constexpr int64_t graph_steps = 64;  // of one graph, at most

struct Put {
    int64_t* to;
    int64_t value;
    NEUROGLIA_BOTH void operator()(int64_t) const { *to = value; }
};
inline size_t allocated = 0;  // bytes, of all arrays

// Which network of several and where in it: units and tiles of all networks are numbered through.
struct Place { int network; int32_t local; };
NEUROGLIA_BOTH inline Place place_of(const int64_t n, const int64_t size) { return {(int)(n/size), (int32_t)(n%size)}; }

#ifdef __CUDACC__
// ------------------------------------------------------------------ on a GPU
// All kernels are in this stream, which can be recorded; copies and the host wait for it.
inline const cudaStream_t stream = cudaStreamPerThread;

inline void require(const cudaError_t status, const char* what)
{
    if (status == cudaSuccess) return;
    std::fprintf(stderr, "\nthe GPU cannot %s: %s\n", what, cudaGetErrorString(status));
    std::_Exit(4);
}

template <class T> inline T* allocate(const size_t count)
{
    T* p = nullptr;
    const size_t bytes = std::max<size_t>(count, 1)*sizeof(T);
    const cudaError_t status = cudaMalloc(&p, bytes);
    if (status == cudaErrorMemoryAllocation)
    {
        size_t free = 0, total = 0;
        cudaMemGetInfo(&free, &total);
        std::fprintf(stderr, "\ntoo little GPU memory: %zu MiB more are needed, %zu of %zu MiB are free\n",
                     bytes >> 20, free >> 20, total >> 20);
        std::_Exit(4);
    }
    require(status, "allocate memory");
    require(cudaMemset(p, 0, bytes), "clear memory");
    allocated += bytes;
    return p;
}
template <class T> inline void upload(T* to, const T* from, const size_t count)
{
    require(cudaMemcpy(to, from, count*sizeof(T), cudaMemcpyHostToDevice), "take data");
}
template <class T> inline void download(T* to, const T* from, const size_t count)
{
    require(cudaMemcpy(to, from, count*sizeof(T), cudaMemcpyDeviceToHost), "give data");
}
inline void synchronise() { require(cudaDeviceSynchronize(), "finish its work"); }

NEUROGLIA_BOTH inline void lower(unsigned long long* to, const unsigned long long value)
{
#ifdef __CUDA_ARCH__
    atomicMin(to, value);
#else
    *to = std::min(*to, value);
#endif
}
NEUROGLIA_BOTH inline unsigned long long next(unsigned long long* counter)
{
#ifdef __CUDA_ARCH__
    return atomicAdd(counter, 1ull);
#else
    return (*counter)++;
#endif
}

// The threads of a block.
struct Team {
    __device__ int first() const { return threadIdx.x; }
    __device__ int count() const { return blockDim.x; }
    __device__ void sync() const { __syncthreads(); }
};
// All blocks of a launch in which they can wait for each other.
struct Grid {
    __device__ int64_t first() const { return blockIdx.x; }
    __device__ int64_t count() const { return gridDim.x; }
    __device__ void sync() const { cooperative_groups::this_grid().sync(); }
};

template <class F> __global__ void __launch_bounds__(256) each_kernel(const F f, const int64_t count)
{
    for (int64_t n = (int64_t)blockIdx.x*blockDim.x + threadIdx.x; n < count; n += (int64_t)gridDim.x*blockDim.x) f(n);
}
template <class F> __global__ void __launch_bounds__(tile_threads) tiles_kernel(const F f, const int64_t count)
{
    __shared__ typename F::Tile tile;
    for (int64_t n = blockIdx.x; n < count; n += gridDim.x) f(n, tile, Team());
}
template <class F> __global__ void __launch_bounds__(tile_threads) together_kernel(const F f)
{
    __shared__ typename F::Tile tile;
    f(Grid(), tile, Team());
}

// f(n) for every n below count.
template <class F> inline void each(const F& f, const int64_t count)
{
    if (count == 0) return;
    each_kernel<<<(unsigned)std::min<int64_t>((count + 255)/256, 1 << 20), 256, 0, stream>>>(f, count);
    require(cudaGetLastError(), "start a kernel");
}
// f(n, tile, team) for every n below count.
template <class F> inline void tiles(const F& f, const int64_t count)
{
    tiles_kernel<<<(unsigned)std::min<int64_t>(count, 1 << 20), tile_threads, 0, stream>>>(f, count);
    require(cudaGetLastError(), "start a kernel");
}
// f(grid, tile, team) with as many blocks as run at the same time, `wanted` at most.
template <class F> inline void together(const F& f, const int64_t wanted)
{
    static const int resident = [] {
        int device = 0, processors = 0, blocks = 0;
        require(cudaGetDevice(&device), "be found");
        require(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device), "describe itself");
        require(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, together_kernel<F>, tile_threads, 0), "describe itself");
        return processors*blocks;
    }();
    void* arguments[] = {(void*)&f};
    const dim3 blocks((unsigned)std::max<int64_t>(std::min<int64_t>(wanted, resident), 1)), threads(tile_threads);
    require(cudaLaunchCooperativeKernel((void*)together_kernel<F>, blocks, threads, arguments, 0, stream), "start a kernel");
}
// Launches that are recorded, and repeated with one call. The first time they are not, so that the
// kernels are loaded.
class Graph {
public:
    template <class F> void run(const F& launches)
    {
        if (uses_++ == 0) return launches();
        if (!ready_)
        {
            cudaGraph_t graph;
            require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "record launches");
            launches();
            require(cudaStreamEndCapture(stream, &graph), "record launches");
            require(cudaGraphInstantiateWithFlags(&ready_, graph, 0), "prepare a graph");
            require(cudaGraphDestroy(graph), "forget a graph");
        }
        require(cudaGraphLaunch(ready_, stream), "start a graph");
    }
private:
    int64_t uses_ = 0;
    cudaGraphExec_t ready_ = nullptr;
};
#else
// ------------------------------------------------------------------ on the processor
template <class T> inline T* allocate(const size_t count)
{
    T* p = (T*)std::calloc(std::max<size_t>(count, 1), sizeof(T));
    if (!p) { std::fprintf(stderr, "\nout of memory\n"); std::_Exit(4); }
    allocated += std::max<size_t>(count, 1)*sizeof(T);
    return p;
}
template <class T> inline void upload(T* to, const T* from, const size_t count) { std::memcpy(to, from, count*sizeof(T)); }
template <class T> inline void download(T* to, const T* from, const size_t count) { std::memcpy(to, from, count*sizeof(T)); }
inline void synchronise() {}
inline void lower(unsigned long long* to, const unsigned long long value) { *to = std::min(*to, value); }
inline unsigned long long next(unsigned long long* counter) { return (*counter)++; }

struct Team {
    int first() const { return 0; }
    int count() const { return 1; }
    void sync() const {}
};
struct Grid {
    int64_t first() const { return 0; }
    int64_t count() const { return 1; }
    void sync() const {}
};
// Launches that are recorded now instead of carried out, if any are.
inline std::vector<std::function<void()>>* recording = nullptr;
inline void carry_out(const std::function<void()>& launch)
{
    if (recording) recording->push_back(launch);
    else launch();
}
template <class F> inline void each(const F& f, const int64_t count)
{
    carry_out([=] { for (int64_t n = 0; n < count; n++) f(n); });
}
template <class F> inline void tiles(const F& f, const int64_t count)
{
    carry_out([=] {
        static typename F::Tile tile;
        for (int64_t n = 0; n < count; n++) f(n, tile, Team());
    });
}
template <class F> inline void together(const F& f, int64_t)
{
    static typename F::Tile tile;
    f(Grid(), tile, Team());
}
class Graph {
public:
    template <class F> void run(const F& launches)
    {
        if (uses_++ == 0) return launches();
        if (recorded_.empty())
        {
            recording = &recorded_;
            launches();
            recording = nullptr;
        }
        for (const auto& launch : recorded_) launch();
    }
private:
    int64_t uses_ = 0;
    std::vector<std::function<void()>> recorded_;
};
#endif

template <class T> inline T* uploaded(const std::vector<T>& values)
{
    T* to = allocate<T>(values.size());
    upload(to, values.data(), values.size());
    return to;
}
template <class T> inline std::vector<T> downloaded(const T* from, const size_t count)
{
    std::vector<T> values(count);
    download(values.data(), from, count);
    return values;
}

// ------------------------------------------------------------------ events
// Room for (step, unit) pairs that units note as they happen.
struct Events {
    int64_t* pairs = nullptr;
    unsigned long long* count = nullptr;
    NEUROGLIA_BOTH void note(const int64_t step, const int64_t unit) const
    {
        const unsigned long long n = next(count);
        pairs[2*n] = step;
        pairs[2*n + 1] = unit;
    }
    void open(const size_t room) { pairs = allocate<int64_t>(2*room); count = allocate<unsigned long long>(1); }
    // What was noted, in order of time and unit; there is room again afterwards.
    std::vector<std::pair<int64_t, int64_t>> taken() const
    {
        unsigned long long n = 0;
        download(&n, count, 1);
        const std::vector<int64_t> flat = downloaded(pairs, 2*n);
        std::vector<std::pair<int64_t, int64_t>> all(n);
        for (size_t k = 0; k < n; k++) all[k] = {flat[2*k], flat[2*k + 1]};
        std::sort(all.begin(), all.end());
        n = 0;
        upload(count, &n, 1);
        return all;
    }
};
